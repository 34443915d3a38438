"""Text in figures: names and units as astronomers write them, and nothing that plotly would interpret."""

import html
import math
from collections.abc import Mapping, Sequence

from nebulium.data.glossary import parse_unit
from nebulium.errors import TableError
from nebulium.lines.continuum.line_list import DISPLAY_NAMES, LINES

#: Longest text from a table that is drawn.
LONGEST = 48
_QUANTITIES = {
    "redshift": "Redshift",
    "redshift_spec": "Spectroscopic redshift",
    "redshift_median": "Photometric redshift",
    "log_mstar": "log stellar mass / M☉",
    "log_sfr": "log SFR / M☉ yr⁻¹",
    "log_luminosity": "log luminosity at 6250 Å",
    "oh12": "12 + log O/H",
    "lgmet": "log stellar metallicity Z",
    "av_mag": "A(V) / mag",
}
_OF_A_WIDTH = {"ew_": "", "predicted_ew_": "predicted ", "drawn_ew_": "drawn ", "published_ew_": "published "}
_SUPERSCRIPTS = str.maketrans("-0123456789./", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹·ᐟ")
#: The order of the units of a flux density.
_FIRST = ("erg", "s", "cm", "Å")


def plain(text: str) -> str:
    """Text as it is: shortened if long, and with no character left that plotly would read as a tag."""
    one_line = " ".join(text.split())
    # MathJax is never loaded, but dollars would ask for it.
    return html.escape(shortened(one_line, LONGEST), quote=False).replace("$", "＄")


def shortened(text: str, longest: int) -> str:
    """A text of at most so many characters."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def unit_text(unit: str) -> str:
    """A unit as it is printed."""
    try:
        parsed = parse_unit(unit)
    except (TableError, ValueError):
        return plain(unit)
    power = math.log10(abs(complex(parsed.scale))) if parsed.scale else 0.0
    if abs(power - round(power)) > 1e-9:
        return plain(unit)
    parts = [
        (base.to_string("unicode"), exponent)
        for base, exponent in zip(parsed.bases, parsed.powers, strict=True)
    ]
    parts.sort(key=lambda part: _FIRST.index(part[0]) if part[0] in _FIRST else -1)
    factor = [power_of_ten(round(power))] if round(power) else []
    return plain(" ".join(factor + [_raised(name, exponent) for name, exponent in parts]))


def power_of_ten(power: int) -> str:
    """10 with its exponent."""
    return _raised("10", power)


def column_label(column: str, unit: str = "") -> str:
    """The title of an axis that shows a column."""
    if column in _QUANTITIES:
        return _QUANTITIES[column]
    for start, what in _OF_A_WIDTH.items():
        if column.startswith(start) and column.removeprefix(start) in LINES:
            return f"{what}EW({DISPLAY_NAMES[column.removeprefix(start)]}) / Å"
    shown = unit_text(unit)
    return f"{plain(column)} / {shown}" if shown else plain(column)


def distinct_labels(
    columns: Sequence[str], units: Mapping[str, str], longest: int | None = None
) -> list[str]:
    """Readable names; where two columns read the same, the name of the column tells them apart."""
    labels = [html.unescape(column_label(column, units.get(column, ""))) for column in columns]
    return [
        label if labels.count(label) == 1 else f"{label} ({column[:longest]})"
        for column, label in zip(columns, labels, strict=True)
    ]


def _raised(name: str, power: object) -> str:
    return name if power == 1 else name + str(power).translate(_SUPERSCRIPTS)
