"""Neighbours are those of brute force, whatever the chunks, and galaxies are no neighbours of themselves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nebulium.errors import TableError
from nebulium.photoz.space.neighbours import BATCH, PIECE, nearest, nearest_in

RANDOM = np.random.default_rng(0)
DISTANCES = ("cosine", "euclidean")


def all_distances(points, queries, distance):
    points, queries = points.astype(np.float64), queries.astype(np.float64)
    if distance == "euclidean":
        return np.linalg.norm(queries[:, None] - points[None], axis=2)
    lengths = np.linalg.norm(queries, axis=1)[:, None] * np.linalg.norm(points, axis=1)[None]
    return 1.0 - queries @ points.T / lengths


#: Whole numbers, so that there are ties, and differences are exact.
WHOLE = st.integers(-2, 2).map(float)
MANY, FEW = (st.tuples(st.integers(least, 30), st.just(3)) for least in (4, 1))


@given(arrays(np.float32, MANY, elements=WHOLE), arrays(np.float32, FEW, elements=WHOLE))
def test_brute_force_finds_the_same_with_ties(points, queries):
    found = nearest(points, queries, 4, distance="euclidean")
    expected = all_distances(points, queries, "euclidean")
    order = np.argsort(expected, axis=1, kind="stable")[:, :4]
    np.testing.assert_array_equal(found.rows, order)
    np.testing.assert_allclose(found.distances, np.take_along_axis(expected, order, axis=1), rtol=1e-6)


@pytest.mark.parametrize("distance", DISTANCES)
def test_brute_force_finds_the_same_among_many(distance):
    points = RANDOM.normal(size=(PIECE + 300, 16)).astype(np.float32)
    queries = RANDOM.normal(size=(BATCH + 3, 16))
    found = nearest(points, queries, 7, distance=distance)
    expected = all_distances(points, queries, distance)
    order = np.argsort(expected, axis=1)[:, :7]
    np.testing.assert_array_equal(found.rows, order)
    np.testing.assert_allclose(found.distances, np.take_along_axis(expected, order, axis=1), rtol=1e-4)


@pytest.mark.parametrize("distance", DISTANCES)
def test_one_is_as_in_a_batch_and_chunks_change_nothing(distance):
    points = RANDOM.normal(size=(900, 8))
    queries = RANDOM.normal(size=(BATCH + 1, 8))
    whole = nearest(points, queries, 5, distance=distance)
    one = nearest(points, queries[-1:], 5, distance=distance)
    in_parts = nearest_in(np.split(points, [1, 1, 450]), queries, 5, distance=distance)
    for ours, theirs in ((one, [part[-1:] for part in whole]), (in_parts, whole)):
        for part, same in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(part, same)


@pytest.mark.parametrize("distance", DISTANCES)
def test_itself_is_left_out_and_its_double_is_not(distance):
    points = RANDOM.normal(size=(50, 4))
    points[37] = points[12]
    rows = np.array([12, 37, 5, 40])
    found = nearest_in(np.split(points, [20, 38]), points[rows], 49, distance=distance, own=rows)
    assert found.rows[:2, 0].tolist() == [37, 12]
    assert found.distances[:2, 0].tolist() == [0, 0]
    assert not np.any(found.rows == rows[:, None])
    stranger = nearest(points, points[[12]], 2, distance=distance, own=np.array([-1]))
    assert stranger.rows.tolist() == [[12, 37]]


def test_length_does_not_count_for_the_cosine():
    points = RANDOM.normal(size=(60, 4))
    scale = RANDOM.uniform(0.01, 100, (60, 1))
    one, other = (nearest(those, points[:5], 6, distance="cosine") for those in (points, points * scale))
    np.testing.assert_array_equal(one.rows, other.rows)


@pytest.mark.parametrize(
    ("points", "queries", "distance", "message"),
    [
        ([[1.0, np.nan]], [[1.0, 1.0]], "euclidean", "embeddings, row 1: its vector is not finite"),
        ([[1.0, np.inf]], [[1.0, 1.0]], "cosine", "embeddings, row 1: its vector is not finite"),
        ([[0.0, 0.0]], [[1.0, 1.0]], "cosine", "embeddings, row 1: its vector is zero and has no direction"),
        ([[1.0, 0.0]], [[np.nan, 1.0]], "cosine", "embeddings, asked for, row 0: its vector is not finite"),
    ],
)
def test_vectors_without_a_place_are_refused(points, queries, distance, message):
    chunks = [np.ones((1, 2)), np.array(points)]
    with pytest.raises(TableError, match=message):
        nearest_in(chunks, np.array(queries), 1, distance=distance)


def test_too_few_are_an_error():
    points = np.arange(6.0).reshape(3, 2)
    assert nearest(points, points[:1], 2, distance="euclidean", own=np.array([0])).rows.tolist() == [[1, 2]]
    with pytest.raises(TableError, match="has 3 galaxies, too few for 3 neighbours of each"):
        nearest(points, points[:1], 3, distance="euclidean", own=np.array([0]))
