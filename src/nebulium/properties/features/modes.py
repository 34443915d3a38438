"""Fourier modes of rings about the middle: arms, bars, lopsidedness, which a radial profile averages away."""

from functools import cache
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nebulium.nn.convolution import Image
from nebulium.properties.features.profiles import LEAST_BRIGHTNESS, ring_weights

#: Modes of the light, and the first ones whose amplitude in the colour is measured.
MODES, COLOUR_MODES = 6, 4
#: Rings whose phases are compared lie so far from one another: a bar keeps its phase, arms wind.
LAGS = (1, 2, 4)
# Floors of amplitudes, in parts of the mean brightness.
LEAST_AMPLITUDE, LEAST_COLOUR_AMPLITUDE = 0.01, 0.005
_TINY = 1e-10

Rings = Float[Array, "ring mode"]


class _Modes(NamedTuple):
    """Cosine and sine parts of the modes of each ring."""

    cosine: Rings
    sine: Rings

    @property
    def amplitude(self) -> Rings:
        """Their root of the sum of squares, smooth at zero."""
        return jnp.sqrt(self.cosine**2 + self.sine**2 + _TINY)

    def over(self, brightness: Float[Array, " ring"]) -> "_Modes":
        """In parts of a brightness."""
        return _Modes(self.cosine / brightness[:, None], self.sine / brightness[:, None])


def mode_features(image: Image) -> Float[Array, " feature"]:
    """Amplitudes of the modes of light and colour, ring by ring, and how the phases of rings agree.

    The colour is the first band minus the last. All stays the same when the image is turned or mirrored.
    """
    light = jnp.mean(image, axis=-1).ravel()
    colour = (image[..., 0] - image[..., -1]).ravel()
    height, width, _ = image.shape
    brightness = jnp.asarray(ring_weights(height, width)) @ light + LEAST_BRIGHTNESS
    of_light, of_colour = (_modes(values, height, width).over(brightness) for values in (light, colour))
    return jnp.concatenate(
        [
            jnp.log(of_light.amplitude + LEAST_AMPLITUDE).ravel(),
            jnp.log(of_colour.amplitude[:, :COLOUR_MODES] + LEAST_COLOUR_AMPLITUDE).ravel(),
            *(_agreement(of_light, mode, lag) for mode in (0, 1) for lag in LAGS),
        ]
    )


def _agreement(modes: _Modes, mode: int, lag: int) -> Float[Array, " pair"]:
    """Cosine and absolute sine of the angle between the phases of two rings."""
    c, s, amplitude = modes.cosine[:, mode], modes.sine[:, mode], modes.amplitude[:, mode]
    norm = amplitude[:-lag] * amplitude[lag:]
    along = (c[:-lag] * c[lag:] + s[:-lag] * s[lag:]) / norm
    across = (c[:-lag] * s[lag:] - s[:-lag] * c[lag:]) / norm
    return jnp.concatenate([along, jnp.abs(across)])


def _modes(values: Float[Array, " pixel"], height: int, width: int) -> _Modes:
    """The modes of the rings of an image whose pixels stand one after another."""
    cosine, sine = (jnp.asarray(part) for part in _mode_weights(height, width))
    return _Modes(cosine @ values, sine @ values)


@cache
def _mode_weights(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows that average cosine and sine of the angle's multiples over the pixels of each ring."""
    rows, columns = (np.arange(side) - 0.5 * (side - 1) for side in (height, width))
    angle = np.arctan2(rows[:, None], columns[None, :]).ravel()
    turns = np.arange(1, MODES + 1)[:, None] * angle
    rings = ring_weights(height, width)[:, None, :]
    return tuple((rings * part).astype(np.float32) for part in (np.cos(turns), np.sin(turns)))
