"""Light of mock galaxies: its speed, its gradient against differences, its magnitudes against an integral."""

import time
from functools import cache

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.processes import answer_of
from benchmarks.results import CHECK_COLUMNS, Check, Result, Target
from benchmarks.settings import Settings, line_model
from nebulium.lines.injection.profiles import line_spectrum
from nebulium.mock.light import Light, LightModel, make_light_model
from nebulium.mock.populations.properties import GalaxyProperties
from nebulium.mock.structure import draw_structure
from nebulium.sed import Galaxy, load_filters, load_ssp, rest_spectrum
from nebulium.sed.cosmology import luminosity_distance_mpc
from nebulium.sed.dust import CalzettiDust
from nebulium.sed.igm import LYMAN_LIMIT_AA, LYMAN_SERIES

BANDS = ("acs_wfc_f606w", "acs_wfc_f814w", "wfc3_ir_f125w", "wfc3_ir_f160w")
BATCH, BATCHES = 64, 16
STEP = 1e-5  # of the finite differences: few lines then cross an edge between two steps of a filter
# Differences need double precision, a setting of the whole process; the weights are loaded as they are saved.
DIFFERENCES = """
import json, sys
import jax
from benchmarks.mock.light import finite_differences
from benchmarks.settings import line_model
line_model(sys.argv[1])
jax.config.update("jax_enable_x64", True)
print(json.dumps(finite_differences(sys.argv[1]).tolist()))
"""
# Redshift, log mass, age, tau, A_V, oh12, log Z, share of the bulge: a star-forming galaxy, a quiescent one,
# and two so far away that hydrogen dims the bluest band.
GALAXIES = (
    (0.12, 10.0, 7.0, 3.0, 0.4, 8.8, -1.9, 0.3),
    (0.65, 11.0, 6.0, 0.6, 0.1, 9.0, -1.7, 0.7),
    (3.2, 10.2, 1.2, 0.7, 0.6, 8.4, -2.1, 0.2),
    (4.4, 9.5, 0.5, 0.9, 0.2, 8.2, -2.4, 0.1),
)


class FixedDraw(eqx.Module):
    """The line model, always with the same draw: random numbers differ between precisions."""

    model: eqx.Module
    scores: jax.Array

    def density(self, continuum_flux: jax.Array, redshift: jax.Array) -> "FixedDraw":
        """The law of this continuum, kept for `sample`."""
        return FixedDraw(self.model.density(continuum_flux, redshift), self.scores)

    def sample(self, key: jax.Array, n: int) -> jax.Array:
        """The one draw."""
        correlated = jnp.linalg.cholesky(self.model.correlation) @ self.scores
        return jnp.broadcast_to(self.model.at_scores(correlated), (n, 10))

    def features(self, continuum_flux: jax.Array, redshift: jax.Array) -> jax.Array:
        """Those of the model."""
        return self.model.features(continuum_flux, redshift)

    @property
    def domain(self) -> eqx.Module:
        """That of the model."""
        return self.model.domain


def measure(settings: Settings) -> list[Result]:
    """Galaxies a second, and the largest differences."""
    checks = [
        Check("galaxies a second, spectra with lines", _speed(settings), Target(least=1200)),
        Check(
            "gradient of magnitudes and component fluxes: largest relative difference",
            _gradient_difference(settings.colours_model),
            Target(most=1e-3),
        ),
        Check(
            "magnitudes against an independent integral / mag",
            _magnitude_difference(settings.colours_model),
            Target(most=1e-3),
        ),
    ]
    return [
        Result(
            "mock/light",
            "Light of mock galaxies",
            f"Three components, ten drawn lines and {len(BANDS)} bands, F606W to F160W, jitted in batches "
            f"of {BATCH}; the fastest of {settings.repeats} runs. The gradient is that of magnitudes and "
            "logarithms of component fluxes with respect to every property and the bulge's share, in single "
            "precision, against central differences in double precision, relative to the gradient's largest "
            f"entry for that property; {len(GALAXIES)} galaxies, redshift {GALAXIES[0][0]} to "
            f"{GALAXIES[-1][0]}. The integral is in double precision on a grid of 0.5 AA at rest, with the "
            "printed formulae of Inoue et al. (2014), Gaussian lines and the filters' own curves.",
            CHECK_COLUMNS,
            [check.row for check in checks],
        )
    ]


@cache
def light_model(colours_model: str) -> LightModel:
    """The model of the four bands of CANDELS."""
    return make_light_model(load_filters(*BANDS), line_model(colours_model))


def random_properties(n: int) -> GalaxyProperties:
    """Galaxies of all kinds."""
    rng = np.random.default_rng(0)
    ranges = ((0.01, 6.0), (8.0, 11.5), (0.1, 10.0), (0.1, 10.0), (0.0, 2.0), (8.0, 9.2), (-3.0, -1.5))
    return GalaxyProperties(*(rng.uniform(*ends, n).astype(np.float32) for ends in ranges))


def _speed(settings: Settings) -> float:
    model = light_model(settings.colours_model)
    properties = random_properties(BATCH)
    keys = jax.random.split(jax.random.key(0), BATCH)
    structure = jax.vmap(draw_structure)(properties, keys)
    batch = eqx.filter_jit(lambda m, p, s, k: jax.vmap(m)(p, s, k))
    jax.block_until_ready(batch(model, properties, structure, keys))
    seconds = []
    for _ in range(settings.repeats):
        start = time.perf_counter()
        for _ in range(BATCHES):
            jax.block_until_ready(batch(model, properties, structure, keys))
        seconds.append(time.perf_counter() - start)
    return BATCH * BATCHES / min(seconds)


