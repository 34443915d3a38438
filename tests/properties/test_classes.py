"""Classes: what a column calls them, temperatures, weights, and a training from labels to scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nebulium.data.images.opening import open_images
from nebulium.data.rejects import Rejects
from nebulium.data.splits import Split
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import write_table
from nebulium.errors import TableError
from nebulium.modelfile import describe_model, load_model
from nebulium.properties.config import PropertiesConfig
from nebulium.properties.explanation.file import explain_file
from nebulium.properties.predict import predict_file
from nebulium.properties.scores.evaluate import evaluate_file, evaluate_predictions
from nebulium.properties.training_file import train_file
from nebulium.verbs.labels.classes import (
    best_temperature,
    class_counts,
    class_names,
    class_places,
    class_weights,
    few_of_a_class,
)
from nebulium.verbs.labels.joining import join_labels

GALAXIES, SIDE = 300, 16
KINDS = ("early", "late, blue", "late, red")


def column(values):
    return Table({"target_id": np.arange(len(values)), "kind": np.asarray(values)}, {}, "labels.csv")


@pytest.mark.parametrize(
    ("values", "wanted", "names"),
    [
        (["spiral", "", "elliptical", "spiral "], False, ("elliptical", "spiral")),
        (["NaN", "a", "n/a", "b", "--", "null"], False, ("a", "b")),
        ([True, False, True], False, ("0", "1")),
        ([1.0, 0.0, np.nan], False, ("0", "1")),
        ([1, 0, 1], False, ("0", "1")),
        ([1, 2, 5], False, None),
        ([1, 2, 5], True, ("1", "2", "5")),
        ([8.1, 0.0, 1.0], False, None),
        (["8.5", "8.7", "8.5"], False, None),
        (["1", "2", "1"], False, ("1", "2")),
    ],
)
def test_classes_of_a_column(values, wanted, names):
    assert class_names(column(values), "kind", wanted=wanted) == names


@pytest.mark.parametrize(
    ("values", "wanted", "problem"),
    [
        (["a", "a", ""], False, "is a for every galaxy"),
        (["", ""], False, "is missing for every galaxy"),
        ([f"galaxy {i}" for i in range(60)], False, "60 different entries"),
        ([0.5, 1.5], True, "not whole"),
    ],
)
def test_columns_that_hold_no_classes(values, wanted, problem):
    with pytest.raises(TableError, match=problem):
        class_names(column(values), "kind", wanted=wanted)


@given(st.lists(st.sampled_from(["a", "b", "c", "", "other"]), min_size=1, max_size=20))
def test_places_among_the_names(values):
    places = class_places(column(values), "kind", ["a", "b", "c"])
    back = {0.0: "a", 1.0: "b", 2.0: "c", np.inf: "other"}
    assert ["" if np.isnan(one) else back[one] for one in places.tolist()] == values


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_is_found(temperature):
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (20_000, 3))
    true = (logits + random.gumbel(size=logits.shape)).argmax(axis=1).astype(float)
    true[::7] = np.nan
    said = np.exp(logits * temperature)
    said /= said.sum(axis=1, keepdims=True)
    assert best_temperature(true, said) == pytest.approx(temperature, rel=0.05)
    assert best_temperature(true[:20], said[:20]) == 1.0


def test_weights_and_notes_of_rare_classes():
    counts = class_counts({"kind": ("a", "b")}, np.array([[0.0], [0.0], [0.0], [1.0], [np.nan]]))
    assert counts == {"kind": {"a": 3, "b": 1}}
    assert class_weights(counts, 0.0) == ((1.0, 1.0),)
    ((common, rare),) = class_weights(counts, 1.0)
    assert 3 * common == pytest.approx(rare)
    assert (3 * common + rare) / 4 == pytest.approx(1.0)
    assert [note.split(",")[0] for note in few_of_a_class({"kind": {"a": 30, "b": 1}})] == [
        "kind: 1 training galaxies of the class b"
    ]


def invented():
    """Round galaxies of three kinds, by their size and colour, and a number beside."""
    random = np.random.default_rng(0)
    kind = random.integers(0, 3, GALAXIES)
    rows = np.arange(SIDE) - 0.5 * (SIDE - 1)
    radius, colour = np.where(kind == 0, 1.5, 4.0), np.where(kind == 1, 0.3, 0.9)
    light = np.exp(-np.hypot(rows[:, None], rows[None, :]) / radius[:, None, None])
    bands = np.stack([np.ones(GALAXIES), np.sqrt(colour), colour], axis=-1)
    images = 200 * light[..., None] * bands[:, None, None, :] + random.normal(
        20, 3, (GALAXIES, SIDE, SIDE, 3)
    )
    return np.clip(images, 1, 255).astype(np.uint8), kind, colour + 0.02 * random.normal(size=GALAXIES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classes")
    images, kind, colour = invented()
    np.savez(folder / "images.npz", images=images, ids=np.arange(GALAXIES))
    text = np.where(np.arange(GALAXIES) % 9 == 0, "", np.array(KINDS)[kind])
    late = np.where(np.arange(GALAXIES) % 3 == 0, np.nan, kind > 0)
    columns = {"target_id": np.arange(GALAXIES), "kind": text, "late": late, "colour": colour}
    write_table(Table(columns), folder / "labels.csv")
    config = PropertiesConfig(
        encoder="resnet-tiny", epochs=12, batch_size=16, learning_rate=5e-3, balance=0.5
    )
    targets = ["kind", "colour", "late"]
    train_file(folder / "images.npz", folder / "labels.csv", folder / "mine", targets=targets, config=config)
    predict_file(folder / "images.npz", folder / "said.csv", model=folder / "mine")
    return folder


def test_predicted_are_classes_with_probabilities_and_numbers_beside(folder):
    said = read_table(folder / "said.csv")
    _, kind, colour = invented()
    assert np.mean(said["kind"] == np.array(KINDS)[kind]) > 0.9
    probability = np.stack([said[f"kind_p_{name}"] for name in KINDS], axis=1)
    np.testing.assert_allclose(probability.sum(axis=1), 1.0, atol=1e-5)
    assert np.array_equal(np.array(KINDS)[probability.argmax(axis=1)], said["kind"])
    np.testing.assert_allclose(said["late_p_0"] + said["late_p_1"], 1.0, atol=1e-5)
    assert np.mean((said["late_p_1"] > 0.5) == (kind > 0)) > 0.9
    assert np.corrcoef(said["colour"], colour)[0, 1] > 0.8


def test_the_folder_says_what_was_learned(folder):
    about, model = describe_model(folder / "mine"), load_model(folder / "mine")
    assert model.targets == ("colour",)
    assert model.classes == (("kind", KINDS), ("late", ("0", "1")))
    assert sum(about.config["training_domain"]["classes"]["late"].values()) > 100
    assert "| kind | late, blue |" in about.card


def test_scores_of_classes_and_of_numbers_stand_in_one_table(folder):
    found = evaluate_file(folder / "images.npz", folder / "labels.csv", model=folder / "mine", resamples=5)
    scores = {score.target: score for score in found.of_all("mine")}
    assert scores["kind"]["accuracy"].value > 0.8
    assert np.isnan(scores["kind"]["rmse"].value)
    assert scores["late"]["roc_auc"].value > 0.9
    assert scores["colour"]["rmse"].value < 0.3
    assert {f"kind_{name}" for name in ("confusion", "reliability", "gallery")} < set(found.figures)
    assert set(found.galaxies["mine_kind_most_probable"].tolist()) <= set(KINDS)
    trivial = {score.target: score for score in found.of_all("training mean")}
    assert trivial["kind"]["balanced_accuracy"].value < 0.5


def test_what_is_looked_at_is_drawn_for_each_class(folder):
    run = explain_file(folder / "images.npz", folder / "seen", model=folder / "mine", n=1)
    assert len(run.figures) == 1 + 3 + 2


def test_a_class_that_the_model_does_not_know_is_set_aside(folder):
    rejects, source = Rejects(), open_images(folder / "images.npz")
    values = np.array([*KINDS, "ring"] * (GALAXIES // 4))
    table = column(values)
    labelled = join_labels(source, table, ["kind"], rejects, classes={"kind": KINDS})
    assert len(labelled) == GALAXIES * 3 // 4
    assert "kind that the model does not know" in rejects.summary()


def test_a_class_twice_is_refused(folder):
    source = open_images(folder / "images.npz")
    table = column(np.array([*KINDS, "late, red"] * (GALAXIES // 4)))
    with pytest.raises(TableError, match="two predicted columns would be called kind"):
        join_labels(source, table, ["kind", "kind"], Rejects())


def test_predictions_of_others_are_scored_and_faults_named():
    labels = column(np.array(["a", "b"] * 50))
    right = np.where(labels["kind"] == "a", 0.9, 0.2)
    said = {"target_id": np.arange(100), "kind_p_a": right, "kind_p_b": 1 - right}
    found = evaluate_predictions(Table(said), labels, ["kind"], resamples=3)
    assert found.of_all("model")[0]["accuracy"].value == 1.0
    assert found.of_all("model")[0]["log_loss"].value == pytest.approx(-np.mean(np.log([0.9, 0.8])))
    strange = column(np.array(["a", "ring"] * 50))
    with pytest.raises(TableError, match="expected one of a, b, found ring in row 1"):
        evaluate_predictions(Table(said), strange, ["kind"], resamples=3)


def test_few_galaxies_are_classified_by_what_is_measured_in_them(folder):
    config = PropertiesConfig(head="gaussian-process")
    given = folder / "images.npz", folder / "labels.csv", folder / "measured"
    train_file(*given, targets=["kind", "late"], config=config)
    model = load_model(folder / "measured")
    assert model.features == ("profiles", "modes", "scattering")
    assert model.networks == ()
    found = evaluate_file(
        folder / "images.npz", folder / "labels.csv", model=folder / "measured", resamples=5
    )
    scores = {score.target: score for score in found.of_all("measured")}
    assert scores["kind"]["accuracy"].value > 0.9
    assert scores["late"]["accuracy"].value > 0.9
    assert (
        "A kernel logistic regression on profiles, modes, scattering"
        in describe_model(folder / "measured").card
    )


def test_frozen_networks_stand_beside_what_is_measured(folder):
    config = PropertiesConfig(
        head="gaussian-process", init=str(folder / "mine"), features=("profiles", "modes")
    )
    given = folder / "images.npz", folder / "labels.csv", folder / "both"
    train_file(*given, targets=["colour", "kind"], config=config)
    model, start = load_model(folder / "both"), load_model(folder / "mine")
    assert model.process_groups == (40, 40, 40, 15 * (6 + 4) + 2 * 2 * (14 + 13 + 11), 1)
    assert model.classes == (("kind", KINDS),)
    np.testing.assert_array_equal(
        model.standardisation.feature_mean[:120], start.standardisation.feature_mean
    )
    assert float(np.std(model.standardisation.feature_scale[120:])) > 0


@pytest.mark.parametrize("features", [("modes",), ("profiles", "profiles"), ("profiles", "colour")])
def test_features_that_cannot_be(folder, features):
    config = PropertiesConfig(head="gaussian-process", features=features)
    with pytest.raises(TableError, match="give profiles and, after it, any of modes, scattering"):
        train_file(
            folder / "images.npz", folder / "labels.csv", folder / "no", targets=["kind"], config=config
        )


@pytest.mark.parametrize("head", ["gaussian", "gaussian-process"])
def test_training_galaxies_of_one_class_teach_none(folder, head):
    part = Split().parts(np.arange(GALAXIES))
    kind = np.where(part == "train", "early", "late")
    write_table(Table({"target_id": np.arange(GALAXIES), "kind": kind}), folder / "one.csv")
    with pytest.raises(TableError, match=r"kind: expected two classes or more .* found only early"):
        train_file(
            folder / "images.npz",
            folder / "one.csv",
            folder / "no",
            targets=["kind"],
            config=PropertiesConfig(head=head),
        )
    assert not (folder / "no").exists()
