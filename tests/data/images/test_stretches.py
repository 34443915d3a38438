"""Stretches go there and back, and say what they are not for."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nebulium.data.images.stretches import (
    SDSS_SCALES,
    SDSS_SOFTENING,
    SDSS_STRETCH,
    Stretch,
    lupton_rgb,
    measure_softening,
)
from nebulium.errors import ImageError

STRETCHES = {"display": Stretch("display"), "asinh": Stretch("asinh", (0.02, 3.0)), "none": Stretch("none")}


@pytest.mark.parametrize("stretch", STRETCHES.values(), ids=STRETCHES)
class TestEveryStretch:
    @given(scale=st.floats(0.1, 200.0))
    def test_there_and_back(self, stretch, scale):
        pixels = scale * np.random.default_rng(1).normal(size=(3, 4, 2)).astype(np.float32)
        back = stretch.invert(stretch.apply(pixels))
        assert back.dtype == np.float32
        np.testing.assert_allclose(back, pixels, rtol=1e-4, atol=1e-6)

    def test_one_equals_a_batch(self, stretch):
        pixels = np.random.default_rng(1).normal(size=(5, 4, 4, 2)).astype(np.float32)
        each = np.stack([stretch.apply(image) for image in pixels])
        np.testing.assert_array_equal(stretch.apply(pixels), each)

    def test_it_goes_through_json(self, stretch):
        assert Stretch.from_dict(json.loads(json.dumps(stretch.as_dict()))) == stretch


def test_colours_lie_between_0_and_1():
    values = Stretch("display").apply(np.array([[[0, 128, 255]]], np.uint8))
    np.testing.assert_allclose(values, [[[0, 128 / 255, 1]]], rtol=1e-6)


def test_each_band_has_its_softening():
    values = Stretch("asinh", (0.5, 2.0)).apply(np.array([[0.5, 2.0]]))
    np.testing.assert_allclose(values, np.arcsinh(1.0), rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "softening"),
    [("asinh", ()), ("asinh", (0.0,)), ("asinh", (np.nan,)), ("display", (1.0,)), ("none", (1.0,))],
)
def test_a_softening_that_does_not_suit_is_refused(kind, softening):
    with pytest.raises(ImageError, match=f"stretch: {kind} cannot have the softening"):
        Stretch(kind, softening)


def test_an_entry_that_is_not_known_is_refused():
    with pytest.raises(ImageError, match="found kind, softening, gamma"):
        Stretch.from_dict({"kind": "none", "softening": [], "gamma": 2})
    with pytest.raises(ImageError, match="found kind"):
        Stretch.from_dict({"kind": "none"})


@pytest.mark.parametrize(
    ("stretch", "unit", "bands", "words"),
    [
        ("display", "nJy", "gr", "expected colours from 0 to 255, found pixels in nJy"),
        ("display", "", "gr", "found pixels in an unknown unit"),
        ("asinh", "display", "gr", "expected fluxes for the stretch asinh, found colours"),
        ("asinh", "nJy", "gri", "expected 2 bands, as many as the softening has, found 3"),
    ],
)
def test_images_of_another_kind_are_refused(stretch, unit, bands, words):
    with pytest.raises(ImageError, match=words):
        STRETCHES[stretch].check(unit, tuple(bands), "cutouts")


@pytest.mark.parametrize(("stretch", "unit"), [("display", "display"), ("asinh", ""), ("none", "display")])
def test_images_of_the_kind_are_taken(stretch, unit):
    STRETCHES[stretch].check(unit, ("g", "r"), "cutouts")


def test_pixels_of_other_bands_are_refused():
    with pytest.raises(ImageError, match="expected 2 bands"):
        STRETCHES["asinh"].apply(np.ones((4, 4, 3)))


def test_the_softening_is_the_noise_of_the_sky():
    rng = np.random.default_rng(0)
    sky = rng.normal(100.0, [0.1, 2.0], size=(30, 48, 48, 2))
    sky[:, 20:28, 20:28] += 1e4
    sky[3] = np.nan
    sky[4, :, :24] = 1e9
    np.testing.assert_allclose(measure_softening(sky[:3]), [0.1, 2.0], rtol=0.1)
    sky[3] = sky[2]
    np.testing.assert_allclose(measure_softening(sky), [0.1, 2.0], rtol=0.1)


def test_nan_in_the_border_is_passed_over():
    sky = np.random.default_rng(0).normal(0.0, 0.5, size=(4, 64, 64, 1))
    sky[:, :1] = np.nan
    np.testing.assert_allclose(measure_softening(sky), [0.5], rtol=0.1)


def test_images_may_differ_in_size():
    rng = np.random.default_rng(0)
    images = [rng.normal(0.0, 0.5, size=(side, side + 3, 1)) for side in (40, 64, 48)]
    np.testing.assert_allclose(measure_softening(images), [0.5], rtol=0.1)


def test_a_sky_without_noise_is_refused():
    with pytest.raises(ImageError, match="expected noise in every band"):
        measure_softening(np.ones((2, 8, 8, 1)))
    with pytest.raises(ImageError, match="there are none"):
        measure_softening(np.ones((0, 8, 8, 1)))


def lupton_linear(colours, softening):
    """Fluxes from colour images, but for colours brighter than white: the inverse of the formula.

    There a flux f is shown as f asinh(Q F) / (Q F), with F the sum of the three, so that the sum of the
    colours tells F.
    """
    shown = colours.astype(np.float32) / np.float32(255.0)
    total = np.float32(softening) * shown.sum(axis=-1, keepdims=True)
    return shown * np.where(total > 0, np.sinh(total) / np.where(total > 0, total, 1), 1)


def test_colours_of_sdss_give_the_fluxes_they_were_made_of():
    rng = np.random.default_rng(0)
    fluxes = rng.uniform(0.02, 0.1, (16, 16, 3))
    linear = lupton_linear(lupton_rgb(fluxes), SDSS_SOFTENING)
    back = linear[..., ::-1] / (SDSS_STRETCH * np.array(SDSS_SCALES[::-1], np.float32))
    np.testing.assert_allclose(back, fluxes, rtol=0.1)
    np.testing.assert_allclose(np.median(back / fluxes), 1.0, atol=0.005)


def test_black_stays_black():
    assert lupton_rgb(np.zeros((2, 2, 3))).max() == 0
