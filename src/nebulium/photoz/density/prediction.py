"""What every method says of one galaxy."""

import equinox as eqx
from jaxtyping import Array, Bool, Float


class RedshiftPrediction(eqx.Module):
    """The density p(z) of one galaxy, or of a batch.

    Attributes
    ----------
    mass : array of float32 of shape (..., bin)
        Probability of each bin of the model's `RedshiftGrid`; adds up to 1, also where nothing is known.
    in_domain : array of bool of shape (...)
        False where the galaxy is unlike those that the model was made for: do not rely on it.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> RedshiftPrediction(mass=jnp.full(4, 0.25), in_domain=jnp.asarray(True)).mass.sum()
    Array(1., dtype=float32)
    """

    mass: Float[Array, "*batch bin"]
    in_domain: Bool[Array, "*batch"]
