"""Scores in every convention, by samples, and methods compared galaxy by galaxy."""

import json

import numpy as np
import pytest
from scipy import stats

from nebulium.data.tables.reading import read_table
from nebulium.errors import TableError
from nebulium.photoz.density.densities import RedshiftDensities
from nebulium.photoz.density.grid import RedshiftGrid
from nebulium.photoz.scores.evaluate import evaluate_redshifts
from nebulium.photoz.scores.scores import METRICS, redshift_columns
from nebulium.verbs.comparison import compare_methods
from nebulium.verbs.score import Bootstrap, score_method

GRID = RedshiftGrid(6.0, 400)
N = 2000
RANDOM = np.random.default_rng(0)
MAG = RANDOM.uniform(20, 26, N)
TRUE = np.expm1(RANDOM.uniform(0.2, 1.2, N))
IDS = RANDOM.permutation(10 * N)[:N]


def densities(sigma, seed, *, outliers=0.0, wrong=1.0):
    """Gaussians of ln(1 + z) about what a method with such errors would say."""
    random = np.random.default_rng(seed)
    middle = np.log1p(TRUE) + random.normal(0, sigma, N)
    middle = np.where(random.random(N) < outliers, random.uniform(0.2, 1.2, N), middle)
    mass = np.diff(stats.norm.cdf((np.log1p(GRID.edges) - middle[:, None]) / (sigma * wrong)), axis=1)
    return RedshiftDensities(GRID, (mass + 1e-9).astype(np.float32))


GOOD, BAD = densities(0.02, 1), densities(0.04, 2, outliers=0.05)


@pytest.fixture(scope="module")
def good():
    return redshift_columns(GOOD, TRUE)


@pytest.fixture(scope="module")
def bad():
    return redshift_columns(BAD, TRUE)


FEW = Bootstrap(resamples=20)


def whole(columns, bootstrap=FEW):
    return score_method("m", columns, METRICS, bootstrap=bootstrap)


def compared_by_metric(methods):
    return {one.metric: one for one in compare_methods(methods, METRICS, bootstrap=FEW)}


def test_definitions_are_those_of_the_papers(bad):
    delta = (BAD.median() - TRUE) / (1 + TRUE)
    score = whole(bad)
    assert score["bias_mean"].value == pytest.approx(np.mean(delta))
    assert score["nmad"].value == pytest.approx(1.4826 * np.median(np.abs(delta - np.median(delta))))
    assert score["outliers_015"].value == pytest.approx(np.mean(np.abs(delta) > 0.15))
    assert score["bias_median"].value == pytest.approx(np.median(delta))
    iqr = np.subtract(*np.percentile(delta, [75, 25])) / 1.349
    assert score["sigma_iqr"].value == pytest.approx(iqr)
    assert score["outliers_rail"].value == pytest.approx(np.mean(np.abs(delta) > max(0.06, 3 * iqr)))
    assert score["rms"].value == pytest.approx(np.sqrt(np.mean(delta**2)))
    assert score["crps"].value == pytest.approx(BAD.crps(TRUE).mean())
    assert score["cde_loss"].value == pytest.approx(BAD.cde_loss(TRUE).mean())
    assert score["odds"].value == pytest.approx(BAD.odds().mean())


def test_coverage_is_that_of_the_central_intervals(good):
    low, high = GOOD.quantile([0.16, 0.84]).T
    score = whole(good)
    assert score["coverage_68"].value == pytest.approx(np.mean((low <= TRUE) & (high >= TRUE)))
    assert score["coverage_68"].value == pytest.approx(0.68, abs=0.03)
    assert score["coverage_95"].value == pytest.approx(0.95, abs=0.015)
    assert score["pit_ks"].value < score.pit_ks_limit == 1.36 / np.sqrt(N)


def test_densities_too_narrow_are_seen():
    narrow = whole(redshift_columns(densities(0.02, 1, wrong=0.5), TRUE))
    assert narrow["coverage_68"].value < 0.45
    assert narrow["pit_ks"].value > 2 * narrow.pit_ks_limit


def test_errors_are_those_of_more_samples(good):
    error = whole(good, Bootstrap(300))["bias_mean"].error
    assert error == pytest.approx(good["delta"].std() / np.sqrt(N), rel=0.15)


def test_points_of_a_density():
    for point in ("median", "mode", "mean"):
        found = redshift_columns(BAD, TRUE, point=point)["predicted"]
        np.testing.assert_array_equal(found, getattr(BAD, point)())


def test_many_galaxies_are_scored_in_pieces(good, monkeypatch):
    monkeypatch.setattr(RedshiftDensities.chunks, "__defaults__", (300,))
    pieces = redshift_columns(GOOD, TRUE)
    for column, values in good.items():
        np.testing.assert_allclose(pieces[column], values, rtol=1e-12)


def test_few_galaxies_have_no_scores(good):
    few = whole({name: values[:9] for name, values in good.items()})
    assert few.n == 9
    assert all(np.isnan(few[name].value) for name in METRICS)
    assert np.isnan(whole({name: values[:0] for name, values in good.items()}).pit_ks_limit)


