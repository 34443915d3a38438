"""The populations of `nebulium.mock` against the catalogue and the relations that they are made from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.results import CHECK_COLUMNS, Check, Result, Row, Target
from benchmarks.settings import Settings, data_folder
from benchmarks.weights.candels_recipe import cuts, requantise, rows_of, split
from nebulium.data.tables.reading import read_table
from nebulium.metrics.two_sample import classifier_auc
from nebulium.mock.populations import relations
from nebulium.mock.populations.candels import candels_population
from nebulium.mock.populations.properties import GalaxyProperties
from nebulium.mock.populations.sdss import least_log_mass, sdss_population
from nebulium.sed.cosmology import age_gyr

GALAXIES = 200_000
SEED = 11
BIN_DEX, LEAST_IN_BIN = 0.25, 200
QUIESCENT_BELOW_DEX = 1.0  # a galaxy so far below the ridge of the main sequence counts as quiescent
MOST_AUC, MOST_DEX = 0.56, 0.1


def measure(settings: Settings) -> list[Result]:
    """AUC of `candels` on test rows; medians of both populations beside published relations."""
    return [_catalogue(), _relations()]


def _catalogue() -> Result:
    table = read_table(data_folder() / "hst" / "3dhst_fast_eazy.parquet")
    kept, part = np.all(list(cuts(table).values()), axis=0), split(table)
    rows = requantise(rows_of(table))
    test, train = rows[kept & (part == "test")], rows[kept & (part == "train")]
    found = classifier_auc(test, _samples(len(test)), seed=SEED)
    other = np.random.default_rng(SEED).choice(len(train), len(test), replace=False)
    check = Check("test rows against samples", found, Target(most=MOST_AUC))
    ceiling = classifier_auc(test, train[other], seed=SEED)
    perfect = ["test rows against as many training rows", ceiling, "none"]
    return Result(
        "mock/candels",
        "The population candels against 3D-HST",
        "Area under the ROC curve of gradient-boosted trees, five-fold, over redshift, mass, tau, age and "
        "A_V: "
        f"all {len(test):,} rows of the 3D-HST table that pass the named cuts and whose hash of field and "
        "id puts them into the test part, which neither training nor any choice has seen, against as many "
        "samples of the packaged flow, rounded to the grids of the table. The second line is what a "
        "perfect population would reach.",
        CHECK_COLUMNS,
        [check.row, perfect],
    )


def _samples(n: int) -> np.ndarray:
    keys = jax.random.split(jax.random.key(SEED), n)
    return requantise(np.asarray(jax.jit(jax.vmap(candels_population().flow.sample))(keys), np.float64))


@dataclass(frozen=True)
class _Sample:
    """Galaxies of a population, with what the relations need beside their properties."""

    galaxies: GalaxyProperties
    log_sfr: np.ndarray
    ridge: np.ndarray

    def column(self, name: str) -> np.ndarray:
        return np.asarray(getattr(self.galaxies, name), np.float64)

    def star_forming(self) -> np.ndarray:
        return self.log_sfr > self.ridge - QUIESCENT_BELOW_DEX


def _draw(population: Any, ridge: Callable[[Any, Any], Any]) -> _Sample:
    def one(key: Any) -> tuple[GalaxyProperties, Any, Any]:
        galaxy = population.draw(key)
        return galaxy, galaxy.log_sfr(), ridge(galaxy.log_mstar, galaxy.redshift)

    galaxies, log_sfr, ridges = jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(SEED), GALAXIES))
    return _Sample(galaxies, np.asarray(log_sfr, np.float64), np.asarray(ridges, np.float64))


def _relations() -> Result:
    near = _draw(sdss_population(), relations.main_sequence)
    far = _draw(candels_population(), lambda m, z: relations.main_sequence_speagle14(m, age_gyr(z)))
    checks = [*_near_checks(near), *_far_checks(far)]
    name = "sdss: fundamental metallicity relation, Curti et al. 2020, 8.5 to 11.5 / dex"
    others = [[name, _fundamental(near), "none"], *_rates(far)]
    return Result(
        "mock/relations",
        "Populations against published relations",
        f"Largest difference, over bins of {BIN_DEX} dex in mass with at least {LEAST_IN_BIN} galaxies, "
        f"between the median of {GALAXIES:,} galaxies as drawn, before any selection on light, and the "
        "published relation at their median mass. Star-forming: no more than 1 dex below the ridge of the "
        "main sequence. Lines without a target are no promise: the two metallicity relations of Curti "
        "et al. differ for low masses, and the population follows the first; and the rates of `candels` are "
        "those of the fits of 3D-HST, which lie below the main sequence.",
        CHECK_COLUMNS,
        [*(check.row for check in checks), *others],
    )


def _near_checks(near: _Sample) -> list[Check]:
    z, mass, forming = near.column("redshift"), near.column("log_mstar"), near.star_forming()
    local = forming & (z > 0.02) & (z < 0.085)
    limits = jax.vmap(lambda one: least_log_mass(one, jnp.asarray(True)))(near.galaxies.redshift)
    both = mass > np.asarray(limits)  # where the limits in mass cut neither type
    fraction = _worst(
        mass, (~forming).astype(float), both, (9.0, 11.5), relations.quiescent_fraction, np.mean
    )
    return [
        _check("sdss: main sequence, Renzini & Peng 2015, 8.5 to 11.25, 0.02 < z < 0.085 / dex",
               _worst(mass, near.log_sfr, local, (8.5, 11.25), lambda m: 0.76 * m - 7.64)),
        _check("sdss: gas metallicity by mass, Curti et al. 2020, 8 to 11.5 / dex",
               _worst(mass, near.column("oh12"), forming, (8.0, 11.5), relations.oh12_mass_local)),
        _check("sdss: stellar metallicity, Gallazzi et al. 2005, 9 to 11.9 / dex",
               _worst(mass, near.column("lgmet"), np.full(len(mass), True), (9.0, 11.9), _gallazzi)),
        _check("sdss: A_V, Garn & Best 2010, 8.75 to 11.5 / mag",
               _worst(mass, near.column("av_mag"), forming, (8.75, 11.5), relations.av_stars)),
        _check("sdss: quiescent fraction, Peng et al. 2010, 9 to 11.5", fraction),
    ]  # fmt: skip


def _far_checks(far: _Sample) -> list[Check]:
    z, mass, forming = far.column("redshift"), far.column("log_mstar"), far.star_forming()
    oh12 = far.column("oh12")
    return [
        _check(f"candels: gas metallicity by mass, Sanders et al. 2021, 9 to 10.5, z = {middle} / dex",
               _worst(mass, oh12, forming & (np.abs(z - middle) < 0.15), (9.0, 10.5), relation))
        for middle, relation in ((2.3, _sanders(8.51, 0.30)), (3.3, _sanders(8.41, 0.29)))
    ]  # fmt: skip


def _rates(far: _Sample) -> list[Row]:
    """Rates of `candels`, which are those of the catalogue, beside a published main sequence."""
    z, mass, forming = far.column("redshift"), far.column("log_mstar"), far.star_forming()
    rows = []
    for low, high in ((0.5, 1.0), (1.0, 2.0), (2.0, 3.0)):
        inside = forming & (z > low) & (z < high)
        worst = _worst(mass, far.log_sfr - far.ridge, inside, (9.7, 11.1), np.zeros_like)
        name = f"candels: main sequence, Speagle et al. 2014, 9.7 to 11.1, {low:g} < z < {high:g} / dex"
        rows.append([name, worst, "none"])
    return rows


def _check(quantity: str, value: float) -> Check:
    return Check(quantity, value, Target(most=MOST_DEX))


def _sanders(at_ten: float, slope: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda mass: at_ten + slope * (mass - 10.0)


def _gallazzi(mass: np.ndarray) -> np.ndarray:
    half = jnp.asarray(0.5)
    return np.asarray(jax.vmap(lambda one: relations.lgmet_stars_quantile(one, half))(jnp.asarray(mass)))


def _fundamental(near: _Sample) -> float:
    """Residuals about the relation, which depends on two quantities."""
    mass = near.column("log_mstar")
    rate = jnp.asarray(near.log_sfr, jnp.float32)
    expected = np.asarray(relations.oh12_fundamental(near.galaxies.log_mstar, rate))
    kept = near.star_forming() & (np.abs(near.log_sfr) < 1.5)
    return _worst(mass, near.column("oh12") - expected, kept, (8.5, 11.5), np.zeros_like)


def _worst(
    mass: np.ndarray,
    value: np.ndarray,
    kept: np.ndarray,
    masses: tuple[float, float],
    relation: Callable[[Any], Any],
    middle_of: Callable[[np.ndarray], Any] = np.median,
) -> float:
    """Largest difference of the bins' medians from a relation; NaN without a full bin."""
    differences = [np.nan]
    for low in np.arange(masses[0], masses[1] - BIN_DEX + 1e-6, BIN_DEX):
        inside = kept & (mass >= low) & (mass < low + BIN_DEX)
        if inside.sum() >= LEAST_IN_BIN:
            # At the middle of its galaxies, as the mass function is steep within a bin.
            centre = np.atleast_1d(np.float32(np.median(mass[inside])))
            differences.append(abs(float(middle_of(value[inside])) - float(np.asarray(relation(centre))[0])))
    return float(np.nanmax(differences)) if len(differences) > 1 else np.nan
