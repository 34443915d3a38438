"""A residual network from an image to a vector."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from nebulium.nn.convolution import Image
from nebulium.nn.encoders import Encoder, make_encoder
from nebulium.training import orientations

Vector = Float[Array, " output"]


class ImageNetwork(eqx.Module):
    """An encoder of standardised pixels, and a linear layer.

    Parameters
    ----------
    images : (n, side, side, band) float32
        Those that set the means and scatters of the bands.
    outputs : int
        Length of the vector.
    encoder : str
        See `nebulium.nn.make_encoder`.
    key : key
        Of the first weights.
    """

    band_mean: Float[Array, " band"]
    band_scale: Float[Array, " band"]
    encoder: Encoder
    last: eqx.nn.Linear

    def __init__(
        self,
        images: Float[np.ndarray, "n side side band"],
        outputs: int,
        *,
        encoder: str,
        key: Key[Array, ""],
    ):
        encoder_key, last_key = jax.random.split(key)
        mean, scale = (statistic(images, axis=(0, 1, 2), dtype=np.float64) for statistic in (np.mean, np.std))
        self.band_mean, self.band_scale = jnp.asarray(mean, jnp.float32), jnp.asarray(scale, jnp.float32)
        self.encoder = make_encoder(encoder, images.shape[-1], key=encoder_key)
        self.last = eqx.nn.Linear(self.encoder.width, outputs, key=last_key)

    def __call__(self, image: Image) -> Vector:
        """The vector of a prepared image as it lies."""
        standard = (image - self.band_mean[None, None, :]) / self.band_scale[None, None, :]
        return self.last(self.encoder(standard))

    def in_all_orientations(self, image: Image) -> Vector:
        """The mean of the vectors of the image, turned and mirrored in all ways."""
        return jnp.mean(jax.vmap(self)(orientations(image)), axis=0)

    @property
    def trained(self) -> tuple[Any, ...]:
        """The parts that learn; the statistics of the bands are measured."""
        return self.encoder, self.last
