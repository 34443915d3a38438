"""The light of one galaxy: continuum and lines, or fluxes through filters."""

import math
from collections.abc import Mapping, Sequence
from itertools import compress
from typing import Literal

import numpy as np
from jaxtyping import Real
from plotly.graph_objects import Figure

from nebulium.data.glossary import FLUX_UNIT
from nebulium.explore.draw.frame import Part, empty_figure, framed, note
from nebulium.explore.draw.labels import plain, unit_text
from nebulium.explore.draw.theme import SMALL, Theme, faint
from nebulium.explore.draw.traces import curve, dots, error_bars
from nebulium.lines.continuum.bins import BIN_EDGES_AA
from nebulium.lines.continuum.line_list import LINE_WAVES_AA, LINES

Frame = Literal["rest", "observed"]
#: 16, 50 and 84 per cent quantiles.
Quantiles = tuple[float, float, float]

#: Sigma with which lines are drawn, AA at rest: broader than they are, to be seen in 3600 AA.
SIGMA_AA = 6.0
#: A line higher than so many times the continuum is cut: the equivalent width is not.
HIGHEST = 6.0
#: Names over the spectrum: lines so near to each other that their names would collide share one.
GROUPS = {
    "[O II]": ("OII_DOUBLET",),
    "Hγ": ("HGAMMA",),
    "Hβ": ("HBETA",),
    "[O III]": ("OIII_4959", "OIII_5007"),
    "Hα, [N II]": ("NII_6548", "HALPHA", "NII_6584"),
    "[S II]": ("SII_6716", "SII_6731"),
}
FRAMES = {"rest": "Rest wavelength / Å (vacuum)", "observed": "Observed wavelength / Å (vacuum)"}


def spectrum_figure(
    continuum: Real[np.ndarray, "12"] | None,
    observed: Mapping[str, float],
    predicted: Mapping[str, Quantiles],
    *,
    redshift: float = math.nan,
    frame: Frame = "rest",
    theme: Theme,
    unit: str = FLUX_UNIT,
) -> Figure:
    """The twelve bins of the continuum, with the emission lines on them."""
    known = continuum is not None and bool(np.isfinite(continuum).any())
    flux = np.asarray(continuum, np.float64) if continuum is not None and known else np.ones(12)
    measured = {line: observed[line] for line in LINES if line in observed and np.isfinite(observed[line])}
    expected = {line: q for line, q in predicted.items() if line in LINES and np.isfinite(q).all()}
    if not (known or measured or expected):
        return empty_figure("This galaxy has neither a continuum in twelve bins nor lines.", theme)
    frame = frame if math.isfinite(redshift) else "rest"
    shift = 1.0 + redshift if frame == "observed" else 1.0
    traces = [_steps(flux, shift, theme)]
    if measured:
        line = {"color": theme.observed, "width": 2}
        traces.append(curve("observed lines", *_with_lines(flux, measured, shift), line))
    if expected:
        traces += _predicted_lines(flux, expected, shift, theme)
    medians = {line: q[1] for line, q in expected.items()}
    top = HIGHEST * float(np.nanmax(np.abs(flux))) or 1.0
    highest = _highest(flux, measured, medians)
    layout = {
        "xaxis": {
            "title": {"text": FRAMES[frame]},
            "range": [float(BIN_EDGES_AA[0] - 60) * shift, float(BIN_EDGES_AA[-1] + 60) * shift],
        },
        "yaxis": {
            "title": {"text": f"Flux density / {unit_text(unit)}" if known else "Flux density / continuum"},
            "range": [min(0.0, 1.1 * float(np.nanmin(flux))), 1.08 * min(max(highest, 1e-30), top)],
        },
        "annotations": _line_names(shift, theme),
        "shapes": _line_places({*measured, *expected}, shift, theme),
        # Two rows of names below plotly's buttons.
        "margin": {"t": 74},
    }
    lines = f"{len(measured)} observed and {len(expected)} predicted emission lines"
    words = f"Continuum in twelve bins with {lines}, {frame} frame."
    return framed(traces, layout, theme, name=f"spectrum-{frame}", description=words)


def photometry_figure(
    bands: Sequence[str],
    flux_njy: Real[np.ndarray, " band"],
    err_njy: Real[np.ndarray, " band"] | None,
    theme: Theme,
) -> Figure:
    """Fluxes of one galaxy through its filters."""
    known = np.isfinite(flux_njy)
    if not known.any():
        return empty_figure("This galaxy has no flux through any filter.", theme)
    names = [plain(band) for band in bands]
    points = dots("flux", np.flatnonzero(known), flux_njy[known], {"size": 11, "color": theme.observed})
    points["x"] = list(compress(names, known))
    if err_njy is not None:
        points["error_y"] = error_bars(np.nan_to_num(err_njy[known]))
    lacking = list(compress(names, ~known))
    wide = bool(np.all(flux_njy[known] > 0) and np.ptp(np.log10(flux_njy[known])) > 1.0)
    words = [note(f"no flux: {', '.join(lacking)}", 0.02, 0.98, color=theme.muted)]
    layout = {
        "xaxis": {
            "type": "category",
            "categoryorder": "array",
            "categoryarray": names,
            "title": {"text": "Filter"},
        },
        "yaxis": {
            "title": {"text": "Flux density / nJy"},
            "type": "log" if wide else "linear",
            "rangemode": "normal" if wide else "tozero",
        },
        "annotations": words if lacking else [],
    }
    description = f"Fluxes through {int(known.sum())} of {len(names)} filters."
    return framed([points], layout, theme, name="photometry", description=description)


