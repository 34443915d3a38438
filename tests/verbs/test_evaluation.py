"""Scores, comparisons and the folder of an evaluation: whole or not at all, under its names."""

import json

import numpy as np
import pytest
from matplotlib.figure import Figure

from nebulium.data.rejects import Rejects
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table
from nebulium.errors import OutputError, TableError
from nebulium.metrics.estimates import FEWEST, UNKNOWN, estimate
from nebulium.metrics.point import bias_mean, rmse, spearman
from nebulium.metrics.probabilistic import Estimate, bootstrap
from nebulium.verbs.comparison import compare_methods
from nebulium.verbs.evaluation import Evaluation, evaluation_folder, galaxy_table, named_models, score_methods
from nebulium.verbs.score import (
    DISTRIBUTION_METRICS,
    Bootstrap,
    Metric,
    all_galaxies,
    equal_samples,
    score_method,
    smaller,
)

N = 400
RANDOM = np.random.default_rng(0)
TRUE = RANDOM.normal(size=N)
METRICS = {
    "rmse": Metric(rmse, "RMSE / dex", unit="dex", loss=smaller),
    "bias_mean": Metric(bias_mean, "mean bias", loss=np.abs),
    "spearman": Metric(spearman, "Spearman's ρ", loss=np.negative, has_share=False),
    "pit_ks": DISTRIBUTION_METRICS["pit_ks"],
}
FEW = Bootstrap(resamples=20)


def columns(sigma, **more):
    return {"true": TRUE, "predicted": TRUE + np.random.default_rng(1).normal(0, sigma, N), **more}


GOOD, BAD = columns(0.1, pit=RANDOM.uniform(size=N)), columns(0.5)
METHODS = {
    "mean": {"oh12": {"true": TRUE, "predicted": np.zeros(N)}},
    "a": {"oh12": GOOD},
    "b": {"oh12": BAD},
}


@pytest.fixture(scope="module")
def evaluation():
    scores, comparison = score_methods(
        METHODS, METRICS, method="a", bootstrap=FEW, samples=[all_galaxies(N), *equal_samples("z", TRUE, 2)]
    )
    rejects = Rejects()
    rejects.add([3], np.array([17]), "is damaged")
    return Evaluation(
        scores,
        comparison,
        METRICS,
        {"empty": Figure(figsize=(1, 1))},
        galaxies=galaxy_table(np.arange(N), METHODS, id_column="objid"),
        about={"data": "here"},
        notes=("a note",),
        rejects=rejects,
    )


def test_numbers_and_errors_are_those_of_the_arrays():
    found = score_method("a", GOOD, METRICS, bootstrap=Bootstrap(30, seed=3))
    assert found["rmse"] == bootstrap(rmse, TRUE, GOOD["predicted"], resamples=30, seed=3)
    assert found.n == N
    assert found.pit_ks_limit == 1.36 / np.sqrt(N)


def test_a_galaxy_that_lacks_a_column_does_not_count_in_its_metrics():
    pit = np.where(np.arange(N) < 100, np.nan, GOOD["pit"])
    holes = np.where(np.arange(N) < 40, np.nan, GOOD["predicted"])
    found = score_method("a", {**GOOD, "predicted": holes, "pit": pit}, METRICS, bootstrap=FEW)
    assert found.n == N - 40
    assert found["rmse"].value == rmse(TRUE[40:], holes[40:])
    assert found["pit_ks"] == score_method("a", {**GOOD, "pit": pit}, METRICS, bootstrap=FEW)["pit_ks"]


def test_too_few_rows_have_no_estimate():
    few, enough = np.arange(FEWEST - 1.0), np.arange(float(FEWEST))
    assert estimate(np.mean, few) is UNKNOWN
    assert estimate(np.mean, enough, resamples=20, seed=3) == bootstrap(np.mean, enough, resamples=20, seed=3)
    few_columns = {name: values[:9] for name, values in GOOD.items()}
    assert np.isnan(score_method("a", few_columns, METRICS)["rmse"].value)
    assert np.isnan(compare_methods({"a": few_columns, "b": few_columns}, METRICS)[0].difference.value)


def test_each_metric_of_the_same_galaxies_is_measured_once():
    calls = []

    def counted(true, predicted):
        calls.append(len(true))
        return rmse(true, predicted)

    once = {"rmse": Metric(counted, "RMSE", loss=smaller)}
    score_methods(METHODS, once, method="a", bootstrap=Bootstrap(resamples=5))
    assert len(calls) == 3 * 6


def test_a_comparison_is_antisymmetric_and_drawn_together():
    (better, *_) = compare_methods({"a": GOOD, "b": BAD}, METRICS, bootstrap=FEW)
    (worse, *_) = compare_methods({"a": GOOD, "b": BAD}, METRICS, method="b", bootstrap=FEW)
    assert better.difference.value == pytest.approx(-worse.difference.value)
    assert better.difference.value > 5 * better.difference.error
    assert better.reduction.value == pytest.approx(
        1 - rmse(TRUE, GOOD["predicted"]) / rmse(TRUE, BAD["predicted"])
    )
    (same, *_) = compare_methods({"a": GOOD, "b": GOOD}, METRICS, bootstrap=FEW)
    assert same.difference == (0.0, 0.0)


def test_a_larger_correlation_and_a_smaller_bias_are_better():
    shifted = {"true": TRUE, "predicted": BAD["predicted"] - 1}
    found = {one.metric: one for one in compare_methods({"a": GOOD, "b": shifted}, METRICS, bootstrap=FEW)}
    rho = spearman(TRUE, GOOD["predicted"]) - spearman(TRUE, BAD["predicted"])
    assert found["spearman"].difference.value == pytest.approx(rho)
    assert np.isnan(found["spearman"].reduction.value)
    assert found["bias_mean"].difference.value > 0.9
    assert "pit_ks" not in found


