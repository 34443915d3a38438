"""RAIL's estimators on galaxies that are handed over: p(z) of each on one grid.

Runs in an environment of its own (`benchmarks.photoz.rail_dc2.PACKAGES`), knows nothing of nebulium, and is
called by `benchmarks.photoz.beside_rail`: ``python -m benchmarks.photoz.rail_real INPUT.npz OUTPUT.npz``.
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.photoz.rail_dc2 import density

# What RAIL takes for a band in which nothing was detected; it puts the limit in its place.
NOT_DETECTED = 99.0
# Name: module, beginning of the names of its classes, settings beside the defaults, of the informer alone and
# of both, and what a band that was not observed is given: neighbours need a number, trees do not.
LIMIT, INTERPOLATED, NOTHING = "limit", "interpolated", "nothing"
ESTIMATORS: dict[str, tuple[str, str, dict[str, Any], dict[str, Any], str]] = {
    "k-nearest neighbours": ("k_nearneigh", "KNearNeigh", {}, {}, LIMIT),
    "k-nearest neighbours, tuned": (
        "k_nearneigh",
        "KNearNeigh",
        {"nneigh_max": 15, "sigma_grid_min": 0.005, "sigma_grid_max": 0.05, "ngrid_sigma": 5},
        {},
        INTERPOLATED,
    ),
    "FlexZBoost": ("flexzboost", "FlexZBoost", {}, {}, LIMIT),
    "FlexZBoost, tuned": (
        "flexzboost",
        "FlexZBoost",
        {
            "max_basis": 70,
            "regression_params": {"max_depth": 5, "eta": 0.1, "objective": "reg:squarederror"},
            "nbump": 6,
            "nsharp": 8,
        },
        {"include_mag_err": True},
        NOTHING,
    ),
}


def main(source: str, output: str) -> None:
    """Write the densities of each estimator that is asked for."""
    with np.load(source) as found:
        given = dict(found)
    arrays = {}
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        for name in given["estimators"].tolist():
            arrays[name] = _density(name, given)
    with Path(output).open("wb") as file:
        np.savez(file, **arrays)


def _density(name: str, given: dict[str, np.ndarray]) -> np.ndarray:
    limits, grid = given["limits"], given["grid"]
    module, prefix, of_informer, of_both, fill = ESTIMATORS[name]
    bands = [f"mag_{band}" for band in range(len(limits))]
    common = {
        "bands": bands,
        "mag_limits": dict(zip(bands, limits.tolist(), strict=True)),
        "ref_band": bands[int(given["reference"])],
        "nzbins": len(grid),
    }
    both = {**of_both, **common}
    ends = {"zmin": float(grid[0]), "zmax": float(grid[-1])}
    if prefix == "KNearNeigh":
        both |= ends
    else:
        both["err_bands"] = [f"err_{band}" for band in range(len(limits))]
    tables = [_table(given, part, fill) for part in ("training", "test")]
    return density(module, prefix, {**ends, **of_informer, **both}, both, *tables, grid=grid)


def _table(given: dict[str, np.ndarray], part: str, fill: str) -> dict[str, np.ndarray]:
    """Columns as RAIL takes them; NaN is a band that was not observed."""
    mag, err = (given[f"{part}_{kind}"].astype(np.float64) for kind in ("mag", "err"))
    absent = np.isnan(mag)
    if fill == LIMIT:
        mag = np.where(absent, NOT_DETECTED, mag)
    elif fill == INTERPOLATED:
        mag = np.stack([_interpolated(row) for row in mag])
    table = {"redshift": given[f"{part}_redshift"].astype(np.float64)}
    for band in range(mag.shape[1]):
        table |= {f"mag_{band}": mag[:, band].copy(), f"err_{band}": err[:, band].copy()}
    return table


def _interpolated(mag: np.ndarray) -> np.ndarray:
    """Magnitudes of one galaxy, those not observed from the bands beside them."""
    known, place = np.isfinite(mag) & (mag != NOT_DETECTED), np.arange(len(mag))
    return np.where(np.isnan(mag), np.interp(place, place[known], mag[known]), mag)


if __name__ == "__main__":
    main(*sys.argv[1:])