def _steps(flux: np.ndarray, shift: float, theme: Theme) -> Part:
    wave = np.repeat(BIN_EDGES_AA.astype(np.float64), 2)[1:-1] * shift
    line = {"color": theme.muted, "width": 2}
    return curve("continuum", wave, np.repeat(flux, 2), line)


def _with_lines(flux: np.ndarray, widths: Mapping[str, float], shift: float) -> tuple[np.ndarray, np.ndarray]:
    """Continuum plus lines, near the lines only: elsewhere it would hide the continuum."""
    steps = np.arange(-4.0, 4.01, 0.25) * SIGMA_AA
    centres = np.array([LINE_WAVES_AA[line] for line in widths])
    wave = np.unique((centres[:, None] + steps).ravel())
    profiles = np.exp(-0.5 * ((wave[:, None] - centres) / SIGMA_AA) ** 2)
    heights = np.array([_height(flux, line, width) for line, width in widths.items()])
    total = _continuum_at(flux, wave) + profiles @ heights
    # A gap between lines is a gap in the curve.
    gaps = np.flatnonzero(np.diff(wave) > SIGMA_AA) + 1
    return np.insert(wave, gaps, np.nan) * shift, np.insert(total, gaps, np.nan)


def _height(flux: np.ndarray, line: str, width: float) -> float:
    """Of the Gaussian; no line where there is no continuum to measure it by."""
    at = float(_continuum_at(flux, np.array([LINE_WAVES_AA[line]]))[0])
    return width * at / (SIGMA_AA * np.sqrt(2.0 * np.pi)) if np.isfinite(at) else 0.0


def _continuum_at(flux: np.ndarray, wave: np.ndarray) -> np.ndarray:
    bins = np.searchsorted(BIN_EDGES_AA, wave, side="right") - 1
    return flux[np.clip(bins, 0, len(flux) - 1)]


def _highest(flux: np.ndarray, *widths: Mapping[str, float]) -> float:
    """Top of the continuum and of the highest line."""
    tops = [_with_lines(flux, some, 1.0)[1] for some in widths if some]
    return float(np.nanmax(np.concatenate([flux, *tops])))


def _predicted_lines(
    flux: np.ndarray, expected: Mapping[str, Quantiles], shift: float, theme: Theme
) -> list[Part]:
    """The median dashed, the range between the quantiles shaded."""
    low, middle, high = (
        _with_lines(flux, {line: q[place] for line, q in expected.items()}, shift) for place in range(3)
    )
    band = {"line": {"width": 0}, "hoverinfo": "skip", "showlegend": False, "legendgroup": "predicted"}
    filled = {"fill": "toself", "fillcolor": faint(theme.predicted)}
    line = {"color": theme.predicted, "width": 2, "dash": "dash"}
    return [
        curve("68 %", *_between(*low, high[1]), {}) | band | filled,
        curve("predicted lines, 68 %", *middle, line) | {"legendgroup": "predicted"},
        _predicted_tops(flux, expected, shift, theme),
    ]


def _predicted_tops(flux: np.ndarray, expected: Mapping[str, Quantiles], shift: float, theme: Theme) -> Part:
    """Tops of the predicted lines with bars: in the whole spectrum a line is but a few pixels wide."""
    wave = np.array([LINE_WAVES_AA[line] for line in expected])
    q16, q50, q84 = np.array([[_height(flux, line, width) for width in q] for line, q in expected.items()]).T
    bars = error_bars(q84 - q50, q50 - q16)
    marker = {"symbol": "line-ew", "size": 12, "line": {"color": theme.predicted, "width": 3}}
    tops = dots("predicted lines", wave * shift, _continuum_at(flux, wave) + q50, marker)
    return tops | {
        "error_y": bars | {"color": theme.predicted},
        "legendgroup": "predicted",
        "showlegend": False,
    }


def _between(wave: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Outlines of the areas between two curves: there and back around each piece between gaps."""
    gaps = np.flatnonzero(np.isnan(wave))
    x, y = [], []
    for part, below, above in zip(*(np.split(each, gaps) for each in (wave, low, high)), strict=True):
        x += [part, part[::-1]]
        y += [below, above[::-1]]
    return np.concatenate(x), np.concatenate(y)


def _line_names(shift: float, theme: Theme) -> list[Part]:
    """Above the drawing area, in two rows so that neighbours do not touch."""
    names = []
    for place, (name, lines) in enumerate(GROUPS.items()):
        wave = float(np.mean([LINE_WAVES_AA[line] for line in lines])) * shift
        above = {"xref": "x", "yref": "y domain", "x": wave, "y": 1.0, "yshift": 3 + 17 * (place % 2)}
        font = {"size": SMALL, "color": theme.line_colours[lines[0]]}
        shown = {"text": name, "showarrow": False, "xanchor": "center", "yanchor": "bottom", "font": font}
        names.append(above | shown)
    return names


def _line_places(lines: set[str], shift: float, theme: Theme) -> list[Part]:
    return [
        {
            "type": "line",
            "xref": "x",
            "yref": "y domain",
            "x0": LINE_WAVES_AA[line] * shift,
            "x1": LINE_WAVES_AA[line] * shift,
            "y0": 0.0,
            "y1": 1.0,
            "layer": "below",
            "line": {"color": theme.line_colours[line], "width": 1, "dash": "dot"},
        }
        for line in LINES
        if line in lines
    ]
