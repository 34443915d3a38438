"""Densities of redshifts, p(z)."""

import math

import numpy as np
from jaxtyping import Float
from plotly.graph_objects import Figure

from nebulium.explore.draw.frame import empty_figure, framed
from nebulium.explore.draw.theme import Theme, faint
from nebulium.explore.draw.traces import Trace, curve, plane

#: The axis holds all but so much of the probability on either side.
TAIL = 1e-3
#: Room on either side, as a share of what is shown.
MARGIN = 0.06


def redshift_density_figure(
    edges: Float[np.ndarray, " edge"],
    mass: Float[np.ndarray, " bin"],
    theme: Theme,
    *,
    known: float = math.nan,
) -> Figure:
    """The density p(z) of one galaxy."""
    total = float(np.sum(mass))
    if not np.isfinite(total) or total <= 0:
        return empty_figure("The model gives no redshift density for this galaxy.", theme)
    height = mass.astype(np.float64) / total / np.diff(edges)
    below = np.concatenate([[0.0], np.cumsum(mass.astype(np.float64) / total)])
    low, q16, median, q84, high = np.interp([TAIL, 0.16, 0.5, 0.84, 1.0 - TAIL], below, edges)
    top = 1.12 * float(height.max())
    line = {"color": theme.predicted, "width": 2.5}
    traces = [
        curve("p(z)", np.repeat(edges, 2)[1:-1], np.repeat(height, 2), line),
        _central(edges, height, q16, q84, theme),
        _upright(f"median {median:.3f}", median, top, theme.predicted, "dash"),
    ]
    shown = [low, high]
    if math.isfinite(known):
        traces.append(_upright(f"known {known:.3f}", known, top, theme.pinned, "solid"))
        shown.append(known)
    room = MARGIN * (max(shown) - min(shown)) + 0.01
    ends = (min(shown) - room, max(shown) + room)
    layout = plane("Redshift", "p(z) per unit redshift", ends, (0.0, top))
    description = f"Redshift density: median {median:.3f}, 68 % between {q16:.3f} and {q84:.3f}."
    return framed(traces, layout, theme, name="density", description=description)


def _central(edges: np.ndarray, height: np.ndarray, q16: float, q84: float, theme: Theme) -> Trace:
    """The steps between two quantiles, filled."""
    inner = np.concatenate([[q16], edges[(edges > q16) & (edges < q84)], [q84]])
    within = height[np.clip(np.searchsorted(edges, inner[:-1], side="right") - 1, 0, len(height) - 1)]
    x, y = np.repeat(inner, 2)[1:-1], np.repeat(within, 2)
    band = {"fill": "tozeroy", "fillcolor": faint(theme.predicted)}
    return curve("central 68 %", x, y, {"width": 0}) | band


def _upright(name: str, at: float, top: float, colour: str, dash: str) -> Trace:
    line = {"color": colour, "width": 2, "dash": dash}
    return curve(name, np.array([at, at]), np.array([0.0, top]), line)
