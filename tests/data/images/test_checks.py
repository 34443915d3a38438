"""Images that cannot be used are named, and a few bad pixels filled."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nebulium.data.images.checks import checked_image

BANDS = ("g", "r")


def good(dtype=np.float32):
    return np.random.default_rng(0).uniform(1, 200, (20, 20, 2)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64, np.int16, ">f4"])
def test_a_good_image_is_as_it_was(dtype):
    image = good(np.dtype(dtype))
    checked = checked_image(image, BANDS)
    assert checked.dtype == (np.uint8 if dtype == np.uint8 else np.float32)
    np.testing.assert_allclose(checked, image, rtol=1e-6)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (np.ones((4, 4)), "has shape (4, 4), expected (height, width, 2)"),
        (np.ones((4, 4, 3)), "has shape (4, 4, 3), expected (height, width, 2)"),
        (np.ones((0, 4, 2)), "has no pixels"),
        (np.zeros((4, 4, 2)), "is zero in all pixels"),
        (np.zeros((4, 4, 2), np.uint8), "is zero in all pixels"),
        (np.ones((4, 4, 2), complex), "has pixels of type complex128"),
        (np.array([["a", "b"]])[None], "has pixels of type <U1"),
        (good() * [1, 0], "is zero in all pixels of band r"),
        (good() * [np.nan, 1], "has more than 5% bad pixels (NaN, infinite or flagged) in band g"),
        (good(np.float64) * [1, 1e300], "has more than 5% bad pixels (NaN, infinite or flagged) in band r"),
    ],
)
def test_what_is_wrong_is_said(image, reason):
    assert checked_image(image, BANDS) == reason


def test_a_band_of_zeros_and_a_few_nan_is_empty():
    image = good() * np.array([1, 0], np.float32)
    image[3, 3, 1] = np.nan
    assert checked_image(image, BANDS) == "is zero in all pixels of band r"


@given(
    count=st.integers(1, 20), bad=st.sampled_from([np.nan, np.inf, -np.inf, 1e39]), seed=st.integers(0, 99)
)
def test_a_few_bad_pixels_become_sky(count, bad, seed):
    image = good(np.float64)
    places = np.random.default_rng(seed).choice(400, count, replace=False)
    image.reshape(400, 2)[places, 1] = bad
    before = image.copy()
    checked = checked_image(image, BANDS)
    np.testing.assert_array_equal(image, before)
    assert np.isfinite(checked).all()
    is_bad = np.isin(np.arange(400), places)
    np.testing.assert_array_equal(checked[..., 0], image[..., 0].astype(np.float32))
    np.testing.assert_array_equal(
        checked.reshape(400, 2)[~is_bad, 1], image.reshape(400, 2)[~is_bad, 1].astype("f4")
    )
    assert len(np.unique(checked.reshape(400, 2)[is_bad, 1])) == 1


def test_one_bad_pixel_more_than_the_limit_is_too_many():
    image = good()
    image.reshape(400, 2)[:20, 0] = np.nan
    assert isinstance(checked_image(image, BANDS), np.ndarray)
    image.reshape(400, 2)[20, 0] = np.nan
    assert "more than 5%" in checked_image(image, BANDS)


def test_a_border_without_a_good_pixel_takes_the_image():
    image = np.full((100, 100, 1), 3.0, np.float32)
    image[[0, -1]] = np.nan
    image[:, [0, -1]] = np.nan
    assert checked_image(image, ("r",)).tolist() == np.full((100, 100, 1), 3.0).tolist()
