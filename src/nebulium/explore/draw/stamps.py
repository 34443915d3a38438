"""Images of galaxies as small colour pictures, with an adjustable stretch of the faint light."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Num, UInt8
from PIL import Image

from nebulium.data.images.stretches import DISPLAY_UNIT, sky_and_noise

#: Where brightness turns from linear to logarithmic, in units of the noise, at the ends of the slider: 0
#: shows the core, 1 the faintest light.
SOFTENINGS = (100.0, 1.0)
#: The share of pixels that may be white, and the least white, in units of the noise.
WHITE_SHARE, LEAST_WHITE = 0.002, 12.0
#: The sky is this dark grey, so that noise below it can be seen.
SKY_GREY = 0.08
#: Longest side of a picture, pixels.
LONGEST = 160
#: White is measured in the middle of an image: a half of the side.
MIDDLE = 4

Picture = Num[np.ndarray, "height width band"]


@dataclass(frozen=True)
class Levels:
    """The levels of white and of noise in the images of one survey.

    Attributes
    ----------
    white : tuple of float
        Flux, band by band, of a galaxy that shall look white: those of the survey on average.
    noise : tuple of float
        Standard deviation of a pixel of sky, band by band.
    """

    white: tuple[float, ...]
    noise: tuple[float, ...]


def measure_levels(images: Sequence[Picture]) -> Levels:
    """Measure the levels of white and of noise in some images of a survey."""
    bands = images[0].shape[-1] if len(images) else 1
    lights = np.full((len(images) or 1, bands), np.nan)
    noises = lights.copy()
    for place, image in enumerate(images):
        sky, noises[place] = sky_and_noise(image)
        h, w = image.shape[0] // MIDDLE, image.shape[1] // MIDDLE
        inner = image[h : image.shape[0] - h, w : image.shape[1] - w]
        lights[place] = _finite(inner - sky).sum(axis=(0, 1))
    return Levels(_medians(np.where(lights > 0, lights, np.nan)), _medians(noises))


def stamp(image: Picture, stretch: float, levels: Levels, unit: str = "") -> str:
    """A picture of one galaxy as an address for the browser."""
    if unit == DISPLAY_UNIT:
        return png_address(_brightened(image, stretch))
    return png_address(stamp_pixels(image, stretch, levels)[::-1])


def stamp_pixels(image: Picture, stretch: float, levels: Levels) -> UInt8[np.ndarray, "height width 3"]:
    """Red, green and blue of an image of fluxes."""
    light, noise = _three_colours(image, levels)
    total = light.mean(axis=-1, keepdims=True)
    softening = noise * _between(SOFTENINGS, stretch)
    white = max(float(np.quantile(total, 1.0 - WHITE_SHARE)), LEAST_WHITE * noise)
    shown = np.arcsinh(total / softening) / np.arcsinh(white / softening)
    # Brightness is stretched and colour kept; where there is no light there is no colour.
    has_light = np.abs(total) > 1e-3 * noise
    ratio = np.where(has_light, shown / np.where(has_light, total, 1.0), 0.0)
    colours = SKY_GREY + (1.0 - SKY_GREY) * light * ratio
    # Past white all three are lowered alike, so that bright centres keep their colour.
    colours = colours / np.maximum(colours.max(axis=-1, keepdims=True), 1.0)
    return np.round(255.0 * np.clip(colours, 0.0, 1.0)).astype(np.uint8)


def _three_colours(image: Picture, levels: Levels) -> tuple[Float[np.ndarray, "height width 3"], float]:
    """Red, green, blue without sky in units of white, and the noise of their mean."""
    sky, _ = sky_and_noise(image)
    white = np.array(levels.white)
    light = _finite((image - sky) / white)
    noise = np.array(levels.noise) / white
    last = image.shape[-1] - 1
    # Of two bands the middle colour is their mean.
    chosen = [[last], [last // 2, last - last // 2], [0]]
    colours = np.stack([light[..., bands].mean(axis=-1) for bands in chosen], axis=-1)
    weights = np.stack([np.isin(np.arange(last + 1), bands) / len(bands) for bands in chosen]).mean(axis=0)
    return colours, float(np.sqrt(np.sum((weights * noise) ** 2)))


def _finite(light: np.ndarray) -> np.ndarray:
    """Bad pixels as sky."""
    return np.where(np.isfinite(light), light, 0.0)


def _medians(values: Float[np.ndarray, "n band"]) -> tuple[float, ...]:
    """One number a band, 1 where there is none that is positive."""
    columns = [column[np.isfinite(column) & (column > 0)] for column in values.T]
    return tuple(float(np.median(column)) if column.size else 1.0 for column in columns)


def _brightened(image: Picture, stretch: float) -> UInt8[np.ndarray, "height width 3"]:
    """Colours as they are in the middle of the slider."""
    colours = np.broadcast_to(image, (*image.shape[:2], 3)) if image.shape[-1] == 1 else image[..., :3]
    power = 2.0 ** (1.0 - 2.0 * float(np.clip(stretch, 0.0, 1.0)))
    place = np.clip(np.nan_to_num(colours.astype(np.float64)) / 255.0, 0.0, 1.0)
    return np.round(255.0 * place**power).astype(np.uint8)


def _between(ends: tuple[float, float], place: float) -> float:
    """Along a logarithmic slider."""
    logs = np.log(ends)
    return float(np.exp(logs[0] + (logs[1] - logs[0]) * np.clip(place, 0.0, 1.0)))


def png_address(colours: UInt8[np.ndarray, "height width 3"]) -> str:
    """Red, green and blue as an address for the browser, made smaller if they are large."""
    picture = Image.fromarray(np.ascontiguousarray(colours))
    picture.thumbnail((LONGEST, LONGEST))
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=6)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")
