import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from benchmarks.mock.images import drawn_by_galsim, scene

from nebulium.errors import ImageError
from nebulium.mock.images.noise import add_noise, flux_error_njy, sky_sigma
from nebulium.mock.images.noiseless import Neighbour, noiseless_image
from nebulium.mock.images.on_sky import kpc_per_arcsec, on_sky
from nebulium.mock.images.point_spread import noise_pixels, point_spread
from nebulium.mock.instruments import INSTRUMENTS, instrument
from nebulium.mock.structure import Structure
from nebulium.sed import list_filters, load_filters

DISC = {
    "bulge_share": 0.2, "bulge_re_kpc": 1.0, "bulge_sersic_n": 2.5, "bulge_axis_ratio": 0.7,
    "disc_re_kpc": 4.0, "cos_inclination": 0.6, "disc_thickness": 0.15, "position_angle_rad": 0.7,
    "young_re_kpc": 5.0, "clump_share": 0.3, "clump_fwhm_kpc": 0.7, "arm_contrast": 0.5,
    "pitch_angle_rad": 0.35, "arm_phase_rad": 1.0,
}  # fmt: skip


def galaxy(**changes):
    numbers = {name: jnp.float32(value) for name, value in (DISC | changes).items()}
    return Structure(**numbers, n_clumps=jnp.int32(8), n_arms=jnp.int32(2), pattern_seed=jnp.uint32(7))


def test_images_agree_with_a_script_of_galsim_alone():
    rng = np.random.default_rng(0)
    scenes, mine = [], []
    spheroid = galaxy(bulge_sersic_n=4.0, bulge_re_kpc=3.0, cos_inclination=0.2, bulge_axis_ratio=0.5)
    for name, redshift in (("sdss", 0.08), ("candels", 1.3), ("roman", 0.9)):
        seen_by = instrument(name)
        seen_by = dataclasses.replace(seen_by, bands=seen_by.bands[:1])
        flux = rng.uniform(100.0, 1000.0, (2, 3, 1))
        beside = Neighbour(
            spheroid, flux[1], redshift, 4.3 * seen_by.pixel_scale_arcsec, -9.0 * seen_by.pixel_scale_arcsec
        )
        mine.append(noiseless_image(galaxy(), flux[0], redshift, seen_by, neighbours=[beside]))
        scenes.append(scene(seen_by, [Neighbour(galaxy(), flux[0], redshift, 0.0, 0.0), beside]))
    for image, exact in zip(mine, drawn_by_galsim(scenes), strict=True):
        assert np.abs(image - exact).max() < 1e-3 * exact.max()


@pytest.mark.parametrize("name", list(INSTRUMENTS))
def test_a_large_aperture_holds_the_flux(name):
    seen_by = instrument(name)
    n_bands = len(seen_by.bands)
    flux = np.array([[100.0], [300.0], [50.0]]) * (1.0 + np.arange(n_bands))
    redshift = 0.1 if name in ("sdss", "legacy", "ps1") else 1.0
    image = noiseless_image(galaxy(), flux, redshift, seen_by, pixels=256)
    units = np.array([band.units_per_njy for band in seen_by.bands])
    np.testing.assert_allclose(image.sum(axis=(0, 1)), flux.sum(axis=0) * units, rtol=0.01)


def test_zero_points_are_those_of_ab():
    """Of 3631 Jy, 10^(0.4 x 22.5) = 1e9 nanomaggies; one microjansky is 23.90 mag."""
    sdss = instrument("sdss").bands[0]
    np.testing.assert_allclose(3.631e12 * sdss.units_per_njy, 1e9)
    hst = instrument("candels").bands[3]
    np.testing.assert_allclose(1000.0 * hst.units_per_njy, 10 ** (-0.4 * (23.9 - 25.946)), rtol=1e-3)


