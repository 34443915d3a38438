"""The galaxies of the page with their map and predictions: read once, and never changed by a visitor."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int64

from nebulium.data.column_checks import Missing
from nebulium.data.tables.reading import ColumnMapping
from nebulium.errors import TableError
from nebulium.explore.draw.colours import ColourScale, colour_scale
from nebulium.explore.draw.labels import unit_text
from nebulium.explore.draw.raster import NearestRow, Window, in_window, whole_window
from nebulium.explore.maps.embedding import Progress
from nebulium.explore.maps.embedding_file import GalaxyMap, open_embedding
from nebulium.explore.maps.features import Kind as MapKind
from nebulium.explore.maps.latent import usual_kind
from nebulium.explore.page.state import ViewState
from nebulium.explore.sample.cache import cache_folder, kept
from nebulium.explore.sample.galaxies import Galaxies, read_galaxies
from nebulium.explore.sample.pictures import Pictures
from nebulium.explore.sample.predictions import PREDICTED as OF_MODEL
from nebulium.explore.sample.predictions import redshift_densities, with_predictions
from nebulium.explore.sample.quantities import Quantity, quantities_of
from nebulium.explore.sample.selection import rows_in
from nebulium.explore.sample.synthetic import Synthetic
from nebulium.lines.predict import WITH_LUMINOSITY
from nebulium.lines.scores.bpt import BPT_LINES, BptRatios, line_ratios
from nebulium.photoz.density.densities import RedshiftDensities

DIFFERENCE = "predicted − measured"
OUTSIDE = "prediction outside the training domain"
#: Diagrams that place galaxies in a plane, so that one can point to them and select them.
MAP, BPT, PREDICTED = SPACES = ("map", "bpt", "predicted")
#: Neighbours in the map that are shown of a pinned galaxy.
NEIGHBOURS = 8
#: How far an arrow key reaches, as a share of the view.
STEP = 0.04
DIRECTIONS = {"left": (-1.0, 0.0), "right": (1.0, 0.0), "up": (0.0, 1.0), "down": (0.0, -1.0)}
#: The quantity that is compared at first, where it can be.
FIRST_QUANTITY = "ew_HALPHA"
#: Columns that colour the map at first, where there is nothing to compare.
FIRST_COLUMNS = ("redshift", "redshift_spec", "redshift_median")


@dataclass(frozen=True, eq=False)
class Explored:
    """Galaxies, their map, and all that is computed of them once.

    Parameters
    ----------
    galaxies : Galaxies
        With the columns of predictions.
    galaxy_map : GalaxyMap, optional
        Their map; without one the page does without.
    density_of : callable of int returning RedshiftDensities or None, optional
        p(z) of the galaxy in a row.
    line_model : str or Path
        Model of the synthetic galaxy's lines.
    notes : tuple of str
        Notes for the visitor, besides those of the galaxies.

    Examples
    --------
    >>> galaxies = Galaxies("a.parquet", np.array(["7"]), {"redshift": np.array([0.1])})
    >>> Explored(galaxies, None).columns
    ('redshift',)
    """

    galaxies: Galaxies
    galaxy_map: GalaxyMap | None
    density_of: Callable[[int], RedshiftDensities | None] | None = None
    line_model: str | Path = WITH_LUMINOSITY
    notes: tuple[str, ...] = ()

    @cached_property
    def xy(self) -> Float[np.ndarray, "n 2"]:
        """Places in the map; NaN where a galaxy has none."""
        if self.galaxy_map is None:
            return np.full((len(self.galaxies), 2), np.nan, np.float32)
        return np.ascontiguousarray(self.galaxy_map.embedding.xy, np.float32)

    @cached_property
    def window(self) -> Window:
        """All of the map."""
        return whole_window(self.xy)

    @cached_property
    def quantities(self) -> dict[str, Quantity]:
        """Quantities that can be compared with a prediction, the most telling first."""
        found = quantities_of(self.galaxies)
        return dict(sorted(found.items(), key=lambda item: item[0] != FIRST_QUANTITY))

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Columns that can colour the map, the first the most telling."""
        first = [*self.quantities, *FIRST_COLUMNS]
        known = [name for name in dict.fromkeys(first) if name in self.galaxies.values]
        return tuple(dict.fromkeys([*known[:1], *self.galaxies.values]))

    @cached_property
    def rows_by_id(self) -> dict[str, int]:
        """The row of each id."""
        return {identifier: row for row, identifier in enumerate(self.galaxies.ids.tolist())}

    @kept(256)
    def scale(self, *columns: str) -> ColourScale:
        """One colour scale for columns that are to be compared, named by the first."""
        values = [self.galaxies.values[column] for column in columns]
        return colour_scale(columns[0], *values, unit=self.galaxies.units.get(columns[0], ""))

    @kept(16)
    def residuals(self, name: str) -> tuple[np.ndarray, ColourScale]:
        """Predicted less measured, in dex where logarithms are compared, and its colours."""
        quantity = self.quantities[name]
        measured, predicted = quantity.pair(self.galaxies)
        unit = "dex" if quantity.logarithmic else unit_text(quantity.unit)
        scale = colour_scale(name, predicted - measured, unit=quantity.unit, kind="diverging")
        return predicted - measured, replace(scale, label=" / ".join(filter(None, (DIFFERENCE, unit))))

    def row_pinned(self, state: ViewState) -> int | None:
        """The row of the pinned galaxy; None if none is pinned."""
        return None if state.pin is None else self.rows_by_id.get(state.pin)

    def rows_selected(self, state: ViewState) -> Int64[np.ndarray, " m"] | None:
        """Rows inside the outline; None if there is no outline."""
        if state.selection is None:
            return None
        try:
            xy = self.places(state.selection.space, state.quantity)
        except KeyError:
            return np.zeros(0, np.int64)
        return rows_in(xy, state.selection.polygon)

    @kept(16)
    def places(self, space: str, quantity: str) -> Float[np.ndarray, "n 2"]:
        """Where the galaxies lie in a diagram; KeyError if they have no place in it."""
        if space == MAP:
            return self.xy
        pair = self.ratios if space == BPT else self.quantities[quantity].pair(self.galaxies)
        if pair is None:
            raise KeyError(space)
        return np.stack(pair, axis=1)

    @kept(16)
    def finder(self, space: str, quantity: str) -> NearestRow:
        """Finds galaxies in a diagram."""
        return NearestRow(self.places(space, quantity))

    @cached_property
    def ratios(self) -> BptRatios | None:
        """Places in the BPT diagram."""
        return self._ratios("ew_")

    @cached_property
    def predicted_ratios(self) -> BptRatios | None:
        """Places in the BPT diagram by the predicted lines."""
        return self._ratios("predicted_ew_")

    def _ratios(self, prefix: str) -> BptRatios | None:
        """Ratios of lines whose columns begin so; None if one of the four columns is lacking."""
        widths = [self.galaxies.values.get(prefix + line) for line in BPT_LINES]
        known = [width.astype(np.float64) for width in widths if width is not None]
        return line_ratios(*known) if len(known) == len(BPT_LINES) else None

    @cached_property
    def outside_domain(self) -> Bool[np.ndarray, " n"]:
        """Which galaxies are predicted, but unlike those of the training set."""
        values = self.galaxies.values
        predicted = [
            values[name] for name in values if name.startswith(OF_MODEL) or name == "redshift_median"
        ]
        if not predicted or "in_domain" not in values:
            return np.zeros(len(self.galaxies), bool)
        return (values["in_domain"] == 0) & np.any([np.isfinite(one) for one in predicted], axis=0)

    @cached_property
    def pictures(self) -> Pictures | None:
        """Their images; None if there are none."""
        images, rows = self.galaxies.images, self.galaxies.image_rows
        return None if images is None or rows is None else Pictures(images, rows)

    @cached_property
    def synthetic(self) -> Synthetic:
        """The galaxy of the slider."""
        return Synthetic(self.galaxy_map, self.line_model)

    def value(self, column: str, row: int) -> float:
        """One number; NaN if it is missing or there is no such column."""
        values = self.galaxies.values.get(column)
        return float("nan") if values is None else float(values[row])

    def quantiles(self, column: str, row: int) -> tuple[float, float, float]:
        """A prediction with its 16 and 84 per cent quantiles; NaN where missing."""
        low, median, high = (self.value(name, row) for name in (f"{column}_q16", column, f"{column}_q84"))
        return low, median, high

    def redshift(self, row: int) -> float:
        """The redshift from a spectrum, or that of the table; NaN if it is not known."""
        measured = self.value("redshift_spec", row)
        return measured if np.isfinite(measured) else self.value("redshift", row)

    def neighbours(self, row: int) -> Int64[np.ndarray, " k"]:
        """The galaxies next to one in the map."""
        return self.finder(MAP, "").around(row, NEIGHBOURS)

    def next_row(self, row: int | None, direction: str, window: Window) -> int | None:
        """The galaxy that an arrow key leads to.

        Parameters
        ----------
        row : int, optional
            Of the galaxy to go on from; the middle of the view without one.
        direction : str
            A key of `DIRECTIONS`.
        window : tuple of four float
            The view.

        Returns
        -------
        int or None
            None where there is no galaxy that way.
        """
        left, right, bottom, top = window
        size = np.array([right - left, top - bottom])
        if row is None or not np.isfinite(self.xy[row]).all():
            return self.finder(MAP, "")(left + size[0] / 2, bottom + size[1] / 2, window, reach=1.0)
        away = np.array(DIRECTIONS[direction])
        near = in_window(self.xy, window)
        offset = (self.xy[near] - self.xy[row]) / size
        along = offset @ away
        across = np.abs(offset @ away[::-1])
        that_way = (along > np.maximum(across, 1e-9)) & (near != row)
        if not that_way.any():
            return None
        # The nearest to a point a step away, so that the walk gets on however dense the map is.
        distance = np.hypot(along - STEP, across)
        return int(near[that_way][np.argmin(distance[that_way])])


