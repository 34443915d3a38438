"""A model whose densities are set right on galaxies that it was not trained on."""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float, Key

from nebulium.modelfile import register
from nebulium.photoz.baselines import TrainDistributionModel
from nebulium.photoz.galaxies import PhotometricGalaxies
from nebulium.photoz.photometry import PhotometryModel
from nebulium.photoz.predict import predict_galaxies
from nebulium.photoz.prediction import RedshiftPrediction
from nebulium.photoz.recalibration import Recalibration, measure_recalibration
from nebulium.photoz.redshift_grid import RedshiftGrid
from nebulium.photoz.template import TemplateModel

MODELS: Mapping[str, type[eqx.Module]] = {
    "photometry": PhotometryModel,
    "template": TemplateModel,
    "train-distribution": TrainDistributionModel,
}


@register
class RecalibratedModel(eqx.Module):
    """A model of fluxes, and the map that makes its densities hold what they say.

    Parameters
    ----------
    method : str
        One of `MODELS`.
    hyperparameters : mapping
        Keywords of its constructor.
    key : key, optional
        Of the first weights.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> shape = {"bands": ["g", "r"], "grid_most": 3.0, "grid_bins": 4}
    >>> RecalibratedModel(method="train-distribution", hyperparameters=shape)(jnp.ones(2), jnp.ones(2)).mass
    Array([0.25, 0.25, 0.25, 0.25], dtype=float32)
    """

    model: Any
    recalibration: Recalibration

    def __init__(self, *, method: str, hyperparameters: Mapping[str, Any], key: Key[Array, ""] | None = None):
        self.model = MODELS[method](**hyperparameters, key=key)
        self.recalibration = Recalibration()

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands, in order."""
        return tuple(self.model.bands)

    @property
    def grid(self) -> RedshiftGrid:
        """The bins of redshift."""
        grid: RedshiftGrid = self.model.grid
        return grid

    def __call__(
        self, flux_njy: Float[Array, " band"], flux_err_njy: Float[Array, " band"]
    ) -> RedshiftPrediction:
        """Density of the redshift of one galaxy."""
        said = self.model(flux_njy, flux_err_njy)
        return RedshiftPrediction(self.recalibration(said.mass), said.in_domain)


def recalibrate(
    model: Any, validation: PhotometricGalaxies, *, method: str, hyperparameters: Mapping[str, Any]
) -> RecalibratedModel:
    """Set the densities of a trained model right.

    Parameters
    ----------
    model : equinox.Module
        Trained; of one of `MODELS`.
    validation : PhotometricGalaxies
        With redshifts; the model was not trained on them.
    method : str
    hyperparameters : mapping
        That build a model of this shape.

    Returns
    -------
    RecalibratedModel

    Examples
    --------
    >>> one = np.ones((200, 1), np.float32)
    >>> z = np.linspace(0, 1, 200, dtype=np.float32)
    >>> galaxies = PhotometricGalaxies(np.arange(200), ("r",), one, one, z, 0 * z, None, "a.fits")
    >>> shape = {"bands": ["r"], "grid_most": 3.0, "grid_bins": 64}
    >>> silly = TrainDistributionModel(**shape)
    >>> right = recalibrate(silly, galaxies, method="train-distribution", hyperparameters=shape)
    >>> predict_galaxies(right, galaxies.select(slice(1))).densities.median().round(1).tolist()
    [0.5]
    """
    said = predict_galaxies(model, validation).densities
    pit = said.cdf(validation.redshift.astype(np.float64))
    wrapped = RecalibratedModel(method=method, hyperparameters=hyperparameters)
    return eqx.tree_at(
        lambda one: (one.model, one.recalibration), wrapped, (model, measure_recalibration(pit))
    )
