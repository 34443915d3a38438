"""Ours beside RAIL's estimators on real galaxies, with many and few labels."""

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from benchmarks.photoz.catalogues import Catalogue, goods_s, zcosmos
from benchmarks.photoz.dc2 import ZERO_POINT_NJY, below, made_one, quantiles, rail_python
from benchmarks.photoz.rail_dc2 import PACKAGES
from benchmarks.photoz.rail_real import ESTIMATORS, NOT_DETECTED
from benchmarks.photoz.real import (
    COMBINED,
    PHOTOMETRY,
    TEMPLATE,
    Parts,
    both,
    folds,
    networks,
    split,
    templates,
)
from benchmarks.results import Check, Result, Target
from benchmarks.settings import REPOSITORY, RUNS, Settings
from nebulium.data.output import replace_on_success
from nebulium.metrics.point import nmad, outlier_fraction
from nebulium.metrics.probabilistic import Estimate, bootstrap, cde_loss
from nebulium.photometry.galaxies import PhotometricGalaxies
from nebulium.photoz.predict import predict_galaxies

#: Points at which all densities are taken.
GRIDS = {"GOODS-S": np.linspace(0.0, 6.0, 601), "zCOSMOS": np.linspace(0.0, 2.0, 401)}
#: The band near i, whose magnitude RAIL's estimators take beside the colours, and BPZ for its prior.
REFERENCES = ("ACS_F775W", "i", "f814w")
#: Labels of which there are few.
FEW = {"GOODS-S": (50, 200), "zCOSMOS": (50, 200, 1000)}
#: RAIL's estimators with few labels.
WITH_FEW = ("k-nearest neighbours, tuned", "FlexZBoost, tuned")
#: Of the labels, those that validate networks and weigh them against templates.
VALIDATION, LEAST_VALIDATION = 0.1, 5
OURS = (PHOTOMETRY, COMBINED)
RAIL = "RAIL, "

Row = Float[np.ndarray, " n"]


@dataclass(frozen=True)
class Scored:
    """What one method says of n galaxies: medians, probability below the true redshifts, losses."""

    true: Row
    median: Row
    below: Row
    loss: Row


Methods = dict[str, Scored]
NUMBERS: dict[str, Callable[[Row, Row, Row, Row], float]] = {
    "NMAD": lambda true, median, *_: nmad(true, median, scale=1.0 + true),
    "outliers": lambda true, median, *_: outlier_fraction(true, median, scale=1.0 + true),
    "in 68 %": lambda _, __, under, ___: float(np.mean(np.abs(under - 0.5) < 0.34)),
    "in 95 %": lambda _, __, under, ___: float(np.mean(np.abs(under - 0.5) < 0.475)),
    "CDE loss": lambda *columns: float(np.mean(columns[3])),
}
COMPARED = ("NMAD", "outliers", "CDE loss")


@dataclass(frozen=True)
class Sky:
    """A catalogue as templates see it and as all others do, and what is learnt from and scored."""

    name: str
    seen_by_templates: Catalogue
    parts: Sequence[Parts]
    parts_of_templates: Sequence[Parts]


def measure(settings: Settings) -> Iterator[Result]:
    """All labels."""
    found = {sky.name: _all_methods(sky, tuple(ESTIMATORS)) for sky in skies()}
    yield _scores(found)
    yield _differences(found)


def measure_few(settings: Settings) -> Iterator[Result]:
    """Few labels."""
    rows = []
    for sky in skies():
        for labels in FEW[sky.name]:
            found = _all_methods(_with_few(sky, labels), WITH_FEW)
            rows += [[sky.name, labels, method, *estimates(one).values()] for method, one in found.items()]
    yield _few_labels(rows)


def skies() -> list[Sky]:
    """Both, with all their labels."""
    whole, cosmos = goods_s(), zcosmos()
    of_nine = split(zcosmos("g").galaxies)
    return [
        Sky("zCOSMOS", cosmos, [of_nine], [split(cosmos.galaxies)]),
        Sky("GOODS-S", whole, folds(whole.galaxies), folds(whole.galaxies)),
    ]


def _with_few(sky: Sky, labels: int) -> Sky:
    """The same galaxies scored after so many labels, drawn from those that there are."""
    drawn = []
    for seed, pair in enumerate(zip(sky.parts, sky.parts_of_templates, strict=True)):
        ids = np.random.default_rng(seed).permutation(labelled(pair[0]).ids)[:labels]
        drawn.append([_reduced(parts, ids) for parts in pair])
    return replace(sky, parts=[one[0] for one in drawn], parts_of_templates=[one[1] for one in drawn])


