"""Where the training galaxies lie: the flag of a prediction outside, and what stands in for a missing bin."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from nebulium.lines.features import LUMINOSITY_BIN

N_REFERENCE = 2048
# The distance to the domain is that to this neighbour among the reference galaxies: one odd galaxy is no
# domain.
NEIGHBOUR = 5
# Share of galaxies like those of the training set that the flag leaves outside.
OUTSIDE_SHARE = 0.003
# A missing bin is filled from this many reference galaxies, weighted by a Gaussian whose width is the
# distance to a nearer one.
COMPLETIONS = 32
BANDWIDTH_NEIGHBOUR = 8
# Two galaxies count as alike if their continua agree to 0.02 dex a bin and their luminosities to 0.3 dex.
LIKE_LOG_FLUX, LIKE_LOG_LUMINOSITY = 0.02, 0.3


class TrainingDomain(eqx.Module):
    """A sample of the training galaxies, and how far from it a galaxy may be.

    Attributes
    ----------
    reference : (2048, feature) float32
        Standardised features of training galaxies.
    most_distance : () float32
        Largest distance at which a galaxy counts as inside.
    log_luminosity_range : (2,) float32
        Range of the training luminosities (see `nebulium.lines.features.log_luminosity`).

    Examples
    --------
    >>> domain = TrainingDomain(12)
    >>> bool(domain.contains(jnp.zeros(12)))
    True
    """

    reference: Float[Array, "2048 feature"]
    most_distance: Float[Array, ""]
    log_luminosity_range: Float[Array, "2"]

    def __init__(self, n_features: int):
        self.reference = jnp.zeros((N_REFERENCE, n_features), jnp.float32)
        self.most_distance = jnp.zeros((), jnp.float32)
        self.log_luminosity_range = jnp.array([-jnp.inf, jnp.inf], jnp.float32)

    def distance(self, features: Float[Array, " feature"]) -> Float[Array, ""]:
        """Root-mean-square difference of the standardised features to the fifth nearest reference galaxy."""
        nearest = -jax.lax.top_k(-self._squares(features), NEIGHBOUR)[0]
        return jnp.sqrt(jnp.maximum(nearest[-1], 0.0))

    def contains(self, features: Float[Array, " feature"]) -> Bool[Array, ""]:
        """Whether a galaxy lies inside; False where a feature is NaN."""
        # Counting the neighbours within reach needs no sorting: ten times faster than `distance`.
        within = self._squares(features) <= self.most_distance**2
        return jnp.sum(within) >= NEIGHBOUR

    def _squares(self, features: Float[Array, " feature"]) -> Float[Array, "2048"]:
        """Mean-square differences, as a matrix product where many galaxies are mapped."""
        own = jnp.mean(features**2)
        return jnp.mean(self.reference**2, axis=1) + own - 2.0 * (self.reference @ features) / features.size


class Completions(eqx.Module):
    """Continua that agree with the bins that were seen.

    Attributes
    ----------
    continuum_flux : (32, 12) float32
        In the unit of the input; the seen bins as they are.
    weight : (32,) float32
        Adds up to one.
    """

    continuum_flux: Float[Array, "32 12"]
    weight: Float[Array, "32"]


def complete_continuum(
    domain: TrainingDomain,
    colours: Float[Array, "2048 11"],
    continuum_flux: Float[Array, "12"],
    log_luminosity: Float[Array, "2048"] | None = None,
    log_luminosity_of_unit_flux: Float[Array, ""] | None = None,
) -> Completions:
    """Fill the missing bins from the training galaxies that are most alike in the others.

    Parameters
    ----------
    domain : TrainingDomain
        Holds the reference galaxies.
    colours : (2048, 11) float32
        Their colours, dex.
    continuum_flux : (12,) float32
        NaN where a bin is missing; at least one is not.
    log_luminosity : (2048,) float32, optional
        Their luminosities, to tell giants from dwarfs of one colour.
    log_luminosity_of_unit_flux : () float32, optional
        Luminosity of a galaxy at this redshift with a flux of one in the luminosity bin.

    Returns
    -------
    Completions

    Examples
    --------
    >>> flux = jnp.full(12, 3.0).at[0].set(jnp.nan)
    >>> filled = complete_continuum(TrainingDomain(11), jnp.zeros((2048, 11)), flux)
    >>> bool(jnp.allclose(filled.continuum_flux, 3.0))
    True
    """
    seen = jnp.isfinite(continuum_flux)
    log_flux = jnp.where(seen, jnp.log10(jnp.where(seen, continuum_flux, 1.0)), 0.0)
    shape = jnp.pad(jnp.cumsum(colours, axis=1), ((0, 0), (1, 0)))
    counts = seen.astype(jnp.float32)
    share = counts / jnp.sum(counts)
    level = (log_flux[None, :] - shape) @ share
    misfit = jnp.where(seen[None, :], log_flux[None, :] - shape - level[:, None], 0.0)
    squares = jnp.sum((misfit / LIKE_LOG_FLUX) ** 2, axis=1)
    filled = jnp.where(seen[None, :], log_flux[None, :], shape + level[:, None])
    if log_luminosity is not None and log_luminosity_of_unit_flux is not None:
        own = filled[:, LUMINOSITY_BIN] + log_luminosity_of_unit_flux
        squares += ((own - log_luminosity) / LIKE_LOG_LUMINOSITY) ** 2
    nearest, index = jax.lax.top_k(-squares, COMPLETIONS)
    bandwidth = jnp.maximum(-nearest[BANDWIDTH_NEIGHBOUR], 1e-6)
    return Completions(10.0 ** filled[index], jax.nn.softmax(0.5 * nearest / bandwidth))


def measure_domain(features: Float[Array, "n feature"], others: Float[Array, "m feature"]) -> TrainingDomain:
    """Set up the domain from standardised features.

    Parameters
    ----------
    features : (n, feature) float32
        Training galaxies, in any fixed order; evenly spaced rows become the reference.
    others : (m, feature) float32
        Galaxies like them that are not among them, such as the validation set.

    Returns
    -------
    TrainingDomain
        Its distance set so that it holds 99.7 % of the others.

    Examples
    --------
    >>> draw = lambda seed: jax.random.normal(jax.random.key(seed), (4096, 3))
    >>> domain = measure_domain(draw(0), draw(1))
    >>> bool(domain.contains(jnp.zeros(3))), bool(domain.contains(jnp.full(3, 9.0)))
    (True, False)
    """
    rows = jnp.arange(N_REFERENCE) * features.shape[0] // N_REFERENCE
    domain = TrainingDomain(features.shape[1])
    domain = eqx.tree_at(lambda d: d.reference, domain, features[rows])
    distances = jax.lax.map(domain.distance, others, batch_size=256)
    most = jnp.quantile(distances, 1.0 - OUTSIDE_SHARE)
    return eqx.tree_at(lambda d: d.most_distance, domain, most)
