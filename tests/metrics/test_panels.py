"""Parts that figures share."""

import dataclasses
import math

import numpy as np
import pytest
from matplotlib.figure import Figure
from nebulium.metrics.evaluation import markdown_table
from nebulium.metrics.score_records import plain_record, record_table

from nebulium.metrics import panels
from nebulium.metrics.estimates import Estimate


@pytest.fixture
def axes():
    return Figure().add_subplot()


def test_points_and_the_line_where_both_are_equal(axes):
    panels.draw_cloud(axes, np.arange(5.0), np.arange(5.0), (0.0, 4.0), (0.0, 4.0))
    assert len(axes.lines) == 1


def test_running_quantiles(axes):
    panels.draw_running(axes, np.arange(100.0), np.arange(100.0))
    assert len(axes.lines) == 6


def test_a_histogram_of_pit_has_a_band(axes):
    panels.draw_pit_histogram(axes, np.linspace(0, 1, 200))
    assert len(axes.patches) == 2


def test_axes_get_their_names_or_say_that_there_is_nothing(axes):
    panels.finish(axes, "Redshift", "Residual / dex")
    assert axes.get_xlabel() == "Redshift"
    panels.leave_empty(axes)
    assert axes.texts[0].get_text() == "no galaxies"


def test_scores_as_a_record_a_table_and_text():
    score = dataclasses.make_dataclass("Score", ["method", "rmse", "bias"])
    plain = plain_record(score("mean", Estimate(0.2, 0.01), math.nan))
    assert plain == {"method": "mean", "rmse": {"value": 0.2, "error": 0.01}, "bias": None}
    short = dataclasses.make_dataclass("Score", ["method", "rmse"])
    table = record_table([short("mean", Estimate(0.2, 0.01))], {"rmse": "mag"})
    assert list(table.columns) == ["method", "rmse", "rmse_error"]
    assert table.units["rmse_error"] == "mag"
    text = markdown_table(["method", "RMSE"], [["mean", "0.2"]])
    assert text == "| method | RMSE |\n| --- | --- |\n| mean | 0.2 |\n"
