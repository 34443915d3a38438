"""The state of the page: what is written into an address is read back, and nonsense is dropped."""

from dataclasses import replace
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nebulium.explore.page.state import (
    MOST_CHARACTERS,
    Choices,
    Selection,
    ViewState,
    default_state,
    from_query,
    from_texts,
    to_texts,
)

IDS = (
    "7",
    "../../etc/passwd",
    "<img src=x onerror=alert(1)>",
    "__proto__",
    "a b&c=d;e",
    "Größe €",
    "'\"",
    "%41",
)
COLUMNS = ("redshift", "ew_HALPHA", "<b>x</b>", "constructor", "a&pin=7", "")
CHOICES = Choices(
    COLUMNS[:-1],
    ("ew_HALPHA", "redshift"),
    {identifier: row for row, identifier in enumerate(IDS)}.get,
    ("spectrum", "image"),
    ("bpt", "selection"),
    ("map", "bpt"),
)

numbers = st.floats(-1e6, 1e6, allow_nan=False)
shares = st.floats(0.0, 1.0)
corners = st.lists(st.tuples(numbers, numbers), min_size=3, max_size=12).map(tuple)
windows = (
    st.tuples(numbers, numbers, numbers, numbers)
    .filter(lambda w: w[0] != w[1] and w[2] != w[3])
    .map(lambda w: (*sorted(w[:2]), *sorted(w[2:])))
)
# Built in the tests: a class that checks its arguments draws random numbers, which a strategy must not.
states = st.fixed_dictionaries(
    {
        "colour": st.sampled_from(CHOICES.columns),
        "quantity": st.sampled_from(CHOICES.quantities),
        "panels": st.sampled_from(["one", "three"]),
        "frame": st.sampled_from(["rest", "observed"]),
        "theme": st.sampled_from(["light", "dark"]),
        "stretch": shares,
        "galaxy_view": st.sampled_from(CHOICES.galaxy_views),
        "sample_view": st.sampled_from(CHOICES.sample_views),
        "pin": st.none() | st.sampled_from(IDS),
        "window": st.none() | windows,
        "selection": st.none() | st.tuples(st.sampled_from(CHOICES.spaces), corners),
        "history": shares,
    }
)


def built(parts: dict) -> ViewState:
    selection = parts["selection"]
    return ViewState(**parts | {"selection": selection and Selection(*selection)})


def query_of(state: ViewState) -> str:
    """The state as it stands behind the `?` of an address, which the browser writes."""
    return urlencode(to_texts(state, CHOICES), quote_via=quote)


@given(states)
def test_what_is_written_is_read_back(parts):
    state = built(parts)
    assert from_query(query_of(state), CHOICES) == (state, [])
    assert from_texts(to_texts(state, CHOICES), CHOICES) == (state, [])


@given(st.text(max_size=200))
def test_any_address_gives_a_state(query):
    state, _ = from_query(query, CHOICES)
    assert state.colour in CHOICES.columns
    assert from_query(query_of(state), CHOICES) == (state, [])


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


@given(anything | st.dictionaries(st.sampled_from([*default_state(CHOICES).__dict__, "__proto__"]), anything))
def test_anything_that_the_page_may_send_gives_a_state(sent):
    state, _ = from_texts(sent, CHOICES)
    assert state.galaxy_view in CHOICES.galaxy_views


@pytest.mark.parametrize(
    ("query", "note"),
    [
        ("colour=no_such", "colour: there is no column “no_such”"),
        ("pin=/etc/shadow", "pin: there is no galaxy “/etc/shadow”"),
        ("panels=four", "panels: there is no number of panels “four”"),
        ("stretch=2", "stretch: expected a number from 0 to 1"),
        ("stretch=nan", "stretch: expected a number from 0 to 1"),
        ("window=1,0,0,1", "window: expected four numbers, left < right and bottom < top"),
        ("window=1,2,3", "window: expected four numbers, left < right and bottom < top"),
        ("selection=map:0,0;1,1", "selection: expected 3 to 300 corners"),
        ("selection=map:0,0;1,1;a,b", "selection: expected corners as x,y;x,y;x,y"),
        ("selection=/tmp:0,0;1,1;0,1", "selection: there is no diagram to select in called “/tmp”"),
        ("file=/etc/passwd", "“file” is not known to this page"),
        ("__proto__=x", "“__proto__” is not known to this page"),
        ("pin=" + "9" * 500, "pin: there is no galaxy “" + "9" * 39 + "…”"),
    ],
)
def test_nonsense_is_dropped_and_named(query, note):
    assert from_query("?" + query, CHOICES) == (default_state(CHOICES), [note])


def test_what_makes_sense_beside_nonsense_stays():
    state, notes = from_query("colour=nonsense&theme=dark", CHOICES)
    assert (state.theme, len(notes)) == ("dark", 1)


@pytest.mark.parametrize("query", ["colour=" + "x" * MOST_CHARACTERS, "&".join(["a=1"] * 200)])
def test_addresses_that_are_too_long_are_not_read(query):
    state, notes = from_query(query, CHOICES)
    assert (state, len(notes)) == (default_state(CHOICES), 1)


def test_a_view_as_it_was_at_first_has_an_empty_address():
    assert to_texts(default_state(CHOICES), CHOICES) == {}


def test_galaxies_without_columns_or_predictions_have_a_state():
    none = replace(CHOICES, columns=(), quantities=())
    state, _ = from_query("", none)
    assert (state.colour, state.quantity) == ("", "")