def test_methods_are_compared_on_the_galaxies_that_both_predict():
    holes = {**BAD, "predicted": np.where(np.arange(N) < 100, np.nan, BAD["predicted"])}
    (found, *_) = compare_methods({"a": GOOD, "b": holes}, METRICS, bootstrap=FEW)
    assert found.n == N - 100
    with pytest.raises(ValueError, match="same galaxies"):
        compare_methods({"a": GOOD, "b": {**BAD, "true": TRUE[::-1]}}, METRICS)


def test_samples_are_equal_and_leave_out_what_is_missing():
    mag = np.where(RANDOM.random(N) < 0.1, np.nan, TRUE)
    parts = equal_samples("mag", mag, 3)
    rows = np.concatenate([part.rows for part in parts])
    assert sorted(rows) == np.flatnonzero(np.isfinite(mag)).tolist()
    assert max(len(part.rows) for part in parts) - min(len(part.rows) for part in parts) <= 1
    for part in parts:
        values = mag[part.rows]
        assert (part.low, part.middle, part.high) == (values.min(), np.median(values), values.max())
    assert [part.low for part in parts] == sorted(part.low for part in parts)
    assert equal_samples("mag", np.full(5, np.nan), 3) == ()
    assert len(equal_samples("mag", np.arange(2.0), 3)) == 2


def test_the_trivial_baseline_is_the_first_row(evaluation):
    assert [one.method for one in evaluation.of_all()] == ["mean", "a", "b"]
    assert [one.method for one in evaluation.of_all("a")] == ["a"]
    assert len(evaluation.scores) == 9
    assert {one.rival for one in evaluation.comparison} == {"mean", "b"}


def test_everything_is_in_the_folder(evaluation, tmp_path):
    folder = evaluation.write(tmp_path / "a")
    assert {path.name for path in folder.iterdir()} == {
        "scores.json", "scores.ecsv", "scores.md", "comparison.ecsv", "galaxies.parquet",
        "scores.rejects.csv", "empty.png",
    }  # fmt: skip
    document = json.loads((folder / "scores.json").read_text(), parse_constant=pytest.fail)
    assert document["about"] == {"data": "here", "set_aside": "1 row set aside: 1 is damaged"}
    assert document["notes"] == ["a note"]
    assert document["scores"][0]["spearman"]["value"] is None  # a constant has no ranks
    assert document["scores"][0]["low"] is None
    assert document["comparison"][0]["rival"] == "mean"
    table = read_table(folder / "scores.ecsv")
    assert table["rmse"][1] == pytest.approx(evaluation.scores[1]["rmse"].value)
    assert table.units["rmse"] == table.units["rmse_error"] == "dex"
    assert len(read_table(folder / "comparison.ecsv")) == len(evaluation.comparison)
    galaxies = read_table(folder / "galaxies.parquet", check_units=False)
    np.testing.assert_array_equal(galaxies["a_oh12_predicted"], GOOD["predicted"])
    assert list(galaxies.columns)[:2] == ["objid", "oh12"]
    text = (folder / "scores.md").read_text()
    assert "| oh12 | all | a | 400 |" in text
    assert "| oh12 | a | b | RMSE / dex |" in text
    assert (folder / "scores.rejects.csv").read_text().count("\n") == 2


def test_more_columns_come_first(evaluation, tmp_path):
    more = {"label_fraction": [0.5, 1.0]}
    found = Evaluation(evaluation.scores[:2], (), METRICS, {}, columns=more)
    table = read_table(found.write(tmp_path / "a") / "scores.ecsv")
    assert list(table.columns)[0] == "label_fraction"
    assert found.markdown().splitlines()[2].startswith("| 0.5 | oh12 | all | mean |")
    assert not (tmp_path / "a" / "comparison.ecsv").exists()


def test_further_tables_are_written_and_shown(evaluation, tmp_path):
    rows = [
        {"kind": "drawn", "n": 1200, "area": Estimate(0.6, 0.01)},
        {"kind": "real", "n": 3, "area": UNKNOWN},
    ]
    found = Evaluation(evaluation.scores[:2], (), METRICS, {}, tables={"apart": rows})
    folder = found.write(tmp_path / "a")
    table = read_table(folder / "apart.ecsv")
    assert (table["kind"][0], table["n"][0], table["area_error"][0]) == ("drawn", 1200, 0.01)
    document = json.loads((folder / "scores.json").read_text(), parse_constant=pytest.fail)
    assert document["apart"][0]["area"] == {"value": 0.6, "error": 0.01}
    assert "| drawn | 1,200 | 0.6000 ± 0.0100 |" in (folder / "scores.md").read_text()


def test_a_folder_that_fails_leaves_the_old_one(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "scores.json").write_text("old")
    tables = {"scores.ecsv": Table({"rmse": np.array([0.1])})}
    with pytest.raises(RuntimeError), evaluation_folder(tmp_path / "a", {}, tables, {}):  # noqa: PT012
        raise RuntimeError
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "scores.json"]
    assert (tmp_path / "a" / "scores.json").read_text() == "old"


def test_a_folder_of_something_else_is_refused(evaluation, tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(OutputError, match=r"which would be lost \(there is no scores.json\)"):
        evaluation.write(tmp_path)


def test_a_model_is_given_once():
    assert list(named_models(["desi-lines", "desi-lines-colours"])) == ["desi-lines", "desi-lines-colours"]
    with pytest.raises(TableError, match="model desi-lines: is given twice"):
        named_models(["desi-lines", "desi-lines"])
