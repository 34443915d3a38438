"""Errors: whole copies of every kind, and the extras that are named before anything is made."""

import copy
import inspect
import pickle
import sys

import pytest

from nebulium import errors
from nebulium.errors import (
    EXTRAS,
    MissingColumnError,
    MissingExtraError,
    NebuliumError,
    TableError,
    check_extra,
)

#: How kinds are constructed that do not take where, problem and mend alone.
CONSTRUCTED = {
    MissingExtraError: lambda: MissingExtraError("galsim", "mock"),
    MissingColumnError: lambda: MissingColumnError("a.csv", "has no z", "map it", column="z"),
}
KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, NebuliumError)]


def made(kind: type[NebuliumError]) -> NebuliumError:
    return CONSTRUCTED.get(kind, lambda: kind("a.csv, row 3", "is {bad}\n", "mend 'it'"))()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "copied", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy]
)
def test_a_copy_of_an_error_says_the_same(kind, copied):
    error = made(kind)
    other = copied(error)
    assert type(other) is kind
    assert (str(other), vars(other)) == (str(error), vars(error))
    assert str(error) == f"{error.where}: {error.problem}. To mend: {error.mend}"


def test_another_mend_reaches_the_message():
    with (
        pytest.raises(TableError, match="To mend: say --id") as caught,
        errors.mending(TableError, "say --id"),
    ):
        raise made(MissingColumnError)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize(
    ("extra", "module"), [(extra, module) for extra in EXTRAS for module in EXTRAS[extra]]
)
def test_an_extra_that_is_not_whole_is_named(monkeypatch, extra, module):
    check_extra(extra)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"{EXTRAS[extra][module]} is not installed.*\[{extra}\]"):
        check_extra(extra)
