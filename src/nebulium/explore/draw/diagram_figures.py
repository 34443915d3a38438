"""Diagrams of many galaxies: BPT, and predicted against observed."""

from typing import Any

import numpy as np
from jaxtyping import Integer, Real
from plotly.graph_objects import Figure

from nebulium.explore.draw.frame import empty_figure, framed, note
from nebulium.explore.draw.theme import Theme
from nebulium.explore.draw.traces import Place, curve, galaxy_traces, pin_traces, plane, selection_traces
from nebulium.explore.sample.quantities import positive_log10
from nebulium.lines.scores.bpt import BPT_X, BPT_Y, KAUFFMANN_2003, KEWLEY_2001, SHOWN, BptRatios
from nebulium.metrics.panels import range_of, running_quantiles

#: Medians of so many galaxies are as good as those of all.
ENOUGH = 20_000

Rows = Integer[np.ndarray, " _"]


def bpt_figure(
    ratios: BptRatios,
    theme: Theme,
    *,
    selected: Rows | None = None,
    pinned: Place | None = None,
    pinned_predicted: Place | None = None,
) -> Figure:
    """The BPT diagram (Baldwin, Phillips & Terlevich 1981) with its curves."""
    has = np.isfinite(ratios.x) & np.isfinite(ratios.y)
    if not has.any():
        return empty_figure("No galaxy has all four lines of the BPT diagram with a positive width.", theme)
    traces = [
        *galaxy_traces(ratios.x, ratios.y, *SHOWN, theme),
        *selection_traces(ratios.x, ratios.y, has, selected, theme),
    ]
    for border, dash in ((KAUFFMANN_2003, "dash"), (KEWLEY_2001, "dot")):
        x = np.linspace(SHOWN[0][0], border.asymptote - 0.01, 200)
        line = {"color": theme.ink, "width": 2, "dash": dash}
        traces.append(curve(border.name, x, border.height(x), line))
    traces += pin_traces(pinned, pinned_predicted, theme)
    layout = plane(BPT_X, BPT_Y, SHOWN[0], SHOWN[1])
    description = f"BPT diagram of {int(has.sum()):,} galaxies with curves of Kauffmann and of Kewley."
    return framed(traces, layout, theme, name="bpt", description=description)


def predicted_against_observed_figure(
    observed: Real[np.ndarray, " n"],
    predicted: Real[np.ndarray, " n"],
    labels: tuple[str, str],
    theme: Theme,
    *,
    logarithmic: bool = False,
    selected: Rows | None = None,
    pinned: int | None = None,
) -> Figure:
    """Predictions of one quantity against its measurements."""
    x, y = (
        positive_log10(values) if logarithmic else values.astype(np.float64)
        for values in (observed, predicted)
    )
    both = np.isfinite(x) & np.isfinite(y)
    if not both.any():
        return empty_figure("No galaxy has both a measured and a predicted value.", theme)
    some = np.flatnonzero(both)[:: max(1, int(both.sum()) // ENOUGH)]
    limits = range_of(x[some], y[some])
    line = np.array(limits)
    traces = [
        *galaxy_traces(x, y, limits, limits, theme),
        *selection_traces(x, y, both, selected, theme),
        curve("equal", line, line, {"color": theme.ink, "width": 1.5, "dash": "dash"}),
        *_running(x[some], y[some], theme),
    ]
    if pinned is not None and both[pinned]:
        traces += pin_traces((float(x[pinned]), float(y[pinned])), None, theme)
    measured = np.isfinite(observed) & np.isfinite(predicted)
    words = _difference_words(y[both] - x[both], int(measured.sum() - both.sum()), logarithmic)
    names = [f"log₁₀ ({label})" if logarithmic else label for label in labels]
    layout = plane(names[0], names[1], limits, limits)
    layout["annotations"] = [note("<br>".join(words), 0.02, 0.98)]
    description = f"{names[1]} against {names[0]}: {', '.join(words)}."
    return framed(traces, layout, theme, name="predicted", description=description)


def _running(x: np.ndarray, y: np.ndarray, theme: Theme) -> list[dict[str, Any]]:
    running = running_quantiles(x, y)
    if len(running.centre) < 2:
        return []
    kinds = (("median", running.median, 3, "solid"), ("16, 84 %", running.q16, 1.5, "dot"))
    lines = [
        curve(name, running.centre, values, {"color": theme.pinned, "width": width, "dash": dash})
        | {"legendgroup": name}
        for name, values, width, dash in kinds
    ]
    upper = curve("16, 84 %", running.centre, running.q84, lines[1]["line"])
    return [*lines, upper | {"legendgroup": "16, 84 %", "showlegend": False}]


def _difference_words(difference: np.ndarray, left_out: int, logarithmic: bool) -> list[str]:
    middle = float(np.median(difference))
    scatter = 1.4826 * float(np.median(np.abs(difference - middle)))
    unit = " dex" if logarithmic else ""
    bias, spread = (f"{round(value, 12):.3g}".replace("-", "−") for value in (middle, scatter))
    sign = "" if bias.startswith("−") else "+"
    words = [
        f"{len(difference):,} galaxies",
        f"median difference {sign}{bias}{unit}",
        f"scatter {spread}{unit}",
    ]
    return [*words, f"{left_out:,} not positive"] if left_out else words
