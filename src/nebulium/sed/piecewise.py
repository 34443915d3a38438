"""Integrals of a function that is linear between its nodes."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

OnWaves = Float[Array | np.ndarray, " wave"]


class PiecewiseLinear(eqx.Module):
    """A function given at nodes, linear between them and zero outside.

    Parameters
    ----------
    x : array (node,)
        Not decreasing; nodes that coincide enclose nothing.
    y : array (node,)
    """

    x: Float[Array, " node"]
    y: Float[Array, " node"]

    def integral_to(self, upper: Float[Array, " point"]) -> Float[Array, " point"]:
        """Integral from the first node to each point."""
        width = jnp.diff(self.x)
        cells = 0.5 * width * (self.y[1:] + self.y[:-1])
        before = jnp.concatenate([jnp.zeros(1, cells.dtype), jnp.cumsum(cells)])
        inside = jnp.clip(upper, self.x[0], self.x[-1])
        cell = jnp.clip(jnp.searchsorted(self.x, inside, side="right") - 1, 0, width.size - 1)
        step = inside - self.x[cell]
        slope = (self.y[1:] - self.y[:-1]) / jnp.where(width > 0, width, 1.0)
        return before[cell] + step * (self.y[cell] + 0.5 * step * slope[cell])
