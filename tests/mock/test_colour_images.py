import io
import zipfile

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nebulium.data.images.stretches import SDSS_SCALES, lupton_rgb
from nebulium.errors import ImageError
from nebulium.mock.images.colour import CUTOUT_PIXELS, galaxy_radii, petrosian_cutout, petrosian_radii
from nebulium.mock.images.noise import add_noise
from nebulium.mock.instruments import instrument
from nebulium.mock.structure import Structure

FACE_ON = Structure(
    **{
        name: jnp.float32(value)
        for name, value in {
            "bulge_share": 0.3, "bulge_re_kpc": 1.0, "bulge_sersic_n": 2.5, "bulge_axis_ratio": 0.9,
            "disc_re_kpc": 4.5, "cos_inclination": 0.9, "disc_thickness": 0.15, "position_angle_rad": 0.7,
            "young_re_kpc": 5.5, "clump_share": 0.2, "clump_fwhm_kpc": 0.8, "arm_contrast": 0.5,
            "pitch_angle_rad": 0.35, "arm_phase_rad": 1.0,
        }.items()
    },
    n_clumps=jnp.int32(8), n_arms=jnp.int32(2), pattern_seed=jnp.uint32(7),
)  # fmt: skip
# r = 16.6 mag with g - r = 0.6 and r - i = 0.3, in nJy; young stars blue, bulge red.
FLUX = 8.3e5 * np.array([[0.03, 0.12, 0.2], [0.38, 0.7, 0.93], [0.17, 0.18, 0.19]])


@given(st.floats(1e-3, 1e4), st.floats(0.2, 2.0), st.floats(0.2, 2.0))
def test_colours_do_not_depend_on_brightness(brightness, green, blue):
    pixel = np.array([blue / SDSS_SCALES[2], green / SDSS_SCALES[1], 1.0 / SDSS_SCALES[0]])
    red, g, b = lupton_rgb(brightness * pixel[None, None, :])[0, 0].astype(float)
    assert abs(g - green * red) <= 0.5 * (1.0 + green) + 1e-9
    assert abs(b - blue * red) <= 0.5 * (1.0 + blue) + 1e-9


def test_brightness_is_linear_when_faint_and_logarithmic_when_bright():
    faint, twice = (
        int(lupton_rgb(np.full((1, 1, 3), value), stretch=1.0, softening=0.01).max())
        for value in (0.01, 0.02)
    )
    assert abs(twice - 2 * faint) <= 1
    bright = [int(lupton_rgb(np.full((1, 1, 3), value), softening=20.0).max()) for value in (0.5, 5.0, 50.0)]
    assert abs((bright[2] - bright[1]) - (bright[1] - bright[0])) <= 2
    assert bright[2] < 255


def test_negative_pixels_are_black_and_bright_ones_keep_their_hue():
    assert lupton_rgb(np.full((1, 1, 3), -1.0)).max() == 0
    bright = lupton_rgb(np.array([[[1.0, 10.0, 40.0]]]) * 1e4)[0, 0]
    assert bright[0] == 255
    assert bright[0] > bright[1] > bright[2]


def test_gri_are_blue_green_red():
    for band, channel in ((0, 2), (1, 1), (2, 0)):
        image = np.zeros((1, 1, 3))
        image[..., band] = 0.1
        assert lupton_rgb(image)[0, 0].argmax() == channel


def test_petrosian_radii_of_an_exponential_disc():
    """In scale lengths 3.476, 1.631 and 3.558 of radius, R50 and R90 with SDSS's annulus and aperture."""
    y, x = np.mgrid[:401, :401] - 200.0
    radii = petrosian_radii(np.exp(-np.hypot(x, y) / 12.0), 0.25)
    in_scale_lengths = np.array([radii.radius_arcsec, radii.r50_arcsec, radii.r90_arcsec]) / 3.0
    expected = _petrosian_by_integration()
    np.testing.assert_allclose(in_scale_lengths, expected, rtol=0.01)


