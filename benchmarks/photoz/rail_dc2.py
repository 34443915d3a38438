"""RAIL's estimators on the DC2 catalogue that it ships: p(z) of each on one grid.

Runs in an environment of its own (`PACKAGES`), knows nothing of nebulium, and is called by
`benchmarks.photoz.dc2`: ``python benchmarks/photoz/rail_dc2.py OUTPUT.npz NAME``.
"""

import os
import sys
import tempfile
from itertools import count
from typing import Any

import numpy as np

PACKAGES = ("pz-rail-base", "pz-rail-sklearn", "pz-rail-flexzboost", "pz-rail-pzflow")
BANDS = "ugrizy"
# RAIL's own defaults for zmin, zmax and nzbins.
GRID = np.linspace(0.0, 3.0, 301)
# Galaxies whose densities are evaluated at a time: those of neighbours are large arrays.
CHUNK = 2000
SEED = 0
_COUNT = count()

# Name: module, beginning of the names of its classes, settings of the informer and of the estimator beside
# the defaults. Neighbours and FlexZBoost tune themselves by the CDE loss on a quarter of the training file.
ESTIMATORS: dict[str, tuple[str, str, dict[str, Any], dict[str, Any]]] = {
    "k-nearest neighbours": ("k_nearneigh", "KNearNeigh", {}, {}),
    "k-nearest neighbours, up to 15": ("k_nearneigh", "KNearNeigh", {"nneigh_max": 15}, {}),
    "FlexZBoost": ("flexzboost", "FlexZBoost", {}, {}),
    "FlexZBoost, with errors": (
        "flexzboost",
        "FlexZBoost",
        {"include_mag_err": True},
        {"include_mag_err": True},
    ),
    "network": ("sklearn_neurnet", "SklNeurNet", {}, {}),
    "normalizing flow": ("pzflow_nf", "PZFlow", {}, {}),
}


def main(output: str, name: str) -> None:
    """Write the catalogue, and the densities of one estimator: several fill 19 GB of a process."""
    training, test = (_catalogue(part) for part in ("training", "validation"))
    arrays = {"grid": GRID}
    for part, table in (("training", training), ("test", test)):
        arrays |= {f"{part}_{column}": values for column, values in table.items()}
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        arrays[f"density_{name}"] = _density(name, training, test)
    np.savez(output, **arrays)


def _catalogue(part: str) -> dict[str, np.ndarray]:
    """Columns of a file of the package, each a copy: the estimators write into their input."""
    import tables_io
    from rail.utils.path_utils import find_rail_file

    path = find_rail_file(f"examples_data/testdata/test_dc2_{part}_9816.hdf5")
    columns = tables_io.read(path)["photometry"]
    return {name: np.array(column) for name, column in columns.items()}


def _density(name: str, training: dict[str, np.ndarray], test: dict[str, np.ndarray]) -> np.ndarray:
    """Density per unit redshift on the grid, one row for each test galaxy."""
    return density(*ESTIMATORS[name], training, test)


def density(
    module: str,
    prefix: str,
    of_informer: dict[str, Any],
    of_estimator: dict[str, Any],
    training: dict[str, np.ndarray],
    test: dict[str, np.ndarray],
    *,
    grid: np.ndarray = GRID,
) -> np.ndarray:
    """The same of an estimator by its module, the beginning of its classes' names, and settings."""
    import importlib

    algorithms = importlib.import_module(f"rail.estimation.algos.{module}")
    np.random.seed(SEED)  # noqa: NPY002  (scikit-learn's network draws its first weights from it)
    common = {"hdf5_groupname": "", "output_mode": "return"}
    # Stages of one name would share their data.
    label = f"{prefix}_{next(_COUNT)}"
    informer = getattr(algorithms, f"{prefix}Informer").make_stage(
        name=f"inform_{label}", model=f"{label}.pkl", **common, **of_informer
    )
    model = informer.inform(_copy(training))
    estimator = getattr(algorithms, f"{prefix}Estimator").make_stage(
        name=f"estimate_{label}", model=model, **common, **of_estimator
    )
    # One chunk: the network of RAIL standardises its input by the galaxies that it is given.
    found = estimator.estimate(_copy(test))
    ensemble = found.data if hasattr(found, "data") else found
    parts = [
        ensemble[first : first + CHUNK].pdf(grid).astype(np.float32)
        for first in range(0, ensemble.npdf, CHUNK)
    ]
    return np.concatenate(parts)


def _copy(table: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: column.copy() for name, column in table.items()}


if __name__ == "__main__":
    main(*sys.argv[1:])
