"""Tables in, scores and figures out: joined by id, missing values left out, faults named."""

import json

import numpy as np
import pytest

from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table
from nebulium.errors import TableError
from nebulium.properties.scores.evaluate import evaluate_predictions
from nebulium.properties.scores.mass_metallicity import TREMONTI_2004
from nebulium.properties.scores.scores import UPPER

RANDOM = np.random.default_rng(0)
COUNT = 600
MASS = RANDOM.uniform(9, 11, COUNT)
TRUE = TREMONTI_2004.at(MASS) + RANDOM.normal(0, 0.1, COUNT)
PREDICTED = TRUE + RANDOM.normal(0, 0.05, COUNT)
IDS = RANDOM.permutation(10 * COUNT)[:COUNT]


def labels(**columns):
    base = {"objid": IDS, "oh12": TRUE, "log_mstar": MASS, "redshift": RANDOM.random(COUNT)}
    return Table(base | columns, {}, "labels.csv")


def predictions(rows=slice(None), **columns):
    base = {"target_id": IDS, "oh12": PREDICTED, "oh12_sigma": np.full(COUNT, 0.05)}
    return Table(base | columns, {}, "predictions.parquet").select(rows)


def evaluate(predicted, known, **options):
    return evaluate_predictions(predicted, known, ["oh12"], id_column="objid", resamples=5, **options)


@pytest.fixture(scope="module")
def whole():
    return evaluate(predictions(), labels(), rivals={"mean": Table({"target_id": IDS, "oh12": 0 * TRUE + 9})})


def test_numbers_are_those_of_the_arrays(whole):
    trivial, ours, mean = whole.scores
    assert trivial.method == "mean of the scored"
    assert trivial["rmse"].value == pytest.approx(np.std(TRUE))
    assert ours["rmse"].value == pytest.approx(np.sqrt(np.mean((PREDICTED - TRUE) ** 2)))
    assert ours["coverage_68"].value == pytest.approx(np.mean(np.abs(PREDICTED - TRUE) <= 0.05 * UPPER))
    assert np.isnan(mean["spearman"].value)
    assert np.isnan(mean["coverage_68"].value)
    (better,) = (one for one in whole.comparison if (one.rival, one.metric) == ("mean", "rmse"))
    assert better.difference.value == pytest.approx(mean["rmse"].value - ours["rmse"].value)


def test_order_of_the_rows_does_not_matter(whole):
    shuffled = evaluate(predictions(RANDOM.permutation(COUNT)), labels())
    assert shuffled.scores[1] == whole.scores[1]


def test_ids_as_text_and_as_numbers_meet(whole):
    found = evaluate(predictions(target_id=IDS.astype(str)), labels())
    assert found.scores[1] == whole.scores[1]


def test_rows_without_partner_are_counted():
    found = evaluate(predictions(slice(100, None), target_id=np.where(IDS[-1] == IDS, -5, IDS)), labels())
    assert [one.n for one in found.scores] == [COUNT - 101] * 2
    assert found.about["labels_without_prediction"] == 101
    assert found.about["predictions_without_label"] == 1


def test_quantiles_come_before_sigma():
    wide = predictions(oh12_q16=PREDICTED - 9, oh12_q84=PREDICTED + 9)
    assert evaluate(wide, labels()).scores[1]["coverage_68"].value == 1.0


def test_figures_follow_what_is_known(whole):
    names = {"predicted_against_true", "residuals", "calibration", "relation_with_mass", "more_than_mass"}
    assert set(whole.figures) == {f"oh12_{name}" for name in names}
    bare = Table({"objid": IDS, "oh12": TRUE}, {}, "bare.csv")
    assert set(evaluate(predictions(), bare).figures) == {
        f"oh12_{name}" for name in ("predicted_against_true", "residuals", "calibration")
    }


def test_residuals_are_drawn_against_any_column():
    found = evaluate(predictions(), labels(petro_r90=MASS), against=["petro_r90"])
    names = [axes.get_xlabel() for axes in found.figures["oh12_residuals"].axes]
    assert names == ["True 12 + log(O/H)", "log M★ / M☉", "Redshift", "petro_r90"]
    with pytest.raises(TableError, match="has no column 'petro_r50'"):
        evaluate(predictions(), labels(), against=["petro_r50"])


def test_masses_predicted_too_are_compared():
    found = evaluate(predictions(log_mstar=MASS + RANDOM.normal(0, 0.3, COUNT)), labels())
    assert found.more["more_than_mass"]["oh12"]["difference_predicted_mass"].value > 0.02


@pytest.mark.parametrize(("predicted", "known", "message"), [
    (predictions(target_id=IDS + 10**6), labels(), "has no galaxy of labels.csv among its 600"),
    (predictions(slice(0, 0)), labels(), "has no galaxy of labels.csv among its 0"),
    (predictions(), labels(oh12=np.full(COUNT, "low")), "column oh12: expected a number to predict"),
    (predictions(target_id=np.where(IDS[3] == IDS, IDS[4], IDS)), labels(), "predictions.parquet"),
    (predictions(), labels(objid=np.where(IDS[3] == IDS, IDS[4], IDS)), "labels.csv"),
    (Table({"target_id": IDS}, {}, "empty.parquet"), labels(), "has no column 'oh12'"),
])  # fmt: skip
def test_faults_are_named(predicted, known, message):
    with pytest.raises(TableError, match=message):
        evaluate(predicted, known)


def test_what_is_written(whole, tmp_path):
    folder = whole.write(tmp_path / "evaluation")
    document = json.loads((folder / "scores.json").read_text())
    assert document["scores"][2]["coverage_68"] == {"value": None, "error": None}
    assert {one["rival"] for one in document["comparison"]} == {"mean of the scored", "mean"}
    assert document["more_than_mass"]["oh12"]["galaxies"] == COUNT
    table = read_table(folder / "scores.ecsv")
    assert table["rmse"][1] == pytest.approx(whole.scores[1]["rmse"].value)
    assert "| oh12 | all | model | 600 |" in (folder / "scores.md").read_text()
    assert {path.stem for path in folder.glob("*.png")} == set(whole.figures)


def test_labels_with_errors_are_counted_in_wider_intervals():
    draw = np.random.default_rng(3).normal
    truth = draw(9.0, 0.2, 4000)
    predicted = truth + draw(0.0, 0.05, 4000)
    predictions = Table({"target_id": np.arange(4000), "oh12": predicted, "oh12_sigma": np.full(4000, 0.05)})
    columns = {"target_id": np.arange(4000), "oh12": truth + draw(0.0, 0.1, 4000)}
    without = evaluate_predictions(predictions, Table(columns), ["oh12"], resamples=2)
    columns["oh12_err"] = np.full(4000, 0.1)
    with_errors = evaluate_predictions(predictions, Table(columns), ["oh12"], resamples=2)
    assert without.scores[1]["coverage_68"].value < 0.5
    assert abs(with_errors.scores[1]["coverage_68"].value - 0.68) < 0.03


def test_baselines_are_scored_on_the_galaxies_of_the_method():
    baselines = {"training mean": {"oh12": np.full(COUNT, 9.0)}, "ridge": {"oh12": TRUE}}
    found = evaluate(predictions(slice(100, None)), labels(), baselines=baselines)
    assert [one.method for one in found.scores] == ["training mean", "ridge", "model"]
    assert {one.n for one in found.scores} == {COUNT - 100}
    assert found.scores[1]["rmse"].value == 0.0
