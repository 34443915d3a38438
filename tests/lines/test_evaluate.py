"""Scores with known answers, rows that must not be scored, and what is written."""

import json

import jax
import numpy as np
import pytest
from scipy.stats import norm

from nebulium.data.rejects import Rejects
from nebulium.data.splits import Split
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table
from nebulium.errors import TableError
from nebulium.lines.continuum.line_list import LINES
from nebulium.lines.likelihood import MeasuredLines
from nebulium.lines.measured_galaxies import measured_galaxies
from nebulium.lines.model import LineModel, with_statistics
from nebulium.lines.scores.baselines import PUBLISHED, SCORED_MEDIAN, TRAINING_MEDIAN
from nebulium.lines.scores.evaluate import INTRINSIC, evaluate
from nebulium.lines.scores.populations import (
    OBSERVED,
    OBSERVED_IVAR,
    draw_intrinsic,
    draw_measurements,
    quantiles_of_measurements,
)
from nebulium.lines.scores.scores import LEVELS, METRICS, line_columns
from nebulium.modelfile import REQUIRED, describe_model, load_model, save_model
from nebulium.verbs.score import Bootstrap, score_method

pytestmark = pytest.mark.usefixtures("small_batches", "optimised_programs")
SPLIT = {"seed": "mine", "fractions": {"train": 0.5, "test": 0.5}, "id_column": "target_id"}
HYPERPARAMETERS = {"with_luminosity": False, "width": 8, "noise_width": 8}
# Spearman's rho of the published network on all of its galaxies, from the description of the data.
PUBLISHED_RHO = (0.754, 0.734, 0.876, 0.779, 0.770, 0.873, 0.913, 0.877, 0.885, 0.866)


def small_table(count=300, seed=0):
    random = np.random.default_rng(seed)
    flux = 10 ** random.normal(0, 0.1, (count, 12)).cumsum(axis=1)
    ew = (flux[:, 4] / flux[:, 2])[:, None] * random.lognormal(1, 0.3, (count, 10))
    ew[random.random((count, 10)) < 0.2] = np.nan
    columns = {"target_id": np.arange(count), "redshift": random.uniform(0.06, 0.3, count)}
    columns |= {f"continuum_flux_{place}": values for place, values in enumerate(flux.T)}
    columns |= {f"ew_{line}": values for line, values in zip(LINES, ew.T, strict=True)}
    columns |= {
        f"ew_ivar_{line}": np.where(np.isfinite(values), 4.0, 0.0)
        for line, values in zip(LINES, ew.T, strict=True)
    }
    return Table(columns, {}, "small.parquet")


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    table = small_table()
    flux = np.stack([table[f"continuum_flux_{place}"] for place in range(12)], axis=1).astype(np.float32)
    model = LineModel(**HYPERPARAMETERS, key=jax.random.key(0))
    model = with_statistics(model, jax.numpy.asarray(flux), jax.numpy.zeros(len(flux)))
    config = dict.fromkeys(REQUIRED, "") | {"hyperparameters": HYPERPARAMETERS, "split": SPLIT}
    return save_model(tmp_path_factory.mktemp("model") / "small", model, config=config, card="")


@pytest.fixture(scope="module")
def evaluation(model_folder):
    table = small_table()
    bad = table["continuum_flux_3"].copy()
    part = Split(seed="mine", fractions=SPLIT["fractions"]).parts(table["target_id"])
    bad[np.flatnonzero(part == "test")[:2]] = -1.0
    return evaluate(table.with_columns({"continuum_flux_3": bad}), model=model_folder, resamples=3)


def test_only_the_test_part_is_scored(evaluation):
    ids = np.arange(300)
    part = Split(seed="mine", fractions=SPLIT["fractions"]).parts(ids)
    assert evaluation.galaxies["target_id"].tolist() == ids[part == "test"][2:].tolist()
    assert evaluation.rejects.summary() == "2 rows set aside: 2 continuum_flux_3 is not positive"


def test_the_silly_baseline_knows_the_training_part_only(evaluation):
    table = small_table()
    part = Split(seed="mine", fractions=SPLIT["fractions"]).parts(table["target_id"])
    expected = np.nanmedian(table["ew_HALPHA"][part == "train"])
    assert evaluation.galaxies[f"{TRAINING_MEDIAN}_ew_HALPHA_predicted"][0] == pytest.approx(expected)


