"""`photometry` beside RAIL's estimators, on the DC2 catalogue that RAIL ships."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.photoz.rail_dc2 import BANDS, ESTIMATORS, PACKAGES
from benchmarks.results import Check, Result, Row, Target
from benchmarks.settings import Settings
from nebulium.data.splits import Split
from nebulium.errors import NebuliumError
from nebulium.metrics.point import bias_median, nmad, outlier_fraction, outlier_fraction_rail, sigma_iqr
from nebulium.metrics.probabilistic import cde_loss
from nebulium.photometry.galaxies import PhotometricGalaxies
from nebulium.photoz.fluxes.recipe import PhotometryConfig, train_photometry
from nebulium.photoz.predict import predict_galaxies

SCRIPT = Path(__file__).with_name("rail_dc2.py")
#: Interpreter that has RAIL, where it is not this one.
RAIL_PYTHON = "RAIL_PYTHON"
RAIL_MODULES = tuple(f"rail.estimation.algos.{one[0]}" for one in ESTIMATORS.values())
OURS = "photometry"
CONFIG = PhotometryConfig(grid_most=3.0)
# Of the training file: what the epochs are chosen by, and every setting was.
VALIDATION = {"train": 0.9, "validation": 0.1}
ZERO_POINT_NJY = 31.4
# How the catalogue says that a band shows nothing; the error is then the magnitude of the limit.
NOT_DETECTED = 99.0
LEAST_INTEGRAL = 1e-6

POINTS = ("median", "mode")
# The least threshold of RAIL's outliers, here for all alike: RAIL's grows with the scatter of a method.
COMMON_THRESHOLD = 0.06
NUMBERS: dict[str, Callable[..., float]] = {
    "NMAD": nmad,
    "outliers (PITA)": outlier_fraction,
    "outliers (RAIL)": outlier_fraction_rail,
    f"beyond {COMMON_THRESHOLD}": partial(outlier_fraction, threshold=COMMON_THRESHOLD),
    "sigma_IQR": sigma_iqr,
    "bias (median)": bias_median,
}
# What must not be worse than the best of RAIL's.
COMPARED = ("NMAD", "outliers (PITA)", "outliers (RAIL)", f"beyond {COMMON_THRESHOLD}")


@dataclass(frozen=True, eq=False)
class Scored:
    """Numbers of one method.

    Attributes
    ----------
    points : dict of (str, str) to float
        By point estimate and name of the number.
    cde_loss : float
    """

    points: dict[tuple[str, str], float]
    cde_loss: float


def measure(settings: Settings) -> list[Result]:
    """RAIL in its own interpreter, ours in this one, all scored on one grid."""
    with tempfile.TemporaryDirectory() as scratch:
        rail = _run_rail(Path(scratch))
    grid, redshift = rail["grid"], rail["test_redshift"]
    scored = {name: _score(grid, rail[f"density_{name}"], redshift) for name in ESTIMATORS}
    density = _our_density(galaxies_of(rail, "training"), galaxies_of(rail, "test"), grid)
    ours = _score(grid, density, redshift)
    about = _about(len(rail["training_redshift"]), len(redshift))
    return [_result(about, ours, scored)]


def _run_rail(folder: Path) -> dict[str, np.ndarray]:
    python = rail_python(RAIL_MODULES, PACKAGES)
    arrays: dict[str, np.ndarray] = {}
    for name in ESTIMATORS:
        output = folder / f"{name}.npz"
        # Its log of every step is on standard output.
        subprocess.run([python, str(SCRIPT), str(output), name], check=True, stdout=subprocess.DEVNULL)
        with np.load(output) as found:
            arrays |= dict(found)
    return arrays


def rail_python(modules: Iterable[str], packages: Sequence[str]) -> str:
    """The interpreter that has these modules of RAIL, in these packages."""
    python = os.environ.get(RAIL_PYTHON, sys.executable)
    mend = (
        f"pip install {' '.join(packages)}, here or into an environment of their own, whose interpreter "
        f"is then given by the environment variable {RAIL_PYTHON}"
    )
    if subprocess.run([python, "-c", f"import {', '.join(modules)}"], capture_output=True).returncode:
        raise NebuliumError("RAIL", f"is not installed for {python}", mend)
    return python


def galaxies_of(columns: dict[str, np.ndarray], part: str) -> PhotometricGalaxies:
    """Fluxes of the magnitudes of one file.

    Where nothing was detected the flux is zero, and its error follows from the limit: that is the magnitude
    whose error would be 2.5 lg 2, so the error of the flux is ln 2 times that flux: the error that faint
    detections in the band have.
    """
    named = lambda kind: np.stack(  # noqa: E731
        [columns[f"{part}_{kind}_{band}_lsst"].astype(np.float64) for band in BANDS], axis=1
    )
    magnitude, err = named("mag"), named("mag_err")
    undetected = magnitude == NOT_DETECTED
    flux = np.where(undetected, 0.0, 10 ** (-0.4 * (magnitude - ZERO_POINT_NJY)))
    limit = 10 ** (-0.4 * (err - ZERO_POINT_NJY))
    flux_err = np.where(undetected, np.log(2) * limit, flux * err * np.log(10) / 2.5)
    redshift = columns[f"{part}_redshift"].astype(np.float32)
    return PhotometricGalaxies(
        ids=columns[f"{part}_id"],
        bands=tuple(BANDS),
        flux_njy=flux.astype(np.float32),
        flux_err_njy=flux_err.astype(np.float32),
        redshift=redshift,
        redshift_err=np.zeros_like(redshift),
        ebv=None,
        name=f"DC2, {part} file of RAIL",
    )


def _our_density(training: PhotometricGalaxies, test: PhotometricGalaxies, grid: np.ndarray) -> np.ndarray:
    part = Split(fractions=VALIDATION).parts(training.ids)
    model, _ = train_photometry(
        training.select(part == "train"), training.select(part == "validation"), config=CONFIG
    )
    return predict_galaxies(model, test).densities.on_grid(grid)


def _score(grid: np.ndarray, density: np.ndarray, redshift: np.ndarray) -> Scored:
    """Every method by the same rules, from its density at the points of the grid, made one."""
    density = made_one(grid, density)
    predicted = {"median": quantiles(grid, density, 0.5), "mode": grid[np.argmax(density, axis=1)]}
    points = {
        (point, name): function(redshift, predicted[point], scale=1 + redshift)
        for point in POINTS
        for name, function in NUMBERS.items()
    }
    return Scored(points, float(np.mean(cde_loss(redshift, grid, density))))


def made_one(grid: np.ndarray, density: np.ndarray) -> np.ndarray:
    """Densities that integrate to one on the grid, whatever was said."""
    density = np.nan_to_num(density.astype(np.float64), nan=0.0, posinf=0.0)
    # The flow says NaN of a few galaxies; a density that lies beyond the grid says nothing on it.
    density[np.trapezoid(density, grid, axis=1) < LEAST_INTEGRAL] = 1.0
    return density / np.trapezoid(density, grid, axis=1)[:, None]


def quantiles(grid: np.ndarray, density: np.ndarray, level: float) -> np.ndarray:
    """Where the densities have so much below."""
    return np.array([np.interp(level, row, grid) for row in below(grid, density)])


def below(grid: np.ndarray, density: np.ndarray) -> np.ndarray:
    """Integrals of the densities up to each point of the grid."""
    steps = 0.5 * (density[:, 1:] + density[:, :-1]) * np.diff(grid)
    return np.concatenate([np.zeros((len(density), 1)), np.cumsum(steps, axis=1)], axis=1)


def _result(about: str, ours: Scored, rail: dict[str, Scored]) -> Result:
    checks = {}
    for name in COMPARED:
        best = min(one.points[point, name] for one in rail.values() for point in POINTS)
        checks[name] = Check(f"{name} of the median", ours.points["median", name], Target(most=best))
    best = min(one.cde_loss for one in rail.values())
    checks["CDE loss"] = Check("CDE loss", ours.cde_loss, Target(most=best))
    rows = [_row(OURS, "median", ours, checks), _row(OURS, "mode", ours, {})]
    rows += [_row(f"RAIL, {name}", point, one, {}) for name, one in rail.items() for point in POINTS]
    return Result(
        "photoz/dc2",
        "Redshifts from fluxes, beside RAIL",
        about,
        ("method", "estimate", *NUMBERS, "CDE loss"),
        rows,
    )


def _row(method: str, point: str, scored: Scored, checks: dict[str, Check]) -> Row:
    cells = {name: scored.points[point, name] for name in NUMBERS} | {"CDE loss": scored.cde_loss}
    return [method, point, *(cells | checks).values()]


def _about(training: int, test: int) -> str:
    return (
        f"Rubin DC2 as `pz-rail-base` ships it: every method learns from the {training:,} galaxies of its "
        f"training file and is tested on the {test:,} of its validation file. RAIL's estimators have their "
        "default settings, and in second versions more neighbours to choose from and magnitude errors as "
        "features; neighbours and FlexZBoost tune themselves. Every setting of `photometry` was chosen on a "
        "part of the training file, a tenth of which says when to stop. All densities are taken at the 301 "
        "points of RAIL's grid, redshifts 0 to 3, and made to integrate to one there (one that is NaN, or "
        "zero all over the grid, counts as flat); estimates follow from these. Marks: no worse than the best "
        "number of RAIL's, whichever method and estimate it is from. "
        "Outliers (PITA) lie beyond 0.15, outliers (RAIL) beyond max(0.06, 3 sigma_IQR) of the method, so "
        "that a method of twice the scatter is allowed twice the error; for like with like there is the "
        "share beyond 0.06."
    )
