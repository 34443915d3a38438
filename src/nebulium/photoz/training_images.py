"""Prepared images with redshifts where they are known, as rows to train on."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from nebulium.data.image_store import ImageStore


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

    Examples
    --------
    See `nebulium.photoz.recipe.train_on_store`.
    """

    store: ImageStore
    rows: Int[np.ndarray, " n"]
    colour: Float[np.ndarray, "n colour"]
    redshift: Float[np.ndarray, " n"]
    redshift_err: Float[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, rows: Int[np.ndarray, " k"]) -> dict[str, np.ndarray]:
        """Images with what is known of them, in the order asked for."""
        return {
            "image": self.store.take(self.rows[rows]),
            "colour": self.colour[rows],
            "redshift": self.redshift[rows],
            "redshift_err": self.redshift_err[rows],
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


def colour_targets(
    flux_njy: Float[np.ndarray, "n band"], flux_err_njy: Float[np.ndarray, "n band"]
) -> Float[np.ndarray, "n band"]:
    """Colours between neighbouring bands and one brightness, which stay finite where a flux is negative.

    PITA's four features (FACTS: log ratios and log F814W), with arcsinh magnitudes in place of logarithms.

    Parameters
    ----------
    flux_njy, flux_err_njy : (n, band)
        NaN where missing.

    Returns
    -------
    (n, band) float32
        Standardised; NaN where one of the two bands is missing.

    Examples
    --------
    >>> flux = np.array([[10.0, 20.0], [30.0, 20.0], [np.nan, 20.0]])
    >>> np.isfinite(colour_targets(flux, np.ones((3, 2)))).tolist()
    [[True, True], [True, True], [False, True]]
    """
    noise = np.nanmedian(np.where(np.isfinite(flux_njy), flux_err_njy, np.nan), axis=0)
    brightness = np.arcsinh(flux_njy / (2.0 * noise))
    middle = brightness[:, [flux_njy.shape[1] // 2]]
    features = np.concatenate([np.diff(brightness, axis=1), middle], axis=1)
    mean, scatter = np.nanmean(features, axis=0), np.nanstd(features, axis=0)
    return ((features - mean) / np.maximum(scatter, 1e-3)).astype(np.float32)
