"""Parts that figures share."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from nebulium.metrics import panels


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