def _reduced(parts: Parts, ids: np.ndarray) -> Parts:
    """With these labels alone."""
    known = labelled(parts)
    place = {one: row for row, one in enumerate(known.ids.tolist())}
    rows = np.array([place[one] for one in ids.tolist()])
    validates = max(LEAST_VALIDATION, round(VALIDATION * len(ids)))
    return Parts(known.select(rows[validates:]), known.select(rows[:validates]), parts.test)


def labelled(parts: Parts) -> PhotometricGalaxies:
    """All that a model may be made from."""
    fields = ("ids", "flux_njy", "flux_err_njy", "redshift", "redshift_err")
    pair = parts.training, parts.validation
    joined = {name: np.concatenate([getattr(one, name) for one in pair]) for name in fields}
    return replace(parts.training, **joined)


def _all_methods(sky: Sky, estimators: Sequence[str]) -> Methods:
    """Ours and RAIL's, the galaxies of all parts one after the other."""
    grid = GRIDS[sky.name]
    density: dict[str, list[np.ndarray]] = {}
    for parts, of_templates in zip(sky.parts, sky.parts_of_templates, strict=True):
        theirs = rail_densities(parts, grid, estimators)
        for method, one in (_our_densities(sky, parts, of_templates, grid) | theirs).items():
            density.setdefault(method, []).append(one)
    true = np.concatenate([parts.test.redshift for parts in sky.parts]).astype(np.float64)
    return {method: scored(grid, np.concatenate(found), true) for method, found in density.items()}


def _our_densities(sky: Sky, parts: Parts, of_templates: Parts, grid: np.ndarray) -> dict[str, np.ndarray]:
    """`template`'s bands are fitted to all labels; `combined` sees its bands."""
    template, _ = templates(sky.seen_by_templates, labelled(of_templates), fit=True)
    alone = networks(parts)
    same = parts.test.bands == of_templates.test.bands
    pooled = both(alone if same else networks(of_templates), template, of_templates)
    models: Mapping[str, Any] = {PHOTOMETRY: alone, COMBINED: pooled, TEMPLATE: template}
    tests = {PHOTOMETRY: parts.test}
    return {
        name: predict_galaxies(model, tests.get(name, of_templates.test)).densities.on_grid(grid)
        for name, model in models.items()
    }


def rail_densities(parts: Parts, grid: np.ndarray, estimators: Sequence[str]) -> dict[str, np.ndarray]:
    """RAIL in its own interpreter; what it has said of the same galaxies before is taken again."""
    arrays = {"grid": grid, "limits": limits(parts.training), "estimators": np.array(estimators)}
    for part, galaxies in {"training": labelled(parts), "test": parts.test}.items():
        mag, err = magnitudes(galaxies)
        columns = {"mag": mag, "err": err, "redshift": galaxies.redshift}
        arrays |= {f"{part}_{kind}": column for kind, column in columns.items()}
    arrays["reference"] = reference_band(parts.test)
    modules = tuple(f"rail.estimation.algos.{ESTIMATORS[name][0]}" for name in estimators)
    found = run_foreign("rail_real", arrays, modules, PACKAGES)
    return {RAIL + name: found[name] for name in estimators}


