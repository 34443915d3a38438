"""Conditional densities and networks that two or more subjects share."""

from nebulium.nn.gaussian_copula import copula_log_density, factor_correlation
from nebulium.nn.sinh_arcsinh import SinhArcsinh
from nebulium.nn.training_domain import TrainingDomain, measure_domain

__all__ = [
    "SinhArcsinh",
    "TrainingDomain",
    "copula_log_density",
    "factor_correlation",
    "measure_domain",
]
