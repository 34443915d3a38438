"""Bins, masks, colours: closed forms, laws on random grids, real spectra by two independent codes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from astropy.cosmology import FlatLambdaCDM
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from nebulium.lines.continuum import features
from nebulium.lines.continuum.bins import BIN_CENTRES_AA, BIN_EDGES_AA

bins = jax.jit(features.continuum_bins, static_argnames=("ivar_weighted", "min_coverage"))
masked = jax.jit(features.mask_lines)
WINDOWS = features.line_windows()


def scalar(value):
    return jnp.asarray(value, jnp.float32)


def array(values):
    return jnp.asarray(values, jnp.float32)


def run(wave, flux, ivar=None, redshift=0.0, **options):
    ivar = np.ones(len(wave)) if ivar is None else ivar
    return bins(array(wave), array(flux), array(ivar), scalar(redshift), **options)


def fine_mean(wave, function, redshift=0.0):
    """Bin means by brute force: the function on a grid of 0.05 AA."""
    steps = np.arange(3400, 7000, 0.05) + 0.025
    return function(steps * (1 + redshift)).reshape(12, -1).mean(axis=1)


def smooth(wave):
    return 3 + np.sin(wave / 150.0) + wave / 4000.0


def grid(seed, count, low=3300.0, high=7200.0):
    """An irregular grid whose steps differ by up to a factor of four."""
    steps = np.random.default_rng(seed).uniform(1.0, 4.0, count)
    return low + (high - low) * (np.cumsum(steps) - steps[0]) / (steps.sum() - steps[0])


def test_edges_and_centres():
    assert BIN_EDGES_AA[[0, -1]].tolist() == [3400.0, 7000.0]
    assert BIN_CENTRES_AA[[0, features.LUMINOSITY_BIN]].tolist() == [3550.0, 6250.0]


def test_a_regular_grid_gives_the_published_plain_mean():
    wave = np.arange(3400, 7000) + 0.5
    flux = np.random.default_rng(0).normal(5, 2, 3600)
    expected = flux.reshape(12, 300).mean(axis=1)
    np.testing.assert_allclose(run(wave, flux).continuum_flux, expected, rtol=2e-5)


def test_the_published_plain_mean_off_the_edges():
    """Where pixels do not end with the bins the plain mean differs by part of a pixel at most."""
    wave = np.arange(3300.3, 7100, 0.8)
    flux = smooth(wave)
    plain = [flux[(wave >= low) & (wave < low + 300)].mean() for low in BIN_EDGES_AA[:-1]]
    np.testing.assert_allclose(run(wave, flux).continuum_flux, plain, rtol=1e-3)


@pytest.mark.parametrize("redshift", [0.0, 0.15, 0.4])
@pytest.mark.parametrize("step", [0.3, 2.0, 20.0])
def test_any_step_gives_the_integral(step, redshift):
    wave = np.arange(3200, 10500, step)
    found = run(wave, smooth(wave), redshift=redshift).continuum_flux
    np.testing.assert_allclose(found, fine_mean(wave, smooth, redshift), rtol=1e-3)


@pytest.mark.parametrize("step", [150.0, 400.0, 700.0])
def test_a_grid_coarser_than_the_bins(step):
    wave = np.arange(2500, 8000, step)
    found = run(wave, 1 + wave / 1000).continuum_flux
    np.testing.assert_allclose(found, 1 + BIN_CENTRES_AA / 1000, rtol=1e-5)


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.sampled_from([40, 300]), st.floats(-1, 1))
def test_a_straight_line_is_exact_on_every_grid(seed, count, slope):
    wave = grid(seed, count, 2600.0, 7600.0)
    found = run(wave, 5 + slope * (wave - 5000) / 1000)
    np.testing.assert_allclose(found.continuum_flux, 5 + slope * (BIN_CENTRES_AA - 5000) / 1000, rtol=1e-4)
    np.testing.assert_allclose(found.coverage, 1.0, atol=1e-4)


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.floats(0.0, 1.0))
def test_bins_lie_within_the_spectrum(seed, empty):
    """A mean lies between the extremes of a positive spectrum, whatever is masked; coverage is a fraction."""
    random = np.random.default_rng(seed)
    wave, flux = grid(seed, 300), random.lognormal(0, 2, 300)
    ivar = (random.random(300) >= empty).astype(float)
    found = run(wave, flux, ivar, min_coverage=0.05)
    values = np.asarray(found.continuum_flux)
    assert np.all(np.isnan(values) | (values > 0))
    assert np.all(np.isnan(values) | (values <= 2 * flux.max()))
    assert np.all((np.asarray(found.coverage) >= 0) & (np.asarray(found.coverage) <= 1))


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.floats(0.01, 100))
def test_bins_are_linear_in_the_flux_unit(seed, factor):
    wave = grid(seed, 300)
    flux = np.random.default_rng(seed).normal(1, 1, 300)
    once, scaled = run(wave, flux).continuum_flux, run(wave, factor * flux).continuum_flux
    np.testing.assert_allclose(scaled, factor * np.asarray(once), rtol=1e-3, atol=1e-4 * factor)


def test_redshift_moves_bins_and_keeps_observed_flux():
    wave = np.arange(3300, 10000.0)
    np.testing.assert_allclose(run(wave, wave, redshift=0.3).continuum_flux, BIN_CENTRES_AA * 1.3, rtol=1e-4)


def test_masked_pixels_do_not_count():
    wave = np.arange(3400, 7000) + 0.5
    flux, ivar = np.ones(3600), np.ones(3600)
    flux[::7], ivar[::7] = np.nan, 0.0
    flux[5::7], ivar[5::7] = -1e30, 0.0
    found = run(wave, flux, ivar, min_coverage=0.5)
    np.testing.assert_allclose(found.continuum_flux, 1.0, rtol=1e-5)
    np.testing.assert_allclose(found.coverage, 5 / 7, atol=0.01)


def test_a_gap_is_not_covered():
    wave = np.concatenate([np.arange(3300.0, 5000), np.arange(5200.0, 7200)])
    found = run(wave, np.ones(len(wave)))
    np.testing.assert_allclose(found.coverage, [1, 1, 1, 1, 1, 1 / 3, 1, 1, 1, 1, 1, 1], atol=0.01)
    assert np.isnan(found.continuum_flux).nonzero()[0].tolist() == [5]


def test_a_change_of_step_is_no_gap():
    wave = np.concatenate([np.arange(3000.0, 5000, 20), np.arange(5000.0, 7200, 1)])
    np.testing.assert_allclose(run(wave, np.ones(len(wave))).coverage, 1.0, atol=1e-4)


def test_too_little_coverage_is_missing():
    wave = np.arange(3760.0, 7200)  # 0.8 of the bin from 3700 to 4000 is left
    left = run(wave, np.ones(len(wave)), min_coverage=0.79)
    assert np.isnan(left.continuum_flux[0])
    assert float(left.continuum_flux[1]) == pytest.approx(1.0)
    assert np.isnan(run(wave, np.ones(len(wave)), min_coverage=0.81).continuum_flux[1])


def test_weights_follow_ivar_on_request():
    wave = np.arange(3400, 7000) + 0.5
    half = np.tile(np.repeat([0.0, 1.0], 150), 12)
    ivar = 1e30 * np.where(half > 0, 3.0, 1.0)
    np.testing.assert_allclose(run(wave, half, ivar).continuum_flux, 0.5, rtol=1e-5)
    np.testing.assert_allclose(run(wave, half, ivar, ivar_weighted=True).continuum_flux, 0.75, rtol=1e-5)


def test_unknown_redshift_gives_nothing():
    found = run(np.arange(3300.0, 7200), np.ones(3900), redshift=np.nan)
    assert np.isnan(found.continuum_flux).all()
    assert not found.coverage.any()


def test_gradients_are_finite_and_right():
    wave = array(np.arange(3760.0, 7200, 7.0))
    flux = array(smooth(np.asarray(wave)))

    def total(flux, redshift):
        found = bins(wave, flux, jnp.ones(flux.size), redshift)
        return jnp.nansum(found.continuum_flux)

    by_flux, by_redshift = jax.grad(total, (0, 1))(flux, scalar(0.02))
    assert np.isfinite(by_flux).all()
    assert np.isfinite(by_redshift)
    # Raising the whole spectrum by one raises each bin that is there by one.
    assert float(by_flux.sum()) == pytest.approx(11.0, abs=1e-3)


def test_one_equals_batch():
    random = np.random.default_rng(0)
    wave = array(np.stack([grid(seed, 300) for seed in range(4)]))
    flux, redshift = array(random.lognormal(size=(4, 300))), array([0.0, 0.01, 0.02, 0.03])
    batch = jax.vmap(features.continuum_features)(wave, flux, jnp.ones((4, 300)), redshift)
    for row in range(4):
        one = features.continuum_features(wave[row], flux[row], jnp.ones(300), redshift[row])
        np.testing.assert_allclose(one.continuum_flux, batch.continuum_flux[row], rtol=1e-4)


def test_windows_are_disjoint_and_hold_the_lines():
    assert np.all(np.diff(WINDOWS.ravel()) > 0)
    for wave in (3727.1, 3729.9, 4862.7, 5008.2, 6549.9, 6564.6, 6585.3, 6718.3, 6732.7):
        assert np.any((WINDOWS[:, 0] < wave) & (wave < WINDOWS[:, 1]))
    assert features.line_windows(400.0).shape[0] >= WINDOWS.shape[0]
    with pytest.raises(ValueError, match="positive"):
        features.line_windows(0.0)


def gaussian(wave, centre, height, sigma=3.0):
    return height * np.exp(-0.5 * ((wave - centre) / sigma) ** 2)


@pytest.mark.parametrize("centre", [3728.5, 4862.68, 5008.24, 6564.61])
def test_emission_goes_absorption_stays(centre):
    wave = np.arange(3400.0, 7000)
    level = 1 + wave / 5000
    spectrum = level + gaussian(wave, centre, 8.0)
    found = masked(array(wave), array(spectrum), jnp.ones(3600), WINDOWS)
    np.testing.assert_allclose(found, level, rtol=2e-3)
    trough = level - gaussian(wave, centre, 0.5)
    np.testing.assert_allclose(masked(array(wave), array(trough), jnp.ones(3600), WINDOWS), trough, rtol=1e-6)


def test_outside_the_windows_nothing_changes():
    wave = np.arange(3400.0, 7000)
    flux = np.random.default_rng(0).normal(5, 1, 3600)
    outside = np.all((wave[:, None] < WINDOWS[:, 0]) | (wave[:, None] > WINDOWS[:, 1]), axis=1)
    found = np.asarray(masked(array(wave), array(flux), jnp.ones(3600), WINDOWS))
    np.testing.assert_array_equal(found[outside], flux[outside].astype(np.float32))
    assert found[~outside].mean() < flux[~outside].mean()


def test_masking_works_on_a_coarse_grid():
    wave = np.arange(3000.0, 7400, 20.0)
    flux = 2 + gaussian(wave, 6564.61, 3.0, 12.0)
    found = np.asarray(masked(array(wave), array(flux), jnp.ones(len(wave)), WINDOWS))
    assert found[(wave > 6530) & (wave < 6605)].max() < 2.3


def test_a_window_at_the_end_of_a_spectrum_stays():
    wave = np.arange(5000.0, 6570)
    flux = 1 + gaussian(wave, 6564.61, 5.0)
    found = np.asarray(masked(array(wave), array(flux), jnp.ones(len(wave)), WINDOWS))
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[-20:], flux[-20:], rtol=1e-6)


def test_wild_and_masked_pixels_at_an_edge_do_no_harm():
    wave = np.arange(6300.0, 6800)
    flux = 2 + gaussian(wave, 6564.61, 9.0)
    flux[[225, 310]] = 500.0
    ivar = np.ones(500)
    flux[222], ivar[222] = np.nan, 0.0
    found = np.asarray(masked(array(wave), array(flux), array(ivar), WINDOWS))
    np.testing.assert_allclose(found[232:303], 2.0, rtol=0.01)


def test_gradients_through_masking_are_finite():
    wave = array(np.arange(3400.0, 7000, 2.0))
    flux = array(2 + gaussian(np.asarray(wave), 6564.61, 5.0))

    def total(flux):
        found = features.continuum_features(wave, flux, jnp.ones(flux.size), scalar(0.0))
        return jnp.nansum(features.colours(found.continuum_flux))

    assert np.isfinite(jax.grad(total)(flux)).all()


def test_colours_by_hand():
    flux = array([1, 10, 10, 1] + 8 * [2])
    found = np.asarray(features.colours(flux))
    np.testing.assert_allclose(found[:4], [1, 0, -1, np.log10(2)], atol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, 0.0, -1.0])
def test_colours_next_to_a_bad_bin_are_missing(bad):
    flux = np.ones(12)
    flux[4] = bad
    found = np.asarray(features.colours(array(flux)))
    assert np.isnan(found).nonzero()[0].tolist() == [3, 4]


def test_gradient_of_colours_beside_a_missing_bin():
    flux = array(np.ones(12)).at[0].set(jnp.nan)
    slope = jax.grad(lambda f: jnp.nansum(features.colours(f)[5:]))(flux)
    assert np.isfinite(slope[1:]).all()


@pytest.mark.parametrize("redshift", [0.01, 0.1, 0.3, 1.0])
def test_luminosity_is_astropys(redshift):
    distance = FlatLambdaCDM(H0=70, Om0=0.3).luminosity_distance(redshift).to_value("Mpc")
    expected = np.log10(7.5 * (1 + redshift) * distance**2)
    found = features.log_luminosity(jnp.full(12, 7.5), scalar(redshift))
    assert float(found) == pytest.approx(expected, abs=2e-4)


def test_luminosity_means_nothing_at_redshift_zero():
    assert np.isnan(features.log_luminosity(jnp.ones(12), scalar(0.0)))
    slope = jax.grad(lambda z: features.log_luminosity(jnp.ones(12), z))(scalar(0.0))
    assert float(slope) == 0.0


def test_luminosities_of_the_table_are_the_published_ones(nebulium_data):
    """The released sample spans 4.45 to 7.55."""
    import pyarrow.parquet as pq

    table = pq.read_table(nebulium_data / "desi" / "desi_edr_emission_lines.parquet").slice(0, 5000)
    flux = np.stack([table[f"continuum_flux_{place}"].to_numpy() for place in range(12)], axis=1)
    found = np.asarray(jax.vmap(features.log_luminosity)(array(flux), array(table["redshift"].to_numpy())))
    assert 4.4 < found.min() < found.max() < 7.6


def read_real(nebulium_data, name):
    """Observed wavelength, flux, ivar and redshift of a real spectrum, read by astropy alone."""
    if name == "NGC3073":
        path = nebulium_data / "sdss" / "spectra" / "NGC3073_SDSS_DR18.fits"
        with fits.open(path) as file:
            rows, redshift = file[1].data, float(file[2].data["Z"][0])
            good = np.where(rows["and_mask"] == 0, rows["ivar"], 0.0)
            wave = 10.0 ** rows["loglam"].astype(float)
            return wave, rows["flux"].astype(float), good.astype(float), redshift
    folder = nebulium_data / "desi" / "spectra"
    with fits.open(folder / "coadd-4-80613-thru20210324.fits") as file:
        arms = [
            (file[f"{arm}_WAVELENGTH"].data, file[f"{arm}_FLUX"].data[0], file[f"{arm}_IVAR"].data[0])
            for arm in "BRZ"
        ]
    with fits.open(folder / "redrock-4-80613-thru20210324.fits") as file:
        redshift = float(file[1].data["Z"][0])
    limits = ((0, 5780), (5780, 7570), (7570, 99999))
    parts = [
        [values[(arm[0] >= low) & (arm[0] < high)] for values in arm]
        for arm, (low, high) in zip(arms, limits, strict=True)
    ]
    wave, flux, ivar = (np.concatenate(values).astype(float) for values in zip(*parts, strict=True))
    return wave, flux, ivar, redshift


def plain_bins(wave, flux, ivar, redshift):
    """Another way to the same bins: the plain mean of the good pixels whose centres lie inside."""
    rest, good = wave / (1 + redshift), ivar > 0
    inside = (rest[None] >= BIN_EDGES_AA[:-1, None]) & (rest[None] < BIN_EDGES_AA[1:, None]) & good
    return np.array([flux[row].mean() if row.any() else np.nan for row in inside])


@pytest.mark.parametrize("name", ["NGC3073", "DESI"])
def test_real_spectra_by_two_codes(nebulium_data, name):
    wave, flux, ivar, redshift = read_real(nebulium_data, name)
    found = run(wave, flux, ivar, redshift)
    there = np.isfinite(found.continuum_flux)
    assert there.sum() >= 10
    expected = plain_bins(wave, flux, ivar, redshift)
    # Pixels widen to the red on a logarithmic grid: a plain mean weighs the blue a little more.
    np.testing.assert_allclose(np.asarray(found.continuum_flux)[there], expected[there], rtol=0.01, atol=0.01)


@pytest.mark.parametrize("name", ["NGC3073", "DESI"])
def test_windows_matter_little_on_real_spectra(nebulium_data, name):
    wave, flux, ivar, redshift = read_real(nebulium_data, name)
    spectrum = array(wave), array(flux), array(ivar), scalar(redshift)
    default = features.continuum_features(*spectrum).continuum_flux
    change = [
        features.continuum_features(*spectrum, features.line_windows(width)).continuum_flux / default
        for width in (600.0, 900.0, 1200.0)
    ]
    there = np.isfinite(change[1])
    np.testing.assert_allclose(change[1][there], 1.0)
    np.testing.assert_allclose(np.asarray(change)[:, there], 1.0, atol=0.03)


def test_line_emission_of_a_real_galaxy_is_taken_out(nebulium_data):
    """NGC 3073 forms stars: the bin of Halpha falls, the one before it stays."""
    wave, flux, ivar, redshift = read_real(nebulium_data, "NGC3073")
    arrays = array(wave), array(flux), array(ivar), scalar(redshift)
    ratio = np.asarray(features.continuum_features(*arrays).continuum_flux / bins(*arrays).continuum_flux)
    assert ratio[9] == pytest.approx(1.0, abs=0.003)
    assert 0.9 < ratio[10] < 0.99