def test_every_method_scores_every_line(evaluation):
    of_all = evaluation.of_all()
    assert [one.method for one in of_all[:4]] == [TRAINING_MEDIAN, INTRINSIC, OBSERVED, OBSERVED_IVAR]
    assert [one.target for one in of_all[::4]] == [f"ew_{line}" for line in LINES]
    calibrated = {one.method for one in of_all if np.isfinite(one["coverage_68"].value)}
    assert calibrated == {OBSERVED, OBSERVED_IVAR}
    seen = int(np.isfinite(evaluation.galaxies["ew_OII_DOUBLET"]).sum())
    assert {one.n for one in of_all if one.target == "ew_OII_DOUBLET"} == {seen}
    assert {one.rival for one in evaluation.comparison} == {TRAINING_MEDIAN, INTRINSIC, OBSERVED_IVAR}


def test_coverage_is_scored_in_fifths_by_flux(evaluation):
    fifths = [one for one in evaluation.scores if one.sample.quantity == "continuum_flux_9"]
    assert len(fifths) == 2 * len(LINES) * 5
    whole = {(one.method, one.target): one for one in evaluation.of_all()}
    for first in range(0, len(fifths), 10):
        of_one = [one for one in fifths[first : first + 10] if one.method == OBSERVED]
        assert len({one.sample.low for one in of_one}) == 5
        assert sum(one.n for one in of_one) == whole[OBSERVED, of_one[0].target].n


def test_what_is_written_can_be_read(evaluation, tmp_path):
    folder = evaluation.write(tmp_path / "scores")
    document = json.loads((folder / "scores.json").read_text(), parse_constant=pytest.fail)
    assert document["about"]["galaxies_scored"] == len(evaluation.galaxies)
    assert document["scores"][0]["spearman"]["value"] is None  # a constant has no ranks
    table = read_table(folder / "scores.ecsv")
    assert table["target"][:40:4].tolist() == [f"ew_{line}" for line in LINES]
    assert table.units["nmad_uncentred"] == table.units["crps"] == "Angstrom"
    assert len(table) == 40 + 100
    assert (folder / "scores.rejects.csv").read_text().count("\n") == 3
    for name in evaluation.figures:
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_all_rows_and_no_ivar(model_folder):
    table = small_table(60)
    columns = {name: values for name, values in table.columns.items() if "ivar" not in name}
    result = evaluate(Table(columns), model=model_folder, split=None, resamples=3)
    assert len(result.galaxies) == 60
    assert [one.method for one in result.of_all()[:3]] == [SCORED_MEDIAN, INTRINSIC, OBSERVED]
    expected = np.nanmedian(table["ew_HALPHA"])
    assert result.galaxies[f"{SCORED_MEDIAN}_ew_HALPHA_predicted"][0] == pytest.approx(expected)


def test_failed_redshifts_are_scored_on_request_and_marked(model_folder):
    zwarn = np.where(np.arange(60) % 2, 4, 0)
    table = small_table(60).with_columns({"zwarn": zwarn})
    result = evaluate(table, model=model_folder, split=None, resamples=2)
    assert len(result.galaxies) == 30
    assert "30 its redshift failed: zwarn is not 0 (kept with --keep-flagged)" in result.rejects.summary()
    assert "zwarn" not in result.galaxies
    kept = evaluate(table, model=model_folder, split=None, resamples=2, keep_flagged=True)
    assert kept.galaxies["zwarn"].tolist() == zwarn.tolist()


def test_the_ids_are_found_whatever_the_training_table_called_them(model_folder, tmp_path):
    config = {**describe_model(model_folder).config, "split": {**SPLIT, "id_column": "TARGETID"}}
    folder = save_model(tmp_path / "other", load_model(model_folder), config=config, card="")
    both = [evaluate(small_table(60), model=model, resamples=2) for model in (model_folder, folder)]
    assert both[0].galaxies["target_id"].tolist() == both[1].galaxies["target_id"].tolist()


