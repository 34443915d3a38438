"""The folder of an evaluation: whole or not at all, tables and figures under their names."""

import json

import numpy as np
import pytest
from matplotlib.figure import Figure

from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table
from nebulium.metrics.estimates import FEWEST, UNKNOWN, estimate
from nebulium.metrics.evaluation import evaluation_folder
from nebulium.metrics.probabilistic import bootstrap

CONTENTS = {
    "document": {"rmse": 0.1},
    "tables": {"scores.ecsv": Table({"rmse": np.array([0.1])})},
    "figures": {"empty": Figure(figsize=(1, 1))},
}


def test_everything_is_in_the_folder(tmp_path):
    with evaluation_folder(tmp_path / "a", **CONTENTS) as partial:
        (partial / "more.txt").write_text("more")
    names = {path.name for path in (tmp_path / "a").iterdir()}
    assert names == {"scores.json", "scores.ecsv", "empty.png", "more.txt"}
    assert json.loads((tmp_path / "a" / "scores.json").read_text()) == CONTENTS["document"]
    assert read_table(tmp_path / "a" / "scores.ecsv")["rmse"].tolist() == [0.1]


def test_a_folder_that_fails_leaves_the_old_one(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "scores.json").write_text("old")
    with pytest.raises(RuntimeError), evaluation_folder(tmp_path / "a", **CONTENTS):  # noqa: PT012
        raise RuntimeError
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "scores.json"]
    assert (tmp_path / "a" / "scores.json").read_text() == "old"


def test_too_few_rows_have_no_estimate():
    few, enough = np.arange(FEWEST - 1.0), np.arange(float(FEWEST))
    assert estimate(np.mean, few) is UNKNOWN
    assert estimate(np.mean, enough, resamples=20, seed=3) == bootstrap(np.mean, enough, resamples=20, seed=3)
