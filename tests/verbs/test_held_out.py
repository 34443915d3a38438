"""Who may be scored: galaxies that no model was trained, stopped or recalibrated on."""

from pathlib import Path

import numpy as np
import pytest

from nebulium.data.splits import ALL_HELD_OUT, Split
from nebulium.errors import ModelFileError, TableError
from nebulium.modelfile import ModelFolder
from nebulium.verbs.held_out import held_out_galaxies

IDS = np.arange(2000)


def model(name="mine", **split):
    return ModelFolder(name, Path(name), {"split": Split(**split).as_dict()}, "")


def test_only_galaxies_in_the_test_part_of_every_model_are_scored():
    one, two = Split("one"), Split("two")
    found = held_out_galaxies(IDS, [model(seed="one"), model("other", seed="two")], where="here")
    assert found.rows.tolist() == IDS[one.held_out(IDS) & two.held_out(IDS)].tolist()
    learned = one.taught(IDS) & two.taught(IDS)
    assert found.training.tolist() == IDS[learned].tolist()
    assert found.notes == ()


def test_baselines_learn_from_the_labels_that_the_model_had():
    labelled = IDS % 3 > 0
    found = held_out_galaxies(IDS, [model(label_fraction=0.2)], where="here", labelled=labelled)
    assert labelled[found.rows].all()
    assert labelled[found.training].all()
    whole = held_out_galaxies(IDS, [model()], where="here", labelled=labelled)
    assert found.rows.tolist() == whole.rows.tolist()
    assert len(found.training) == pytest.approx(0.2 * len(whole.training), rel=0.2)


def test_another_part_and_all_galaxies():
    split = Split()
    found = held_out_galaxies(IDS, [model()], where="here", part="validation")
    assert set(split.parts(IDS[found.rows])) == {"validation"}
    every = held_out_galaxies(IDS, [model()], where="here", part=None)
    assert (len(every.rows), len(every.training)) == (len(IDS), 0)
    template = held_out_galaxies(IDS, [model(fractions=ALL_HELD_OUT)], where="here")
    assert (len(template.rows), len(template.training)) == (len(IDS), 0)


def test_models_without_a_test_part_are_noted_or_refused():
    config = {"split": Split(fractions={"train": 1.0, "validation": 0.0, "test": 0.0}).as_dict()}
    config["split"]["galaxies"] = {"train": 400}
    folder = ModelFolder("all", Path("all"), config, "")
    notes = held_out_galaxies(IDS, [folder], where="here", part=None).notes
    assert notes == ("all was trained on every galaxy of its sample (400): a score on those is too good",)
    with pytest.raises(TableError, match="has 2,000 labelled galaxies, none in the test part.*--all-rows"):
        held_out_galaxies(IDS, [folder], where="here")


def test_ids_of_another_column_are_noted():
    found = held_out_galaxies(IDS, [model(id_column="objid")], where="here", id_column="number")
    assert found.notes[0].startswith("the ids are those of number, and mine was trained with those of objid")
    assert not held_out_galaxies(IDS, [model(id_column="number")], where="here", id_column="number").notes


def test_faults_are_named():
    halves = model(fractions={"train": 0.5, "test": 0.5})
    with pytest.raises(TableError, match=r"the parts \['train', 'test'\], not 'validation'"):
        held_out_galaxies(IDS, [halves], where="here", part="validation")
    unknown = ModelFolder("old", Path("old"), {"split": {}}, "")
    with pytest.raises(ModelFileError, match="names no split"):
        held_out_galaxies(IDS, [unknown], where="here")
    assert len(held_out_galaxies(IDS, [unknown], where="here", part=None).rows) == len(IDS)
