"""Splits: every galaxy stays on the side where earlier versions put it."""

import numpy as np
import pytest

from nebulium.data.splits import Split
from nebulium.errors import ModelFileError, TableError

IDS = np.arange(60) + 39_627_646_512_693_250
OTHER = {"train": 0.7, "validation": 0.15, "test": 0.15}
# Second letters: tRain, vAlidation, tEst.
GOLDEN = [
    (Split(), IDS, "rrrerrrrrrrrrrrrrrrrrrrararrrreerrerrrrrrrrrarrrrrrrrrrrreer"),
    (Split("mine"), IDS, "arrrrrrerrrrararraeerrerarrrrrrrrrerrrerrrerrrrrraerrrrrrrrr"),
    (Split(""), IDS, "raaeerrrrrrarrrerarrerrrerrrrrrrrrrrrerararerrrrerrrrraarrrr"),
    (Split(fractions=OTHER), IDS, "rrrerrrrrraarrrrrrrarrreaarrrreeraearrrrrrrrarrrrrarrrrraeea"),
    (
        Split("mine", {"train": 0.5, "test": 0.5}),
        IDS,
        "erereereeeereeereeeerrereerrerrerrereeeereeeerrrreeeerreeree",
    ),
    (
        Split(),
        np.array([f"NGC {number}" for number in range(60)]),
        "rrrerrrrrrrrrrrrarrarrrrrrrrrrraaererrrrrrrrerrrrarerrrrrrrr",
    ),
]
TAUGHT = "001000000001010000111000100000000100100000100010100010001001"
# Rows of each part of 400 galaxies, two in three labelled, and 0.3 of the labels used.
ROWS = {
    "train": [
        7,
        11,
        25,
        46,
        67,
        88,
        113,
        115,
        118,
        119,
        133,
        136,
        139,
        145,
        148,
        151,
        154,
        167,
        173,
        178,
        191,
        193,
        200,
        209,
        211,
        214,
        217,
        218,
        220,
        223,
        244,
        251,
        253,
        256,
        268,
        278,
        284,
        296,
        298,
        310,
        317,
        325,
        334,
        358,
        361,
        374,
        389,
        395,
    ],
    "validation": [37, 47, 59, 137, 179, 227, 281, 287, 340, 359, 371],
    "test": [
        26,
        40,
        55,
        56,
        61,
        71,
        76,
        79,
        85,
        100,
        103,
        104,
        106,
        127,
        130,
        155,
        164,
        176,
        181,
        188,
        190,
        212,
        221,
        233,
        236,
        245,
        259,
        266,
        286,
        289,
        295,
        302,
        320,
        331,
        344,
        350,
        353,
        355,
        356,
        379,
        380,
    ],
}


@pytest.mark.parametrize(("split", "ids", "parts"), GOLDEN)
def test_every_galaxy_stays_on_its_side(split, ids, parts):
    assert "".join(part[1] for part in split.parts(ids)) == parts


def test_labels_left_out_are_those_of_ever():
    assert "".join("01"[int(taught)] for taught in Split(label_fraction=0.3).taught(IDS)) == TAUGHT
    ids = np.arange(400)
    rows = Split("mine", OTHER, label_fraction=0.3).rows(ids, ids % 3 > 0)
    assert {part: those.tolist() for part, those in rows.items()} == ROWS


def test_entries_of_earlier_model_folders_are_understood():
    lines = {"seed": "nebulium", "fractions": OTHER, "id_column": "objid", "galaxies": {"train": 7}}
    assert Split.from_dict(lines) == Split("nebulium", OTHER, "objid")
    photoz = {"seed": "a", "fractions": OTHER, "label_fraction": 0.3, "id_column": "id", "galaxies": {}}
    assert Split.from_dict(photoz) == Split("a", OTHER, "id", 0.3)
    assert Split.from_dict({"seed": "a"}) == Split("a")
    for unknown in ({}, {"train": 5}):
        with pytest.raises(ModelFileError, match="names no split"):
            Split.from_dict(unknown)


def test_what_is_saved_is_read():
    split = Split("a", OTHER, "objid", 0.5)
    saved = split.as_dict({"train": np.arange(7), "validation": [], "test": [1]})
    assert saved["galaxies"] == {"train": 7, "validation": 0, "test": 1}
    assert Split.from_dict(saved) == split


def test_labels_are_left_out_of_training_and_not_of_the_test():
    ids, labelled = np.arange(5000), np.arange(5000) < 4000
    whole, tenth = Split().rows(ids, labelled), Split(label_fraction=0.1).rows(ids, labelled)
    assert tenth["test"].tolist() == whole["test"].tolist()
    assert set(tenth["train"].tolist()) < set(whole["train"].tolist())
    assert len(tenth["train"]) == pytest.approx(320, abs=60)
    assert (np.concatenate(list(whole.values())) < 4000).all()
    # What no fraction trained on is what a model takes for held out.
    held_out = Split(label_fraction=0.1).held_out(ids)
    assert np.flatnonzero(held_out & labelled).tolist() == whole["test"].tolist()


def test_labels_of_a_fraction_are_among_those_of_a_larger_one():
    ids, all_train = np.arange(5000), {"train": 1.0}
    kept = {fraction: Split("a", all_train, "id", fraction).taught(ids) for fraction in (0.05, 0.1, 0.5, 1.0)}
    for fewer, more in ((0.05, 0.1), (0.1, 0.5), (0.5, 1.0)):
        assert kept[more][kept[fewer]].all()
    for fraction, chosen in kept.items():
        assert chosen.mean() == pytest.approx(fraction, abs=0.02)
    assert Split("a", all_train, "id", 0.1).taught(ids.astype(str)).tolist() == kept[0.1].tolist()
    assert not Split(fractions={"test": 1.0}).taught(ids).any()


def test_too_few_galaxies_are_counted():
    rows = {"train": np.arange(12), "validation": np.arange(1), "test": np.arange(0)}
    with pytest.raises(TableError, match=r"a.fits: has 12 labelled galaxies to train on and 1 to validate; "):
        Split().check_enough(rows, train=10, validation=2, where="a.fits")
    with pytest.raises(TableError, match="validate with 0.5 of the labels; .* or a larger --label-fraction"):
        Split(label_fraction=0.5).check_enough(rows, train=20, validation=1, where="a.fits")
    Split().check_enough(rows, train=12, validation=1, where="a.fits")