def observables(model: LightModel, parameters: jax.Array) -> jax.Array:
    """Magnitudes and logarithms of component fluxes of a galaxy of `GALAXIES`."""
    light = _light(model, parameters)
    return jnp.concatenate([light.mag_ab, jnp.log10(light.flux_njy).ravel()])


def _light(model: LightModel, parameters: jax.Array) -> Light:
    properties = GalaxyProperties(*parameters[:-1])
    structure = eqx.tree_at(
        lambda s: s.bulge_share, draw_structure(properties, jax.random.key(0)), parameters[-1]
    )
    return model(properties, structure, jax.random.key(1))


def _fixed(model: LightModel) -> LightModel:
    scores = jnp.asarray(np.random.default_rng(1).normal(size=10), jnp.float32)
    return eqx.tree_at(lambda m: m.line_model, model, FixedDraw(model.line_model, scores))


def finite_differences(colours_model: str) -> np.ndarray:
    """Central differences (galaxy, parameter, observable), in the precision of the process."""
    model = jax.tree.map(_double, _fixed(light_model(colours_model)), is_leaf=eqx.is_array)
    function = eqx.filter_jit(observables)

    def of_one(galaxy: tuple[float, ...]) -> np.ndarray:
        centre, steps = jnp.array(galaxy), STEP * jnp.eye(len(galaxy))
        return np.stack(
            [(function(model, centre + h) - function(model, centre - h)) / (2 * STEP) for h in steps]
        )

    return np.stack([of_one(galaxy) for galaxy in GALAXIES])


def _double(leaf: object) -> object:
    return leaf.astype(float) if eqx.is_inexact_array(leaf) else leaf


def _gradient_difference(colours_model: str) -> float:
    differences = np.array(answer_of(DIFFERENCES, colours_model))
    model = _fixed(light_model(colours_model))
    jacobian = eqx.filter_jit(lambda m, p: jax.jacrev(lambda q: observables(m, q))(p))
    exact = np.stack([np.asarray(jacobian(model, jnp.array(galaxy))).T for galaxy in GALAXIES])
    largest = np.abs(differences).max(axis=2, keepdims=True)
    return float(np.max(np.abs(exact - differences) / np.maximum(largest, 1e-6)))


def _magnitude_difference(colours_model: str) -> float:
    model = light_model(colours_model)
    found, expected = [], []
    for galaxy in GALAXIES:
        light = _light(model, jnp.array(galaxy))
        found.append(np.asarray(light.mag_ab))
        expected.append(_integrated(galaxy, light))
    return float(np.max(np.abs(np.stack(found) - np.stack(expected))))


def _integrated(galaxy: tuple[float, ...], light: Light) -> np.ndarray:
    """AB magnitudes from the templates' spectrum, by the trapezoidal rule."""
    from sedpy.observate import Filter

    redshift, log_mstar, age, tau, av_mag, _, lgmet, _ = galaxy
    history = GalaxyProperties(*galaxy[:-1]).history()
    rest = rest_spectrum(Galaxy(history, log_mstar, redshift, lgmet, dust=CalzettiDust(av_mag)), load_ssp())
    fine = np.arange(LYMAN_LIMIT_AA, 19950.0, 0.5)
    lum = np.interp(fine, np.asarray(rest.wave_rest_aa, float), np.asarray(rest.lum_lsun_hz, float))
    wave = fine * (1.0 + redshift)
    distance_cm = float(luminosity_distance_mpc(redshift)) * 3.0856775814913673e24
    nu_flux = lum * 3.828e33 * (1.0 + redshift) / (4.0 * np.pi * distance_cm**2)
    flux = 1e17 * nu_flux * 2.99792458e18 / wave**2 * printed_transmission(wave, redshift)
    flux = flux + np.asarray(line_spectrum(wave.astype(np.float32), light.line_flux, redshift), float)
    return np.array([_ab_magnitude(Filter(band), wave, flux) for band in BANDS])


def _ab_magnitude(curve: object, wave: np.ndarray, flux_lambda: np.ndarray) -> float:
    grid = np.union1d(wave, curve.wavelength)
    response = np.interp(grid, curve.wavelength, curve.transmission, left=0.0, right=0.0)
    photons = np.trapezoid(np.interp(grid, wave, flux_lambda, left=0.0) * response * grid, grid)
    f_nu = 1e-17 * photons / np.trapezoid(response / grid, grid) / 2.99792458e18
    return float(-2.5 * np.log10(f_nu) - 48.60)


def printed_transmission(wave: np.ndarray, redshift: float) -> np.ndarray:
    """Lyman series of Inoue et al. (2014), equations 21 and 22, line by line."""
    depth = np.zeros_like(wave)
    for line, forest, damped in LYMAN_SERIES:
        x = wave / line
        laf = np.where(x < 2.2, x**1.2, np.where(x < 5.7, 0.1393 * x**3.7, 6.07e-3 * x**5.5))
        dla = np.where(x < 3.0, x**2, x**3 / 3.0)
        depth += np.where((x > 1.0) & (x < 1.0 + redshift), forest * laf + damped * dla, 0.0)
    return np.exp(-depth)
