"""Numbers as the arrays that jitted functions take."""

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float


def as_float(value: ArrayLike) -> Float[Array, "..."]:
    """Array of floats, of the default precision where the value has none of its own.

    Weak types are made strong, so that 1.0 and jnp.float32(1.0) share one compiled function.
    """
    array = jnp.asarray(value)
    floating = jnp.issubdtype(array.dtype, jnp.floating)
    return array.astype(array.dtype if floating else jnp.result_type(float))
