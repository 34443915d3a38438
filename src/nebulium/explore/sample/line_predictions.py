"""Predicted emission lines of galaxies with a continuum, and one draw of what would be measured."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from nebulium.data.rejects import Rejects
from nebulium.data.tables.table import Table
from nebulium.explore.maps.embedding import Progress, steps
from nebulium.explore.sample.galaxies import ID, Galaxies
from nebulium.lines.continuum.line_list import LINES
from nebulium.lines.likelihood import MeasuredLines
from nebulium.lines.model import LineModel
from nebulium.lines.model_choice import choose_models
from nebulium.lines.predict import LinePredictor
from nebulium.lines.prediction_rows import FLUX_COLUMNS, GalaxyRows, galaxy_rows
from nebulium.lines.scores.populations import draw_intrinsic, draw_measurements

DRAW_SEED = 0
#: Columns that are looked at, where they are there, besides the continuum.
OTHERS = ("redshift", "ebv", *(f"{kind}_{line}" for kind in ("ew", "ew_ivar") for line in LINES))
#: Endings of the predicted columns, by the quantile that they hold.
ENDINGS = {"": "q50", "_q16": "q16", "_q84": "q84"}

Widths = Float[np.ndarray, "n 10"]
#: Of all galaxies: equivalent widths and their inverse variances.
Measured = tuple[Float[np.ndarray, "galaxy 10"], Float[np.ndarray, "galaxy 10"]]


def seen_by_line_models(galaxies: Galaxies) -> list[np.ndarray]:
    """The columns that decide the predictions."""
    return [galaxies.values[name] for name in (*FLUX_COLUMNS, *OTHERS) if name in galaxies.values]


def line_predictions(
    galaxies: Galaxies, model: str | Path | None = None, progress: Progress | None = None
) -> Table:
    """Predict the lines of galaxies, and draw a measurement of each.

    A draw is of the law of the lines and, where the table has errors of measured lines, of these errors: a
    line that was not measured is not drawn. Without errors it has the scatter of the lines alone.
    """
    table = _as_table(galaxies)
    choice, rejects = choose_models(model), Rejects()
    predicted = LinePredictor(choice)(table, rejects)
    known = galaxy_rows(
        table,
        Rejects(),
        needs_luminosity=choice.needs_luminosity,
        redshift_unused=not any(named.model.with_luminosity for named in choice.models),
    )
    drawn = np.full((len(known), len(LINES)), np.nan, np.float32)
    whole = np.isfinite(known.continuum_flux).all(axis=1)
    measured = _measured(galaxies)
    for named in choice.models:
        rows = np.flatnonzero(whole & (predicted["model"] == named.name))
        for part in steps(rows, "drawing lines", progress):
            drawn[part] = _draw(named.model, known.select(part), measured)
    columns = {
        f"predicted_ew_{line}{ending}": predicted[f"ew_{line}_{quantile}"]
        for line in LINES
        for ending, quantile in ENDINGS.items()
    }
    columns |= {f"drawn_ew_{line}": drawn[:, place] for place, line in enumerate(LINES)}
    units = dict.fromkeys(columns, "Angstrom")
    spread = {name: _spread(values, predicted[ID], len(galaxies)) for name, values in columns.items()}
    spread["in_domain"] = np.isin(np.arange(len(galaxies)), predicted[ID][predicted["in_domain"]]).astype(
        np.float32
    )
    notes = [f"Lines: {rejects.summary()}."] if len(rejects) else []
    return Table(spread, units, galaxies.name, {"notes": notes})


def _as_table(galaxies: Galaxies) -> Table:
    """The columns that the models see, with the numbers of the rows for ids."""
    names = [name for name in (*FLUX_COLUMNS, *OTHERS) if name in galaxies.values]
    columns = {ID: np.arange(len(galaxies)), **{name: galaxies.values[name] for name in names}}
    units = {name: unit for name, unit in galaxies.units.items() if name in names}
    return Table(columns, units, galaxies.name)


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


def _spread(values: np.ndarray, rows: np.ndarray, n: int) -> Float[np.ndarray, " n"]:
    """Values of some rows among all, NaN in the others."""
    found = np.full(n, np.nan, np.float32)
    found[rows] = values
    return found