def test_the_galaxy_stands_in_the_middle_and_turns_with_its_angle():
    smooth = galaxy(clump_share=0.0, arm_contrast=0.0, position_angle_rad=0.5)
    image = noiseless_image(smooth, np.full((3, 3), 1e3), 0.1, instrument("sdss"))[..., 0]
    at = np.arange(64) - 31.5
    np.testing.assert_allclose(
        [at @ image.sum(axis=0) / image.sum(), at @ image.sum(axis=1) / image.sum()], 0.0, atol=1e-3
    )
    xx, yy, xy = (
        (image * at[None, :] ** 2).sum(),
        (image * at[:, None] ** 2).sum(),
        (image * np.outer(at, at)).sum(),
    )
    np.testing.assert_allclose(0.5 * np.arctan2(2.0 * xy, xx - yy), 0.5, atol=0.01)


def test_a_neighbour_adds_its_light_where_it_is():
    seen_by, flux = instrument("legacy"), np.full((3, 3), 500.0)
    alone = noiseless_image(galaxy(), flux, 0.1, seen_by)
    beside = Neighbour(galaxy(), flux, 0.1, 20 * seen_by.pixel_scale_arcsec, -8 * seen_by.pixel_scale_arcsec)
    both = noiseless_image(galaxy(), flux, 0.1, seen_by, neighbours=[beside])
    moved = np.roll(alone, (-8, 20), axis=(0, 1))
    inner = (slice(10, 80), slice(30, 90))
    np.testing.assert_allclose((both - alone)[inner], moved[inner], atol=2e-4 * alone.max())


def test_surface_brightness_dims_by_distance_alone():
    """At the same flux a galaxy twice as large on the sky is four times fainter a square arcsecond."""
    seen_by, disc = instrument("candels"), galaxy(arm_contrast=0.0)
    flux = np.zeros((3, 4))
    flux[1] = 10.0
    near, far = (noiseless_image(disc, flux, redshift, seen_by, pixels=192) for redshift in (0.2, 1.0))
    ratio = kpc_per_arcsec(1.0) / kpc_per_arcsec(0.2)
    brightness = [np.sum(image[..., 0] ** 2) / np.sum(image[..., 0]) for image in (near, far)]
    assert 0.9 * ratio**2 < brightness[1] / brightness[0] < ratio**2


def test_arms_and_clumps_follow_the_seed_and_young_stars_only_clump():
    seen_by, flux = instrument("candels"), np.zeros((3, 4))
    flux[2] = 100.0
    one, other = (
        noiseless_image(dataclasses.replace(galaxy(), pattern_seed=jnp.uint32(seed)), flux, 0.8, seen_by)
        for seed in (1, 2)
    )
    assert np.abs(one - other).max() > 0.05 * one.max()
    bulge = np.zeros((3, 4))
    bulge[0] = 100.0
    one, other = (
        noiseless_image(dataclasses.replace(galaxy(), pattern_seed=jnp.uint32(seed)), bulge, 0.8, seen_by)
        for seed in (1, 2)
    )
    np.testing.assert_allclose(one, other, atol=1e-12)


def test_shares_of_points_add_up():
    sky = on_sky(galaxy(), 0.1)
    np.testing.assert_allclose([sky.arms.share.sum(), sky.clumps.share.sum()], 1.0)
    np.testing.assert_allclose(sky.young_in_arms, 0.7 * 0.5, rtol=1e-6)


@pytest.mark.parametrize("name", list(INSTRUMENTS))
def test_instruments_name_filters_that_exist(name):
    seen_by = instrument(name)
    assert set(seen_by.filters) <= set(list_filters())
    bands = seen_by.catalogue_bands
    pivots = np.asarray(load_filters(*(band.filter for band in bands)).pivot_aa)
    np.testing.assert_allclose([band.pivot_aa for band in bands], pivots, rtol=0.01)


