"""One draw of what would be measured of the emission lines of each galaxy."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from nebulium.explore.maps.embedding import Progress, steps
from nebulium.explore.sample.galaxies import Galaxies
from nebulium.lines.continuum.line_list import LINES, Widths
from nebulium.lines.input import GalaxyRows
from nebulium.lines.likelihood import MeasuredLines
from nebulium.lines.model import LineModel
from nebulium.lines.predict import LinePredictor
from nebulium.lines.scores.populations import draw_intrinsic, draw_measurements

DRAW_SEED = 0

#: Of all galaxies: equivalent widths and their inverse variances.
Measured = tuple[Float[np.ndarray, "galaxy 10"], Float[np.ndarray, "galaxy 10"]]


def drawn_lines(
    galaxies: Galaxies, predictor: LinePredictor, known: GalaxyRows, progress: Progress | None
) -> Mapping[str, Float[np.ndarray, " n"]]:
    """A draw for each galaxy with a whole continuum, as columns.

    It is of the law of the lines and, where the table has errors of measured lines, of these errors: a line
    that was not measured is not drawn. Without errors it has the scatter of the lines alone.
    """
    drawn = np.full((len(known), len(LINES)), np.nan, np.float32)
    whole = np.isfinite(known.continuum_flux).all(axis=1)
    measured, names = _measured(galaxies), predictor.names_of(known)
    for named in predictor.models:
        for part in steps(np.flatnonzero(whole & (names == named.name)), "drawing lines", progress):
            drawn[part] = _draw(named.model, known.select(part), measured)
    return {f"drawn_ew_{line}": drawn[:, place] for place, line in enumerate(LINES)}


def _measured(galaxies: Galaxies) -> Measured | None:
    """Widths and their inverse variances; None if no line has both."""
    if not any(f"ew_{line}" in galaxies.values and f"ew_ivar_{line}" in galaxies.values for line in LINES):
        return None
    unknown = np.full(len(galaxies), np.nan, np.float32)
    ew, ivar = (
        np.stack([galaxies.values.get(f"{kind}_{line}", unknown) for line in LINES], axis=1).astype(
            np.float32
        )
        for kind in ("ew", "ew_ivar")
    )
    return ew, ivar


def _draw(model: LineModel, known: GalaxyRows, measured: Measured | None) -> Widths:
    # The library numbers the galaxies of a call, so that each call needs a seed of its own.
    seed = DRAW_SEED + int(known.places[0])
    if measured is None:
        return draw_intrinsic(model, known.continuum_flux, known.redshift, seed=seed)
    ew, ivar = (part[known.places] for part in measured)
    lines = MeasuredLines.from_columns(ew, ivar)
    return draw_measurements(model, known.continuum_flux, known.redshift, lines, seed=seed)
