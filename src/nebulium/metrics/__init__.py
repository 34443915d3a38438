"""Metrics of point predictions, of distributions, and of samples; every convention named."""

from nebulium.metrics.estimates import estimate
from nebulium.metrics.point import (
    bias_mean,
    bias_median,
    bias_median_ratio,
    nmad,
    nmad_uncentred,
    outlier_fraction,
    outlier_fraction_rail,
    residuals,
    rmse,
    sigma_iqr,
    spearman,
)
from nebulium.metrics.probabilistic import (
    Estimate,
    bootstrap,
    cde_loss,
    crps_from_quantiles,
    crps_from_samples,
    interval_coverage,
    pit_from_quantiles,
    pit_from_samples,
    pit_ks,
)
from nebulium.metrics.two_sample import ClassifierAUC, classifier_auc

__all__ = [
    "ClassifierAUC",
    "Estimate",
    "bias_mean",
    "bias_median",
    "bias_median_ratio",
    "bootstrap",
    "cde_loss",
    "classifier_auc",
    "crps_from_quantiles",
    "crps_from_samples",
    "estimate",
    "interval_coverage",
    "nmad",
    "nmad_uncentred",
    "outlier_fraction",
    "outlier_fraction_rail",
    "pit_from_quantiles",
    "pit_from_samples",
    "pit_ks",
    "residuals",
    "rmse",
    "sigma_iqr",
    "spearman",
]