def test_faults_are_explained(model_folder):
    with pytest.raises(TableError, match=r"the parts \['train', 'test'\], not 'validation'"):
        evaluate(small_table(60), model=model_folder, split="validation")
    training = small_table().select(
        Split(seed="mine", fractions=SPLIT["fractions"]).parts(np.arange(300)) == "train"
    )
    with pytest.raises(TableError, match="none in the test part"):
        evaluate(training, model=model_folder)
    columns = {name: values for name, values in small_table(60).columns.items() if name != "ew_HALPHA"}
    with pytest.raises(TableError, match="has no column 'ew_HALPHA'"):
        evaluate(Table(columns), model=model_folder)


def test_draws_do_not_depend_on_the_batch(model_folder):
    model = LineModel(**HYPERPARAMETERS, key=jax.random.key(1))
    galaxies = measured_galaxies(small_table(300), model, Rejects())
    few = measured_galaxies(small_table(300).select(np.arange(3)), model, Rejects())

    def say(those):
        continua = those.continuum_flux, those.redshift
        return (
            draw_intrinsic(model, *continua, seed=5),
            draw_measurements(model, *continua, those.lines, seed=5),
            quantiles_of_measurements(model, *continua, those.sigma_aa, [0.1, 0.9]),
        )

    for many, some in zip(say(galaxies), say(few), strict=True):
        np.testing.assert_allclose(many[:3], some, rtol=1e-4, atol=1e-4)


def test_draws_keep_the_pattern_of_missing_lines():
    model = LineModel(**HYPERPARAMETERS, key=jax.random.key(1))
    ew = np.where(np.eye(10, dtype=bool), np.nan, 1.0)
    lines = MeasuredLines.from_columns(ew, np.ones((10, 10)))
    for independent in (False, True):
        drawn = draw_measurements(
            model, np.ones((10, 12)), np.zeros(10), lines, seed=0, independent=independent
        )
        np.testing.assert_array_equal(np.isnan(drawn), np.isnan(ew))


def normal_scores(seed, width=1.0):
    """Of distributions of a known width, for standard normal values."""
    observed = np.random.default_rng(seed).normal(size=(4000, 10))
    quantiles = np.tile((width * norm.ppf(LEVELS))[None, :, None], (4000, 1, 10))
    columns = line_columns(observed, np.zeros((4000, 10)), quantiles)
    return [score_method("normal", one, METRICS, bootstrap=Bootstrap(2)) for one in columns.values()]


@pytest.mark.parametrize(
    ("width", "expected"), [(1.0, (0.68, 0.95)), (2.0, (0.953, 0.99991)), (0.5, (0.381, 0.673))]
)
def test_coverage_of_normal_intervals(width, expected):
    """Intervals that are too wide or too narrow by a known factor hold a known share."""
    for score in normal_scores(0, width):
        assert score["coverage_68"].value == pytest.approx(expected[0], abs=0.025)
        assert score["coverage_95"].value == pytest.approx(expected[1], abs=0.025)
        assert (score["pit_ks"].value < 0.03) == (width == 1.0)


def test_crps_is_that_of_the_normal_law():
    """For a standard normal forecast of a standard normal value it is 1 / sqrt(pi)."""
    found = np.mean([score["crps"].value for score in normal_scores(1)])
    assert found == pytest.approx(np.pi**-0.5, rel=0.02)


def test_a_line_that_is_not_measured_has_no_score():
    ew = np.full((20, 10), np.nan)
    ew[:3, 1:] = 1.0
    columns = line_columns(ew, np.ones((20, 10)), np.tile(LEVELS[None, :, None], (20, 1, 10)))
    scores = [score_method("any", one, METRICS) for one in columns.values()]
    assert [score.n for score in scores[:2]] == [0, 3]
    assert all(np.isnan(estimate.value) for score in scores for estimate in score.estimates.values())


def test_published_scores_on_the_desi_table(nebulium_data):
    """The table holds 80 % of the galaxies that the numbers were measured on."""
    table = read_table(nebulium_data / "desi" / "desi_edr_emission_lines.parquet")
    ew, predicted = (
        np.stack([table[f"{prefix}_{line}"] for line in LINES], axis=1).astype(float)
        for prefix in ("ew", "published_ew")
    )
    rho = [
        score_method(PUBLISHED, one, METRICS, bootstrap=Bootstrap(2))["spearman"].value
        for one in line_columns(ew, predicted).values()
    ]
    np.testing.assert_allclose(rho, PUBLISHED_RHO, atol=0.006)
