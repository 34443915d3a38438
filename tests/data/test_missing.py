"""Numbers that stand for a missing value: declared, or asked about."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nebulium.data.column_checks import (
    CERTAIN,
    LIKELY,
    ColumnPlace,
    MissingNumbers,
    is_any_of,
    missing_numbers,
    named_rows,
    without,
)
from nebulium.errors import TableError

PLACE = ColumnPlace("a.fits", "log_sfr", first_row=10)
NOTHING = MissingNumbers()


@given(st.sampled_from(CERTAIN), st.sampled_from([np.float16, np.float32, np.float64]))
def test_numbers_are_compared_in_the_precision_of_the_column(number, dtype):
    with np.errstate(over="ignore"):
        column = np.array([0.5, number], dtype)
    if np.isfinite(column[1]):
        assert is_any_of(column, (number,)).tolist() == [False, True]
        assert is_any_of(column.astype(np.float64), (number,)).tolist()[1] or dtype is np.float16
        assert np.isnan(without(column, (number,))).tolist() == [False, True]


def test_whole_numbers_become_floats_only_where_one_is_missing():
    assert without(np.array([1, -99]), (-99.0,)).tolist()[0] == 1.0
    assert without(np.array([1, 2]), (-99.0,)).dtype == np.int64
    assert without(np.array([-99, 2]), (-99.9,)).tolist() == [-99, 2]
    assert without(np.array(["-99"]), (-99.0,)).tolist() == ["-99"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("number", CERTAIN)
def test_what_nobody_measures_is_asked_about_wherever_it_lies(number, dtype):
    values = np.array([-1e6, number, 1e6], dtype)
    with pytest.raises(
        TableError, match="column log_sfr: .*found -99.* in row 11, which looks like"
    ) as refused:
        NOTHING.check(values, PLACE)
    assert f"--missing={number:.6g}, or --missing=none" in refused.value.mend
    MissingNumbers(("none",)).check(values, PLACE)


@pytest.mark.parametrize("number", LIKELY)
def test_what_may_be_measured_is_asked_about_far_outside_the_others(number):
    with pytest.raises(TableError, match=f"found {number:g} in row 12"):
        NOTHING.check(np.array([8.1, 8.9, number]), PLACE)
    NOTHING.check(np.array([number - 1.0, number, number + 1.0]), PLACE)
    NOTHING.check(np.array([8.0, 8.0, number]), PLACE)
    NOTHING.check(np.array([number, np.nan]), PLACE)


def test_a_declaration_holds_for_all_columns_or_for_one():
    declared = MissingNumbers(("-99", "z = -1", "none"))
    assert declared.of("g") == (-99.0,)
    assert declared.of("z") == (-99.0, -1.0)
    assert missing_numbers(-9999) == MissingNumbers(("-9999",))
    assert missing_numbers(["-99", "z=-1"]).of("z") == (-99.0, -1.0)
    assert missing_numbers(None).of("z") == ()
    with pytest.raises(TableError, match="missing 'z=nothing': is not a number.*write -99, COLUMN=-1"):
        missing_numbers("z=nothing")


def test_rows_at_fault_are_named():
    assert named_rows(np.array([False, True])) == "row 1"
    assert named_rows(np.ones(5, bool), 10) == "rows 10, 11, 12 and 2 more"
    PLACE.refuse(np.zeros(2), np.zeros(2, bool), "a number", "mend it")
