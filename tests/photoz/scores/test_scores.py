"""Scores in every convention, by samples, and methods compared galaxy by galaxy."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from nebulium.data.tables.reading import read_table
from nebulium.errors import TableError
from nebulium.photoz.density.densities import RedshiftDensities
from nebulium.photoz.density.grid import RedshiftGrid
from nebulium.photoz.scores.comparison import COMPARED, compare_methods
from nebulium.photoz.scores.evaluate import compare_redshifts, evaluate_redshifts
from nebulium.photoz.scores.galaxies import all_galaxies, equal_samples, score_galaxies
from nebulium.photoz.scores.scores import METRICS, score_redshifts

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
    return score_galaxies(GOOD, TRUE)


@pytest.fixture(scope="module")
def bad():
    return score_galaxies(BAD, TRUE)


def whole(galaxies, **options):
    return score_redshifts("m", galaxies, all_galaxies(len(galaxies)), **{"resamples": 20, **options})


def test_definitions_are_those_of_the_papers(bad):
    delta = (BAD.median() - TRUE) / (1 + TRUE)
    score = whole(bad)
    assert score.bias_mean.value == pytest.approx(np.mean(delta))
    assert score.nmad.value == pytest.approx(1.4826 * np.median(np.abs(delta - np.median(delta))))
    assert score.outliers_015.value == pytest.approx(np.mean(np.abs(delta) > 0.15))
    assert score.bias_median.value == pytest.approx(np.median(delta))
    iqr = np.subtract(*np.percentile(delta, [75, 25])) / 1.349
    assert score.sigma_iqr.value == pytest.approx(iqr)
    assert score.outliers_rail.value == pytest.approx(np.mean(np.abs(delta) > max(0.06, 3 * iqr)))
    assert score.rms.value == pytest.approx(np.sqrt(np.mean(delta**2)))
    assert score.crps.value == pytest.approx(BAD.crps(TRUE).mean())
    assert score.cde_loss.value == pytest.approx(BAD.cde_loss(TRUE).mean())
    assert score.odds.value == pytest.approx(BAD.odds().mean())


def test_coverage_is_that_of_the_central_intervals(good):
    low, high = GOOD.quantile([0.16, 0.84]).T
    score = whole(good)
    assert score.coverage_68.value == pytest.approx(np.mean((low <= TRUE) & (high >= TRUE)))
    assert score.coverage_68.value == pytest.approx(0.68, abs=0.03)
    assert score.coverage_95.value == pytest.approx(0.95, abs=0.015)
    assert score.pit_ks.value < score.pit_ks_limit == 1.36 / np.sqrt(N)


def test_densities_too_narrow_are_seen():
    narrow = whole(score_galaxies(densities(0.02, 1, wrong=0.5), TRUE))
    assert narrow.coverage_68.value < 0.45
    assert narrow.pit_ks.value > 2 * narrow.pit_ks_limit


def test_errors_are_those_of_more_samples(good):
    error = whole(good, resamples=300).bias_mean.error
    assert error == pytest.approx(good.delta.std() / np.sqrt(N), rel=0.15)


def test_points_of_a_density():
    said = {point: score_galaxies(BAD, TRUE, point=point).point for point in ("median", "mode", "mean")}
    for point, found in said.items():
        np.testing.assert_array_equal(found, getattr(BAD, point)())


def test_many_galaxies_are_scored_in_pieces(good, monkeypatch):
    monkeypatch.setattr(RedshiftDensities.chunks, "__defaults__", (300,))
    pieces = score_galaxies(GOOD, TRUE)
    for column in ("point", "pit", "crps", "cde_loss", "odds"):
        np.testing.assert_allclose(getattr(pieces, column), getattr(good, column), rtol=1e-12)


def test_few_galaxies_have_no_scores(good):
    few = whole(good.select(np.arange(9)))
    assert few.galaxies == 9
    assert all(np.isnan(getattr(few, name).value) for name in METRICS)
    assert np.isnan(whole(good.select(np.arange(0))).pit_ks_limit)


def test_samples_are_equal_and_leave_out_what_is_missing():
    mag = np.where(RANDOM.random(N) < 0.1, np.nan, MAG)
    parts = equal_samples("mag", mag, 3)
    rows = np.concatenate([part.rows for part in parts])
    assert sorted(rows) == np.flatnonzero(np.isfinite(mag)).tolist()
    assert max(len(part.rows) for part in parts) - min(len(part.rows) for part in parts) <= 1
    for part in parts:
        assert (part.low, part.middle, part.high) == (
            mag[part.rows].min(),
            np.median(mag[part.rows]),
            mag[part.rows].max(),
        )
    assert [part.low for part in parts] == sorted(part.low for part in parts)
    assert equal_samples("mag", np.full(5, np.nan), 3) == ()
    assert len(equal_samples("mag", np.arange(2.0), 3)) == 2


def test_gains_are_differences_of_the_scores(good, bad):
    gains = compare_methods({"good": good, "bad": bad}, [all_galaxies(N)], resamples=20)
    assert [gain.metric for gain in gains] == list(COMPARED)
    by_metric = {gain.metric: gain for gain in gains}
    ours, theirs = whole(good), whole(bad)
    nmad = by_metric["nmad"]
    assert nmad.difference.value == pytest.approx(theirs.nmad.value - ours.nmad.value)
    assert nmad.reduction.value == pytest.approx(1 - ours.nmad.value / theirs.nmad.value)
    assert nmad.reduction.value == pytest.approx(0.5, abs=0.05)
    bias = abs(theirs.bias_mean.value) - abs(ours.bias_mean.value)
    assert by_metric["bias_mean"].difference.value == pytest.approx(bias)
    assert by_metric["cde_loss"].difference.value > 0
    assert np.isnan(by_metric["cde_loss"].reduction.value)
    assert by_metric["outliers_015"].difference.value > 5 * by_metric["outliers_015"].difference.error


def test_what_methods_share_cancels(good):
    one, two = (replace(good, point=good.point + shift * (1 + good.redshift)) for shift in (0.1, 0.2))
    (bias, *_) = compare_methods({"one": one, "two": two}, [all_galaxies(N)], resamples=20)
    assert bias.metric == "bias_mean"
    assert bias.difference.value == pytest.approx(0.1)
    assert bias.difference.error < 1e-6 < whole(one).bias_mean.error
    same = compare_methods({"a": good, "b": good}, [all_galaxies(N)], resamples=20)
    assert all(gain.difference == (0.0, 0.0) for gain in same)


def test_a_rival_without_outliers_has_no_reduction(good):
    perfect = replace(good, point=good.redshift)
    gains = compare_methods({"good": good, "perfect": perfect}, [all_galaxies(N)], resamples=5)
    assert all(np.isnan(gain.reduction.value) for gain in gains if gain.metric == "outliers_015")


def test_other_galaxies_are_not_compared(good):
    with pytest.raises(ValueError, match="same galaxies"):
        compare_methods({"a": good, "b": good.select(np.arange(N)[::-1])}, [all_galaxies(N)])


@pytest.fixture(scope="module")
def compared():
    redshift = np.where(np.arange(N) < 100, np.nan, TRUE)
    methods = {"pita": GOOD, "photo/metry": BAD}
    return compare_redshifts(
        methods,
        redshift,
        ids=IDS,
        mag=MAG,
        colour=MAG - 20,
        resamples=3,
        samples=4,
        mag_label="F160W / AB mag",
    )


def test_every_method_is_scored_in_every_sample(compared):
    assert [score.quantity for score in compared.scores] == ["all"] * 2 + ["redshift"] * 8 + ["mag"] * 8 + [
        "colour"
    ] * 8
    assert [score.method for score in compared.scores[:4]] == ["pita", "photo/metry"] * 2
    assert compared.scores[0].galaxies == N - 100
    assert compared.about["galaxies_without_redshift"] == 100
    assert {gain.method for gain in compared.gains} == {"pita"}
    assert compared.figures["scores_against_mag"].axes[0].get_xlabel() == "F160W / AB mag"


def test_what_is_written(compared, tmp_path):
    folder = compared.write(tmp_path / "evaluation")
    document = json.loads((folder / "scores.json").read_text())
    assert document["scores"][0]["low"] is None
    assert document["gains"][1]["reduction"]["value"] == pytest.approx(compared.gains[1].reduction.value)
    table = read_table(folder / "scores.ecsv")
    assert table["nmad"][0] == pytest.approx(compared.scores[0].nmad.value)
    assert len(read_table(folder / "gains.ecsv")) == len(compared.gains)
    galaxies = read_table(folder / "galaxies.parquet")
    assert galaxies["target_id"].tolist() == IDS[100:].tolist()
    np.testing.assert_allclose(galaxies["pita_redshift_predicted"], GOOD.median()[100:])
    text = (folder / "scores.md").read_text()
    assert "| all | pita | 1,900 |" in text
    assert "| pita | photo/metry | NMAD |" in text
    assert {path.stem for path in folder.glob("*.png")} == set(compared.figures)


def test_one_method_by_itself(tmp_path):
    found = evaluate_redshifts(GOOD, TRUE, ids=IDS.astype(str), method="pita", resamples=2)
    assert found.gains == ()
    assert set(found.figures) == {
        "calibration",
        "densities",
        "predicted_against_spectroscopic",
        "redshift_distribution",
        "scores_against_redshift",
    }
    folder = found.write(tmp_path / "one")
    assert not (folder / "gains.ecsv").exists()
    assert "redshift_predicted" in read_table(folder / "galaxies.parquet")


@pytest.mark.parametrize(("change", "message"), [
    ({"redshift": np.full(N, np.nan)}, "no true redshift"),
    ({"ids": np.zeros(N, int)}, "target_id|twice|once"),
    ({"ids": IDS[1:]}, "of 1999 galaxies expected"),
    ({"mag": MAG[1:]}, "the same galaxies in the same order"),
])  # fmt: skip
def test_faults_are_named(change, message):
    arguments = {"redshift": TRUE, "ids": IDS} | change
    with pytest.raises(TableError, match=message):
        evaluate_redshifts(GOOD, arguments.pop("redshift"), **arguments)


def test_galaxies_without_redshift_cannot_be_scored():
    with pytest.raises(ValueError, match="finite redshifts"):
        score_galaxies(GOOD, np.full(N, np.nan))
