"""Cutting, padding and binning keep what they should."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nebulium.data.images.sizes import binned, border_pixels, fit_size
from nebulium.errors import ImageError


def image(height, width, bands=2, dtype=np.float32):
    rng = np.random.default_rng(height * 100 + width)
    return rng.integers(0, 255, (height, width, bands)).astype(dtype)


@given(side=st.integers(1, 12), more=st.integers(0, 9), dtype=st.sampled_from([np.uint8, np.float32]))
def test_padded_and_cut_back_is_as_it_was(side, more, dtype):
    before = image(side, side, dtype=dtype)
    padded = fit_size(before, side + more)
    assert padded.shape == (side + more, side + more, 2)
    assert padded.dtype == dtype
    np.testing.assert_array_equal(fit_size(padded, side), before)


@given(height=st.integers(1, 12), width=st.integers(1, 12), size=st.integers(1, 12))
def test_every_pixel_was_in_the_image_or_is_sky(height, width, size):
    before = image(height, width)
    after = fit_size(before, size)
    sky = np.median(border_pixels(before), axis=0)
    for band in range(2):
        assert np.isin(after[..., band], [*before[..., band].ravel(), sky[band]]).all()


@given(side=st.integers(1, 12), size=st.integers(1, 12), turns=st.integers(0, 3))
def test_turning_and_fitting_commute_about_one_centre(side, size, turns):
    before = image(side, side)
    if (side - size) % 2:
        size += 1
    turned = np.rot90(fit_size(before, size), turns)
    np.testing.assert_array_equal(fit_size(np.rot90(before, turns), size), turned)


def test_one_side_is_cut_and_the_other_padded():
    before = image(8, 2)
    after = fit_size(before, 4)
    np.testing.assert_array_equal(after[:, 1:3], before[2:6])
    np.testing.assert_array_equal(after[0, 0], np.median(border_pixels(before), axis=0))


def test_the_border_is_what_lies_outside():
    assert len(border_pixels(image(10, 6), 2)) == 60 - 6 * 2
    assert len(border_pixels(image(3, 3), 2)) == 9
    assert len(border_pixels(image(1, 5))) == 5


@given(blocks=st.integers(1, 4), factor=st.integers(1, 4))
def test_bins_keep_the_mean(blocks, factor):
    images = image(blocks * factor, blocks * factor)[None]
    after = binned(images, factor)
    assert after.shape == (1, blocks, blocks, 2)
    assert after.dtype == np.float32
    np.testing.assert_allclose(after.mean(axis=(1, 2)), images.mean(axis=(1, 2)), rtol=1e-5)


@pytest.mark.parametrize("factor", [0, 3])
def test_bins_that_do_not_fit_are_refused(factor):
    with pytest.raises(ImageError, match=f"binning: {factor} does not divide images of 8 x 8 pixels"):
        binned(image(8, 8)[None], factor)


def test_no_size_is_refused():
    with pytest.raises(ImageError, match="from 1 up, found 0"):
        fit_size(image(8, 8), 0)
