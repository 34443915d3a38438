"""Cutouts of several surveys' ways, in FITS."""

import numpy as np
import pytest
from astropy.io import fits

from nebulium.data.images.opening import open_images
from nebulium.errors import ImageError

WCS = {
    "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 10.0, "CRVAL2": 0.0, "CRPIX1": 4.0, "CRPIX2": 4.0,
    "CD1_1": -0.262 / 3600, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 0.262 / 3600,
}  # fmt: skip


def cube(folder, name="7.fits", bands=2, side=8, **header):
    pixels = np.random.default_rng(0).normal(1.0, 0.1, (bands, side, side)).astype(np.float32)
    fits.writeto(folder / name, pixels, fits.Header(header))
    return pixels


def planes(folder, name, hdus):
    units = [fits.PrimaryHDU()]
    units += [fits.ImageHDU(data, fits.Header(header)) for data, header in hdus]
    fits.HDUList(units).writeto(folder / name)


def plane(value, side=8):
    return np.full((side, side), value, np.float32)


def read(folder):
    (chunk,) = open_images(folder).chunks()
    return chunk


@pytest.mark.parametrize(
    ("header", "bands"),
    [
        ({"BANDS": "gr"}, ("g", "r")),
        ({"BANDS": "g,r"}, ("g", "r")),
        ({"BANDS": "sdss_g sdss_r"}, ("sdss_g", "sdss_r")),
        ({"BAND0": "g", "BAND1": "r"}, ("g", "r")),
        ({"BAND0": "g"}, ("0", "1")),
        ({"BANDS": "gg"}, ("0", "1")),
        ({}, ("0", "1")),
    ],
)
def test_bands_of_a_cube(tmp_path, header, bands):
    pixels = cube(tmp_path, **header)
    source = open_images(tmp_path)
    assert source.bands == bands
    np.testing.assert_array_equal(read(tmp_path).pixels[0], np.moveaxis(pixels, 0, -1))


def test_bands_without_names_may_be_named(tmp_path):
    cube(tmp_path)
    assert open_images(tmp_path, bands=["g", "r"]).bands == ("g", "r")


def test_what_the_header_tells(tmp_path):
    cube(tmp_path, BANDS="gr", BUNIT="nanomaggy", MAGZERO=22.5, PSF_FWHM=1.3, **WCS)
    source = open_images(tmp_path)
    assert source.unit == "nanomaggy"
    assert source.zero_point_ab == (22.5, 22.5)
    assert source.psf_fwhm_arcsec == (1.3, 1.3)
    np.testing.assert_allclose(source.pixel_scale_arcsec, (0.262, 0.262), rtol=1e-4)


def test_what_it_does_not_tell_is_not_guessed(tmp_path):
    cube(tmp_path, ZEROPT="unknown")
    source = open_images(tmp_path)
    assert source.unit == ""
    assert source.zero_point_ab is source.psf_fwhm_arcsec is source.pixel_scale_arcsec is None


def test_each_extension_has_its_own(tmp_path):
    light = [
        (plane(number), {"FILTER": band, "ZEROPT": number, "PIXSCALE": 0.2})
        for band, number in (("g", 1.0), ("r", 2.0), ("i", 3.0))
    ]
    planes(tmp_path, "7.fits", light)
    source = open_images(tmp_path, bands=["i", "g"])
    assert source.zero_point_ab == (3.0, 1.0)
    assert source.pixel_scale_arcsec == (0.2, 0.2)
    (chunk,) = source.chunks()
    np.testing.assert_array_equal(chunk.pixels[0][0, 0], [3.0, 1.0])


def test_capitals_tell_bands_apart(tmp_path):
    planes(tmp_path, "7.fits", [(plane(1), {"EXTNAME": "g"}), (plane(2), {"EXTNAME": "G"})])
    assert open_images(tmp_path).bands == ("g", "G")


def test_weights_and_masks_are_no_bands(tmp_path):
    light = (plane(1), {"EXTNAME": "g"})
    planes(tmp_path, "7.fits", [light, (plane(2), {"EXTNAME": "ivar"}), (plane(2), {"EXTNAME": "MASK"})])
    assert open_images(tmp_path).bands == ("g",)


def test_one_plane_is_one_band(tmp_path):
    fits.writeto(tmp_path / "7.fits", plane(1), fits.Header({"FILTER": "F160W"}))
    assert open_images(tmp_path).bands == ("F160W",)
    assert read(tmp_path).pixels[0].shape == (8, 8, 1)


def test_compressed_tiles_are_read(tmp_path):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 99, (2, 16, 16)).astype(np.int16)
    hdus = [fits.PrimaryHDU(), fits.CompImageHDU(pixels, fits.Header({"BANDS": "gr"}))]
    fits.HDUList(hdus).writeto(tmp_path / "7.fits.fz")
    np.testing.assert_array_equal(read(tmp_path).pixels[0], np.moveaxis(pixels, 0, -1))
    assert open_images(tmp_path).ids.tolist() == [7]


def test_odd_cutouts_are_set_aside(tmp_path):
    for name in ("2.fits", "3.fits"):
        cube(tmp_path, name, BANDS="gr", BUNIT="nJy")
    cube(tmp_path, "1.fits", bands=3, BANDS="gri", BUNIT="nJy")
    cube(tmp_path, "4.fits", BANDS="gr", BUNIT="uJy")
    cube(tmp_path, "5.fits", BANDS="rg", BUNIT="nJy")
    fits.writeto(tmp_path / "6.fits", np.ones(3, np.float32))
    planes(tmp_path, "7.fits", [(plane(1), {"EXTNAME": "g"}), (plane(1, 9), {"EXTNAME": "r"})])
    (tmp_path / "8.fits").write_bytes(b"SIMPLE  = no")
    cube(tmp_path, "9.fits", side=16, BANDS="gr", BUNIT="nJy")
    chunk = read(tmp_path)
    assert chunk.problems == {
        0: "has the bands g, r, i, expected g, r",
        3: "is in uJy, the first in nJy",
        5: "holds no image",
        6: "has bands of different sizes",
        7: "is truncated or damaged",
    }
    assert chunk.ids.tolist() == [2, 3, 5, 9]
    np.testing.assert_array_equal(chunk.pixels[2], chunk.pixels[0][..., ::-1])
    assert chunk.pixels[3].shape == (16, 16, 2)


def test_nan_stamps_are_set_aside(tmp_path):
    fits.writeto(tmp_path / "7.fits", np.full((2, 8, 8), np.nan, np.float32))
    assert read(tmp_path).problems == {0: "has more than 5% bad pixels (NaN, infinite or flagged) in band 0"}


def test_no_cutout_that_can_be_read(tmp_path):
    (tmp_path / "8.fits").write_bytes(b"SIMPLE  = no")
    with pytest.raises(ImageError, match="no cutout that can be read; 8.fits is truncated or damaged"):
        open_images(tmp_path)


def test_two_cutouts_of_one_galaxy_are_refused(tmp_path):
    cube(tmp_path, "7.fits")
    cube(tmp_path, "7.fit.gz")
    with pytest.raises(ImageError, match="has two files of the id 7"):
        open_images(tmp_path)
