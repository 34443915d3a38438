"""One colour scale for all panels that show one quantity.

Values go to the browser as the number of their colour, one byte each: a fourth of the page's traffic, and
room for what is no value. Colour 0 is transparent (no galaxy there), 1 is grey (galaxies, but none with a
value), and the others are the scale.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Real, UInt8
from matplotlib.ticker import MaxNLocator

from nebulium.explore.draw.labels import column_label, power_of_ten
from nebulium.explore.draw.theme import SMALL, TEXT, Stops, Theme

Kind = Literal["sequential", "diverging", "logarithmic"]

#: Numbers of the colours.
NOTHING, MISSING, LOWEST, HIGHEST = 0, 1, 2, 255
#: Per cent of the values below and above which the scale ends.
ENDS = (1.0, 99.0)
#: Values that span so large a factor are shown by their logarithm, if so large a share of them is positive.
SPAN, SHARE = 30.0, 0.75
#: Percentiles of so many values are as good as those of all.
ENOUGH = 200_000


@dataclass(frozen=True)
class ColourScale:
    """Which value has which colour.

    Attributes
    ----------
    column : str
        What is shown.
    label : str
        Quantity and unit, escaped.
    low, high : float
        Ends; values beyond have the colours of the ends.
    kind : {"sequential", "diverging", "logarithmic"}
        A diverging one has zero in the middle.
    """

    column: str
    label: str
    low: float
    high: float
    kind: Kind

    def colours_of(self, values: Real[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
        """Numbers of the colours of values."""
        low, high = self._along(self.low), self._along(self.high)
        place = (self._along(np.clip(values, self.low, self.high)) - low) / (high - low)
        colour = np.round(LOWEST + (HIGHEST - LOWEST) * place)
        return np.where(np.isnan(colour), MISSING, colour).astype(np.uint8)

    def axis(self, theme: Theme) -> dict[str, Any]:
        """Colours and bar for the layout of a figure."""
        ticks = self._ticks()
        shown = {
            "title": {"text": self.label, "side": "right", "font": {"size": TEXT}},
            "tickvals": self.colours_of(np.array(ticks)).tolist(),
            "ticktext": [_number(tick) for tick in ticks],
            "tickfont": {"size": SMALL},
            "thickness": 14,
            "outlinewidth": 0,
            "len": 1.0,
            "xpad": 6,
        }
        colours = theme.diverging if self.kind == "diverging" else theme.sequential
        return {"cmin": 0, "cmax": HIGHEST, "colorscale": _with_missing(colours, theme), "colorbar": shown}

    def _along(self, values: Any) -> Any:
        return np.log10(values) if self.kind == "logarithmic" else np.asarray(values, np.float64)

    def _ticks(self) -> list[float]:
        """Round numbers within the scale."""
        if self.kind == "logarithmic":
            ticks = _decades(self.low, self.high)
        else:
            margin = 1e-9 * (self.high - self.low)
            ticks = [
                # Never -0.
                float(tick) + 0.0
                for tick in MaxNLocator(5).tick_values(self.low, self.high)
                if self.low - margin <= tick <= self.high + margin
            ]
        return ticks if len(ticks) > 1 else [self.low, self.high]


def colour_scale(
    column: str, *arrays: Real[np.ndarray, " _"], unit: str = "", kind: Kind | None = None
) -> ColourScale:
    """Choose a scale for one quantity, from all the values that are to be compared."""
    values = np.concatenate([np.zeros(0), *(_finite(array) for array in arrays)])
    chosen = kind or ("logarithmic" if _is_wide(values) else "sequential")
    if chosen == "logarithmic":
        low, high = _ends(values[values > 0], (0.1, 1.0))
        ends = (low, high) if high > 1.01 * low else (low / 2.0, low * 2.0)
    elif chosen == "diverging":
        most = _ends(np.abs(values), (0.0, 1.0))[1] or 1.0
        ends = (-most, most)
    else:
        low, high = _ends(values, (0.0, 1.0))
        ends = (low, high) if high > low else (low - 0.5, low + 0.5)
    return ColourScale(column, column_label(column, unit), *ends, chosen)


def _finite(values: np.ndarray) -> np.ndarray:
    """Finite values, every so many of very many."""
    some = values[:: max(1, values.size // ENOUGH)].astype(np.float64)
    return some[np.isfinite(some)]


def _ends(values: np.ndarray, otherwise: tuple[float, float]) -> tuple[float, float]:
    if not values.size:
        return otherwise
    low, high = np.percentile(values, ENDS)
    return float(low), float(high)


def _is_wide(values: np.ndarray) -> bool:
    positive = values[values > 0]
    if positive.size < max(2.0, SHARE * values.size):
        return False
    low, high = _ends(positive, (1.0, 1.0))
    return high > SPAN * low


def _with_missing(colours: Stops, theme: Theme) -> Stops:
    """The scale behind the colours for no galaxy and for no value."""
    nothing, missing = (NOTHING + 0.5) / HIGHEST, (MISSING + 0.5) / HIGHEST
    start = LOWEST / HIGHEST
    return [
        [0.0, "rgba(0,0,0,0)"],
        [nothing, "rgba(0,0,0,0)"],
        [nothing, theme.missing],
        [missing, theme.missing],
        [missing, colours[0][1]],
        *([start + (1.0 - start) * float(place), colour] for place, colour in colours),
    ]


def _decades(low: float, high: float) -> list[float]:
    """1, 10, 100, and 2 and 5 of each where there is room; fewer where there are very many."""
    first, last = int(np.floor(np.log10(low))), int(np.ceil(np.log10(high)))
    steps = (1.0, 2.0, 5.0) if high < 1e3 * low else (1.0,)
    powers = range(first, last + 1, max(1, (last - first) // 6))
    return [tick for power in powers for step in steps if low <= (tick := step * 10.0**power) <= high]


def _number(value: float) -> str:
    """As short as it can be read; powers of ten where there would be many zeros."""
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:.4g}".replace("-", "−")
    mantissa, power = f"{value:.0e}".split("e")
    ten = power_of_ten(int(power))
    return ten if mantissa == "1" else f"{mantissa.replace('-', '−')}·{ten}"
