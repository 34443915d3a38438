"""Spectra of mock galaxies against what they were made of: photometry, lines, apertures, noise."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.errors import SurveyError
from nebulium.lines.continuum.line_list import line_index
from nebulium.mock.galaxies import make_galaxy_maker
from nebulium.mock.images.noiseless import noiseless_image
from nebulium.mock.populations.properties import GalaxyProperties
from nebulium.mock.spectra.observing import GAS_DISPERSION_KM_S, observe_spectra
from nebulium.mock.spectra.spectrographs import SPECTROGRAPHS, find_spectrograph
from nebulium.mock.survey.survey_list import find_survey
from nebulium.sed import photometry

N = 6
REAL = [name for name, made in SPECTROGRAPHS.items() if made.fibre is not None]
IDS = np.arange(N) + 100


@pytest.fixture(scope="module")
def maker():
    return make_galaxy_maker(find_survey("sdss"))


@pytest.fixture(scope="module")
def galaxies(maker):
    """Star-forming ones to z = 0.25, but for the last, which is near."""
    rows = jnp.arange(N, dtype=jnp.float32)
    properties = GalaxyProperties(
        redshift=jnp.where(rows < N - 1, 0.04 * (rows + 1.0), 0.001),
        log_mstar=9.5 + 0.2 * rows,
        age_gyr=jnp.full(N, 8.0),
        tau_gyr=jnp.full(N, 6.0),
        av_mag=0.1 * rows,
        oh12=jnp.full(N, 8.7),
        lgmet=jnp.full(N, -1.9),
    )
    made = eqx.filter_jit(eqx.filter_vmap(maker))(properties, jax.random.split(jax.random.key(2), N))
    return jax.tree.map(np.asarray, made)


@pytest.fixture(scope="module")
def seen(maker, galaxies):
    """The spectra by spectrograph, and the same without lines."""
    without = eqx.tree_at(lambda made: made.light.line_flux, galaxies, np.zeros((N, 10), np.float32))
    return {
        name: [observe_spectra(maker, of, IDS, made, seed=1) for of in (galaxies, without)]
        for name, made in SPECTROGRAPHS.items()
    }


def test_noiseless_spectra_have_the_magnitudes_of_the_catalogue(maker, galaxies, seen):
    spectra = seen["noiseless"][0]
    through = jax.jit(jax.vmap(partial(photometry, filters=maker.light_model.filters)))
    mag_ab = through(spectra.wave_aa, spectra.flux_lambda).mag_ab
    np.testing.assert_allclose(mag_ab, galaxies.light.mag_ab, atol=5e-3)


def test_noiseless_spectra_hold_the_fluxes_of_the_lines(galaxies, seen):
    spectra, without = seen["noiseless"]
    emission = (spectra.flux_lambda - without.flux_lambda) * np.gradient(spectra.wave_aa, axis=1)
    np.testing.assert_allclose(emission.sum(axis=1), galaxies.light.line_flux.sum(axis=1), rtol=0.01)


@pytest.mark.parametrize("name", REAL)
def test_lines_are_as_wide_as_gas_and_instrument_make_them(galaxies, seen, name):
    """The noise is nearly that of the same galaxy without lines; Hbeta stands alone."""
    spectra, without = seen[name]
    pixels = SPECTROGRAPHS[name].pixels()
    flux = galaxies.light.line_flux.copy()
    for row in range(N - 1):
        centre = 4862.68 * (1.0 + spectra.redshift[row])
        near = np.abs(spectra.wave_aa[row] - centre) < 25.0
        wave, step = spectra.wave_aa[row, near], np.gradient(spectra.wave_aa[row])[near]
        noise_of = lambda one: one.ivar[row, near] ** -0.5  # noqa: E731, B023
        # The noise is the same number of sigmas in both; take it out.
        rng = np.random.default_rng([1, int(IDS[row]), 3])
        number = rng.standard_normal(spectra.wave_aa.shape[1], np.float32)[near]
        line = spectra.flux_lambda[row, near] - without.flux_lambda[row, near]
        line = line - number * (noise_of(spectra) - noise_of(without))
        total = np.sum(line * step)
        width = np.sqrt(np.sum(line * step * (wave - centre) ** 2) / total)
        gas = centre * GAS_DISPERSION_KM_S / 299792.458
        instrument = np.interp(centre, pixels.wave_aa, pixels.lsf_sigma_aa)
        assert width == pytest.approx(np.sqrt(gas**2 + instrument**2 + step.mean() ** 2 / 12), rel=0.05)
        expected = flux[row, line_index("HBETA")] * spectra.columns["fibre_fraction"][row]
        assert total == pytest.approx(expected, rel=0.02)


def test_noise_is_as_large_as_told(maker, galaxies, seen):
    """Over two seeds, noise alone: half of the squared difference is the variance, pixel by pixel."""
    for name in REAL:
        first = seen[name][0]
        second = observe_spectra(maker, galaxies, IDS, SPECTROGRAPHS[name], seed=2)
        np.testing.assert_array_equal(first.ivar, second.ivar)
        pull = (first.flux_lambda - second.flux_lambda) * np.sqrt(0.5 * first.ivar)
        assert pull.std() == pytest.approx(1.0, abs=0.02)
        assert abs(pull.mean()) < 0.03


@pytest.mark.parametrize("name", SPECTROGRAPHS)
def test_one_galaxy_is_as_in_the_batch(maker, galaxies, seen, name):
    one = jax.tree.map(lambda leaf: leaf[2:3], galaxies)
    alone = observe_spectra(maker, one, IDS[2:3], SPECTROGRAPHS[name], seed=1)
    whole = seen[name][0].select([2])
    np.testing.assert_allclose(alone.flux_lambda, whole.flux_lambda, rtol=1e-4, atol=1e-3)
    assert alone.columns["fibre_fraction"] == pytest.approx(whole.columns["fibre_fraction"])


def test_templates_end_in_masked_pixels(seen):
    spectra = seen["noiseless"][0]
    past = spectra.wave_aa - 19950.0 * (1.0 + spectra.redshift[:, None])
    assert np.all(spectra.ivar[past < -2] > 0)
    assert np.any(past[-1] > 2)
    assert np.all(spectra.ivar[past > 2] == 0)
    assert np.all(spectra.flux_lambda[past > 2] == 0)


@pytest.mark.parametrize("name", REAL)
def test_fibres_take_in_what_an_aperture_on_the_image_does(galaxies, seen, name):
    """On images, over what a star has in the same aperture: the share of the Moffat profile of SDSS."""
    instrument, fibre = find_survey("sdss").instrument(), SPECTROGRAPHS[name].fibre
    radius, scale, r = 0.5 * fibre.diameter_arcsec, instrument.pixel_scale_arcsec, 1
    y, x = (np.indices((129, 129)) - 64) * scale
    inside = np.clip((radius - np.hypot(x, y)) / scale + 0.5, 0.0, 1.0)
    alpha = 0.5 * instrument.bands[r].psf_fwhm_arcsec / np.sqrt(2 ** (1 / 3) - 1)
    star = 1 - (1 + (radius / alpha) ** 2) ** -2
    expected = []
    for row in range(N - 1):
        structure = jax.tree.map(lambda leaf, row=row: leaf[row], galaxies.structure)
        flux_njy, redshift = galaxies.light.flux_njy[row], float(galaxies.properties.redshift[row])
        image = noiseless_image(structure, flux_njy, redshift, instrument, 129)[..., r]
        total = flux_njy[:, r].sum() * instrument.bands[r].units_per_njy
        expected.append(np.sum(image * inside) / total / star)
    found = seen[name][0].columns["fibre_fraction"][: N - 1]
    np.testing.assert_allclose(found, expected, rtol=0.3)
    assert np.median(found / expected) == pytest.approx(1.0, abs=0.15)
    assert np.all((found > 0) & (found < 1))


def test_signal_to_noise_is_that_of_real_spectra(nebulium_data):
    """The noise model of SDSS on the fluxes of real spectra gives their own signal to noise."""
    from nebulium.data.spectra.reading import read_spectra

    pixels = jax.tree.map(np.asarray, find_spectrograph("sdss").pixels())
    real = read_spectra(nebulium_data / "sdss/spectra/sdss_dr7_galaxies.parquet")
    first = int(np.argmin(np.abs(real.wave_aa[0] - float(pixels.wave_aa[0]))))
    flux, ivar = (some[:, first : first + pixels.wave_aa.size] for some in (real.flux_lambda, real.ivar))
    sigma = np.sqrt(np.square(pixels.sky_sigma) + pixels.photon_variance * np.maximum(flux, 0.0))
    good = (ivar > 0) & (pixels.wave_aa > 5600) & (pixels.wave_aa < 6900)
    ours, theirs = (
        np.nanmedian(np.where(good, flux * weight, np.nan), axis=1) for weight in (1.0 / sigma, np.sqrt(ivar))
    )
    ratio = np.log10(ours / theirs)
    assert abs(np.median(ratio)) < 0.01
    assert ratio.std() < 0.08


def test_a_spectrograph_that_is_not_known_is_an_error():
    with pytest.raises(SurveyError, match="spectra: is 'boss', expected one of noiseless, sdss, desi"):
        find_spectrograph("boss")
