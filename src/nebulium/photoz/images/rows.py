"""Prepared images with redshifts where they are known, as rows to train on.

Their labels: `colour`, see `colour_targets`; `redshift` and `redshift_err`, NaN where there is none; and
`is_first`, 0 for galaxies that stand there once more, see `repeating_labels`.
"""

import numpy as np
from jaxtyping import Float, Int

from nebulium.data.images.labelled import LabelledImages


def with_redshift(images: LabelledImages) -> LabelledImages:
    """Those that have a redshift."""
    return images.select(_labelled(images))


def repeating_labels(images: LabelledImages, *, least_share: float, most: int) -> LabelledImages:
    """All, the labelled so often that they make up a share, where they are few.

    With one label in a hundred, most batches would hold no redshift.
    """
    labelled, n = _labelled(images), len(images)
    wanted = least_share / (1.0 - least_share) * (n - len(labelled)) / max(len(labelled), 1)
    again = np.tile(labelled, min(most, max(1, round(wanted))) - 1)
    repeated = images.select(np.concatenate([np.arange(n), again]))
    is_first = (np.arange(len(repeated)) < n).astype(np.float32)
    return LabelledImages(repeated.images, {**repeated.labels, "is_first": is_first})


def _labelled(images: LabelledImages) -> Int[np.ndarray, " n"]:
    return np.flatnonzero(np.isfinite(images.labels["redshift"]))


def redshift_labels(
    colour: Float[np.ndarray, "n colour"],
    redshift: Float[np.ndarray, " n"],
    redshift_err: Float[np.ndarray, " n"],
) -> dict[str, Float[np.ndarray, "n ..."]]:
    """Labels of galaxies that stand there once."""
    is_first = np.ones(len(redshift), np.float32)
    return {"colour": colour, "redshift": redshift, "redshift_err": redshift_err, "is_first": is_first}


def colour_targets(
    flux_njy: Float[np.ndarray, "n band"], flux_err_njy: Float[np.ndarray, "n band"]
) -> Float[np.ndarray, "n band"]:
    """Colours between neighbouring bands and one brightness, which stay finite where a flux is negative.

    PITA's four features (FACTS: log ratios and log F814W), with arcsinh magnitudes in place of logarithms.
    """
    noise = np.nanmedian(np.where(np.isfinite(flux_njy), flux_err_njy, np.nan), axis=0)
    brightness = np.arcsinh(flux_njy / (2.0 * noise))
    middle = brightness[:, [flux_njy.shape[1] // 2]]
    features = np.concatenate([np.diff(brightness, axis=1), middle], axis=1)
    mean, scatter = np.nanmean(features, axis=0), np.nanstd(features, axis=0)
    return ((features - mean) / np.maximum(scatter, 1e-3)).astype(np.float32)
