"""Predicted redshifts of galaxies, and their densities p(z) in a file from which one is read at a time."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nebulium.data.id_join import rows_of_ids
from nebulium.data.output import file_stem, replace_on_success
from nebulium.data.tables.table import Table
from nebulium.errors import TableError
from nebulium.explore.maps.embedding import Progress
from nebulium.explore.sample.galaxies import Galaxies
from nebulium.modelfile import ModelFolder, load_model
from nebulium.photoz.density.densities import RedshiftDensities
from nebulium.photoz.density.grid import RedshiftGrid
from nebulium.photoz.fluxes.predict import PredictionTask
from nebulium.photoz.methods import METHODS

#: Columns of the predictions that are kept.
COLUMNS = ("redshift_median", "redshift_mode", "redshift_q16", "redshift_q84", "odds", "in_domain")


@dataclass(frozen=True)
class DensityFile:
    """Densities of the galaxies of a table, a row a galaxy, in half precision.

    Parameters
    ----------
    path : Path
        Ends in .npy.
    grid : RedshiftGrid
        Of the model.
    """

    path: Path
    grid: RedshiftGrid

    def __call__(self, row: int) -> RedshiftDensities | None:
        """The density of one galaxy; None if the model could not see it."""
        mass = np.load(self.path, mmap_mode="r", allow_pickle=False)[row].astype(np.float32)
        total = mass.sum(dtype=np.float64)
        return RedshiftDensities(self.grid, (mass / total)[None].astype(np.float32)) if total > 0 else None

    def fits(self, rows: int) -> bool:
        """Whether the file is there, with so many rows."""
        try:
            found = np.load(self.path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError):
            return False
        return bool(found.shape == (rows, self.grid.bins))


def density_file(found: ModelFolder, folder: Path) -> DensityFile:
    """Where the densities of a model are kept."""
    return DensityFile(folder / f"densities-{file_stem(found.name)}.npy", load_model(found.path).grid)


def redshift_predictions(
    galaxies: Galaxies, found: ModelFolder, densities: DensityFile, progress: Progress | None = None
) -> Table:
    """Predict the redshifts of galaxies, and write their densities."""
    if galaxies.path is None:
        problem = f"has neither images nor fluxes for the model {found.name}"
        raise TableError(galaxies.name, problem, "give a mock survey or a table")
    told = {} if galaxies.id_column is None else {"id_column": galaxies.id_column}
    task = PredictionTask(galaxies.path, load_model(found.path), found.config, told)
    columns = {name: np.full(len(galaxies), np.nan, np.float32) for name in COLUMNS}
    columns["in_domain"][:] = 0.0
    done = 0
    with replace_on_success(densities.path) as partial:
        shape = (len(galaxies), densities.grid.bins)
        mass = np.lib.format.open_memmap(partial, mode="w+", dtype=np.float16, shape=shape)
        for part in METHODS[str(found.config["method"])].predict(task):
            place = rows_of_ids(part.ids, galaxies.ids)
            known = place >= 0
            mass[place[known]] = part.densities.mass[known]
            predicted = part.as_table()
            for name, values in columns.items():
                values[place[known]] = predicted[name][known]
            done += len(part)
            if progress is not None:
                progress("predicting redshifts", min(1.0, done / len(galaxies)))
        if not done:
            problem = f"has no galaxy that {found.name} can predict ({task.rejects.summary()})"
            raise TableError(galaxies.name, problem, "mend the rows, or choose another model")
        mass.flush()
        del mass
    notes = [*task.notes, *([f"Redshifts: {task.rejects.summary()}."] if len(task.rejects) else [])]
    return Table(columns, {}, galaxies.name, {"notes": notes})
