"""The BPT diagram (Baldwin, Phillips & Terlevich 1981) in ratios of equivalent widths."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Shaped
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter

from nebulium.lines.continuum.line_list import Widths, line_index
from nebulium.metrics.figure_style import BLACK, BLUE, FULL_WIDTH, SMALL, STYLES
from nebulium.metrics.panels import draw_counts, finish

Values = Float[np.ndarray, " n"]
BPT_LINES = ("NII_6584", "HALPHA", "OIII_5007", "HBETA")
BPT_X, BPT_Y = "log EW([N II] 6584) / EW(Hα)", "log EW([O III] 5007) / EW(Hβ)"

#: Equivalent width of Hα below which old stars suffice to excite the gas.
PASSIVE_EW_AA = 3.0

SHOWN = ((-2.0, 1.0), (-1.5, 1.5))
# Density is estimated on a wider grid, and ratios beyond it are put at its edge (as published), so that the
# contours hold the stated share of all galaxies, not of those that fit the diagram.
GRID = ((-2.0, 2.0), (-2.0, 2.0))
CELLS = 160


class BptCurve(NamedTuple):
    """A demarcation y = rise / (x - asymptote) + level, drawn left of its asymptote only.

    Parameters
    ----------
    rise, asymptote, level : float
        Its three numbers, dex.
    name : str
        Label in the figure.
    """

    rise: float
    asymptote: float
    level: float
    name: str

    def height(self, x: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """log10([O III]/Hβ) of the curve at log10([N II]/Hα) = x; NaN from the asymptote on."""
        left = np.where(x < self.asymptote, x, np.nan)
        return self.rise / (left - self.asymptote) + self.level


KAUFFMANN_2003 = BptCurve(0.61, 0.05, 1.3, "Kauffmann et al. 2003")
KEWLEY_2001 = BptCurve(0.61, 0.47, 1.19, "Kewley et al. 2001")


class BptRatios(NamedTuple):
    """Ratios of equivalent widths for the BPT diagram.

    Parameters
    ----------
    x : ndarray of shape (count,)
        log10([N II] 6584 / Hα).
    y : ndarray of shape (count,)
        log10([O III] 5007 / Hβ).
    """

    x: Float[np.ndarray, " count"]
    y: Float[np.ndarray, " count"]


def bpt_ratios(ew_aa: Widths) -> BptRatios:
    """The two ratios of the BPT diagram, of galaxies with all four lines positive.

    Ratios of equivalent widths, not of fluxes: the continuum hardly changes between the two lines of a pair
    (Khederlarian et al. 2024).
    """
    ratios = line_ratios(*(ew_aa[:, line_index(line)] for line in BPT_LINES))
    all_four = np.isfinite(ratios.x)
    return BptRatios(ratios.x[all_four], ratios.y[all_four])


def line_ratios(nii: Values, halpha: Values, oiii: Values, hbeta: Values) -> BptRatios:
    """The two ratios of every galaxy; NaN where one of the four widths is missing or not positive."""
    all_four = (oiii > 0) & (hbeta > 0) & (nii > 0) & (halpha > 0)
    nii, halpha, oiii, hbeta = (np.where(all_four, width, np.nan) for width in (nii, halpha, oiii, hbeta))
    return BptRatios(np.log10(nii / halpha), np.log10(oiii / hbeta))


def bpt_classes(ew_aa: Widths) -> Shaped[np.ndarray, " n"]:
    """What excites the gas, by the BPT diagram; text, empty where one of the four lines is missing.

    Below the curve of Kauffmann et al. (2003) a galaxy is star-forming, above that of Kewley et al. (2001) an
    AGN, and composite between them. Where EW(Hα) is below 3 Å old stars suffice: passive (Cid Fernandes et
    al. 2011, MNRAS 413, 1687).
    """
    ratios = line_ratios(*(ew_aa[:, line_index(line)] for line in BPT_LINES))
    # Right of its asymptote a curve has everything above it.
    above_kauffmann, above_kewley = (
        ~(ratios.y < curve.height(ratios.x)) for curve in (KAUFFMANN_2003, KEWLEY_2001)
    )
    kinds = np.where(above_kewley, "AGN", np.where(above_kauffmann, "composite", "star-forming"))
    kinds = np.where(ew_aa[:, line_index("HALPHA")] < PASSIVE_EW_AA, "passive", kinds)
    return np.where(np.isfinite(ratios.x), kinds, "")


def bpt_diagram(populations: Mapping[str, Widths]) -> Figure:
    """BPT diagram in ratios of equivalent widths, with contours that hold 68 and 95 % of each population."""
    figure = Figure(figsize=(0.6 * FULL_WIDTH, 0.56 * FULL_WIDTH), layout="constrained")
    axes = figure.add_subplot()
    handles = []
    for place, (name, widths) in enumerate(populations.items()):
        ratios = bpt_ratios(widths)
        colour, style = ((BLACK, "-"), *STYLES[1:], STYLES[0])[place % 6]
        if place == 0:
            edges = [np.linspace(*limits, 101) for limits in SHOWN]
            draw_counts(axes, ratios.x, ratios.y, edges, cmap="Greys", alpha=0.5)
        _contours(axes, ratios, colour, style)
        label = f"{name} ({ratios.x.size:,})"
        handles += axes.plot([], [], color=colour, linestyle=style, label=label)
    handles += draw_demarcations(axes)
    axes.set(xlim=SHOWN[0], ylim=SHOWN[1])
    finish(axes, BPT_X, BPT_Y)
    axes.legend(handles=handles, fontsize=SMALL, frameon=False, loc="lower left")
    return figure


def _contours(axes: Axes, ratios: BptRatios, colour: str, style: Any) -> None:
    """Contours around 68 and 95 % of the points; none where they all fall in one place."""
    density = _smooth_density(ratios)
    levels = np.unique([_level_holding(density, share) for share in (0.95, 0.68)])
    if levels.size < 2:
        return
    x, y = (_middles(limits, density.shape[0]) for limits in GRID)
    drawn = axes.contour(x, y, density.T, levels=levels, colors=colour, linewidths=(0.9, 1.5))
    drawn.set_linestyle(style)


def _middles(limits: tuple[float, float], count: int) -> Float[np.ndarray, " count"]:
    """Middles of equal cells between two limits."""
    edges = np.linspace(*limits, count + 1)
    return 0.5 * (edges[1:] + edges[:-1])


def _smooth_density(ratios: BptRatios) -> Float[np.ndarray, "x y"]:
    """Kernel density on a grid: a histogram smoothed by a Gaussian of Scott's width."""
    inside = [np.clip(values, *limits) for values, limits in zip(ratios, GRID, strict=True)]
    counts, _, _ = np.histogram2d(inside[0], inside[1], bins=CELLS, range=GRID)
    spans = [limits[1] - limits[0] for limits in GRID]
    scott = max(ratios.x.size, 1) ** (-1 / 6)
    widths = [
        max(scott * _robust_spread(values) / span * CELLS, 0.8)
        for values, span in zip(inside, spans, strict=True)
    ]
    return gaussian_filter(counts, widths, mode="constant")


def _robust_spread(values: Float[np.ndarray, " n"]) -> float:
    """Half of the central 68 %: a few ratios of noise would widen a standard deviation."""
    return float(np.diff(np.percentile(values, [16, 84]))[0] / 2) if values.size else 0.0


def _level_holding(density: Float[np.ndarray, "x y"], share: float) -> float:
    """Density above which lies the given share of the whole."""
    falling = np.sort(density, axis=None)[::-1]
    held = np.cumsum(falling)
    return float(falling[np.searchsorted(held, share * held[-1])])


def draw_demarcations(axes: Axes, color: str = BLUE, linewidth: float = 1.0) -> list:
    """The two curves, each as far as it means something."""
    handles = []
    for curve, style in ((KAUFFMANN_2003, "--"), (KEWLEY_2001, ":")):
        x, label = np.linspace(SHOWN[0][0], curve.asymptote - 0.01, 400), curve.name
        handles += axes.plot(x, curve.height(x), style, color=color, linewidth=linewidth, label=label)
    return handles
