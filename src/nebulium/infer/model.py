"""A posterior of a galaxy's properties for any photometry of some bands: a network, and exact weights."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from nebulium.infer.importance import Weights, weigh
from nebulium.infer.light import GalaxyTable
from nebulium.infer.likelihood import Agreement, MeasuredFluxes, agreement
from nebulium.infer.line_light import LineLight
from nebulium.infer.parameters import (
    DUST,
    MASS,
    METALS,
    ONSET,
    PARAMETERS,
    RATE,
    Prior,
    Theta,
    interim_prior,
    properties_of,
)
from nebulium.modelfile import register
from nebulium.nn.chained_density import ChainedDensity
from nebulium.sed.cosmology import DEFAULT_COSMOLOGY, Scalar
from nebulium.sed.spectrum import dilution

Features = Float[Array, " feature"]
Numbers = Float[Array, " number"]

#: Order in which the network draws the properties, each given those before it: the mass comes last, as the
#: others and the brightness tell it.
ORDER = (METALS, ONSET, RATE, DUST, MASS)
#: How many times wider a part of the proposal is than the network says, and which share that part has: so
#: that no weight is without bound (Hesterberg 1995, Technometrics 37, 185).
WIDER, WIDER_SHARE = 1.5, 0.2


class Draws(NamedTuple):
    """Weighted draws of the properties of one galaxy.

    Parameters
    ----------
    theta : array (draw, parameter)
        In the order of `PARAMETERS`.
    properties : array (draw, property)
        In the order of `PROPERTIES`.
    weights : Weights
    chi_square : array (draw,)
        Of the fluxes, given each draw.
    """

    theta: Float[Array, "draw parameter"]
    properties: Float[Array, "draw property"]
    weights: Weights
    chi_square: Float[Array, " draw"]


@register
class PhotometryPosterior(eqx.Module):
    """Posterior of the properties of a galaxy at a known redshift, under the interim prior.

    Parameters
    ----------
    bands : sequence of str
        Filters, as `nebulium.sed.load_filters` names them.
    redshifts : sequence of float
        Least and largest that it was trained for.
    model_error : sequence of float
        Error of the model in each band, as a fraction of the flux.
    width, depth, hidden, mixture : int
        Of the network: see `nebulium.nn.chained_density.ChainedDensity`.
    key : key, optional
        Of the first weights.

    Attributes
    ----------
    network : ChainedDensity
        From features of the photometry to the density of normal scores of the properties, and of the mass
        over the brightness.
    lines : LineLight
    prior : Prior
    mass_mean, mass_scale : () float32
        Of log10 of mass over brightness, of the training galaxies.
    model_error : (band,) float32

    Examples
    --------
    >>> model = PhotometryPosterior(
    ...     bands=["sdss_g0", "sdss_r0"], redshifts=[0.01, 0.3], model_error=[0.03, 0.03], width=8, depth=1,
    ...     hidden=4, mixture=2,
    ... )
    >>> model.network.layers[0].in_features
    8
    """

    network: ChainedDensity
    lines: LineLight
    prior: Prior
    mass_mean: Scalar
    mass_scale: Scalar
    model_error: Float[Array, " band"]
    bands: tuple[str, ...] = eqx.field(static=True)
    redshifts: tuple[float, float] = eqx.field(static=True)

    def __init__(
        self,
        *,
        bands: Sequence[str],
        redshifts: Sequence[float],
        model_error: Sequence[float],
        width: int,
        depth: int,
        hidden: int,
        mixture: int,
        key: Key[Array, ""] | None = None,
    ):
        of_network, of_lines = jax.random.split(jax.random.key(0) if key is None else key)
        shape: dict[str, Any] = {"width": width, "depth": depth, "hidden": hidden, "mixture": mixture}
        features = 3 * len(bands) + 2
        self.network = ChainedDensity(features, len(PARAMETERS), dropout=0.0, **shape, key=of_network)
        self.lines = LineLight(key=of_lines)
        self.prior = interim_prior()
        self.mass_mean, self.mass_scale = jnp.zeros(()), jnp.ones(())
        self.model_error = jnp.asarray(model_error, jnp.float32)
        self.bands = tuple(bands)
        least, largest = redshifts
        self.redshifts = (float(least), float(largest))

    def features(self, measured: MeasuredFluxes) -> tuple[Features, Scalar]:
        """What the network sees of the photometry, whatever its brightness; and that, log10 of nJy.

        Each band is a magnitude that turns into flux over error where there is little signal.
        """
        z, seen = measured.redshift, jnp.isfinite(measured.flux_njy)
        # A limit is no detection, with the limit for its error.
        flux = jnp.where(measured.is_limit | ~seen, 0.0, measured.flux_njy)
        error = jnp.where(measured.is_limit, measured.flux_njy, measured.flux_err_njy)
        variance = jnp.where(seen, error**2 + (self.model_error * flux) ** 2, 1.0)
        weight = jnp.where(seen, flux**2 / variance + 1e-2, 0.0)
        faintest = jnp.min(jnp.where(seen, variance, jnp.inf))
        log_light = 0.5 * jnp.log(jnp.sum(weight * flux**2) / jnp.sum(weight) + 0.01 * faintest)
        log_error = 0.5 * jnp.log(variance)
        brightness = jnp.arcsinh(0.5 * flux * jnp.exp(-log_error)) + log_error - log_light
        features = (
            jnp.where(seen, brightness + 1.7, 0.0),
            jnp.where(seen, log_error - log_light + 3.0, 0.0),
            seen.astype(jnp.float32) - 0.5,
            jnp.stack([10.0 * z - 1.5, jnp.log(z) + 2.0]),
        )
        return jnp.concatenate(features), log_light / np.float32(np.log(10.0))

    def numbers(self, theta: Theta, measured: MeasuredFluxes, log_light: Scalar) -> Numbers:
        """What the network says the density of: normal scores, and the mass over the brightness."""
        scores = self.prior.scores(theta)
        mass = (theta[MASS] - self.log_mass(measured.redshift, log_light)) / self.mass_scale
        return jnp.stack([mass if place == MASS else scores[place] for place in ORDER])

    def theta(self, numbers: Numbers, measured: MeasuredFluxes, log_light: Scalar) -> Theta:
        """The properties of such numbers."""
        scores = jnp.zeros(len(PARAMETERS)).at[np.array(ORDER)].set(numbers)
        mass = self.log_mass(measured.redshift, log_light) + self.mass_scale * numbers[ORDER.index(MASS)]
        return self.prior.at(scores).at[MASS].set(mass)

    def log_mass(self, redshift: Scalar, log_light: Scalar) -> Scalar:
        """log10 of the mass of a galaxy with the mass over light of the training galaxies, on average."""
        return self.mass_mean + log_light - jnp.log10(dilution(redshift, DEFAULT_COSMOLOGY))

    def draws(self, table: GalaxyTable, measured: MeasuredFluxes, key: Key[Array, ""], count: int) -> Draws:
        """Draws of one galaxy, with exact weights.

        Parameters
        ----------
        table : GalaxyTable
            Of the redshift of the galaxy and the bands of the model.
        measured : MeasuredFluxes
        key : jax key
        count : int
            Draws before they are weighed.
        """
        features, log_light = self.features(measured)
        wider = jnp.arange(count) < round(WIDER_SHARE * count)
        propose = jax.vmap(self.network.propose, in_axes=(None, None, 0, 0))
        which, keys = wider.astype(jnp.int32), jax.random.split(key, count)
        numbers, log_densities = propose(self.network.seen(features), (1.0, WIDER), which, keys)
        shares = np.log(np.array([1.0 - WIDER_SHARE, WIDER_SHARE], np.float32))
        log_proposal = jax.scipy.special.logsumexp(log_densities + shares[None, :], axis=1)

        def of(numbers: Numbers) -> tuple[Theta, Array, Agreement, Scalar]:
            theta = self.theta(numbers, measured, log_light)
            light = table.light(theta, self.lines)
            told = properties_of(theta, light.log_mformed, table.stars.t_obs_gyr)
            agrees = agreement(light, measured, self.model_error)
            return theta, told, agrees, self._log_prior(numbers, theta)

        theta, told, agrees, log_prior = jax.vmap(of)(numbers)
        weights = weigh(agrees.log_likelihood + log_prior, log_proposal)
        return Draws(theta, told, weights, agrees.chi_square)

    def _log_prior(self, numbers: Numbers, theta: Theta) -> Scalar:
        """Logarithm of the density of the prior in the numbers of the network."""
        others = np.array([place for place, which in enumerate(ORDER) if which != MASS])
        normal = -0.5 * jnp.sum(numbers[others] ** 2) - np.float32(0.5 * len(others) * np.log(2.0 * np.pi))
        even = jnp.log(self.mass_scale / (self.prior.high - self.prior.low)[MASS])
        return jnp.where(self.prior.holds(theta), normal + even, -jnp.inf)
