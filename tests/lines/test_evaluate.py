"""Scores with known answers, rows that must not be scored, and what is written."""

import json

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from nebulium.data.rejects import Rejects
from nebulium.data.splits import Split
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table
from nebulium.errors import TableError
from nebulium.lines.continuum.line_list import LINES, line_index
from nebulium.lines.likelihood import MeasuredLines
from nebulium.lines.model import LineModel, with_statistics
from nebulium.lines.scores.evaluate import (
    INTRINSIC,
    OBSERVED,
    OBSERVED_IVAR,
    PUBLISHED,
    TRAINING_MEDIAN,
    evaluate,
)
from nebulium.lines.scores.measured_galaxies import measured_galaxies
from nebulium.lines.scores.populations import draw_intrinsic, draw_measurements, quantiles_of_measurements
from nebulium.lines.scores.scores import LEVELS, fifths, score_distribution, score_points, spearman_gain
from nebulium.modelfile import REQUIRED, save_model

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
    assert evaluation.galaxies.ids.tolist() == ids[part == "test"][2:].tolist()
    assert evaluation.rejects.summary() == "2 rows set aside: 2 continuum_flux_3 is not positive"


def test_the_silly_baseline_knows_the_training_part_only(evaluation):
    table = small_table()
    part = Split(seed="mine", fractions=SPLIT["fractions"]).parts(table["target_id"])
    expected = np.nanmedian(table["ew_HALPHA"][part == "train"])
    assert evaluation.predictions[TRAINING_MEDIAN][0, line_index("HALPHA")] == pytest.approx(expected)


def test_every_method_scores_every_line(evaluation):
    methods = dict.fromkeys(score.method for score in evaluation.points)
    assert list(methods) == [TRAINING_MEDIAN, INTRINSIC, OBSERVED, OBSERVED_IVAR]
    assert [score.line for score in evaluation.points[:10]] == list(LINES)
    assert {score.method for score in evaluation.calibration} == {OBSERVED, OBSERVED_IVAR}
    seen = int(np.isfinite(evaluation.galaxies.ew_aa[:, 0]).sum())
    assert evaluation.points[0].galaxies == evaluation.calibration[0].galaxies == seen


def test_what_is_written_can_be_read(evaluation, tmp_path):
    folder = evaluation.write(tmp_path / "scores")
    document = json.loads((folder / "scores.json").read_text(), parse_constant=pytest.fail)
    assert document["about"]["galaxies_scored"] == len(evaluation.galaxies)
    assert document["points"][0]["spearman"]["value"] is None  # a constant has no ranks
    table = read_table(folder / "scores.ecsv")
    assert table["line"][:10].tolist() == list(LINES)
    assert table.units["nmad_uncentred"] == "Angstrom"
    assert len(read_table(folder / "calibration.ecsv")) == 20
    assert (folder / "scores.rejects.csv").read_text().count("\n") == 3
    for name in evaluation.figures:
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_all_rows_and_no_ivar(model_folder):
    table = small_table(60)
    columns = {name: values for name, values in table.columns.items() if "ivar" not in name}
    result = evaluate(Table(columns), model=model_folder, split=None, resamples=3)
    assert len(result.galaxies) == 60
    assert {score.method for score in result.points} == {INTRINSIC, OBSERVED}


def test_faults_are_explained(model_folder):
    with pytest.raises(TableError, match=r"the parts \['train', 'test'\], not 'validation'"):
        evaluate(small_table(60), model=model_folder, split="validation")
    training = small_table().select(
        Split(seed="mine", fractions=SPLIT["fractions"]).parts(np.arange(300)) == "train"
    )
    with pytest.raises(TableError, match="no row to score: 0 of"):
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


@pytest.mark.parametrize(
    ("width", "expected"), [(1.0, (0.68, 0.95)), (2.0, (0.953, 0.99991)), (0.5, (0.381, 0.673))]
)
def test_coverage_of_normal_intervals(width, expected):
    """Intervals that are too wide or too narrow by a known factor hold a known share."""
    observed = np.random.default_rng(0).normal(size=(4000, 10))
    quantiles = np.tile((width * norm.ppf(LEVELS))[None, :, None], (4000, 1, 10))
    for score in score_distribution("normal", observed, quantiles, np.arange(4000.0), resamples=2):
        assert score.coverage_68.value == pytest.approx(expected[0], abs=0.025)
        assert score.coverage_95.value == pytest.approx(expected[1], abs=0.025)
        assert (score.pit_ks.value < 0.03) == (width == 1.0)
        assert np.mean([part.value for part in score.coverage_68_by_fifth]) == pytest.approx(
            score.coverage_68.value
        )


def test_crps_is_that_of_the_normal_law():
    """For a standard normal forecast of a standard normal value it is 1 / sqrt(pi)."""
    observed = np.random.default_rng(1).normal(size=(4000, 10))
    quantiles = np.tile(norm.ppf(LEVELS)[None, :, None], (4000, 1, 10))
    scores = score_distribution("normal", observed, quantiles, np.arange(4000.0), resamples=2)
    assert np.mean([score.crps.value for score in scores]) == pytest.approx(np.pi**-0.5, rel=0.02)


def test_too_few_galaxies_give_no_score():
    ew = np.full((20, 10), np.nan)
    ew[:3] = 1.0
    scores = score_points("any", ew, np.ones((20, 10)))
    assert scores[0].galaxies == 3
    assert np.isnan(scores[0].nmad.value)


def test_a_gain_is_antisymmetric_and_drawn_together():
    random = np.random.default_rng(0)
    truth = random.normal(size=800)
    good, poor = truth + 0.3 * random.normal(size=800), truth + random.normal(size=800)
    gain, loss = spearman_gain(truth, good, poor), spearman_gain(truth, poor, good)
    assert gain.value == pytest.approx(-loss.value)
    assert gain.value > 5 * gain.error
    assert spearman_gain(truth, good, good) == (0.0, 0.0)


@given(st.lists(st.integers(1, 10**6), min_size=25, max_size=200, unique=True))
def test_fifths_are_ordered_and_equal(flux):
    flux = np.array(flux, float)
    place = fifths(flux)
    counts = np.bincount(place, minlength=5)
    assert counts.size == 5
    assert counts.max() - counts.min() <= 2
    assert np.all(np.diff(place[np.argsort(flux)]) >= 0)


def test_published_scores_on_the_desi_table(nebulium_data):
    """The table holds 80 % of the galaxies that the numbers were measured on."""
    table = read_table(nebulium_data / "desi" / "desi_edr_emission_lines.parquet")
    ew, said = (
        np.stack([table[f"{prefix}_{line}"] for line in LINES], axis=1).astype(float)
        for prefix in ("ew", "published_ew")
    )
    scores = score_points(PUBLISHED, ew, said, resamples=2)
    np.testing.assert_allclose([score.spearman.value for score in scores], PUBLISHED_RHO, atol=0.006)
