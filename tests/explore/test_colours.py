"""Colour scales: shared, robust, and honest about what is missing."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from nebulium.explore.draw.colours import HIGHEST, LOWEST, MISSING, ColourScale, colour_scale
from nebulium.explore.draw.labels import LONGEST, column_label, plain, unit_text
from nebulium.explore.draw.theme import DARK, LIGHT

THEMES = pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)


def brightness(colour: str) -> float:
    """Relative luminance of WCAG 2."""
    parts = np.array(to_rgb(colour))
    linear = np.where(parts <= 0.03928, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one: str, other: str) -> float:
    high, low = sorted((brightness(one), brightness(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@THEMES
def test_text_and_marks_stand_out_from_the_background(theme):
    assert contrast(theme.ink, theme.background) > 12
    assert contrast(theme.muted, theme.background) > 4.5
    marks = [theme.observed, theme.predicted, theme.pinned, theme.selected, *theme.line_colours.values()]
    assert min(contrast(colour, theme.background) for colour in marks) > 3


@THEMES
def test_sequential_scale_rises_in_brightness_and_is_never_the_background(theme):
    colours = [str(colour) for _, colour in theme.sequential]
    assert np.all(np.diff([brightness(colour) for colour in colours]) > 0)
    assert min(contrast(colour, theme.background) for colour in colours) > 1.25


@THEMES
def test_diverging_scale_is_nearest_to_the_background_in_its_middle(theme):
    contrasts = [contrast(str(colour), theme.background) for _, colour in theme.diverging]
    assert int(np.argmin(contrasts)) == len(contrasts) // 2


def test_scale_is_chosen_from_all_panels_together():
    scale = colour_scale("x", np.linspace(1, 2, 500), np.linspace(3, 4, 500))
    assert scale.low < 1.1
    assert scale.high > 3.9


def test_widths_get_a_logarithmic_scale_and_redshifts_do_not():
    rng = np.random.default_rng(0)
    widths = rng.lognormal(2.0, 1.5, 5000)
    widths[:200] = 0.0
    assert colour_scale("ew_HALPHA", widths).kind == "logarithmic"
    assert colour_scale("redshift", rng.uniform(0.05, 0.3, 500)).kind == "sequential"
    assert colour_scale("colour", rng.normal(0, 1e4, 500)).kind == "sequential"


def test_a_few_wild_values_do_not_stretch_the_scale():
    values = np.append(np.linspace(0, 1, 1000), [1e9, -1e9])
    scale = colour_scale("x", values)
    assert -0.1 < scale.low < scale.high < 1.1


@pytest.mark.parametrize("kind", [None, "sequential", "diverging", "logarithmic"])
@pytest.mark.parametrize(
    "values",
    [[], [np.nan, np.nan], [np.inf, -np.inf], [0.0], [5.0, 5.0], [-2.0, -2.0], [1e-30, 1e30], [0, 1]],
    ids=str,
)
def test_any_values_give_a_scale_with_ticks(kind, values):
    array = np.array(values, np.float64)
    scale = colour_scale("x", array, kind=kind)
    assert np.isfinite([scale.low, scale.high]).all()
    assert scale.low < scale.high
    bar = scale.axis(LIGHT)["colorbar"]
    assert len(bar["tickvals"]) == len(bar["ticktext"]) >= 2
    assert len(set(bar["ticktext"])) == len(bar["ticktext"])
    colours = scale.colours_of(array)
    assert np.array_equal(colours == MISSING, np.isnan(array))


def test_diverging_scale_has_zero_in_the_middle():
    scale = colour_scale("residual", np.array([-1.0, 3.0]), kind="diverging")
    assert scale.low == -scale.high
    assert scale.colours_of(np.zeros(1))[0] == pytest.approx((LOWEST + HIGHEST) / 2, abs=1)


def test_missing_is_grey_and_small_is_not_missing():
    scale = ColourScale("ew", "EW", 1.0, 100.0, "logarithmic")
    colours = scale.colours_of(np.array([[np.nan, 0.0], [-5.0, 1e9]], np.float32))
    assert colours.tolist() == [[MISSING, LOWEST], [LOWEST, HIGHEST]]
    assert colours.dtype == np.uint8


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "<a href='javascript:x'>z</a>",
        "a&lt;b",
        "$\\href{javascript:x}{y}$",
        "x\ny\t<b>",
    ],
)
def test_text_of_a_table_is_never_a_tag(hostile):
    for text in (plain(hostile), column_label(hostile, hostile), unit_text(hostile)):
        assert "<" not in text
        assert "$" not in text
        assert "\n" not in text
    assert "&amp;lt;" in plain("a&lt;b")


def test_long_names_are_cut():
    assert len(plain("x" * 500)) == LONGEST


@pytest.mark.parametrize(
    ("unit", "shown"),
    [
        ("", ""),
        ("nJy", "nJy"),
        ("mag", "mag"),
        ("deg", "°"),
        ("erg / s", "erg s⁻¹"),
        ("Angstrom", "Å"),
        ("1e-17 erg / (s cm2)", "10⁻¹⁷ erg s⁻¹ cm⁻²"),
        ("bananas", "bananas"),
    ],
)
def test_units_as_they_are_printed(unit, shown):
    assert unit_text(unit) == shown
