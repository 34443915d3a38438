"""Conditional densities and networks that two or more subjects share."""

from nebulium.nn.gaussian_copula import copula_log_density, factor_correlation
from nebulium.nn.sinh_arcsinh import SinhArcsinh

__all__ = ["SinhArcsinh", "copula_log_density", "factor_correlation"]
