"""The Gaussian under the network: what all images of galaxies have in common, in closed form.

Images vary along the components of the training set, by amounts that conditions tell, and along all else as
noise does. That makes the best linear filter of noise, component by component (Wiener 1949), and what is
drawn with it alone are Gaussian galaxies.
"""

from collections.abc import Callable
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nebulium.generate.latent.diffusion import Known
from nebulium.generate.latent.gaussian import ConditionalGaussian
from nebulium.generate.pixels.planes import Planes

Image = Float[Array, "side side band"]
Variances = Float[Array, "..."]
# Bright galaxies are a thousand times the noise: on a GPU the default precision would lose it in them.
_tensordot = partial(jnp.tensordot, precision=jax.lax.Precision.HIGHEST)


class Frame(eqx.Module):
    """The components of images, spread out over the pixels.

    Attributes
    ----------
    planes : (component, side, side, band) float32
        Orthonormal.
    mean : (side, side, band) float32
    scales : (component,) float32
        Standard deviations along the components.
    """

    planes: Float[Array, "component side side band"]
    mean: Image
    scales: Float[Array, " component"]


def frame_of(planes: Planes) -> Frame:
    """The frame of components, which is made once for many images."""
    return Frame(planes.every(), planes.mean_image, planes.scales)


class Base(eqx.Module):
    """The Gaussian of stretched images of galaxies of which some conditions are known.

    Attributes
    ----------
    planes : (component, side, side, band) float32
        Orthonormal.
    mean : (side, side, band) float32
    along : (component,) float32
        Variances along the components.
    left : () float32
        Variance along every other axis.
    """

    planes: Float[Array, "component side side band"]
    mean: Image
    along: Float[Array, " component"]
    left: Float[Array, ""]

    def scaled(self, image: Image, gain: Callable[[Variances], Variances]) -> Image:
        """An image whose part along each axis is multiplied by a function of the variance along it."""
        gains, rest = gain(self.along), gain(self.left)
        amplitudes = _tensordot(self.planes, image, 3)
        return rest * image + _tensordot((gains - rest) * amplitudes, self.planes, 1)


class PixelGaussian(eqx.Module):
    """What conditions say of images, were everything Gaussian.

    Parameters
    ----------
    components, conditions : int
        How many there are of each.

    Attributes
    ----------
    closed : ConditionalGaussian
        Of the amplitudes along components, in their standard deviations.
    left_variance : () float32
        Of a pixel, along all that components leave out.
    """

    closed: ConditionalGaussian
    left_variance: Float[Array, ""]

    def __init__(self, components: int, conditions: int):
        self.closed = ConditionalGaussian(components, conditions)
        self.left_variance = jnp.ones(())

    def given(self, frame: Frame, known: Known) -> Base:
        """The Gaussian, given those conditions that are known."""
        mean, variance = self.closed.given(*known)
        centre = frame.mean + _tensordot(mean * frame.scales, frame.planes, 1)
        return Base(frame.planes, centre, variance * frame.scales**2, self.left_variance)
