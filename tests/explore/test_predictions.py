"""What models say of the galaxies, as columns: computed once, and NaN where they cannot see."""

import equinox as eqx
import jax
import numpy as np
import pytest

from nebulium.data.images.mmu import Images, write_images
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import write_table
from nebulium.errors import NebuliumError
from nebulium.explore.maps.latent import map_features
from nebulium.explore.sample.galaxies import Galaxies, read_galaxies
from nebulium.explore.sample.predictions import redshift_densities, with_predictions
from nebulium.lines.continuum.line_list import LINES
from nebulium.lines.input import FLUX_COLUMNS
from nebulium.lines.predict import LinePredictor, predict_table
from nebulium.modelfile import REQUIRED, register, save_model
from nebulium.photoz.fluxes.model import PhotometryModel
from nebulium.properties.model import PropertyModel

pytestmark = pytest.mark.usefixtures("small_batches")
MODEL = "desi-lines-colours"
N = 5


@pytest.fixture
def galaxies() -> Galaxies:
    rng = np.random.default_rng(0)
    flux = rng.uniform(0.5, 2.0, (N, 12))
    flux[1, 3] = np.nan
    flux[2] = -1.0
    values = dict(zip(FLUX_COLUMNS, flux.T, strict=True)) | {"redshift": np.linspace(0.05, 0.2, N)}
    ids = np.array(["7", "<b>", "9", "../x", "11"])
    return Galaxies("a.parquet", ids, values)


def test_lines_are_those_of_the_library(tmp_path, galaxies):
    said = with_predictions(galaxies, MODEL, tmp_path)
    columns = {name: galaxies.values[name] for name in (*FLUX_COLUMNS, "redshift")}
    expected = predict_table(Table({"target_id": np.arange(N), **columns}), model=MODEL).table
    rows = expected["target_id"]
    assert rows.tolist() == [0, 1, 3, 4]
    for line in LINES:
        for ours, theirs in {"": "q50", "_q16": "q16", "_q84": "q84"}.items():
            found = said.values[f"predicted_ew_{line}{ours}"]
            np.testing.assert_array_equal(found[rows], expected[f"ew_{line}_{theirs}"])
            assert np.isnan(found[2])
    assert said.values["in_domain"][2] == 0.0
    assert said.units["predicted_ew_HALPHA"] == "Angstrom"
    assert "1 row set aside" in said.notes[0]
    # A draw has its scatter, and needs the whole continuum.
    drawn = said.values["drawn_ew_HALPHA"]
    assert np.isnan(drawn).tolist() == [False, True, True, False, False]
    assert (drawn[[0, 3, 4]] != said.values["predicted_ew_HALPHA"][[0, 3, 4]]).all()


def test_a_line_that_was_not_measured_is_not_drawn(tmp_path, galaxies):
    measured = {"ew_HALPHA": np.full(N, 20.0), "ew_ivar_HALPHA": np.array([4.0, 4.0, 4.0, 0.0, np.nan])}
    said = with_predictions(galaxies.with_values(measured, {}), MODEL, tmp_path)
    assert np.isfinite(said.values["drawn_ew_HALPHA"]).tolist() == [True, False, False, False, False]
    assert np.isnan(said.values["drawn_ew_HBETA"]).all()
    assert said.values["ew_HALPHA"].tolist() == [20.0] * N


def test_predictions_are_kept_until_something_changes(tmp_path, galaxies, monkeypatch):
    first = with_predictions(galaxies, MODEL, tmp_path)
    made = []
    compute = LinePredictor.__call__
    monkeypatch.setattr(
        LinePredictor, "__call__", lambda *args, **kwargs: made.append(1) or compute(*args, **kwargs)
    )
    again = with_predictions(galaxies, MODEL, tmp_path)
    assert made == []
    np.testing.assert_array_equal(again.values["drawn_ew_HBETA"], first.values["drawn_ew_HBETA"])
    assert (again.notes, again.units) == (first.notes, first.units)
    with_predictions(galaxies.with_values({"ra": np.ones(N)}, {}), MODEL, tmp_path)
    assert made == []
    with_predictions(galaxies.with_values({"redshift": np.full(N, 0.1)}, {}), MODEL, tmp_path)
    assert made == [1]


def test_without_a_continuum_nothing_is_predicted_unless_asked(tmp_path):
    bare = Galaxies("a.parquet", np.array(["7"]), {"z": np.ones(1)})
    assert with_predictions(bare, None, tmp_path) is bare
    with pytest.raises(NebuliumError, match="continuum_flux_0"):
        with_predictions(bare, MODEL, tmp_path)
    assert list(tmp_path.iterdir()) == []


