"""Prepared images with redshifts where they are known, as rows to train on."""

import dataclasses
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from nebulium.data.images.store import ImageStore


@dataclass(frozen=True, eq=False)
class RedshiftImages:
    """Prepared images, their colours, and redshifts where they are known.

    Attributes
    ----------
    store : ImageStore
    rows : (n,) int
        Of the store.
    colour : (n, colour) float32
        Standardised, NaN where missing: see `colour_targets`.
    redshift, redshift_err : (n,) float32
        NaN without a label.
    copies : int
        So many at the end are galaxies met before: see `repeating_labels`.
    """

    store: ImageStore
    rows: Int[np.ndarray, " n"]
    colour: Float[np.ndarray, "n colour"]
    redshift: Float[np.ndarray, " n"]
    redshift_err: Float[np.ndarray, " n"]
    copies: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, rows: Int[np.ndarray, " k"]) -> dict[str, np.ndarray]:
        """Images with what is known of them, in the order asked for."""
        return {
            "image": self.store.take(self.rows[rows]),
            "colour": self.colour[rows],
            "redshift": self.redshift[rows],
            "redshift_err": self.redshift_err[rows],
            "is_first": (rows < len(self) - self.copies).astype(np.float32),
        }

    def select(self, rows: np.ndarray) -> "RedshiftImages":
        """Some of them."""
        return RedshiftImages(
            self.store, self.rows[rows], self.colour[rows], self.redshift[rows], self.redshift_err[rows]
        )

    @property
    def labelled(self) -> "RedshiftImages":
        """Those with a redshift."""
        return self.select(np.flatnonzero(np.isfinite(self.redshift)))

    def repeating_labels(self, *, least_share: float, most: int) -> "RedshiftImages":
        """All, the labelled so often that they make up a share, where they are few.

        With one label in a hundred, most batches would say nothing of redshifts.
        """
        labelled = np.flatnonzero(np.isfinite(self.redshift))
        wanted = least_share / (1.0 - least_share) * (len(self) - len(labelled)) / max(len(labelled), 1)
        again = np.tile(labelled, min(most, max(1, round(wanted))) - 1)
        repeated = self.select(np.concatenate([np.arange(len(self)), again]))
        return dataclasses.replace(repeated, copies=len(again))


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
