"""Cells of a view: counts add up, means are means, and clicks find their galaxy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nebulium.explore.draw.raster import NearestRow, in_window, placed_rows, raster, whole_window

COORDINATES = st.one_of(st.floats(-10, 10, width=32), st.just(float("nan")))
POINTS = st.integers(0, 40).flatmap(lambda n: arrays(np.float32, (n, 2), elements=COORDINATES))
EDGES = st.tuples(st.floats(-10, 10), st.floats(0.01, 20))
WINDOWS = st.tuples(EDGES, EDGES).map(lambda e: (e[0][0], sum(e[0]), e[1][0], sum(e[1])))


@given(POINTS, WINDOWS, st.tuples(st.integers(1, 9), st.integers(1, 9)))
def test_every_point_in_the_view_is_counted_once(xy, window, shape):
    cells = raster(xy, None, window, shape)
    assert cells.count.shape == cells.mean.shape == shape
    assert cells.count.sum() == len(in_window(xy, window))
    assert np.isnan(cells.mean).all()


@given(POINTS, WINDOWS, st.tuples(st.integers(1, 9), st.integers(1, 9)), st.randoms(use_true_random=False))
def test_means_times_counts_are_the_sum(xy, window, shape, random):
    values = np.array([random.choice([1.0, -2.0, 5.0, np.nan]) for _ in xy])
    known = xy[np.isfinite(values)]
    cells, counted = raster(xy, values, window, shape), raster(known, None, window, shape)
    inside = values[in_window(xy, window)]
    total = np.nansum(cells.mean.astype(np.float64) * counted.count)
    assert total == pytest.approx(inside[np.isfinite(inside)].sum(), abs=1e-3)
    np.testing.assert_array_equal(np.isfinite(cells.mean), counted.count > 0)


@given(POINTS)
def test_the_whole_view_shows_all(xy):
    window = whole_window(xy)
    np.testing.assert_array_equal(in_window(xy, window), placed_rows(xy))
    assert raster(xy, None, window).count.sum() == len(placed_rows(xy))


def test_a_point_lies_in_the_cell_between_its_edges():
    xy = np.random.default_rng(0).uniform(-1, 1, (500, 2))
    cells = raster(xy, xy[:, 0], (-1.0, 1.0, -1.0, 1.0), (4, 8))
    expected, _, _ = np.histogram2d(xy[:, 1], xy[:, 0], [cells.y_edges, cells.x_edges])
    np.testing.assert_array_equal(cells.count, expected)
    assert np.all((cells.mean >= cells.x_edges[None, :-1]) & (cells.mean <= cells.x_edges[None, 1:]))


@pytest.mark.parametrize(
    "window",
    [
        (0.0, 0.0, 0.0, 0.0),
        (1.0, 0.0, 1.0, 0.0),
        (np.nan, 1.0, 0.0, 1.0),
        (-1e30, 1e30, -1e30, 1e30),
        (0.5, 0.5 + 1e-12, 0.5, 0.5 + 1e-12),
        (0.0, 1e-45, 0.0, 5e-324),
    ],
)
def test_views_of_no_extent_or_of_any_do_no_harm(window):
    xy = np.array([[0.5, 0.5], [1e30, -1e30], [np.nan, 0.0]], np.float32)
    assert raster(xy, xy[:, 0], window, (3, 3)).count.sum() == len(in_window(xy, window))


@given(POINTS, st.floats(-10, 10), st.floats(-10, 10))
def test_the_nearest_is_the_nearest(xy, x, y):
    row = NearestRow(xy)(x, y, (-10.0, 10.0, -10.0, 10.0), reach=1.0)
    distance = np.hypot(xy[:, 0] - x, xy[:, 1] - y)
    if row is None:
        assert np.isnan(distance).all() or np.nanmin(distance) > 28.2
    else:
        assert distance[row] == pytest.approx(np.nanmin(distance), abs=1e-5)


@given(POINTS, st.integers(0, 50), st.integers(1, 60))
def test_neighbours_leave_the_galaxy_itself_out(xy, row, k):
    around = NearestRow(xy).around(row, k)
    placed = placed_rows(xy)
    assert len(set(around.tolist())) == len(around)
    if row in placed:
        assert row not in around
        assert len(around) == min(k, len(placed) - 1)
    else:
        assert len(around) == 0
