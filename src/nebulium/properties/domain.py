"""Whether a galaxy is like those of the training set: the flag of a prediction outside.

Profiles of galaxies, and embeddings, lie near a surface of few dimensions. Distances are measured along it,
in units of the scatter of the training galaxies, and away from it. What a profile does not show is not
flagged: a galaxy in grey has the profile of one with neutral colours.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from nebulium.nn.training_domain import TrainingDomain, measure_domain

#: Principal axes of the features along which galaxies are told apart.
AXES = 12
_LEAST_SCATTER = 1e-3

Profiles = Float[Array, " profile"]


class ProfileDomain(eqx.Module):
    """A sample of the training galaxies in the space of their profiles, and how far from it a galaxy may be.

    Parameters
    ----------
    profiles : int
        Number of features of the profiles.
    references : int
        Galaxies of the sample.
    axes : int
        Principal axes at most.

    Attributes
    ----------
    centre : (profile,) float32
    axes : (axis, profile) float32
        Principal axes, of length one.
    scatter : (axis,) float32
        Of the training galaxies along them.
    off_surface : (2,) float32
        Mean and scatter of the logarithm of their distances from the surface that the axes span.
    domain : TrainingDomain
    """

    centre: Float[Array, " profile"]
    axes: Float[Array, "axis profile"]
    scatter: Float[Array, " axis"]
    off_surface: Float[Array, "2"]
    domain: TrainingDomain

    def __init__(self, profiles: int, references: int, axes: int = AXES):
        self.centre = jnp.zeros(profiles, jnp.float32)
        axes = min(axes, profiles)
        self.axes = jnp.zeros((axes, profiles), jnp.float32)
        self.scatter = jnp.ones(axes, jnp.float32)
        self.off_surface = jnp.array([0.0, 1.0], jnp.float32)
        self.domain = TrainingDomain(axes + 1, references)

    def coordinates(self, profiles: Profiles) -> Float[Array, "axis_and_off"]:
        """Where a galaxy lies along the axes, and how far off their surface, in scatters."""
        along = self.axes @ (profiles - self.centre)
        # What lies closer to the surface than galaxies do is no stranger than they are.
        off = jnp.maximum(self.log_distance(profiles) - self.off_surface[0], 0.0) / self.off_surface[1]
        return jnp.append(along / self.scatter, off)

    def log_distance(self, profiles: Profiles) -> Float[Array, ""]:
        """Logarithm of how far a galaxy lies off the surface."""
        offset = profiles - self.centre
        left = offset - self.axes.T @ (self.axes @ offset)
        return jnp.log(jnp.sqrt(jnp.mean(left**2)) + _LEAST_SCATTER)

    def contains(self, profiles: Profiles) -> Bool[Array, ""]:
        """Whether a galaxy lies inside; False where a feature is NaN."""
        return self.domain.contains(self.coordinates(profiles))


def measure_profile_domain(
    training: Float[Array, "n profile"],
    others: Float[Array, "m profile"],
    *,
    references: int,
    axes: int = AXES,
) -> ProfileDomain:
    """Set up the domain from standardised profiles."""
    domain = ProfileDomain(training.shape[1], references, axes)
    centre = jnp.mean(training, axis=0)
    _, values, principal = jnp.linalg.svd(training - centre[None, :], full_matrices=False)
    axes = len(domain.axes)
    scatter = values[:axes] / jnp.sqrt(jnp.asarray(len(training), jnp.float32))
    surface = lambda d: (d.centre, d.axes, d.scatter)  # noqa: E731
    domain = eqx.tree_at(surface, domain, (centre, principal[:axes], jnp.maximum(scatter, _LEAST_SCATTER)))
    away = jax.vmap(domain.log_distance)(training)
    off_surface = jnp.stack([jnp.mean(away), jnp.maximum(jnp.std(away), _LEAST_SCATTER)])
    domain = eqx.tree_at(lambda d: d.off_surface, domain, off_surface)
    places = [jax.vmap(domain.coordinates)(galaxies) for galaxies in (training, others)]
    return eqx.tree_at(lambda d: d.domain, domain, measure_domain(*places, n_reference=references))