@pytest.mark.parametrize("name", list(INSTRUMENTS))
def test_depth_is_the_noise_of_a_point_source(name):
    """A fit of the point-spread function, or the aperture of the depth, errs by a fifth of the depth."""
    seen_by = instrument(name)
    for band, error_njy in zip(seen_by.bands, flux_error_njy(seen_by), strict=True):
        pixels = noise_pixels(seen_by, band)
        if band.depth_aperture_arcsec is not None:
            pixels = np.pi * (0.5 * band.depth_aperture_arcsec / seen_by.pixel_scale_arcsec) ** 2
        found = sky_sigma(seen_by, band) * np.sqrt(pixels) / band.units_per_njy
        np.testing.assert_allclose(found, error_njy, rtol=1e-6)
        np.testing.assert_allclose(
            -2.5 * np.log10(5.0 * error_njy / 3.631e12), band.depth_5sigma_ab, rtol=1e-6
        )


def test_sky_of_sdss_is_as_bright_as_the_sky():
    """Poisson noise of the median r sky of DR7, 20.86 mag a square arcsecond, and little more."""
    sdss = instrument("sdss")
    red = sdss.bands[1]
    sky = 10 ** (0.4 * (22.5 - 20.86)) * sdss.pixel_scale_arcsec**2
    np.testing.assert_allclose(sky_sigma(sdss, red), np.sqrt(sky / red.electrons_per_unit), rtol=0.15)


def test_widths_are_those_of_the_survey():
    for name in ("sdss", "candels"):
        seen_by = instrument(name)
        for band in seen_by.bands:
            image = point_spread(seen_by, band).drawImage(
                nx=201, ny=201, scale=band.psf_fwhm_arcsec / 40, method="no_pixel"
            )
            half = image.array[100] > 0.5 * image.array.max()
            assert abs(half.sum() - 40) <= 1


def test_noise_has_the_variance_of_sky_and_photons():
    sdss = instrument("sdss")
    image = np.zeros((400, 400, 3))
    image[200:] = 2.0
    noise = add_noise(image, sdss, np.random.default_rng(0)) - image
    for place, band in enumerate(sdss.bands):
        sky = sky_sigma(sdss, band)
        np.testing.assert_allclose(noise[:200, :, place].std(), sky, rtol=0.02)
        np.testing.assert_allclose(
            noise[200:, :, place].var(), sky**2 + 2.0 / band.electrons_per_unit, rtol=0.03
        )


def test_unknown_instrument_names_the_known_ones():
    with pytest.raises(ImageError, match="jwst: is not known; those known are sdss, legacy, ps1, candels"):
        instrument("jwst")


@pytest.mark.parametrize(
    ("flux", "redshift", "message"),
    [
        (np.ones((3, 3)), 0.0, "redshift: is 0"),
        (np.ones((3, 3)), float("nan"), "redshift: is nan"),
        (np.ones((3, 4)), 0.1, r"shape \(3, 4\); expected \(3, 3\)"),
        (-np.ones((3, 3)), 0.1, "negative or not finite"),
        (np.full((3, 3), np.nan), 0.1, "negative or not finite"),
        (np.ones((3, 3)), 1e-5, "pixels a side"),
    ],
)
def test_what_cannot_be_drawn_is_an_error(flux, redshift, message):
    with pytest.raises(ImageError, match=message):
        noiseless_image(galaxy(), flux, redshift, instrument("sdss"))


def test_noise_of_another_instruments_image_is_an_error():
    with pytest.raises(ImageError, match="expected"):
        add_noise(np.zeros((8, 8, 4)), instrument("sdss"), np.random.default_rng(0))


def test_numbers_of_numpy_draw_the_same():
    plain = jax.tree.map(np.asarray, galaxy())
    flux = np.full((3, 3), 100.0)
    np.testing.assert_array_equal(
        noiseless_image(plain, flux, 0.1, instrument("sdss")),
        noiseless_image(galaxy(), flux, 0.1, instrument("sdss")),
    )
