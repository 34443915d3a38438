"""Many galaxies through a model, and what is written of them."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import write_table
from nebulium.errors import ModelFileError, OutputError, TableError
from nebulium.nn.mapping import map_batch
from nebulium.photometry.galaxies import PhotometricGalaxies
from nebulium.photometry.layout import BandColumns
from nebulium.photoz.density.qp_export import read_qp
from nebulium.photoz.fluxes.model import PhotometryModel
from nebulium.photoz.predict import predict_file, predict_galaxies
from nebulium.photoz.training_file import train_file
from nebulium.verbs import Prediction

N = 150
COLUMNS = [
    "target_id",
    "redshift_median",
    "redshift_mode",
    "redshift_q16",
    "redshift_q84",
    "odds",
    "in_domain",
]


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def galaxies(n: int = N) -> PhotometricGalaxies:
    random = np.random.default_rng(2)
    flux = 10.0 ** random.uniform(1, 3, (n, 3)).astype(np.float32)
    flux[0] = np.nan
    flux[1:2, 2] = np.nan
    z = random.uniform(0.1, 2.0, n).astype(np.float32)
    err = np.full_like(flux, 2.0)
    return PhotometricGalaxies(np.arange(n), ("g", "r", "i"), flux, err, z, 0 * z, None, "a.fits")


@pytest.fixture(scope="module")
def model() -> PhotometryModel:
    return PhotometryModel(
        bands=["i", "g", "r"],
        grid_most=3.0,
        grid_bins=60,
        members=2,
        domain_references=8,
        key=jax.random.key(1),
    )


def test_each_galaxy_is_predicted_by_itself(model):
    many = galaxies()
    said = predict_galaxies(model, many, batch=64)
    assert said.densities.mass.shape == (N, 60)
    for row in (0, 1, 63, 64, N - 1):
        one = model(*(jnp.asarray(values[row, [2, 0, 1]]) for values in (many.flux_njy, many.flux_err_njy)))
        np.testing.assert_allclose(said.densities.mass[row], one.mass, atol=1e-6)
        assert said.in_domain[row] == bool(one.in_domain)


def test_a_galaxy_without_photometry_gets_the_prior(model):
    said = predict_galaxies(model, galaxies())
    np.testing.assert_allclose(said.densities.mass[0], model.prior_mass, rtol=1e-6)
    assert not said.in_domain[0]
    assert np.isfinite(said.densities.mass).all()


def test_one_compilation_for_any_number(model):
    compiled = map_batch._cached
    predict_galaxies(model, galaxies(70), batch=32)
    before = compiled._cache_size()
    for n in (1, 33, 64):
        predict_galaxies(model, galaxies(n), batch=32)
    assert compiled._cache_size() == before


def test_the_table(model):
    said = predict_galaxies(model, galaxies())
    table = said.as_table("a.fits")
    assert list(table.columns) == COLUMNS
    assert (table["redshift_q16"] < table["redshift_median"]).all()
    assert (table["redshift_median"] < table["redshift_q84"]).all()
    np.testing.assert_allclose(table["redshift_median"], said.densities.median(), rtol=1e-6)
    np.testing.assert_allclose(table["odds"], said.densities.odds(), rtol=1e-5, atol=1e-7)


def test_chunks_one_after_the_other(model):
    many = galaxies()
    whole = predict_galaxies(model, many).prediction()
    halves = [
        predict_galaxies(model, many.select(rows)).prediction() for rows in (slice(0, 64), slice(64, N))
    ]
    joined = Prediction.concatenate(halves)
    np.testing.assert_allclose(joined.detail.mass, whole.detail.mass, rtol=1e-5, atol=1e-7)
    assert joined.ids.tolist() == whole.ids.tolist()
    assert list(joined.columns) == list(whole.columns)


def survey(n: int = N, seed: int = 2, folder: str = "mock") -> str:
    random = np.random.default_rng(seed)
    z = random.uniform(0.1, 2.0, n)
    flux = np.stack([1e3 / (1 + z), 3e3 / (1 + z) ** 0.5], axis=1) * random.lognormal(0, 0.1, (n, 1))
    columns = {"target_id": np.arange(n), "redshift_spec": z}
    for place, band in enumerate(("acs_wfc_f606w", "acs_wfc_f814w")):
        columns |= {f"flux_njy_obs_{band}": flux[:, place], f"flux_njy_err_{band}": np.full(n, 5.0)}
    Path(folder).mkdir(exist_ok=True)
    write_table(Table(columns), f"{folder}/catalogue.parquet")
    return folder


@pytest.fixture
def silly() -> str:
    train_file(survey(), "silly", method="train-distribution", settings={"grid_most": 3.0, "grid_bins": 60})
    return "silly"


def test_files(silly):
    qp = pytest.importorskip("qp")
    done: list[int] = []
    run = predict_file("mock", "z.parquet", model=silly, pdf="z.hdf5", progress=done.append)
    assert (run.rows, run.out_of_domain, run.notes, run.rejects_path) == (N, 0, (), None)
    assert done == [N]
    table = read_table("z.parquet")
    assert list(table.columns) == COLUMNS
    assert table.metadata["method"] == "train-distribution"
    ensemble = qp.read("z.hdf5")
    assert ensemble.npdf == N
    assert ensemble.ancil["target_id"].tolist() == table["target_id"].tolist()
    np.testing.assert_allclose(ensemble.median()[:, 0], table["redshift_median"], atol=0.01)


def test_galaxies_set_aside_are_listed(silly):
    table = read_table("mock/catalogue.parquet")
    flux = table["flux_njy_obs_acs_wfc_f606w"].copy()
    flux[7] = np.inf
    err = table["flux_njy_err_acs_wfc_f814w"].copy()
    err[9] = 0.0
    changed = {"flux_njy_obs_acs_wfc_f606w": flux, "flux_njy_err_acs_wfc_f814w": err}
    write_table(table.with_columns(changed), "new.parquet")
    run = predict_file("new.parquet", "z.fits", model=silly)
    assert run.rows == N - 1
    assert run.rejects_path is not None
    assert run.rejects_path.read_text().splitlines()[1:] == ["7,7,has an infinite flux"]
    assert run.notes == (
        "1 fluxes in acs_wfc_f814w whose error is zero, negative, missing or infinite: not used",
    )
    assert read_table("z.fits")["target_id"].tolist() == [i for i in range(N) if i != 7]


def test_redshifts_are_not_looked_at(silly):
    table = read_table("mock/catalogue.parquet")
    write_table(table.with_columns({"redshift_spec": np.full(N, -1.0)}), "new.parquet")
    assert predict_file("new.parquet", "z.ecsv", model=silly).rows == N


def test_another_catalogue_is_named(silly):
    table = read_table("mock/catalogue.parquet")
    v, i = table["flux_njy_obs_acs_wfc_f606w"], table["flux_njy_obs_acs_wfc_f814w"]
    columns = {
        "name": np.array([f"J{n}" for n in range(N)]),
        "v": 1e-3 * v,
        "i": 1e-3 * i,
        "err": np.full(N, 1e-3),
    }
    write_table(Table(columns), "other.fits")
    bands = BandColumns("acs_wfc_f814w", "i", "err"), BandColumns("acs_wfc_f606w", "v", "err")
    columns["i"][4] = np.inf
    write_table(Table(columns), "odd.fits")
    told = {"bands": bands, "id_column": "name", "flux_unit": "uJy"}
    odd = predict_file("odd.fits", "odd.parquet", model=silly, columns=told)
    assert odd.rejects_path.read_text() == "row,name,reason\n4,J4,has an infinite flux\n"
    assert predict_file("other.fits", "z.parquet", model=silly, columns=told, pdf="z.hdf5").rows == N
    assert next(iter(read_table("z.parquet").columns)) == "name"
    assert read_qp("z.hdf5").ancil["name"][3] == "J3"
    with pytest.raises(TableError, match="has no column 'flux_njy_obs_acs_wfc_f606w'.*--band"):
        predict_file("other.fits", "z.parquet", model=silly, columns={"id_column": "name"})
    with pytest.raises(TableError, match="has no band acs_wfc_f606w: its bands are acs_wfc_f814w"):
        predict_file("other.fits", "z.parquet", model=silly, columns={**told, "bands": bands[:1]})


def test_the_input_is_not_written_over(silly):
    with pytest.raises(OutputError, match="is a file of the input"):
        predict_file("mock", "mock/catalogue.parquet", model=silly)


def test_nothing_is_left_after_a_fault(silly, tmp_path):
    before = sorted(tmp_path.iterdir())
    with pytest.raises(OutputError, match="must end in"):
        predict_file("mock", "z.parquet", model=silly, pdf="z.pdf")
    with pytest.raises(TableError):
        predict_file("mock", "z.parquet", model=silly, pdf="z.hdf5", columns={"id_column": "name"})
    assert sorted(tmp_path.iterdir()) == before


def test_other_models_are_refused():
    with pytest.raises(ModelFileError, match="predicts emission lines, not redshifts"):
        predict_file("mock", "z.parquet", model="desi-lines")