def run_foreign(
    script: str, arrays: Mapping[str, np.ndarray], modules: Sequence[str], packages: Sequence[str]
) -> dict[str, np.ndarray]:
    """Arrays that a script writes, in RAIL's interpreter; kept in `runs/rail` as long as nothing changes."""
    digest = hashlib.sha256((REPOSITORY / "benchmarks" / "photoz" / f"{script}.py").read_bytes())
    for name, array in arrays.items():
        digest.update(name.encode() + np.ascontiguousarray(array).tobytes())
    kept = RUNS / "rail" / f"{digest.hexdigest()[:16]}.npz"
    if not kept.exists():
        python = rail_python(modules, packages)
        kept.parent.mkdir(parents=True, exist_ok=True)
        # Many small trees: threads would wait for one another.
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
        with tempfile.TemporaryDirectory() as scratch, replace_on_success(kept) as partial:
            source = Path(scratch) / "input.npz"
            np.savez(source, **arrays)
            command = [python, "-m", f"benchmarks.photoz.{script}", str(source), str(partial)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    with np.load(kept) as found:
        return dict(found)


def magnitudes(galaxies: PhotometricGalaxies) -> tuple[np.ndarray, np.ndarray]:
    """AB magnitudes and errors as RAIL takes them: what is fainter than its error was not detected."""
    flux, err = galaxies.flux_njy.astype(np.float64), galaxies.flux_err_njy.astype(np.float64)
    detected = np.isfinite(flux) & (flux > err)
    usable = np.where(detected, flux, 1.0)
    mag = np.where(np.isfinite(flux), NOT_DETECTED, np.nan)
    mag = np.where(detected, ZERO_POINT_NJY - 2.5 * np.log10(usable), mag)
    return mag, np.where(detected, 2.5 / np.log(10) * err / usable, 1.0)


def reference_band(galaxies: PhotometricGalaxies) -> np.ndarray:
    """Place of the band near i."""
    return np.flatnonzero(np.isin(galaxies.bands, REFERENCES))[0]


def limits(galaxies: PhotometricGalaxies) -> np.ndarray:
    """Magnitude of a typical error in each band."""
    return ZERO_POINT_NJY - 2.5 * np.log10(np.nanmedian(galaxies.flux_err_njy.astype(np.float64), axis=0))


def scored(grid: np.ndarray, density: np.ndarray, true: Row) -> Scored:
    """Every method by the same rules."""
    density = made_one(grid, density)
    under = np.array([
        np.interp(one, grid, row) for one, row in zip(true, below(grid, density), strict=True)
    ])  # fmt: skip
    return Scored(true, quantiles(grid, density, 0.5), under, cde_loss(true, grid, density))


def estimates(found: Scored) -> dict[str, Estimate]:
    """Numbers with their errors, by name."""
    return {name: bootstrap(number, *vars(found).values(), seed=1) for name, number in NUMBERS.items()}


def _scores(found: Mapping[str, Methods]) -> Result:
    rows = [
        [sky, method, *estimates(one).values()]
        for sky, methods in found.items()
        for method, one in methods.items()
    ]
    return Result(
        "photoz/rail", "Real galaxies, beside RAIL", _about(), ("galaxies", "method", *NUMBERS), rows
    )


def _differences(found: Mapping[str, Methods]) -> Result:
    """Ours less each of RAIL's, the galaxies of both drawn together."""
    rows: list[list[Any]] = []
    for sky, methods in found.items():
        for mine in OURS:
            for theirs in (name for name in methods if name.startswith(RAIL)):
                cells = [
                    _compared(f"{sky}, {mine} less {theirs}", methods, mine, theirs, name)
                    for name in COMPARED
                ]
                rows.append([sky, mine, theirs, *cells])
    return Result(
        "photoz/rail_differences",
        "Ours less RAIL's",
        "The table above in differences of the first method less the second, below 0 where ours is better; "
        "galaxies are drawn again for both at once. Marks: no worse than this error.",
        ("galaxies", "ours", "theirs", *COMPARED),
        rows,
    )


def _compared(quantity: str, methods: Methods, mine: str, theirs: str, name: str) -> Check:
    number, columns = NUMBERS[name], [tuple(vars(methods[one]).values()) for one in (mine, theirs)]
    found = bootstrap(
        lambda *drawn: number(*drawn[:4]) - number(*drawn[4:]), *columns[0], *columns[1], seed=1
    )
    return Check(f"{quantity}: {name}", found, Target(most=found.error))


def _few_labels(rows: list[list[Any]]) -> Result:
    return Result(
        "photoz/rail_few_labels",
        "Real galaxies with few labels",
        "The same galaxies scored as beside RAIL, after labels drawn at random from those that there were: "
        "in GOODS-S a draw for each fifth, in zCOSMOS one. A tenth of the labels, five at least, validate "
        "the networks and weigh them against `template`, whose zero points and band errors are fitted to all "
        "of them. Bootstrap errors over galaxies, not draws.",
        ("galaxies", "labels", "method", *NUMBERS),
        rows,
    )


def _about() -> str:
    return (
        "GOODS-S: 13 bands, each galaxy by models of the other four of five parts. zCOSMOS: secure "
        "redshifts, test part; `photometry` and RAIL's estimators see nine bands, `template` and `combined` "
        "the eight whose filters are at hand. All learn from the same labels: of them RAIL's methods set "
        "aside a quarter, with which they tune themselves by the CDE loss, `photometry` and `combined` a "
        "tenth. RAIL's come as they are shipped, fluxes below their error being not detected and bands not "
        "observed replaced by the limit, as RAIL does with what is not detected; and tuned: neighbours up to "
        "15, narrower kernels, bands not observed interpolated in magnitude between their neighbours; "
        "FlexZBoost with errors, twice as many functions, shallower trees that learn more slowly, and bands "
        "not observed left out, which its trees can do; these settings were made once by hand, not "
        "searched. That `photometry` whitens magnitudes and fills gaps was chosen on two fifths of GOODS-S, "
        "drawn otherwise, and the validation part of zCOSMOS. All densities are taken on one grid and made "
        "to integrate to one, as for DC2. Medians; bootstrap errors; outliers lie beyond 0.15."
    )
