"""Components of continua, and lines above them, from spectra with gaps, noise and grids of their own."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.spectra.conftest import continuum

from nebulium.data.rejects import Rejects
from nebulium.data.spectra.reading import read_spectra
from nebulium.data.spectra.writing import write_spectra
from nebulium.errors import SpectrumError
from nebulium.lines import LINES, add_lines
from nebulium.spectra.continuum.basis import grid_of, project_batch, rest_waves
from nebulium.spectra.continuum.emission import measure_batch
from nebulium.spectra.continuum.fitting import fit_basis, on_rest_grid
from nebulium.spectra.continuum.training import RANGE_AA, SpectrumFiles, measured_spectra

GRID = grid_of(*RANGE_AA)


@pytest.fixture(scope="module")
def spectra(galaxies):
    return read_spectra(galaxies.spectra)


@pytest.fixture(scope="module")
def basis(spectra):
    some = spectra.select(slice(0, 300))
    return fit_basis(on_rest_grid(some.wave_aa, some.flux_lambda, some.ivar, some.redshift, GRID), 3)


def projected(basis, wave, flux, ivar, redshift):
    rows = [jnp.asarray(one, jnp.float32)[None] for one in (wave, flux, ivar, redshift)]
    return jax.tree.map(lambda values: values[0], project_batch(basis, *rows))


def test_a_rest_grid_reaches_as_far_as_asked_for():
    first, pixels = GRID
    waves = rest_waves(first, pixels)
    assert waves[0] <= RANGE_AA[0]
    assert waves[-1] >= RANGE_AA[1]
    np.testing.assert_allclose(np.diff(np.log(waves.astype(float))), 4.6e-4, rtol=0.02)


def test_held_out_spectra_are_rebuilt_to_their_noise(basis, spectra):
    held = spectra.select(slice(300, 364))
    z = held.redshift.astype(np.float32)
    found = project_batch(basis, held.wave_aa, held.flux_lambda, held.ivar, z)
    assert 0.9 < np.median(found.chi_square) < 1.15
    assert np.max(found.chi_square) < 1.5
    np.testing.assert_allclose(found.flux, 20.0, rtol=0.02)


def test_gaps_and_other_grids_say_the_same(basis):
    wave = np.linspace(3650, 9200, 1130, dtype=np.float32)
    fine = np.linspace(3650, 9200, 2260, dtype=np.float32)[:, None] + np.zeros((1, 1), np.float32)
    flux = lambda wave: (5.0 * continuum(wave / 1.07, 0.4)).astype(np.float32)  # noqa: E731
    full = projected(basis, wave, flux(wave), jnp.full(wave.shape, 100.0), 0.07)
    gap = np.where((wave > 5000) & (wave < 5400), 0.0, 100.0).astype(np.float32)
    holed = projected(basis, wave, np.where(gap > 0, flux(wave), 7.0), gap, 0.07)
    other = projected(basis, fine[:, 0], flux(fine[:, 0]), jnp.full(len(fine), 100.0), 0.07)
    for one in (holed, other):
        shapes = [basis.continuum(which.coefficients) for which in (full, one)]
        # A step is seen no sharper than the pixels are.
        np.testing.assert_allclose(*shapes, rtol=0.08)
        assert np.mean(np.abs(shapes[0] / shapes[1] - 1.0)) < 0.005
        np.testing.assert_allclose(one.flux, full.flux, rtol=0.01)


def test_a_spectrum_that_says_nothing_lies_in_the_middle(basis):
    wave = np.linspace(3650, 9200, 1130, dtype=np.float32)
    found = projected(basis, wave, np.full(1130, np.nan, np.float32), np.zeros(1130, np.float32), 0.07)
    assert found.pixels == 0
    assert not found.flux > 0


def test_lines_are_measured_above_the_continuum(basis):
    wave = np.arange(3650, 9300, 2.0, dtype=np.float32)
    widths = jnp.arange(3.0, 13.0).at[5].set(9.0 / 3.05).at[3].set(7.0 / 2.98)
    flux = add_lines(wave, 20.0 * continuum(wave / 1.08, 0.1), widths, 0.08)
    ivar = jnp.full(wave.shape, 25.0)
    place = projected(basis, wave, flux, ivar, 0.08)
    rows = [
        jnp.asarray(one)[None] for one in (place.coefficients, place.flux, wave, flux, ivar, np.float32(0.08))
    ]
    found = measure_batch(basis, *rows)
    # [OII] stands where the continuum falls into the break of these galaxies.
    free = [LINES.index(line) for line in LINES if line not in ("OII_DOUBLET", "OIII_4959", "NII_6548")]
    np.testing.assert_allclose(
        np.asarray(found.ew_aa[0])[free], np.asarray(widths)[free], rtol=0.06, atol=0.15
    )
    assert np.all(found.sigma_aa < 0.5)


def test_a_line_beyond_the_spectrum_is_not_seen(basis):
    wave = np.arange(3650, 6500, 5.0, dtype=np.float32)
    flux, ivar = continuum(wave / 1.08, 0.0).astype(np.float32), np.full(wave.shape, 1e4, np.float32)
    rows = [
        jnp.asarray(one)[None]
        for one in (np.zeros(3, np.float32), np.float32(1), wave, flux, ivar, np.float32(0.08))
    ]
    found = measure_batch(basis, *rows)
    assert np.isnan(found.ew_aa[0, LINES.index("HALPHA")])
    assert np.isfinite(found.ew_aa[0, LINES.index("HBETA")])


def test_spectra_without_a_use_are_set_aside_with_their_reasons(basis, spectra, tmp_path):
    z = spectra.redshift.copy()
    z[:3] = 0.0, -0.01, np.nan
    ivar = spectra.ivar.copy()
    ivar[3] = 0.0
    flux = spectra.flux_lambda.copy()
    flux[4] *= -1
    write_spectra(replace(spectra, redshift=z, ivar=ivar, flux_lambda=flux), tmp_path / "odd.parquet")
    rejects = Rejects()
    found = measured_spectra(SpectrumFiles(tmp_path / "odd.parquet"), basis, among=None, rejects=rejects)
    assert len(found) == len(spectra) - 5
    assert all(
        part in rejects.summary() for part in ("redshift is not", "inverse variance", "no continuum above 0")
    )


def test_too_few_spectra_are_counted(spectra):
    some = spectra.select(slice(0, 6))
    rest = on_rest_grid(some.wave_aa, some.flux_lambda, some.ivar, some.redshift, GRID)
    with pytest.raises(SpectrumError, match="gives 6 spectra .*expected 15"):
        fit_basis(rest, 3)


def test_spectra_that_share_no_wavelengths_are_refused(spectra):
    some = spectra.select(slice(0, 60))
    rest = on_rest_grid(
        some.wave_aa, some.flux_lambda, np.where(some.wave_aa < 5000, some.ivar, 0), some.redshift, GRID
    )
    with pytest.raises(SpectrumError):
        fit_basis(rest, 3)
