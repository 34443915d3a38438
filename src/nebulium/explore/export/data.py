"""The data of the page without a server: a sample of the galaxies, cells of all, colours, spectra."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int64

from nebulium.explore.draw.labels import distinct_labels
from nebulium.explore.draw.map_figures import SIZES
from nebulium.explore.draw.raster import Raster, placed_rows, raster
from nebulium.explore.draw.theme import DARK, LIGHT
from nebulium.explore.export.encoding import Code, packed
from nebulium.explore.export.look import map_look, page_config
from nebulium.explore.export.spectra import spectra_of
from nebulium.explore.page.explored import OUTSIDE, Explored
from nebulium.lines.input import FLUX_COLUMNS

#: Galaxies that can be pointed at; of more, a sample by this seed.
MOST_POINTS, SAMPLE_SEED = 20_000, 0
#: Cells of the picture of all galaxies (height, width).
CELLS = (180, 240)
#: Columns that colour the map, besides what is compared with a prediction.
MOST_COLUMNS = 16
#: The first of these that is there colours the map at first.
OPENS_WITH = ("ew_HALPHA", "redshift_spec", "redshift")
PIN_PERCENTILE = 90
#: Columns of little meaning by themselves have these in their names.
UNTELLING = ("_err_", "_ivar_", "_sigma", "_q16", "_q84")
#: Digits that are shown of numbers of single and half precision.
DIGITS: dict[Code, int] = {"f4": 5, "f2": 3}
#: Longest text from a table.
LONGEST = 120


class PageData:
    """The galaxies as the page holds them.

    Parameters
    ----------
    explored : Explored
        With a map.
    """

    def __init__(self, explored: Explored):
        self.explored = explored

    @cached_property
    def placed(self) -> Int64[np.ndarray, " k"]:
        """Rows of the galaxies that have a place in the map."""
        return placed_rows(self.explored.xy)

    @cached_property
    def rows(self) -> Int64[np.ndarray, " m"]:
        """Rows of those that can be pointed at."""
        if len(self.placed) <= MOST_POINTS:
            return self.placed
        chosen = np.random.default_rng(SAMPLE_SEED).choice(self.placed, MOST_POINTS, replace=False)
        return np.sort(chosen)

    @cached_property
    def colours(self) -> list[tuple[str, ...]]:
        """Columns that are shown together, what is compared with a prediction first."""
        values, quantities = self.explored.galaxies.values, self.explored.quantities
        parts = {
            part
            for quantity in quantities.values()
            for part in (*quantity.columns, quantity.low, quantity.high)
        }
        others = [
            (column,)
            for column in self.explored.columns
            if column not in parts
            and column not in FLUX_COLUMNS
            and not any(part in column for part in UNTELLING)
            and np.isfinite(values[column][self.rows]).any()
        ]
        return [*(quantity.columns for quantity in quantities.values()), *others[:MOST_COLUMNS]]

    @property
    def left_out(self) -> int:
        """Columns of numbers that the page does without."""
        shown = {column for columns in self.colours for column in columns}
        return len(set(self.explored.galaxies.values) - shown)

    def scripts(self, about: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        """The page's files of data, one after another."""
        yield "galaxies", self._galaxies() | {"about": list(about)}
        for place, columns in enumerate(self.colours):
            yield f"colour-{place}", self._colour(columns)
        if self._spectra is not None:
            yield "spectra", self._spectra

    @cached_property
    def _spectra(self) -> dict[str, Any] | None:
        return spectra_of(self.explored, self.rows)

    def _galaxies(self) -> dict[str, Any]:
        explored, xy = self.explored, self.explored.xy[self.rows]
        redshift = np.array([explored.redshift(row) for row in self.rows.tolist()], np.float32)
        return {
            "name": explored.galaxies.name[:LONGEST],
            "count": len(explored.galaxies),
            "placed": len(self.placed),
            "ids": [str(one)[:LONGEST] for one in explored.galaxies.ids[self.rows]],
            "x": packed(xy[:, 0], "f4"),
            "y": packed(xy[:, 1], "f4"),
            "outside": packed(explored.outside_domain[self.rows], "u1"),
            "outside_note": OUTSIDE,
            "redshift": packed(redshift, "f4") if np.isfinite(redshift).any() else None,
            "window": list(explored.window),
            "size": float(np.interp(np.log10(max(len(self.rows), 1)), [2.0, 4.3], SIZES)),
            "cells": self._cells(),
            "colours": self._names(),
            "first": self._first,
            "pin": self._pin,
            "spectra": self._spectra is not None,
            "config": page_config("map", wheel=True),
            "plain": page_config("galaxy", wheel=False),
            "look": {theme.name: map_look(theme, explored.window) for theme in (LIGHT, DARK)},
        }

    @property
    def _first(self) -> int:
        """The colour that the page opens with."""
        first = [columns[0] for columns in self.colours]
        return next((first.index(column) for column in OPENS_WITH if column in first), 0)

    @property
    def _pin(self) -> int:
        """Place in the sample of the galaxy that the page opens with: one with much of what is shown."""
        values = self.explored.galaxies.values[self.colours[self._first][0]][self.rows]
        if not np.isfinite(values).any():
            return 0
        return int(np.nanargmin(np.abs(values - np.nanpercentile(values, PIN_PERCENTILE))))

    def _names(self) -> list[dict[str, Any]]:
        """The labels of the choice of colours, and the panels of each."""
        first = [columns[0] for columns in self.colours]
        labels = distinct_labels(first, self.explored.galaxies.units, LONGEST)
        quantities = self.explored.quantities
        return [
            {"label": label, "panels": list(quantities[columns[0]].panels) if len(columns) > 1 else [""]}
            for label, columns in zip(labels, self.colours, strict=True)
        ]

    @cached_property
    def _counts(self) -> Raster | None:
        """How many galaxies are in each cell; None where all can be drawn one by one."""
        if len(self.rows) == len(self.placed):
            return None
        return raster(self.explored.xy, None, self.explored.window, CELLS)

    @cached_property
    def _full(self) -> Int64[np.ndarray, " cell"]:
        """Cells with galaxies; the others are not written."""
        return np.flatnonzero(self._counts.count) if self._counts else np.zeros(0, np.int64)

    def _cells(self) -> dict[str, Any] | None:
        if self._counts is None:
            return None
        at = packed(self._full, "u4")
        return {"height": CELLS[0], "width": CELLS[1], **self._counts.places, "at": at}

    def _colour(self, columns: tuple[str, ...]) -> dict[str, Any]:
        scale = self.explored.scale(*columns)
        values = [self.explored.galaxies.values[column] for column in columns]
        code: Code = "f2" if "ew_" in columns[0] else "f4"
        return {
            "digits": DIGITS[code],
            "axis": {theme.name: scale.axis(theme) for theme in (LIGHT, DARK)},
            "panels": [
                {
                    "values": packed(column[self.rows], code),
                    "points": packed(scale.colours_of(column[self.rows]), "u1"),
                    "cells": packed(scale.colours_of(self._means(column)), "u1") if self._counts else None,
                }
                for column in values
            ],
        }

    def _means(self, values: np.ndarray) -> Float[np.ndarray, " cell"]:
        means = raster(self.explored.xy, values, self.explored.window, CELLS).mean
        return means.ravel()[self._full]
