"""Splits, hashes and duplicates of ids."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nebulium.data import ids as duplicates
from nebulium.data.ids import check_unique_ids, find_duplicates, hash_ids, rows_of_ids
from nebulium.data.splits import FRACTIONS, Split
from nebulium.errors import TableError

int64 = st.integers(-(2**63), 2**63 - 1)


def test_hashes_and_splits_are_the_same_for_ever():
    # Any change here moves galaxies between training and test sets of saved models.
    ids = np.array([0, 1, -1, 39_627_646_512_693_250, 2**63 - 1])
    assert [hex(code) for code in hash_ids(ids, seed="nebulium").tolist()] == [
        "0x6e002177c85c9994",
        "0xc536c40462bb5f73",
        "0x69587a25fcdfa4cb",
        "0x25ddc3feb9c7cdd3",
        "0x9c27b57c6d05b13b",
    ]
    assert hex(hash_ids(np.array(["NGC 1"]), seed="nebulium")[0]) == "0xa32d7065fb8a073c"
    parts = {0: "train", 1: "validation", 5: "test", 8: "test", 9: "train"}
    fractions = {"train": 0.7, "validation": 0.15, "test": 0.15}
    found = Split(fractions=fractions).parts(np.array(list(parts))).tolist()
    assert dict(zip(parts, found, strict=True)) == parts


def test_splits_have_their_fractions():
    ids = np.arange(200_000) * 3 + 10**15
    names, counts = np.unique(Split().parts(ids), return_counts=True)
    for name, count in zip(names, counts, strict=True):
        # Four standard deviations of a binomial.
        expected = FRACTIONS[name]
        assert abs(count / len(ids) - expected) < 4 * np.sqrt(expected * (1 - expected) / len(ids))


def test_splits_of_two_seeds_are_independent():
    ids = np.arange(100_000)
    both = (Split(seed="a").parts(ids) == "test") & (Split(seed="b").parts(ids) == "test")
    assert abs(both.mean() - FRACTIONS["test"] ** 2) < 0.003


@given(ids=st.lists(int64, min_size=1, max_size=30, unique=True), seed=st.text(max_size=5))
def test_a_split_depends_on_the_id_alone(ids, seed):
    array = np.array(ids)
    parts = Split(seed=seed).parts(array)
    assert Split(seed=seed).parts(array[::-1]).tolist() == parts.tolist()[::-1]
    assert Split(seed=seed).parts(array.astype(str)).tolist() == parts.tolist()
    assert [Split(seed=seed).parts(array[i : i + 1])[0] for i in range(len(ids))] == parts.tolist()
    assert len(set(hash_ids(array, seed=seed).tolist())) == len(ids)


@pytest.mark.parametrize("fractions", [{"a": 0.5, "b": 0.6}, {"a": -0.5, "b": 1.5}])
def test_fractions_must_add_up(fractions):
    with pytest.raises(ValueError, match="add up to 1"):
        Split(fractions=fractions).parts(np.array([1]))


def test_floats_are_no_ids():
    with pytest.raises(TypeError, match="whole numbers or text"):
        hash_ids(np.array([0.5]))


chunked = st.lists(st.lists(st.integers(-5, 5), max_size=6), max_size=6)


@settings(max_examples=200)
@given(chunks=chunked, as_text=st.booleans())
def test_duplicates_are_those_a_dictionary_finds(chunks, as_text):
    arrays = [np.array(chunk, np.int64) for chunk in chunks]
    arrays = [array.astype(str) for array in arrays] if as_text else arrays
    rows: dict = {}
    for row, identifier in enumerate(value for array in arrays for value in array.tolist()):
        rows.setdefault(identifier, []).append(row)
    expected = {identifier: places for identifier, places in rows.items() if len(places) > 1}
    found = find_duplicates(lambda: iter(arrays))
    assert len(found) == min(len(expected), 3)
    for identifier, places in found.items():
        assert places == expected[identifier][: len(places)]
        assert len(places) >= 2


def test_texts_of_one_hash_are_no_duplicate(monkeypatch):
    monkeypatch.setattr(duplicates, "hash_ids", lambda ids: np.zeros(len(ids), np.uint64))
    assert find_duplicates(lambda: [np.array(["a", "b"])]) == {}
    assert find_duplicates(lambda: [np.array(["a", "b", "a"])]) == {"a": [0, 2]}


def test_the_message_names_rows():
    with pytest.raises(TableError, match="a.parquet: expected every id once, found x in rows 0, 2 and 3"):
        check_unique_ids(lambda: [np.array(["x", "y", "x"]), np.array(["x"])], where="a.parquet")
    check_unique_ids(lambda: [np.arange(5)], where="a.parquet")
    check_unique_ids(list, where="a.parquet")


unique = st.lists(int64 | st.integers(-5, 5), max_size=8, unique=True)


@given(
    ids=st.lists(int64 | st.integers(-5, 5), max_size=8),
    among=unique,
    ours=st.booleans(),
    theirs=st.booleans(),
)
def test_rows_are_those_a_dictionary_finds_whether_ids_are_numbers_or_text(ids, among, ours, theirs):
    row_of = {identifier: row for row, identifier in enumerate(among)}
    asked, known = np.array(ids, np.int64), np.array(among, np.int64)
    rows = rows_of_ids(asked.astype(str) if ours else asked, known.astype(str) if theirs else known)
    assert rows.dtype == np.int64
    assert rows.tolist() == [row_of.get(identifier, -1) for identifier in ids]


def test_text_that_spells_no_number_has_rows_too():
    assert rows_of_ids(np.array(["b", "7", "07", "c"]), np.array(["a", "b", "07"])).tolist() == [1, -1, 2, -1]


@pytest.mark.parametrize("among", [np.zeros(0, np.int64), np.zeros(0), np.array([], str)])
def test_among_none_nothing_is_found(among):
    assert rows_of_ids(np.array([7, 8]), among).tolist() == [-1, -1]
    assert rows_of_ids(among[:0].astype(str), np.array([7])).tolist() == []