def explore(
    table: str | Path | None,
    *,
    model: str | Path | None = None,
    embedding: MapKind | None = None,
    seed: int = 0,
    refit: bool = False,
    columns: ColumnMapping | None = None,
    id_column: str | None = None,
    missing: Missing = None,
    progress: Progress | None = None,
) -> Explored:
    """Read galaxies, let a model predict, and draw their map: each only if that was not done before.

    Parameters
    ----------
    table : str or Path, optional
        A table, or the folder of a mock survey; the example if not given.
    model : str or Path, optional
        Name of a packaged model, or a model folder.
    embedding : str, optional
        The numbers behind the map: ``continuum``, ``colours``, ``photometry`` or ``latent``; by default the
        continuum, or photometry. Without either, and unless one is asked for, there is no map.
    seed : int
        Seed of the map.
    refit : bool
        Whether to draw the map anew.
    columns : mapping of str to str, or str, optional
        nebulium's name -> the file's, of columns that are called otherwise there.
    id_column : str, optional
        The column of ids; by default one of the usual names, or the numbers of the rows.
    missing : float, sequence of float, or mapping of str to these, optional
        Numbers that stand for a missing value.
    progress : callable of (str, float), optional
        Takes the work in progress and the share of it that is done.

    Returns
    -------
    Explored

    Raises
    ------
    NebuliumError
        The table or the model is at fault, or what was computed cannot be kept.

    Examples
    --------
    >>> import tempfile
    >>> from nebulium.data import Table, write_table
    >>> rng = np.random.default_rng(0)
    >>> fluxes = {f"flux_njy_{band}": rng.lognormal(size=40) for band in "gri"}
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     write_table(Table({"target_id": np.arange(40), **fluxes}), f"{scratch}/mine.parquet")
    ...     explored = explore(f"{scratch}/mine.parquet")
    >>> explored.xy.shape
    (40, 2)
    """
    galaxies = read_galaxies(table, columns=columns, id_column=id_column, missing=missing)
    cache = cache_folder(galaxies.path)
    galaxies = with_predictions(galaxies, model, cache.folder, progress=progress)
    notes = list(cache.notes)
    galaxy_map = None
    try:
        kind = embedding or usual_kind(galaxies)
    except TableError as error:
        notes.append(f"There is no map: {error}")
    else:
        galaxy_map = open_embedding(
            galaxies, cache.folder, kind, model=model, seed=seed, refit=refit, progress=progress
        )
        notes += [*galaxy_map.notes, _map_note(galaxy_map)]
    return Explored(
        galaxies, galaxy_map, redshift_densities(galaxies, model, cache.folder), notes=tuple(notes)
    )


def _map_note(galaxy_map: GalaxyMap) -> str:
    """The method of the map, and its errors."""
    about = galaxy_map.embedding.about
    error = about.get("left_out") or {}
    made = f"The map: {about.get('method')}, seed {about.get('seed')}, of {about.get('features')}."
    if error.get("median") is None:
        return made
    return (
        f"{made} A galaxy that is placed among the others lies {error['median']:.3f} of the map's median "
        f"radius from where the fit puts it (median), and keeps {error['neighbours_kept']:.0%} of its 15 "
        f"nearest."
    )
