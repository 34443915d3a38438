"""What a lasso catches, its summary, and the files that hold it."""

import csv
import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.path import Path as Outline

from nebulium.data.tables.table import Table
from nebulium.explore.sample.galaxies import Galaxies
from nebulium.explore.sample.selection import csv_bytes, parquet_bytes, rows_in, selection_table, summary

# Points lie between the corners of any polygon of whole numbers, so that none is on a side by chance alone.
CORNERS = st.integers(3, 12).flatmap(lambda k: arrays(np.int64, (k, 2), elements=st.integers(-5, 5)))
GRID = np.stack(np.meshgrid(np.arange(-6, 6), np.arange(-6, 6)), -1).reshape(-1, 2) + [0.31, 0.17]


def even_odd(point: np.ndarray, corners: np.ndarray) -> bool:
    """Crossings of a ray to the right, one side at a time."""
    inside = False
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if (y0 > point[1]) != (y1 > point[1]):
            inside ^= bool(point[0] < x0 + (point[1] - y0) * (x1 - x0) / (y1 - y0))
    return inside


@given(CORNERS)
def test_a_polygon_catches_what_the_even_odd_rule_says(corners):
    expected = [row for row, point in enumerate(GRID) if even_odd(point, corners.astype(float))]
    assert rows_in(GRID, corners.astype(float)).tolist() == expected


def test_a_round_lasso_catches_what_matplotlib_catches():
    angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    radius = 1.0 + 0.3 * np.sin(5 * angle)
    polygon = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    xy = np.random.default_rng(0).normal(size=(5000, 2)).astype(np.float32)
    np.testing.assert_array_equal(rows_in(xy, polygon), np.flatnonzero(Outline(polygon).contains_points(xy)))


@given(CORNERS, st.integers(0, 11))
def test_where_a_polygon_begins_and_which_way_it_goes_does_not_matter(corners, shift):
    polygon = corners.astype(float)
    turned = np.roll(polygon, shift, axis=0)[::-1]
    np.testing.assert_array_equal(rows_in(GRID, polygon), rows_in(GRID, turned))


def test_what_is_no_polygon_catches_nothing():
    for corners in (np.zeros((0, 2)), np.zeros((2, 2)), np.zeros((9, 2)), np.full((4, 2), np.nan)):
        assert len(rows_in(GRID, corners)) == 0


def test_a_galaxy_without_a_place_is_never_caught():
    everywhere = np.array([[-9.0, -9.0], [9.0, -9.0], [9.0, 9.0], [-9.0, 9.0]])
    xy = np.array([[np.nan, np.nan], [0.0, 0.0]])
    assert rows_in(xy, everywhere).tolist() == [1]


def some_galaxies() -> Galaxies:
    values = {"z": np.array([0.1, 0.2, 0.3, np.nan]), "none": np.full(4, np.nan), "<b>": np.arange(4.0)}
    texts = {"kind": np.array(["=cmd()", "-1", "plain", ""])}
    return Galaxies("a", np.array(["+7", "8", "<i>9</i>", "@10"]), values, texts, {"z": "mag"})


def test_a_summary_of_some():
    found = summary(some_galaxies(), np.array([0, 1, 3]), ["z", "none"])
    np.testing.assert_allclose(found["z"], [2, 0.15, 0.116, 0.184, 0.2])
    assert found["none"][0] == 0
    assert np.isnan(found["none"][1:]).all()


def test_a_summary_of_none_and_of_columns_that_are_not_there():
    found = summary(some_galaxies(), np.zeros(0, np.int64), ["z", "kind", "no such column"])
    assert list(found) == ["z"]
    assert found["z"][0] == 0
    assert np.isnan(found["z"][1])


def test_parquet_holds_the_selection_as_it_is():
    galaxies = some_galaxies()
    read = pyarrow.parquet.read_table(
        pa.BufferReader(parquet_bytes(selection_table(galaxies, np.array([2, 0]))))
    )
    assert read["target_id"].to_pylist() == ["<i>9</i>", "+7"]
    assert read["kind"].to_pylist() == ["plain", "=cmd()"]
    assert read.schema.field("z").metadata[b"unit"] == b"mag"


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)


@given(st.lists(TEXT, min_size=1, max_size=5), TEXT)
def test_no_cell_of_text_is_a_formula(texts, name):
    columns = {name: np.array(texts, np.str_), f"{name}2": np.linspace(-1.0, 1.0, len(texts))}
    content = csv_bytes(Table(columns)).decode()
    rows = list(csv.reader(io.StringIO(content, newline="")))
    assert len(rows) == len(texts) + 1
    for cell, text in zip([rows[0][0], *(row[0] for row in rows[1:])], [name, *texts], strict=True):
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
        assert cell.removeprefix("'") == text.removeprefix("'") or cell == text
    assert [float(row[1]) for row in rows[1:]] == columns[f"{name}2"].tolist()


def test_an_empty_selection_is_an_empty_table():
    table = selection_table(some_galaxies(), np.zeros(0, np.int64))
    assert len(table) == 0
    assert csv_bytes(table).count(b"\n") == 1
    assert pyarrow.parquet.read_table(pa.BufferReader(parquet_bytes(table))).num_rows == 0