def test_comparisons_are_differences_of_the_scores(good, bad):
    by_metric = compared_by_metric({"good": good, "bad": bad})
    assert by_metric.keys() == METRICS.keys() - {"coverage_68", "coverage_95", "pit_ks", "odds"}
    ours, theirs = whole(good), whole(bad)
    nmad = by_metric["nmad"]
    assert nmad.difference.value == pytest.approx(theirs["nmad"].value - ours["nmad"].value)
    assert nmad.reduction.value == pytest.approx(1 - ours["nmad"].value / theirs["nmad"].value)
    assert nmad.reduction.value == pytest.approx(0.5, abs=0.05)
    bias = abs(theirs["bias_mean"].value) - abs(ours["bias_mean"].value)
    assert by_metric["bias_mean"].difference.value == pytest.approx(bias)
    assert by_metric["cde_loss"].difference.value > 0
    assert np.isnan(by_metric["cde_loss"].reduction.value)
    assert by_metric["outliers_015"].difference.value > 5 * by_metric["outliers_015"].difference.error


def shifted(columns, shift):
    delta = columns["delta"] + shift
    return {**columns, "delta": delta, "predicted": columns["true"] + delta * (1 + columns["true"])}


def test_what_methods_share_cancels(good):
    one, two = shifted(good, 0.1), shifted(good, 0.2)
    bias = compared_by_metric({"one": one, "two": two})["bias_mean"]
    assert bias.difference.value == pytest.approx(0.1)
    assert bias.difference.error < 1e-6 < whole(one)["bias_mean"].error
    same = compared_by_metric({"a": good, "b": good})
    assert all(one.difference == (0.0, 0.0) for one in same.values())


def test_a_rival_without_outliers_has_no_reduction(good):
    perfect = {**good, "delta": 0 * good["delta"], "predicted": good["true"]}
    found = compared_by_metric({"good": good, "perfect": perfect})
    assert np.isnan(found["outliers_015"].reduction.value)


@pytest.fixture(scope="module")
def compared():
    redshift = np.where(np.arange(N) < 100, np.nan, TRUE)
    methods = {"pita": GOOD, "photo/metry": BAD}
    along = {"mag": (MAG, "F160W / AB mag"), "colour": (MAG - 20, "Colour / AB mag")}
    return evaluate_redshifts(methods, redshift, ids=IDS, along=along, resamples=3, samples=4)


def test_every_method_is_scored_in_every_sample(compared):
    quantities = ["all"] * 3 + ["redshift"] * 12 + ["mag"] * 12 + ["colour"] * 12
    assert [one.sample.quantity for one in compared.scores] == quantities
    methods = ["distribution of the scored", "pita", "photo/metry"]
    assert [one.method for one in compared.scores[:6]] == methods * 2
    assert compared.scores[0].n == N - 100
    assert compared.about["galaxies_without_redshift"] == 100
    assert {one.method for one in compared.comparison} == {"pita"}
    assert compared.figures["scores_against_mag"].axes[0].get_xlabel() == "F160W / AB mag"


def test_what_is_written(compared, tmp_path):
    folder = compared.write(tmp_path / "evaluation")
    document = json.loads((folder / "scores.json").read_text())
    expected = compared.comparison[1].reduction.value
    assert document["comparison"][1]["reduction"]["value"] == pytest.approx(expected)
    table = read_table(folder / "scores.ecsv")
    assert table["nmad"][1] == pytest.approx(compared.scores[1]["nmad"].value)
    assert len(read_table(folder / "comparison.ecsv")) == len(compared.comparison)
    galaxies = read_table(folder / "galaxies.parquet")
    assert galaxies["target_id"].tolist() == IDS[100:].tolist()
    np.testing.assert_allclose(galaxies["pita_redshift_predicted"], GOOD.median()[100:])
    text = (folder / "scores.md").read_text()
    assert "| redshift | all | pita | 1,900 |" in text
    assert "| redshift | pita | photo/metry | NMAD |" in text
    assert {path.stem for path in folder.glob("*.png")} == set(compared.figures)


def test_one_method_by_itself():
    found = evaluate_redshifts({"pita": GOOD}, TRUE, ids=IDS.astype(str), resamples=2)
    assert {one.rival for one in found.comparison} == {"distribution of the scored"}
    assert set(found.figures) == {
        "calibration",
        "densities",
        "predicted_against_spectroscopic",
        "redshift_distribution",
        "scores_against_redshift",
    }


def test_the_trivial_baseline_is_the_distribution_of_training_redshifts():
    near = evaluate_redshifts({"pita": GOOD}, TRUE, ids=IDS, training_redshift=TRUE, resamples=2)
    far = evaluate_redshifts({"pita": GOOD}, TRUE, ids=IDS, training_redshift=TRUE / 3, resamples=2)
    for found in (near, far):
        assert [one.method for one in found.of_all()] == ["training distribution", "pita"]
        assert found.scores[0]["nmad"].value > 10 * found.scores[1]["nmad"].value
    assert far.scores[0]["crps"].value > 1.5 * near.scores[0]["crps"].value
    few = evaluate_redshifts({"pita": GOOD}, TRUE, ids=IDS, training_redshift=TRUE[:5], resamples=2)
    assert few.scores[0].method == "distribution of the scored"


@pytest.mark.parametrize(("change", "message"), [
    ({"redshift": np.full(N, np.nan)}, "no true redshift"),
    ({"ids": np.zeros(N, int)}, "target_id|twice|once"),
    ({"ids": IDS[1:]}, "of 1999 galaxies expected"),
    ({"along": {"mag": (MAG[1:], "")}}, "the same galaxies in the same order"),
])  # fmt: skip
def test_faults_are_named(change, message):
    arguments = {"redshift": TRUE, "ids": IDS} | change
    with pytest.raises(TableError, match=message):
        evaluate_redshifts({"pita": GOOD}, arguments.pop("redshift"), **arguments)


def test_galaxies_without_redshift_cannot_be_scored():
    with pytest.raises(ValueError, match="finite redshifts"):
        redshift_columns(GOOD, np.full(N, np.nan))
