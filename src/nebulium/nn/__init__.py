"""Conditional densities and networks that two or more subjects share."""

from nebulium.nn.convnext import ConvNeXt
from nebulium.nn.convolution import Convolution, DepthwiseConvolution
from nebulium.nn.copula import SinhArcsinh, copula_log_density, factor_correlation
from nebulium.nn.densities import GaussianHead, MixtureHead, QuantileHead
from nebulium.nn.encoders import make_encoder
from nebulium.nn.image_model import ImageModel, Standardisation, measure_standardisation, model_images
from nebulium.nn.mapping import map_galaxies
from nebulium.nn.residual import ResNet
from nebulium.nn.training_domain import TrainingDomain, measure_domain

__all__ = [
    "ConvNeXt",
    "Convolution",
    "DepthwiseConvolution",
    "GaussianHead",
    "ImageModel",
    "MixtureHead",
    "QuantileHead",
    "ResNet",
    "SinhArcsinh",
    "Standardisation",
    "TrainingDomain",
    "copula_log_density",
    "factor_correlation",
    "make_encoder",
    "map_galaxies",
    "measure_domain",
    "measure_standardisation",
    "model_images",
]
