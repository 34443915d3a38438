"""Conditional densities and networks that two or more subjects share."""

from nebulium.nn.convnext import ConvNeXt
from nebulium.nn.convolution import Convolution, DepthwiseConvolution
from nebulium.nn.copula import SinhArcsinh, copula_log_density, factor_correlation
from nebulium.nn.densities import GaussianHead, MixtureHead, QuantileHead
from nebulium.nn.encoders import make_encoder
from nebulium.nn.residual import ResNet
from nebulium.nn.training_domain import TrainingDomain, measure_domain

__all__ = [
    "ConvNeXt",
    "Convolution",
    "DepthwiseConvolution",
    "GaussianHead",
    "MixtureHead",
    "QuantileHead",
    "ResNet",
    "SinhArcsinh",
    "TrainingDomain",
    "copula_log_density",
    "factor_correlation",
    "make_encoder",
    "measure_domain",
]
