"""Images of any bands as colour pictures that can be compared, one with another."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8

from nebulium.data.images.stretches import lupton_rgb

#: Noise of the sky in colour pictures, where 1 is white, and the softening of Lupton et al. 2004: what is a
#: hundred times as bright as the noise is then nearly white.
SKY, SOFTENING = 0.12, 1.5
#: Of a picture, where the light of a galaxy sits.
CORE = 0.25

Fluxes = Float[np.ndarray, "n height width band"]


def core_light(flux: Fluxes) -> Float[np.ndarray, "n band"]:
    """Mean flux of the pixels in the middle of each image."""
    edge = int(0.5 * (1 - CORE) * flux.shape[1])
    return flux[:, edge : flux.shape[1] - edge, edge : flux.shape[2] - edge].mean(axis=(1, 2))


def scaled_colours(
    flux: Fluxes, typical: Float[np.ndarray, " band"], noise: Sequence[float]
) -> UInt8[np.ndarray, "n height width 3"]:
    """Images as colours, all on one scale, from the core of a typical galaxy and the noise of the sky.

    The first band, that in the middle and the last one become blue, green and red. Each is scaled so that the
    typical galaxy is white; the level is set by the noise (Lupton et al. 2004, PASP 116, 133).
    """
    last = flux.shape[-1] - 1
    chosen = [0, last // 2, last]
    sky = np.asarray(noise, np.float64)[chosen]
    # A band in which the typical galaxy is not seen is scaled by its noise.
    white = np.where(typical[chosen] > 0, typical[chosen], sky)
    level = SKY / np.exp(np.mean(np.log(sky / white)))
    blue, green, red = level / white
    shown = np.asarray(flux, np.float64)[..., chosen]
    pictures = [lupton_rgb(one, (red, green, blue), stretch=1.0, softening=SOFTENING) for one in shown]
    return np.stack(pictures) if pictures else np.zeros((*flux.shape[:3], 3), np.uint8)
