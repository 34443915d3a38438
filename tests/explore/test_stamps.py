"""Small pictures of galaxies."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from nebulium.explore.draw.stamps import LONGEST, Levels, measure_levels, stamp, stamp_pixels


def galaxy(height: float = 50.0, *, bands: int = 3, side: int = 48, seed: int = 0) -> np.ndarray:
    y, x = np.mgrid[:side, :side] - 0.5 * (side - 1)
    light = height * np.exp(-np.hypot(x, y) / 4.0)
    noise = np.random.default_rng(seed).normal(0.0, 1.0, (side, side, bands))
    return (light[..., None] + noise).astype(np.float32)


def decoded(uri: str) -> np.ndarray:
    start = "data:image/png;base64,"
    assert uri.startswith(start)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.removeprefix(start)))))


def alone(image: np.ndarray, unit: str = "") -> np.ndarray:
    """The picture of an image by its own levels."""
    return decoded(stamp(image, 0.5, measure_levels([image]), unit))


def test_more_stretch_shows_more_faint_light():
    image = galaxy(1000.0)
    faint = [
        stamp_pixels(image, stretch, measure_levels([image]))[24, 36].mean() for stretch in (0.0, 0.5, 1.0)
    ]
    assert faint[0] < faint[1] < faint[2]


def test_the_survey_decides_which_galaxy_is_white():
    levels = measure_levels([galaxy(seed=seed) * [1.0, 2.0, 4.0] for seed in range(5)])
    assert np.array(levels.white) / levels.white[0] == pytest.approx([1.0, 2.0, 4.0], rel=0.1)
    white, red = galaxy() * [1.0, 2.0, 4.0], galaxy() * [0.3, 1.0, 4.0]
    middle = slice(21, 27)
    shown = [stamp_pixels(image, 0.5, levels)[middle, middle].mean(axis=(0, 1)) for image in (white, red)]
    assert np.ptp(shown[0]) < 25
    assert shown[1][0] > shown[1][1] > shown[1][2]


def test_the_first_row_of_fluxes_is_at_the_bottom_and_of_colours_at_the_top():
    image = np.zeros((20, 20, 3), np.float32)
    image[:4] = 100.0
    assert alone(image)[-1].mean() > alone(image)[0].mean()
    colours = np.zeros((20, 20, 3), np.uint8)
    colours[:4] = 200
    assert alone(colours, unit="display")[0].mean() == 200


@pytest.mark.parametrize("bands", [1, 2, 3, 4, 7])
def test_any_number_of_bands(bands):
    assert alone(galaxy(bands=bands)).shape == (48, 48, 3)
    if bands == 1:
        assert np.ptp(alone(galaxy(bands=1)).astype(int), axis=-1).max() == 0


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, -5.0, 1e30])
def test_images_of_one_value_are_pictures_all_the_same(value):
    image = np.full((16, 16, 3), value, np.float32)
    assert alone(image).shape == (16, 16, 3)


def test_bad_pixels_are_sky():
    image = galaxy()
    image[:8, :8] = np.nan
    assert alone(image)[-3, 2].tolist() == alone(image)[-6, 5].tolist()


def test_large_images_become_small_ones():
    assert max(alone(galaxy(side=400)).shape) == LONGEST
    image = galaxy(side=64)
    assert len(stamp(image, 0.5, measure_levels([image]))) < 25_000


def test_the_slider_has_ends():
    image = galaxy()
    levels = Levels((1.0,) * 3, (1.0,) * 3)
    assert stamp(image, 7.0, levels) == stamp(image, 1.0, levels)
    assert stamp(image, -7.0, levels) == stamp(image, 0.0, levels)