def _petrosian_by_integration():
    radius = np.linspace(1e-3, 20.0, 200_000)
    growth = 1.0 - (1.0 + radius) * np.exp(-radius)
    within = lambda r: np.interp(r, radius, growth)  # noqa: E731
    probes = radius[(radius > 0.5) & (radius < 10.0)]
    ratio = (within(1.25 * probes) - within(0.8 * probes)) / (1.25**2 - 0.8**2) / within(probes)
    petrosian = probes[np.argmax(ratio < 0.2)]
    flux = within(2.0 * petrosian)
    return petrosian, np.interp(0.5 * flux, growth, radius), np.interp(0.9 * flux, growth, radius)


def test_radii_do_not_depend_on_the_image_they_are_measured_in():
    sdss = instrument("sdss")
    small = galaxy_radii(FACE_ON, FLUX, 0.15, sdss, band=1)
    assert small.r50_arcsec < small.r90_arcsec < 2.0 * small.radius_arcsec
    large = galaxy_radii(FACE_ON, FLUX, 0.03, sdss, band=1)
    assert large.r90_arcsec > 3.0 * small.r90_arcsec


@pytest.mark.parametrize("redshift", [0.02, 0.08, 0.2])
def test_a_cutout_is_as_wide_as_five_r90(redshift):
    """So the galaxy fills the same part of it at every distance."""
    cutout = petrosian_cutout(FACE_ON, FLUX * (0.08 / redshift) ** 2, redshift, np.random.default_rng(0))
    assert cutout.shape == (CUTOUT_PIXELS, CUTOUT_PIXELS, 3)
    assert cutout.dtype == np.uint8
    light = cutout.sum(axis=-1).astype(float)
    at = np.arange(128) - 63.5
    distance = np.hypot(at[:, None], at[None, :])
    sky = np.median(light[distance > 55])
    assert light[distance < 8].mean() > sky + 60
    assert light[(distance > 18) & (distance < 25)].mean() > sky + 4
    assert light[(distance > 42) & (distance < 50)].mean() < sky + 12


def test_mock_cutouts_look_like_those_of_skyserver(nebulium_data):
    """Median colour, brightness and sky of a typical galaxy among those of 60 real ones."""
    with zipfile.ZipFile(nebulium_data / "sdss" / "sdss_gri_jpg_128.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))[:60]
        real = np.stack(
            [np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("RGB")) for name in names]
        )
    mock = petrosian_cutout(FACE_ON, FLUX, 0.08, np.random.default_rng(0))
    at = np.arange(128) - 63.5
    middle = (np.hypot(at[:, None], at[None, :]) < 20) & (np.hypot(at[:, None], at[None, :]) > 8)
    ours, theirs = mock[middle].mean(axis=0), real[:, middle].mean(axis=1)
    assert np.all(ours > np.percentile(theirs, 5, axis=0))
    assert np.all(ours < np.percentile(theirs, 95, axis=0))
    ratio = theirs[:, [0, 2]] / theirs[:, [1]]
    assert np.all(ours[[0, 2]] / ours[1] > np.percentile(ratio, 5, axis=0))
    assert np.all(ours[[0, 2]] / ours[1] < np.percentile(ratio, 95, axis=0))
    corner = np.median([image[:16, :16].std() for image in real])
    assert 0.5 < mock[:16, :16].std() / corner < 2.0


def test_only_three_bands_make_a_colour_image():
    with pytest.raises(ImageError, match="expected"):
        lupton_rgb(np.zeros((4, 4, 4)))


def test_sky_alone_has_no_petrosian_radius():
    sky = add_noise(np.zeros((64, 64, 3)), instrument("sdss"), np.random.default_rng(0))[..., 1]
    with pytest.raises(ImageError, match="Petrosian"):
        petrosian_radii(np.abs(sky) + 1.0, 0.396)
