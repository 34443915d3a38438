"""What the folder of a model of emission lines says of it."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from nebulium.data.tables.table import Table
from nebulium.lines.continuum.bins import BIN_EDGES_AA
from nebulium.lines.continuum.line_list import LINES
from nebulium.lines.likelihood import POPULATIONS
from nebulium.lines.measurement import BOUND_SNR
from nebulium.lines.model import LineModel
from nebulium.training import FitResult
from nebulium.verbs import Card, TrainedModel
from nebulium.verbs.card import markdown_table

CITATION = (
    "Khederlarian et al. 2024, MNRAS 531, 1454 (emission lines from the continuum); "
    "the data set that it was trained on, for DESI: DESI Collaboration 2024, AJ 168, 58 (Early Data Release)"
)

UNCERTAINTY = (
    "the intrinsic law is the spread of galaxies that share a continuum; `--observed` adds noise and "
    "selection. It does not contain the error of the continuum itself."
)
DOMAIN = "colours no further from those of training galaxies than those of 99.7 % of the validation galaxies"


def described(
    model: LineModel, config: Any, result: FitResult[Any], *, split: Mapping[str, Any], table: Table
) -> TrainedModel:
    """A trained model with what its folder says of it."""
    source, population = table.name.rpartition("/")[2], POPULATIONS[config.selection]
    log_scale, slope, log_knee = model.measurement.noise_scalars
    measured = {
        "noise_scale": jnp.exp(log_scale),
        "sigma_slope": slope,
        "sigma_knee_ew_aa": jnp.exp(log_knee),
        "outlier_share": model.measurement.outlier_share,
    }
    by_line = {name: dict(zip(LINES, values.tolist(), strict=True)) for name, values in measured.items()}
    scale, outliers = by_line["noise_scale"], by_line["outlier_share"]
    rows = [(line, f"{scale[line]:.2f}", f"{outliers[line]:.4f}") for line in LINES]
    brightness = " and the luminosity at 6250 AA" * model.with_luminosity
    return TrainedModel(
        model,
        hyperparameters=config.hyperparameters,
        preprocessing={
            "bin_edges_aa": BIN_EDGES_AA,
            "features": "11 colours log10(f[j+1]/f[j])" + (", log luminosity" * model.with_luminosity),
            "lines": LINES,
            "at_bound_below_snr": BOUND_SNR,
        },
        units={
            "continuum_flux": "1e-17 erg/s/cm2/AA" if model.with_luminosity else "any",
            "ew": "AA, rest frame, emission positive",
        },
        training_domain={
            "in_domain": DOMAIN + ", and a luminosity in their range" * model.with_luminosity,
            "log_luminosity_range": model.log_luminosity_range if model.with_luminosity else None,
            "most_distance": model.domain.most_distance,
        },
        split=split,
        settings=dataclasses.asdict(config),
        citation=CITATION,
        card=Card(
            title="Emission lines from starlight",
            summary="The joint law of the rest-frame equivalent widths of ten lines, from eleven continuum "
            f"colours{brightness}.",
            facts={
                "Data": f"`{source}`",
                "Population that the intrinsic law describes": f"{population}.",
                "Uncertainty": UNCERTAINTY,
            },
            details="Scatter of the measurements in units of the quoted error, for a typical continuum, and "
            f"the share of outliers:\n\n{markdown_table(('line', 'noise scale', 'outliers'), rows)}",
        ),
        results=[result],
        further={"trained_on": source, "population": population, "measurement": by_line},
    )
