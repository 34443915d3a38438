"""Many spectra at once: equal to one by one, whatever the batch, and named by id."""

import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.data.glossary import lookup
from nebulium.data.spectra.spectrum_set import Spectra
from nebulium.lines.continuum import features
from nebulium.lines.continuum.features import continuum_features, features_from_spectra


def make(count=5, pixels=700, seed=0):
    random = np.random.default_rng(seed)
    wave = np.tile(np.linspace(3600, 9800, pixels, dtype=np.float32), (count, 1))
    flux = random.lognormal(size=wave.shape).astype(np.float32)
    ivar = (random.random(wave.shape) > 0.02).astype(np.float32)
    return Spectra(np.arange(count) + 70, wave, flux, ivar, random.uniform(0, 0.3, count), name="made.fits")


def column(table, stem):
    return np.stack([table[f"{stem}_{place}"] for place in range(12)], axis=1)


def test_table_equals_one_by_one():
    spectra = make()
    table = features_from_spectra(spectra, batch_size=2)
    assert table["target_id"].tolist() == spectra.ids.tolist()
    for row in range(5):
        arrays = (jnp.asarray(values[row]) for values in (spectra.wave_aa, spectra.flux_lambda, spectra.ivar))
        one = continuum_features(*arrays, jnp.asarray(spectra.redshift[row], jnp.float32))
        np.testing.assert_allclose(column(table, "continuum_flux")[row], one.continuum_flux, rtol=1e-4)
        np.testing.assert_allclose(column(table, "coverage")[row], one.coverage, atol=2e-4)


@pytest.mark.parametrize("batch_size", [1, 5, 64])
def test_batches_change_nothing(batch_size):
    expected = features_from_spectra(make(), batch_size=2)
    found = features_from_spectra(make(), batch_size=batch_size)
    np.testing.assert_allclose(column(found, "continuum_flux"), column(expected, "continuum_flux"), rtol=1e-5)


def test_the_last_batch_does_not_recompile(monkeypatch):
    calls = []
    original = features.continuum_features
    monkeypatch.setattr(
        features, "continuum_features", lambda *args, **options: calls.append(1) or original(*args, **options)
    )
    features_from_spectra(make(7, pixels=731), batch_size=3, min_coverage=0.77)
    features_from_spectra(make(2, pixels=740), batch_size=3, min_coverage=0.77)
    assert len(calls) == 1


def test_without_windows_the_lines_stay():
    spectra = make()
    rest = spectra.wave_aa / (1 + spectra.redshift[:, None])
    peak = 300 * np.exp(-0.5 * ((rest - 6564.6) / 4) ** 2)
    bright = Spectra(
        spectra.ids, spectra.wave_aa, np.ones_like(peak) + peak.astype(np.float32),
        np.ones_like(spectra.ivar), spectra.redshift,
    )  # fmt: skip
    assert np.all(column(features_from_spectra(bright), "continuum_flux")[:, 10] < 1.5)
    assert np.all(column(features_from_spectra(bright, half_width_km_s=None), "continuum_flux")[:, 10] > 5)


def test_unknown_redshift_and_nothing_at_all():
    spectra = make(3)
    spectra.redshift[1] = np.nan
    table = features_from_spectra(spectra)
    assert np.isnan(column(table, "continuum_flux")[1]).all()
    assert np.isfinite(column(table, "continuum_flux")[[0, 2], 4]).all()
    assert len(features_from_spectra(spectra.select([]))) == 0


def test_columns_and_settings_are_on_record():
    table = features_from_spectra(make(), ivar_weighted=True)
    assert all(lookup(name) for name in table.columns)
    assert table.units["continuum_flux_3"] == lookup("continuum_flux_3").unit
    assert table.metadata["ivar_weighted"] is True
    assert table.metadata["line_window_half_width_km_s"] == 900.0
    assert table.name == "made.fits"
