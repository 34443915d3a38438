"""What the folder of a model of emission lines says of it."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from nebulium.data.tables.table import Table
from nebulium.lines.continuum.features import BIN_EDGES_AA
from nebulium.lines.continuum.line_list import LINES
from nebulium.lines.measurement import BOUND_SNR
from nebulium.lines.model import LineModel
from nebulium.training import FitResult
from nebulium.verbs import Card, TrainedModel

CITATION = (
    "Khederlarian et al. 2024, MNRAS 531, 1454 (emission lines from the continuum); "
    "the data set that it was trained on, for DESI: DESI Collaboration 2024, AJ 168, 58 (Early Data Release)"
)

POPULATIONS = {
    "learned": "all galaxies of the table, those included whose line was not recorded: the chance to be "
    "recorded is learned as a smooth function of the S/N",
    "censored": "all galaxies of the table, a missing line taken for a negative measurement",
    "truncated": "the galaxies whose line was recorded",
}
DOMAIN = "colours no further from those of training galaxies than those of 99.7 % of the validation galaxies"


def described(
    model: LineModel, config: Any, result: FitResult[Any], *, split: Mapping[str, Any], table: Table
) -> TrainedModel:
    """A trained model with what its folder says of it."""
    measurement, source = model.measurement, table.name.rpartition("/")[2]
    log_scale, slope, log_knee = measurement.noise_scalars
    scale = _by_line(jnp.exp(log_scale))
    outliers = _by_line(measurement.outlier_share)
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
        card=_card(model, POPULATIONS[config.selection], source, scale, outliers),
        results=[result],
        further={
            "trained_on": source,
            "population": POPULATIONS[config.selection],
            "measurement": {
                "noise_scale": scale,
                "sigma_slope": _by_line(slope),
                "sigma_knee_ew_aa": _by_line(jnp.exp(log_knee)),
                "outlier_share": outliers,
            },
        },
    )


def _card(
    model: LineModel, population: str, source: str, scale: dict[str, float], outliers: dict[str, float]
) -> Card:
    inputs = "eleven continuum colours" + " and the luminosity at 6250 AA" * model.with_luminosity
    rows = "\n".join(f"| {line} | {scale[line]:.2f} | {outliers[line]:.4f} |" for line in LINES)
    return Card(
        title="Emission lines from starlight",
        summary=f"The joint law of the rest-frame equivalent widths of ten lines, from {inputs}.",
        facts={
            "Data": f"`{source}`",
            "Population that the intrinsic law describes": f"{population}.",
            "Uncertainty": "the intrinsic law is the spread of galaxies that share a continuum; `--observed` "
            "adds noise and selection. It does not contain the error of the continuum itself.",
        },
        details="Scatter of the measurements in units of the quoted error, for a typical continuum, and the "
        f"share of outliers:\n\n| line | noise scale | outliers |\n|---|---|---|\n{rows}",
    )


def _by_line(values: Any) -> dict[str, float]:
    return {line: float(value) for line, value in zip(LINES, values, strict=True)}
