"""What a model of emission lines says of itself: the entries of its config.json and its model card."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from nebulium.data.tables.table import Table
from nebulium.lines.continuum.features import BIN_EDGES_AA
from nebulium.lines.continuum.line_list import LINES
from nebulium.lines.measurement import BOUND_SNR
from nebulium.lines.model import LineModel

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


def model_config(
    model: LineModel,
    config: Any,
    *,
    split: Mapping[str, Any],
    metrics: Mapping[str, Any],
    table: Table,
) -> dict[str, Any]:
    """Entries of config.json; see `nebulium.modelfile.save_model`."""
    measurement = model.measurement
    log_scale, slope, log_knee = measurement.noise_scalars
    return {
        "hyperparameters": config.hyperparameters,
        "recipe": dataclasses.asdict(config),
        "trained_on": table.name.rpartition("/")[2],
        "population": POPULATIONS[config.selection],
        "preprocessing": {
            "bin_edges_aa": BIN_EDGES_AA,
            "features": "11 colours log10(f[j+1]/f[j])" + (", log luminosity" * model.with_luminosity),
            "lines": LINES,
            "at_bound_below_snr": BOUND_SNR,
        },
        "units": {
            "continuum_flux": "1e-17 erg/s/cm2/AA" if model.with_luminosity else "any",
            "ew": "AA, rest frame, emission positive",
        },
        "training_domain": {
            "log_luminosity_range": model.log_luminosity_range if model.with_luminosity else None,
            "most_distance": model.domain.most_distance,
        },
        "measurement": {
            "noise_scale": _by_line(jnp.exp(log_scale)),
            "sigma_slope": _by_line(slope),
            "sigma_knee_ew_aa": _by_line(jnp.exp(log_knee)),
            "outlier_share": _by_line(measurement.outlier_share),
        },
        "split": dict(split),
        "metrics": dict(metrics),
        "citation": CITATION,
    }


def model_card(document: Mapping[str, Any]) -> str:
    """The model card in Markdown, written from config.json."""
    luminosity = document["hyperparameters"]["with_luminosity"]
    inputs = "eleven continuum colours" + (" and the luminosity at 6250 AA" if luminosity else "")
    split, metrics = document["split"], document["metrics"]
    sizes = ", ".join(f"{n} {part}" for part, n in split["galaxies"].items())
    rows = "\n".join(
        f"| {line} | {scale:.2f} | {document['measurement']['outlier_share'][line]:.4f} |"
        for line, scale in document["measurement"]["noise_scale"].items()
    )
    return f"""# Emission lines from starlight

The joint law of the rest-frame equivalent widths of ten lines, from {inputs}.

- **Trained on** `{document["trained_on"]}`: {sizes} galaxies, split by a hash of `{split["id_column"]}`
  (seed `{split["seed"]}`).
- **Population** that the intrinsic law describes: {document["population"]}.
- **Uncertainty**: the intrinsic law is the spread of galaxies that share a continuum; `--observed` adds noise
  and selection. It does not contain the error of the continuum itself.
- **Outside the training domain** predictions are flagged (`in_domain`), not refused.
- **Training**: best epoch {metrics["best_epoch"]}, negative log-likelihood per galaxy
  {metrics["training_negative_log_likelihood"]:.3f} (training),
  {metrics["validation_negative_log_likelihood"]:.3f} (validation).

Scatter of the measurements in units of the quoted error, for a typical continuum, and the share of outliers:

| line | noise scale | outliers |
|---|---|---|
{rows}

Cite: {document["citation"]}.
"""


def _by_line(values: Any) -> dict[str, float]:
    return {line: float(value) for line, value in zip(LINES, values, strict=True)}
