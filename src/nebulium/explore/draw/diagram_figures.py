"""Diagrams of many galaxies: BPT, predicted against observed, histograms."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Integer, Real
from plotly.graph_objects import Figure

from nebulium.explore.draw.frame import empty_figure, framed, note
from nebulium.explore.draw.theme import Theme
from nebulium.explore.draw.traces import Place, chosen, cloud, curve, pins, plane
from nebulium.lines.scores.bpt import KAUFFMANN_2003, KEWLEY_2001, SHOWN
from nebulium.metrics.panels import range_of, running_quantiles

BINS = 50
#: Medians of so many galaxies are as good as those of all.
ENOUGH = 20_000
BPT_X, BPT_Y = "log EW([N II] 6584) / EW(Hα)", "log EW([O III] 5007) / EW(Hβ)"

Rows = Integer[np.ndarray, " _"]


class LineRatios(NamedTuple):
    """Where galaxies lie in the BPT diagram, a row a galaxy.

    Attributes
    ----------
    x, y : (n,) float
        log10 of [N II] 6584 over Hα and of [O III] 5007 over Hβ, in equivalent widths; NaN where one of the
        four is missing or not positive.
    """

    x: Float[np.ndarray, " n"]
    y: Float[np.ndarray, " n"]


def line_ratios(values: Mapping[str, Real[np.ndarray, " n"]], *, prefix: str = "ew_") -> LineRatios | None:
    """Ratios of the BPT diagram from the columns of a table."""
    names = [f"{prefix}{line}" for line in ("NII_6584", "HALPHA", "OIII_5007", "HBETA")]
    if any(name not in values for name in names):
        return None
    logs = [_log(values[name]) for name in names]
    return LineRatios(logs[0] - logs[1], logs[2] - logs[3])


def bpt_figure(
    ratios: LineRatios,
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
        *cloud(ratios.x, ratios.y, *SHOWN, theme),
        *chosen(ratios.x, ratios.y, has, selected, theme),
    ]
    for border, dash in ((KAUFFMANN_2003, "dash"), (KEWLEY_2001, "dot")):
        x = np.linspace(SHOWN[0][0], border.asymptote - 0.01, 200)
        line = {"color": theme.ink, "width": 2, "dash": dash}
        traces.append(curve(border.name, x, border.height(x), line))
    traces += pins(pinned, pinned_predicted, theme)
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
    """What a model says against what was measured."""
    x, y = (_log(values) if logarithmic else values.astype(np.float64) for values in (observed, predicted))
    both = np.isfinite(x) & np.isfinite(y)
    if not both.any():
        return empty_figure("No galaxy has both a measured and a predicted value.", theme)
    some = np.flatnonzero(both)[:: max(1, int(both.sum()) // ENOUGH)]
    limits = range_of(x[some], y[some])
    line = np.array(limits)
    traces = [
        *cloud(x, y, limits, limits, theme),
        *chosen(x, y, both, selected, theme),
        curve("equal", line, line, {"color": theme.ink, "width": 1.5, "dash": "dash"}),
        *_running(x[some], y[some], theme),
    ]
    if pinned is not None and both[pinned]:
        traces += pins((float(x[pinned]), float(y[pinned])), None, theme)
    measured = np.isfinite(observed) & np.isfinite(predicted)
    words = _difference_words(y[both] - x[both], int(measured.sum() - both.sum()), logarithmic)
    names = [f"log₁₀ ({label})" if logarithmic else label for label in labels]
    layout = plane(names[0], names[1], limits, limits)
    layout["annotations"] = [note("<br>".join(words), 0.02, 0.98)]
    description = f"{names[1]} against {names[0]}: {', '.join(words)}."
    return framed(traces, layout, theme, name="predicted", description=description)


def residuals(
    observed: Real[np.ndarray, " n"], predicted: Real[np.ndarray, " n"], *, logarithmic: bool = False
) -> Float[np.ndarray, " n"]:
    """Predicted less observed, to colour a map of where a model is wrong."""
    if logarithmic:
        return _log(predicted) - _log(observed)
    return predicted.astype(np.float64) - observed


def histogram_figure(
    values: Real[np.ndarray, " n"], label: str, theme: Theme, *, selected: Rows | None = None
) -> Figure:
    """How one quantity is distributed, for all galaxies and for some."""
    known = np.isfinite(values)
    if not known.any():
        return empty_figure("No galaxy has a value there.", theme)
    limits = range_of(values[known].astype(np.float64), tails=0.5)
    edges = np.linspace(*limits, BINS + 1)
    groups = {"all": (values, theme.muted, "solid")}
    if selected is not None and len(selected):
        groups["selected"] = (values[selected], theme.selected, "solid")
    traces = []
    for name, (some, colour, dash) in groups.items():
        finite = some[np.isfinite(some)]
        counts = np.histogram(np.clip(finite, *limits), edges)[0]
        share = 100.0 * counts / max(len(finite), 1)
        line = {"color": colour, "width": 2.5 if name == "selected" else 2, "dash": dash, "shape": "hv"}
        steps = curve(f"{name}, {len(finite):,}", edges, np.append(share, share[-1:]), line)
        traces.append(steps | ({"fill": "tozeroy"} if name == "all" else {}))
    layout = {
        "xaxis": {"title": {"text": label}, "range": list(limits)},
        "yaxis": {"title": {"text": "Share of galaxies / %"}, "rangemode": "tozero"},
    }
    description = f"Histogram of {label} for {', '.join(str(trace['name']) for trace in traces)} galaxies."
    return framed(traces, layout, theme, name=f"histogram-{label}", description=description)


def _log(values: Real[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """log10; NaN where not positive."""
    return np.log10(np.where(values > 0, values, np.nan).astype(np.float64))


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
