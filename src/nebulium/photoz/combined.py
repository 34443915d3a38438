"""Networks on fluxes and templates together: what each knows of a galaxy's redshift, in one density.

Networks know the galaxies that they were trained on, templates the physics of all others, and where one goes
far wrong the other often does not. Their densities are multiplied, each raised to a power (a logarithmic
opinion pool: Genest & Zidek 1986, Statistical Science 1, 114). Powers below 1 allow for what both take from
the same fluxes; a power of 0 leaves one of the two out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from nebulium.modelfile import register
from nebulium.photometry.galaxies import PhotometricGalaxies
from nebulium.photoz.density.prediction import RedshiftPrediction
from nebulium.photoz.density.recalibration import Recalibration
from nebulium.photoz.fluxes.model import PhotometryModel
from nebulium.photoz.fluxes.recipe import PhotometryConfig
from nebulium.photoz.predict import predict_galaxies
from nebulium.photoz.templates.adjustment import TemplateSettings
from nebulium.photoz.templates.model import TemplateModel

#: Powers among which the best pair is taken.
POWERS = (0.0, 0.3, 0.5, 0.7, 0.85, 1.0)
# Share of a density that may be wrong altogether, spread evenly over the bins: neither of the two has a veto.
WRONG_SHARE = 0.05

Mass = Float[Array, " bin"]


@dataclass(frozen=True)
class CombinedSettings(PhotometryConfig, TemplateSettings):
    """Settings of the networks and of the templates: see `PhotometryConfig` and `TemplateSettings`.

    Examples
    --------
    >>> CombinedSettings(epochs=5, zero_points="none").epochs
    5
    """


@register
class CombinedModel(eqx.Module):
    """p(z) of a galaxy from networks and templates.

    Parameters
    ----------
    photometry, template : mapping
        Keywords of `PhotometryModel` and of `TemplateModel`, of the same bands and bins of redshift.
    key : key, optional
        Of the first weights.

    Attributes
    ----------
    powers : (2,) float32
        Of the densities of networks and of templates.
    """

    photometry: PhotometryModel
    template: TemplateModel
    powers: Float[Array, "2"]
    recalibration: Recalibration

    def __init__(
        self, *, photometry: Mapping[str, Any], template: Mapping[str, Any], key: Key[Array, ""] | None = None
    ):
        self.photometry = PhotometryModel(**photometry, key=key)
        self.template = TemplateModel(**template)
        self.powers = jnp.ones(2, jnp.float32)
        self.recalibration = Recalibration()

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands, in order."""
        return self.photometry.bands

    @property
    def grid(self) -> Any:
        """The `RedshiftGrid`."""
        return self.photometry.grid

    def __call__(
        self, flux_njy: Float[Array, " band"], flux_err_njy: Float[Array, " band"]
    ) -> RedshiftPrediction:
        """p(z) of one galaxy; a missing band is NaN. In domain is what is so for both."""
        parts = self.photometry(flux_njy, flux_err_njy), self.template(flux_njy, flux_err_njy)
        mass = pooled(parts[0].mass, parts[1].mass, self.powers)
        return RedshiftPrediction(self.recalibration(mass), parts[0].in_domain & parts[1].in_domain)


def pooled(first: Mass, second: Mass, powers: Float[Array, "2"]) -> Mass:
    """Two densities multiplied, each raised to a power."""
    logs = [jnp.log((1.0 - WRONG_SHARE) * mass + WRONG_SHARE / mass.size) for mass in (first, second)]
    return jax.nn.softmax(powers[0] * logs[0] + powers[1] * logs[1])


def combine(
    photometry: PhotometryModel,
    template: TemplateModel,
    validation: PhotometricGalaxies,
    hyperparameters: Mapping[str, Any],
) -> CombinedModel:
    """Networks and templates, with the powers that give validation galaxies the highest density."""
    first, second = (predict_galaxies(model, validation).densities.mass for model in (photometry, template))
    place = np.searchsorted(photometry.grid.edges[1:-1], validation.redshift)
    parts = (photometry, template, jnp.asarray(best_powers(first, second, place), jnp.float32))
    model = CombinedModel(**hyperparameters)
    return eqx.tree_at(lambda one: (one.photometry, one.template, one.powers), model, parts)


def best_powers(
    first: Float[np.ndarray, "n bin"], second: Float[np.ndarray, "n bin"], place: Int[np.ndarray, " n"]
) -> tuple[float, float]:
    """The pair with which the pooled densities of n galaxies are highest in the bins of their redshifts."""
    pool = jax.jit(jax.vmap(pooled, in_axes=(0, 0, None)))

    def log_density(powers: tuple[float, float]) -> float:
        mass = pool(jnp.asarray(first), jnp.asarray(second), jnp.asarray(powers, jnp.float32))
        return float(np.mean(np.log(np.asarray(mass, np.float64)[np.arange(len(place)), place])))

    return max(product(POWERS, POWERS), key=log_density)
