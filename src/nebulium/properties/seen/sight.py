"""Embeddings from elsewhere as a model sees them: standardised, and with the flag of those outside."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from nebulium.data.embeddings.columns import EmbeddingForm
from nebulium.data.embeddings.store import StoredEmbeddings
from nebulium.errors import TableError
from nebulium.nn.training_domain import OUTSIDE_SHARE
from nebulium.properties.domain import ProfileDomain, measure_profile_domain

#: Leading principal components from which a Gaussian process learns. On the 400 metallicities of SDSS, by
#: cross-validation, 32 to 128 did as well as all 256 numbers and better than all 640; components of
#: scatter one did worse.
COMPONENTS = 128
#: Principal axes along which embeddings are told apart: with the twelve of profiles, vectors of the right
#: means and scatters but without the correlations passed for galaxies.
AXES = 32
#: So many training galaxies set means, scatters and the domain.
MOST_MEASURED = 4096
# A number that varies by less than this part of its size varies by rounding.
_LEAST_VARIATION = 1e-6

# Named apart from the width of an image, whose sides go by that name.
Embedding = Float[Array, " number"]


class EmbeddingSight(eqx.Module):
    """What a model knows of the embeddings of its training galaxies; measured, not trained.

    Parameters
    ----------
    form : EmbeddingForm
        Columns and width.
    references : int
        Galaxies that the training domain is measured by.
    components : int
        Principal components for a Gaussian process; 0 without one.

    Attributes
    ----------
    mean, weight : (width,) float32
        Of the training galaxies; the weight is one over the scatter, and 0 for a number that is the same for
        all of them.
    axes : (component, width) float32, optional
        Principal axes of standardised embeddings, in a unit in which components have a mean square of 1.
    domain : ProfileDomain
        Of standardised embeddings.
    most_off : () float32
        How far off the surface of the domain an embedding may be, in scatters.
    """

    mean: Embedding
    weight: Embedding
    axes: Float[Array, "component number"] | None
    domain: ProfileDomain
    most_off: Float[Array, ""]
    form: EmbeddingForm = eqx.field(static=True)

    def __init__(self, form: EmbeddingForm, references: int, components: int = 0):
        self.form = form
        self.axes = jnp.zeros((components, form.width)) if components else None
        self.mean, self.weight = jnp.zeros(form.width), jnp.ones(form.width)
        # Of few galaxies the later axes would be noise.
        self.domain = ProfileDomain(form.width, references, min(AXES, references // 2))
        self.most_off = jnp.zeros((), jnp.float32)

    def standardised(self, embedding: Embedding) -> Embedding:
        """Of mean 0 and scatter 1 among the training galaxies."""
        return (embedding - self.mean) * self.weight

    def components(self, standardised: Embedding) -> Float[Array, " component"]:
        """Along the principal axes."""
        return standardised if self.axes is None else self.axes @ standardised

    def contains(self, standardised: Embedding) -> Bool[Array, ""]:
        """Whether an embedding lies inside the training domain."""
        # One distance among those along many axes would hardly count: it has a limit of its own.
        off = self.domain.coordinates(standardised)[-1]
        return self.domain.contains(standardised) & (off <= self.most_off)


def measured_sight(
    sight: EmbeddingSight, training: StoredEmbeddings, others: StoredEmbeddings
) -> EmbeddingSight:
    """Means, scatters, axes and domain of the training galaxies."""
    vectors, other = (_sample(one).astype(np.float64) for one in (training, others))
    mean, scatter = vectors.mean(axis=0), vectors.std(axis=0)
    varies = scatter > _LEAST_VARIATION * np.abs(vectors).max(axis=0)
    if not np.any(varies):
        problem = "has the same embedding for every training galaxy"
        raise TableError(
            str(training.store.source.path),
            problem,
            "check the table, or name other columns: --embedding-columns",
        )
    weight = np.where(varies, 1.0 / np.where(varies, scatter, 1.0), 0.0)
    standard = [jnp.asarray((one - mean) * weight, jnp.float32) for one in (vectors, other)]
    n_reference, n_axes = len(sight.domain.domain.reference), len(sight.domain.axes)
    domain = measure_profile_domain(*standard, references=n_reference, axes=n_axes)
    off = jnp.quantile(jax.vmap(domain.coordinates)(standard[1])[:, -1], 1.0 - OUTSIDE_SHARE)
    # Where the axes span all of a narrow embedding what is left is rounding.
    most_off = jnp.maximum(off, 1.0)
    values = jnp.asarray(mean, jnp.float32), jnp.asarray(weight, jnp.float32), domain, most_off
    leaves = lambda one: (one.mean, one.weight, one.domain, one.most_off)  # noqa: E731
    found = eqx.tree_at(leaves, sight, values)
    if found.axes is not None:
        axes = _principal_axes(np.asarray(standard[0], np.float64), len(found.axes))
        found = eqx.tree_at(lambda one: one.axes, found, jnp.asarray(axes, jnp.float32))
    return found


def _principal_axes(
    standard: Float[np.ndarray, "n width"], components: int
) -> Float[np.ndarray, "component width"]:
    """The leading ones, so long that a component along them has a mean square of 1 on average."""
    axes = np.linalg.svd(standard - standard.mean(axis=0), full_matrices=False)[2][:components]
    return axes / np.sqrt(np.mean((standard @ axes.T) ** 2))


def _sample(embeddings: StoredEmbeddings) -> np.ndarray:
    """Of many, evenly spaced ones."""
    return embeddings[np.arange(0, len(embeddings), -(-len(embeddings) // MOST_MEASURED))]
