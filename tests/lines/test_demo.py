import jax
import numpy as np
import pytest

from nebulium.data.glossary import lookup
from nebulium.data.spectra.reading import read_spectra
from nebulium.data.tables.reading import read_table
from nebulium.lines.continuum.line_list import LINES
from nebulium.lines.demo.demonstration import BANDS, run_demo
from nebulium.lines.demo.galaxies import LOG_APERTURE, demo_galaxies
from nebulium.lines.model import LineModel

N = 60
FILES = {
    "README.md", "bpt.png", "equivalent_widths.png", "spectra.png", "magnitudes.png",
    "galaxies.parquet", "spectra.parquet", "continua.parquet",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    model = LineModel(with_luminosity=True, width=8, depth=2, noise_width=8, key=jax.random.key(0))
    return run_demo(tmp_path_factory.mktemp("demo") / "demo", n_galaxies=N, seed=2, model=model).folder


def test_all_files_are_there_and_described(folder):
    assert {path.name for path in folder.iterdir()} == FILES
    text = (folder / "README.md").read_text()
    assert all(name in text for name in FILES - {"README.md"})


def test_the_table_is_in_the_glossary(folder):
    table = read_table(folder / "galaxies.parquet")
    assert len(table) == N
    assert [name for name in table.columns if lookup(name) is None] == []
    assert all(np.isfinite(values).all() for values in table.columns.values() if values.dtype.kind == "f")


def test_lines_brighten(folder):
    table = read_table(folder / "galaxies.parquet")
    for band in BANDS:
        assert np.all(table[f"mag_ab_{band}"] <= table[f"mag_ab_{band}_stars"] + 1e-5)
    assert np.any(table["mag_ab_sdss_i0"] < table["mag_ab_sdss_i0_stars"] - 1e-3)


def test_spectra_hold_the_flux_of_the_lines(folder):
    table, spectra, continua = (
        read_table(folder / "galaxies.parquet"),
        read_spectra(folder / "spectra.parquet"),
        read_spectra(folder / "continua.parquet"),
    )
    width = np.gradient(spectra.wave_aa.astype(float), axis=1)
    added = np.sum((spectra.flux_lambda.astype(float) - continua.flux_lambda) * width, axis=1)
    expected = np.sum([table[f"line_flux_{line}"] for line in LINES], axis=0)
    np.testing.assert_allclose(added, expected, rtol=0.02)


def test_the_model_saw_the_light_in_the_fibre(folder):
    table, continua = read_table(folder / "galaxies.parquet"), read_spectra(folder / "continua.parquet")
    for row in range(3):
        rest = continua.wave_aa[row] / (1 + table["redshift"][row])
        inside = (rest > 6100) & (rest < 6400)
        whole = continua.flux_lambda[row][inside].mean()
        assert np.log10(table["continuum_flux_9"][row] / whole) == pytest.approx(LOG_APERTURE, abs=0.01)


def test_galaxies_are_varied_and_reproducible():
    one, other = demo_galaxies(500, seed=3), demo_galaxies(500, seed=3)
    assert all(map(np.array_equal, jax.tree.leaves(one), jax.tree.leaves(other)))
    assert one.redshift.min() >= 0.06
    assert one.redshift.max() <= 0.3
    assert np.ptp(one.log_mstar) > 1.5
    assert not np.array_equal(one.log_mstar, demo_galaxies(500, seed=4).log_mstar)
