"""Spectra of a sample, as the page without a server holds them."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Int64
from plotly.graph_objects import Figure

from nebulium.data.glossary import FLUX_UNIT
from nebulium.explore.draw.labels import plain
from nebulium.explore.draw.spectrum_figures import HIGHEST, SIGMA_AA, photometry_figure, spectrum_figure
from nebulium.explore.draw.theme import DARK, LIGHT, Theme
from nebulium.explore.export.encoding import packed
from nebulium.explore.export.look import layout_of
from nebulium.explore.page.explored import Explored
from nebulium.lines.continuum.bins import BIN_EDGES_AA
from nebulium.lines.continuum.line_list import DISPLAY_NAMES, LINE_WAVES_AA, LINES
from nebulium.lines.input import FLUX_COLUMNS

#: Columns of a line, by what the page calls them.
OF_A_LINE = {
    "measured": "ew_{}",
    "low": "predicted_ew_{}_q16",
    "median": "predicted_ew_{}",
    "high": "predicted_ew_{}_q84",
}


def spectra_of(explored: Explored, rows: Int64[np.ndarray, " m"]) -> dict[str, Any] | None:
    """Continua and lines of galaxies, or their fluxes through filters."""
    galaxies = explored.galaxies
    lines = [line for line in LINES if {f"ew_{line}", f"predicted_ew_{line}"} & galaxies.values.keys()]
    if galaxies.continuum is None and galaxies.bands:
        return _photometry(explored, rows)
    if galaxies.continuum is None and not lines:
        return None
    level, widths = np.ones(12, np.float32), dict.fromkeys(lines, 1.0)
    unit = galaxies.units.get(FLUX_COLUMNS[0], FLUX_UNIT)
    return {
        "kind": "spectrum",
        "edges": BIN_EDGES_AA.astype(np.float64).tolist(),
        "sigma": SIGMA_AA,
        "highest": HIGHEST,
        "lines": [_line(explored, line, rows) for line in lines],
        "layout": _layouts(lambda theme: spectrum_figure(level, widths, {}, theme=theme, unit=unit)),
        **_continuum(explored, rows),
    }


def _line(explored: Explored, line: str, rows: np.ndarray) -> dict[str, Any]:
    values = explored.galaxies.values
    columns = {part: values.get(column.format(line)) for part, column in OF_A_LINE.items()}
    known = {part: packed(column[rows], "f2") for part, column in columns.items() if column is not None}
    return {"label": DISPLAY_NAMES[line], "wave": LINE_WAVES_AA[line], **known}


def _continuum(explored: Explored, rows: np.ndarray) -> dict[str, Any]:
    """Levels, and shapes to three digits."""
    if explored.galaxies.continuum is None:
        return {}
    flux = explored.galaxies.continuum[rows].astype(np.float64)
    with np.errstate(invalid="ignore"):
        level = np.max(np.abs(np.nan_to_num(flux)), axis=1, initial=0.0)
        level = np.where(level > 0, level, 1.0)
    return {"level": packed(level, "f4"), "shape": packed(flux / level[:, None], "f2")}


def _photometry(explored: Explored, rows: np.ndarray) -> dict[str, Any]:
    flux_njy, flux_err_njy = explored.galaxies.fluxes
    bands = explored.galaxies.bands
    return {
        "kind": "photometry",
        "bands": [plain(band) for band in bands],
        "flux": packed(flux_njy[rows], "f4"),
        "error": packed(flux_err_njy[rows], "f4"),
        "layout": _layouts(lambda theme: photometry_figure(bands, np.ones(len(bands)), None, theme)),
    }


def _layouts(draw: Callable[[Theme], Figure]) -> dict[str, Any]:
    """The layout of a figure in each theme."""
    return {theme.name: layout_of(draw(theme)) for theme in (LIGHT, DARK)}
