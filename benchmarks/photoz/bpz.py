"""`template` beside BPZ as RAIL ships it, on GOODS-S, zCOSMOS and the Hubble Deep Field North."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.photoz.beside_rail import (
    GRIDS,
    NUMBERS,
    estimates,
    labelled,
    limits,
    magnitudes,
    reference_band,
    run_foreign,
    scored,
)
from benchmarks.photoz.catalogues import TO_KS, goods_s, zcosmos
from benchmarks.photoz.hdfn import DEFAULT, hdfn_filters, hdfn_galaxies, hdfn_model
from benchmarks.photoz.rail_bpz import PACKAGES, TEMPLATES
from benchmarks.photoz.real import TEMPLATE, folds, split, templates
from benchmarks.results import Result
from benchmarks.settings import Settings
from nebulium.photometry.galaxies import PhotometricGalaxies
from nebulium.photoz.predict import predict_galaxies
from nebulium.photoz.templates.model import TemplateModel
from nebulium.sed.filters import Filters, load_filters

MODULES = ("rail.estimation.algos.bpz_lite",)
NO_REDSHIFTS = f"{TEMPLATE}, no redshifts"
FITTED = "zero points of `template`"
# BPZ's prior has no galaxies at redshift 0.
LEAST_REDSHIFT = 0.005


@dataclass(frozen=True)
class Case:
    """Galaxies to score, and the models of `template` that see them, each with the rows that it sees.

    Attributes
    ----------
    zero_points : array (n, band), optional
        Added to the magnitudes of each galaxy, mag.
    """

    name: str
    galaxies: PhotometricGalaxies
    filters: Filters
    models: dict[str, list[tuple[TemplateModel, np.ndarray]]]
    zero_points: np.ndarray | None = None


def measure(settings: Settings) -> Iterator[Result]:
    """The same galaxies, magnitudes and filters for both."""
    rows: list[list[Any]] = []
    for case in (_goods_s(), _zcosmos(), _hdfn()):
        grid = GRIDS.get(case.name, GRIDS["GOODS-S"])
        grid = grid[grid >= LEAST_REDSHIFT]
        density = {name: _of_models(models, case.galaxies, grid) for name, models in case.models.items()}
        density |= _bpz(case, grid)
        true = case.galaxies.redshift.astype(np.float64)
        rows += [
            [case.name, method, *estimates(scored(grid, one, true)).values()]
            for method, one in density.items()
        ]
    yield _result(rows)


def _goods_s() -> Case:
    catalogue = goods_s(TO_KS)
    galaxies, nobody = catalogue.galaxies, catalogue.galaxies.select(slice(0, 0))
    place = {one: row for row, one in enumerate(galaxies.ids.tolist())}
    fitted, moved = [], np.zeros(galaxies.flux_njy.shape)
    for parts in folds(galaxies):
        rows = np.array([place[one] for one in parts.test.ids.tolist()])
        model, change = templates(catalogue, labelled(parts), fit=True)
        fitted.append((model, rows))
        moved[rows] = change.zero_point_mag
    everyone = np.arange(len(galaxies))
    unlabelled = [(templates(catalogue, nobody, fit=False)[0], everyone)]
    models = {TEMPLATE: fitted, NO_REDSHIFTS: unlabelled}
    return Case("GOODS-S", galaxies, load_filters(*catalogue.filters), models, moved)


def _zcosmos() -> Case:
    catalogue = zcosmos()
    parts = split(catalogue.galaxies)
    everyone, nobody = np.arange(len(parts.test)), parts.test.select(slice(0, 0))
    model, change = templates(catalogue, labelled(parts), fit=True)
    unlabelled = templates(catalogue, nobody, fit=False)[0]
    models = {TEMPLATE: [(model, everyone)], NO_REDSHIFTS: [(unlabelled, everyone)]}
    moved = np.tile(change.zero_point_mag, (len(parts.test), 1))
    return Case("zCOSMOS", parts.test, load_filters(*catalogue.filters), models, moved)


def _hdfn() -> Case:
    everything = hdfn_galaxies()
    known = everything.select(np.isfinite(everything.redshift))
    models = {NO_REDSHIFTS: [(hdfn_model(DEFAULT), np.arange(len(known)))]}
    return Case("Hubble Deep Field North", known, hdfn_filters(), models)


def _of_models(
    models: list[tuple[TemplateModel, np.ndarray]], galaxies: PhotometricGalaxies, grid: np.ndarray
) -> np.ndarray:
    density = np.zeros((len(galaxies), len(grid)))
    for model, rows in models:
        density[rows] = predict_galaxies(model, galaxies.select(rows)).densities.on_grid(grid)
    return density


def _bpz(case: Case, grid: np.ndarray) -> dict[str, np.ndarray]:
    """With each set of templates, and where there are zero points with and without them."""
    mag, err = magnitudes(case.galaxies)
    edges = np.asarray(case.filters.edges_aa, np.float64)
    wave = 0.5 * (edges[:, 1:] + edges[:, :-1])
    # Transmission for photons, which BPZ weighs by wavelength itself.
    filters = np.stack([wave, np.asarray(case.filters.response, np.float64) * wave], axis=1)
    arrays = {
        "err": err,
        "grid": grid,
        "limits": limits(case.galaxies),
        "reference": reference_band(case.galaxies),
        "filters": filters,
    }
    moved = {"": 0.0} | ({} if case.zero_points is None else {f", {FITTED}": case.zero_points})
    return {
        f"BPZ, {name}{suffix}": run_foreign("rail_bpz", {**arrays, "mag": mag + by}, MODULES, PACKAGES)[name]
        for suffix, by in moved.items()
        for name in TEMPLATES
    }


def _result(rows: list[list[Any]]) -> Result:
    return Result(
        "photoz/bpz",
        "Templates beside BPZ",
        "BPZ as `pz-rail-bpz` ships it, with both sets of templates that come with RAIL and their priors, "
        "absorption by intergalactic gas switched on, all else as it comes, among it an error of 0.1 mag in "
        "each band. GOODS-S: eleven bands U to Ks, `template`'s zero points and errors fitted to the other "
        "four of five parts. zCOSMOS: eight bands, test part, fitted to the rest. The Hubble Deep Field: "
        "seven bands, nothing fitted. BPZ fits no zero points; a second version is given those of "
        "`template`. The prior's magnitude is that near i. EAZY and LePhare were left out: their packages "
        "bring no templates, and those could not be had where this ran. What was looked at when `template` "
        "was made tells the table of real galaxies. All densities on one grid; medians; bootstrap errors; "
        "outliers lie beyond 0.15.",
        ("galaxies", "method", *NUMBERS),
        rows,
    )
