"""Where the training galaxies lie: the flag of a prediction outside."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

N_REFERENCE = 2048
# The distance to the domain is that to this neighbour among the reference galaxies: one odd galaxy is no
# domain.
NEIGHBOUR = 5
# Share of galaxies like those of the training set that the flag leaves outside.
OUTSIDE_SHARE = 0.003


class TrainingDomain(eqx.Module):
    """A sample of the training galaxies, and how far from it a galaxy may be.

    Attributes
    ----------
    reference : (reference, feature) float32
        Standardised features of training galaxies.
    most_distance : () float32
        Largest distance at which a galaxy counts as inside.

    Examples
    --------
    >>> domain = TrainingDomain(12)
    >>> bool(domain.contains(jnp.zeros(12)))
    True
    """

    reference: Float[Array, "reference feature"]
    most_distance: Float[Array, ""]

    def __init__(self, n_features: int, n_reference: int = N_REFERENCE):
        self.reference = jnp.zeros((n_reference, n_features), jnp.float32)
        self.most_distance = jnp.zeros((), jnp.float32)

    def distance(self, features: Float[Array, " feature"]) -> Float[Array, ""]:
        """Root-mean-square difference of the standardised features to the fifth nearest reference galaxy."""
        nearest = -jax.lax.top_k(-self._squares(features), NEIGHBOUR)[0]
        return jnp.sqrt(jnp.maximum(nearest[-1], 0.0))

    def contains(self, features: Float[Array, " feature"]) -> Bool[Array, ""]:
        """Whether a galaxy lies inside; False where a feature is NaN."""
        # Counting the neighbours within reach needs no sorting: ten times faster than `distance`.
        within = self._squares(features) <= self.most_distance**2
        return jnp.sum(within) >= NEIGHBOUR

    def _squares(self, features: Float[Array, " feature"]) -> Float[Array, " reference"]:
        """Mean-square differences, as a matrix product where many galaxies are mapped."""
        own = jnp.mean(features**2)
        return jnp.mean(self.reference**2, axis=1) + own - 2.0 * (self.reference @ features) / features.size


def measure_domain(
    features: Float[Array, "n feature"], others: Float[Array, "m feature"], *, n_reference: int | None = None
) -> TrainingDomain:
    """Set up the domain from standardised features.

    Parameters
    ----------
    features : (n, feature) float32
        Training galaxies, in any fixed order; evenly spaced rows become the reference.
    others : (m, feature) float32
        Galaxies like them that are not among them, such as the validation set.
    n_reference : int, optional
        Rows of the reference, for a model that fixes it; rows come again if there are fewer galaxies. 2048,
        or as many as there are galaxies, by default.

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
    n, n_features = features.shape
    n_reference = n_reference or min(N_REFERENCE, n)
    # numpy's 64-bit integers: the product outgrows 32 bits at a million galaxies.
    rows = np.arange(n_reference) * n // n_reference
    domain = TrainingDomain(n_features, n_reference)
    domain = eqx.tree_at(lambda d: d.reference, domain, features[rows])
    return eqx.tree_at(lambda d: d.most_distance, domain, _most_distance(domain, others))


@eqx.filter_jit
def _most_distance(domain: TrainingDomain, others: Float[Array, "m feature"]) -> Float[Array, ""]:
    """The distance that holds nearly all of the others."""
    distances = jax.lax.map(domain.distance, others, batch_size=256)
    return jnp.quantile(distances, 1.0 - OUTSIDE_SHARE)