@register
class Nothing(eqx.nn.Linear):
    """A model that says nothing of galaxies."""


def saved(folder, model, hyperparameters, **config):
    entries = dict.fromkeys(REQUIRED, {}) | {"hyperparameters": hyperparameters, "citation": ""} | config
    return save_model(folder, model, config=entries, card="")


def test_a_model_of_something_else_is_refused(tmp_path, galaxies):
    shape = {"in_features": 1, "out_features": 1}
    model = saved(tmp_path / "other", Nothing(1, 1, key=jax.random.key(0)), shape)
    with pytest.raises(NebuliumError, match="predicts nothing of galaxies"):
        with_predictions(galaxies, model, tmp_path)


@pytest.fixture
def survey(tmp_path):
    """Four galaxies with fluxes, three of them with an image."""
    folder = tmp_path / "survey"
    (folder / "data").mkdir(parents=True)
    rng = np.random.default_rng(0)
    columns = {"target_id": np.arange(4), "redshift_spec": np.full(4, 0.5)}
    for band in "gri":
        columns |= {f"flux_njy_obs_{band}": rng.uniform(50, 90, 4), f"flux_njy_err_{band}": np.ones(4)}
    columns["flux_njy_obs_g"][1] = np.inf
    write_table(Table(columns), folder / "catalogue.parquet")
    flux = rng.uniform(1, 2, (3, 16, 16, 1)).astype(np.float32)
    known = np.full((3, 1), 0.1, np.float32)
    images = Images(np.array([3, 0, 2]), ("r",), flux, flux, flux < 0, known, known, metadata={"unit": "nJy"})
    write_images(images, folder / "data" / "shard.parquet")
    return folder


def test_redshifts_and_their_densities(tmp_path, survey):
    shape = {"bands": ["g", "r", "i"], "grid_bins": 40, "members": 1, "domain_references": 8}
    model = saved(
        tmp_path / "photoz",
        PhotometryModel(**shape),
        shape,
        method="photometry",
        citation="",
        preprocessing={},
    )
    galaxies = read_galaxies(survey)
    assert redshift_densities(galaxies, model, tmp_path) is None
    said = with_predictions(galaxies, model, tmp_path)
    assert np.isfinite(said.values["redshift_median"]).tolist() == [True, False, True, True]
    densities = redshift_densities(galaxies, model, tmp_path)
    assert densities(1) is None
    one = densities(3)
    assert one.mass.sum() == pytest.approx(1.0, abs=1e-5)
    assert one.median()[0] == pytest.approx(said.values["redshift_median"][3], rel=0.01)
    # Without their file the predictions are made again, with it.
    densities.path.unlink()
    assert redshift_densities(galaxies, model, tmp_path) is None
    with_predictions(galaxies, model, tmp_path)
    assert redshift_densities(galaxies, model, tmp_path)(3) is not None
    features = map_features(galaxies, "latent", folder=tmp_path, model=model)
    assert features.usable.tolist() == [True, False, True, True]
    assert "latent space of photoz" in features.sentence


def test_properties_and_latent_vectors_of_galaxies_with_an_image(tmp_path, survey):
    shape = {
        "targets": ["oh12"], "bands": ["r"], "unit": "nJy", "size": 16, "encoder": "resnet-tiny",
        "stretch": {"kind": "asinh", "softening": [1.0]}, "head": "gaussian", "domain_references": 8,
    }  # fmt: skip
    model = saved(tmp_path / "metals", PropertyModel(**shape), shape, units={"oh12": "dex"})
    galaxies = read_galaxies(survey)
    said = with_predictions(galaxies, model, tmp_path)
    assert np.isfinite(said.values["predicted_oh12"]).tolist() == [True, False, True, True]
    assert said.units["predicted_oh12_q16"] == "dex"
    assert {"predicted_oh12_sigma", "predicted_oh12_q84", "in_domain"} <= said.values.keys()
    features = map_features(galaxies, "latent", folder=tmp_path, model=model)
    assert features.usable.tolist() == [True, False, True, True]
    again = map_features(galaxies, "latent", folder=tmp_path, model=model)
    np.testing.assert_array_equal(again.values, features.values)
    bare = Galaxies("a.parquet", np.array(["7"]), {"z": np.ones(1)})
    with pytest.raises(NebuliumError, match="no images"):
        with_predictions(bare, model, tmp_path)
