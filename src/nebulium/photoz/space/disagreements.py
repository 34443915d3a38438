"""Galaxies whose redshift one method gets right and another wrong, and their neighbours."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int64

from nebulium.data.tables.table import Table
from nebulium.photoz.scores.figures import OUTLIER
from nebulium.photoz.space.neighbours import Neighbours
from nebulium.verbs.predictor import ID

Values = Float[np.ndarray, " n"]

#: |delta| / (1 + z) within which a redshift is right.
RIGHT = 0.05


def disagrees(redshift: Values, by: Values, rival: Values) -> Bool[np.ndarray, " n"]:
    """Which galaxies a method gets right that a rival gets wrong."""
    off = [np.abs(predicted - redshift) / (1.0 + redshift) for predicted in (by, rival)]
    return (off[0] < RIGHT) & (off[1] > OUTLIER)


@dataclass(frozen=True, eq=False)
class Disagreements:
    """Two methods on the same galaxies, with the neighbours of each galaxy in the space of each method.

    Attributes
    ----------
    ids : ndarray of shape (n,)
    redshift : ndarray of shape (n,)
        True ones.
    predicted : mapping of str to ndarray of shape (n,)
        By the method: images, then photometry.
    training_ids : ndarray of shape (m,)
        Galaxies that both methods learned from, among which the neighbours are.
    training_redshift : ndarray of shape (m,)
    nearest : mapping of str to Neighbours
        By the method; rows of those that both learned from.
    """

    ids: np.ndarray
    redshift: Values
    predicted: Mapping[str, Values]
    training_ids: np.ndarray
    training_redshift: Float[np.ndarray, " m"]
    nearest: Mapping[str, Neighbours]

    @property
    def right_by_images(self) -> Int64[np.ndarray, " _"]:
        """Rows that images get right and photometry wrong."""
        return np.flatnonzero(disagrees(self.redshift, *self.predicted.values()))

    @property
    def right_by_photometry(self) -> Int64[np.ndarray, " _"]:
        """Rows that photometry gets right and images wrong."""
        return np.flatnonzero(disagrees(self.redshift, *reversed(list(self.predicted.values()))))

    def counts(self) -> dict[str, Any]:
        """How many, and by method the share of all neighbours that are off by more than 0.15 (1 + z)."""
        scale = 1.0 + self.redshift[:, None]
        off = {
            name: np.abs(self.training_redshift[found.rows] - self.redshift[:, None]) / scale
            for name, found in self.nearest.items()
        }
        return {
            "galaxies": len(self.ids),
            "right_by_images": len(self.right_by_images),
            "right_by_photometry": len(self.right_by_photometry),
            "far_neighbours": {name: float(np.mean(one > OUTLIER)) for name, one in off.items()},
        }

    def galaxies(self) -> Table:
        """The galaxies that only one gets right."""
        rows = self._rows()
        predicted = {f"{name}_redshift_median": values[rows] for name, values in self.predicted.items()}
        columns = {ID: self.ids[rows], "redshift_spec": self.redshift[rows], **predicted}
        return Table({**columns, "right_by_images": np.isin(rows, self.right_by_images)}, {}, "galaxies")

    def neighbours(self) -> Table:
        """Their neighbours, the nearest first."""
        rows = self._rows()
        parts = []
        for name, found in self.nearest.items():
            count = found.rows.shape[1]
            own, others = np.repeat(rows, count), found.rows[rows].ravel()
            parts.append(
                {
                    ID: self.ids[own],
                    "space": np.full(len(own), name),
                    "rank": np.tile(np.arange(1, count + 1), len(rows)),
                    "neighbour_id": self.training_ids[others],
                    "distance": found.distances[rows].ravel(),
                    "redshift_spec": self.redshift[own],
                    "neighbour_redshift_spec": self.training_redshift[others],
                }
            )
        columns = {column: np.concatenate([part[column] for part in parts]) for column in parts[0]}
        return Table(columns, {}, "neighbours")

    def _rows(self) -> Int64[np.ndarray, " _"]:
        return np.sort(np.concatenate([self.right_by_images, self.right_by_photometry]))
