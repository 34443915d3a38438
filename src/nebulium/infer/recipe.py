"""Simulated galaxies, and from them a posterior for any photometry: the settings, the losses, the steps."""

import dataclasses
from dataclasses import dataclass
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key

from nebulium.infer.light import N_BINS, LightSource, make_light_source
from nebulium.infer.likelihood import MeasuredFluxes, draw_measured
from nebulium.infer.line_light import LineLight, LineMoments, measure_moments, moment_loss, untrained
from nebulium.infer.model import PhotometryPosterior
from nebulium.infer.parameters import (
    DUST,
    LGMET_SCATTER,
    MASS,
    METALS,
    Prior,
    history_of,
    interim_prior,
    properties_of,
)
from nebulium.lines.model import LineModel
from nebulium.modelfile import load_model
from nebulium.nn.mapping import in_batches
from nebulium.sed.band_table import weigh_templates
from nebulium.sed.cosmology import Scalar, age_gyr
from nebulium.sed.filters import load_filters
from nebulium.sed.redshift_table import RedshiftTable, make_redshift_table
from nebulium.sed.ssp import load_ssp
from nebulium.training import FitConfig, FitResult, trained_part
from nebulium.training.config import fit_config_of
from nebulium.verbs import Training

Galaxies = TypeVar("Galaxies", bound=eqx.Module)

#: Components of the templates in simulations, which need not be exact to 1e-4 mag.
COMPONENTS = 64
#: Simulated galaxies at a time, and whose lines are measured.
BATCH, OF_LINES = 4096, 40_960
#: Share of the simulated galaxies that validate.
VALIDATION = 0.025
#: Signal over noise of the brightest band; scatter of the noise between bands, dex; error of the model.
SIGNALS, NOISE_SCATTER, MODEL_ERRORS = (2.0, 200.0), 0.3, (0.01, 0.1)
#: Share of galaxies that lack bands, and of bands that these lack.
LACKING = 0.3
#: Mass of the simulated galaxies, which only scales the light: log10, Msun.
LOG_MSTAR = 10.0
LINE_EPOCHS, LINE_RATE = 40, 3e-3


@dataclass(frozen=True)
class InferConfig:
    """How a posterior is built and trained.

    Attributes
    ----------
    bands : tuple of str
        Filters, as `nebulium.sed.load_filters` names them.
    redshifts : tuple of float
        Least and largest.
    model_error : float
        Error of the model in each band, as a fraction of the flux.
    lines : str
        Model of the lines given the continuum: a packaged one, or a folder.
    simulated : int
        Galaxies to learn from.
    width, depth, hidden, mixture : int
        Of the network: see `nebulium.infer.PhotometryPosterior`.
    epochs, batch_size, learning_rate, weight_decay, seed
        As in `nebulium.training.FitConfig`.

    Examples
    --------
    >>> InferConfig(bands=("sdss_g0", "sdss_r0")).simulated
    400000
    """

    bands: tuple[str, ...]
    redshifts: tuple[float, float] = (0.005, 0.35)
    model_error: float = 0.03
    lines: str = "desi-lines-colours"
    simulated: int = 400_000
    width: int = 256
    depth: int = 3
    hidden: int = 96
    mixture: int = 8
    epochs: int = 24
    batch_size: int = 1024
    learning_rate: float = 2e-3
    weight_decay: float = 1e-5
    seed: int = 0

    @property
    def fitting(self) -> FitConfig:
        """Settings of the training loop."""
        return fit_config_of(self)

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """Keywords of the model."""
        shape = {name: getattr(self, name) for name in ("width", "depth", "hidden", "mixture")}
        bands, redshifts = list(self.bands), list(self.redshifts)
        return {
            "bands": bands, "redshifts": redshifts, "model_error": [self.model_error] * len(bands), **shape
        }  # fmt: skip


class SimulatedGalaxy(eqx.Module):
    """A galaxy drawn from the interim prior, at a mass of 10^10 Msun, or many in arrays (n, ...).

    Parameters
    ----------
    scores : array (parameter,)
        Normal scores of its parameters.
    properties : array (property,)
        In the order of `PROPERTIES`.
    redshift : scalar
    flux_njy : array (band,)
        Of its stars and lines.
    moments : LineMoments, optional
        Of its lines, where they are asked for.
    """

    scores: Float[Array, "*n parameter"]
    properties: Float[Array, "*n property"]
    redshift: Float[Array, "*n"]
    flux_njy: Float[Array, "*n band"]
    moments: LineMoments | None = None


class Simulator(eqx.Module):
    """Draws galaxies from the interim prior with their light; make one with `make_simulator`.

    Parameters
    ----------
    source : LightSource
    table : RedshiftTable
        Of its filters.
    lines : LineModel
    prior : Prior
    redshifts : array (2,)
        Least and largest.
    """

    source: LightSource
    table: RedshiftTable
    lines: LineModel
    prior: Prior
    redshifts: Float[Array, " 2"]

    def draw(self, key: Key[Array, ""], *, with_moments: bool) -> SimulatedGalaxy:
        """One galaxy."""
        for_scores, for_redshift, for_lines = jax.random.split(key, 3)
        z = self._redshift(for_redshift)
        scores = jax.random.normal(for_scores, self.prior.low.shape)
        theta, t_obs, grid = self.prior.at(scores), age_gyr(z, self.source.cosmology), self.source.continuum
        weights, log_mformed = weigh_templates(
            history_of(theta, t_obs),
            LOG_MSTAR,
            theta[METALS],
            LGMET_SCATTER,
            grid.lgmet,
            grid.lg_age_gyr,
            t_obs,
        )
        mass = 10.0**log_mformed
        continuum = mass * self.source.continuum_scale(z) * grid.flux_of(weights, theta[DUST])
        bins, at_lines = continuum[:N_BINS], continuum[N_BINS:]
        ew_aa = self.lines.density(bins, z).sample(for_lines, 1)[0]
        line_njy = self.source.njy_per_line(z) @ ((1.0 + z) * ew_aa * at_lines)
        flux_njy = mass * self.table.flux_of(weights, z, theta[DUST]) + line_njy
        moments = measure_moments(self.lines, bins, at_lines, z) if with_moments else None
        told = properties_of(theta.at[MASS].set(LOG_MSTAR), log_mformed, t_obs)
        return SimulatedGalaxy(scores, told, z, flux_njy, moments)

    def _redshift(self, key: Key[Array, ""]) -> Scalar:
        """Half of the galaxies evenly in z, half in its logarithm: near ones too."""
        low, high = self.redshifts
        which, place = jax.random.uniform(key, (2,))
        return jnp.where(which < 0.5, low + (high - low) * place, low * (high / low) ** place)


def make_simulator(config: InferConfig) -> Simulator:
    """Prepare the galaxies of a training."""
    ssp, filters = load_ssp(), load_filters(*config.bands)
    return Simulator(
        make_light_source(ssp, filters),
        make_redshift_table(ssp, filters, config.redshifts, components=COMPONENTS),
        load_model(config.lines, of=LineModel),
        interim_prior(),
        jnp.asarray(config.redshifts, jnp.float32),
    )


def simulate(simulator: Simulator, n: int, seed: int, *, with_moments: bool = False) -> SimulatedGalaxy:
    """Galaxies in arrays (n, ...)."""
    keys = jax.random.split(jax.random.key(seed), n)
    many = lambda keys: _simulated(simulator, keys, with_moments)  # noqa: E731
    size = min(BATCH, n)
    galaxies: SimulatedGalaxy = in_batches(many, keys, size=size)
    return galaxies


@eqx.filter_jit
def _simulated(simulator: Simulator, keys: Array, with_moments: bool) -> SimulatedGalaxy:
    # A map of few at a time: a table for each of thousands would not fit into the caches.
    one = lambda key: simulator.draw(key, with_moments=with_moments)  # noqa: E731
    galaxies: SimulatedGalaxy = jax.lax.map(one, keys, batch_size=128)
    return galaxies


def posterior_loss(
    model: PhotometryPosterior, galaxies: SimulatedGalaxy, key: Array
) -> Float[Array, " batch"]:
    """Negative logarithm of the posterior at the truth, of each galaxy as measured with noise of its own."""

    def of(galaxy: SimulatedGalaxy, key: Array) -> Scalar:
        for_noise, for_error = jax.random.split(key)
        model_error = draw_model_error(for_error, galaxy.flux_njy)
        one = eqx.tree_at(lambda m: m.model_error, model, model_error)
        measured = observe(galaxy, model_error, for_noise)
        features, log_light = one.features(measured)
        theta = one.prior.at(galaxy.scores).at[MASS].set(LOG_MSTAR)
        numbers = one.numbers(theta, measured, log_light)
        return -jnp.sum(one.network.log_density(one.network.seen(features), numbers))

    return jax.vmap(of)(galaxies, jax.random.split(key, len(galaxies.redshift)))


def draw_model_error(key: Array, like: Float[Array, " band"]) -> Float[Array, " band"]:
    """An error of the model, the same in all bands: the network serves any."""
    least, most = np.log(np.array(MODEL_ERRORS, np.float32))
    return jnp.full_like(like, jnp.exp(jax.random.uniform(key, minval=least, maxval=most)))


def observe(galaxy: SimulatedGalaxy, model_error: Float[Array, " band"], key: Array) -> MeasuredFluxes:
    """A galaxy as measured: with noise of any strength, and without some bands."""
    for_error, for_noise, for_bands = jax.random.split(key, 3)
    error = draw_errors(galaxy.flux_njy, for_error)
    measured = draw_measured(galaxy.flux_njy, error, model_error, for_noise)
    seen = draw_seen(measured, for_bands)
    limits = jnp.zeros(seen.shape, bool)
    return MeasuredFluxes(jnp.where(seen, measured, jnp.nan), error, limits, galaxy.redshift)


def draw_errors(flux_njy: Float[Array, " band"], key: Array) -> Float[Array, " band"]:
    """Errors of a galaxy's fluxes, nJy."""
    for_signal, for_power, for_scatter = jax.random.split(key, 3)
    least, most = np.log(np.array(SIGNALS, np.float32))
    signal = jnp.exp(jax.random.uniform(for_signal, minval=least, maxval=most))
    scatter = 10.0 ** (NOISE_SCATTER * jax.random.normal(for_scatter, flux_njy.shape))
    # From the noise of the sky, which is the same in all bands, to one that goes with the flux.
    power, brightest = jax.random.uniform(for_power), jnp.max(flux_njy)
    return brightest * (flux_njy / brightest) ** power / signal * scatter


def draw_seen(like: Float[Array, " band"], key: Array) -> Bool[Array, " band"]:
    """Which bands of a galaxy were observed: at least one."""
    for_some, for_band = jax.random.split(key)
    some = jax.random.bernoulli(for_some, LACKING)
    lacking = some & jax.random.bernoulli(for_band, LACKING, like.shape)
    return ~lacking | jnp.all(lacking)


def split_at(galaxies: Galaxies, held: int) -> tuple[Galaxies, Galaxies]:
    """Those to learn from, and the first, which are held back."""
    return jax.tree.map(lambda leaf: leaf[held:], galaxies), jax.tree.map(lambda leaf: leaf[:held], galaxies)


def trained_posterior(config: InferConfig, run: Training) -> tuple[PhotometryPosterior, list[FitResult[Any]]]:
    """Train the moments of the lines, then the posterior."""
    simulator = make_simulator(config)
    lines, of_lines = _trained_lines(simulator, config, run)
    galaxies = simulate(simulator, config.simulated, config.seed)
    model = PhotometryPosterior(**config.hyperparameters, key=jax.random.key(config.seed))
    model = eqx.tree_at(lambda m: m.lines, model, lines)
    model = _with_mass(model, galaxies)
    held = max(1, round(VALIDATION * config.simulated))
    training, validation = split_at(galaxies, held)
    result = run.fit(
        "posterior",
        model,
        posterior_loss,
        training,
        validation=validation,
        config=config.fitting,
        trainable=trained_part(model, lambda one: one.network),
        about=dataclasses.asdict(config),
    )
    return result.model, [of_lines, result]


def _trained_lines(
    simulator: Simulator, config: InferConfig, run: Training
) -> tuple[LineLight, FitResult[LineLight]]:
    n = min(OF_LINES, config.simulated)
    moments: Any = simulate(simulator, n, config.seed + 1, with_moments=True).moments
    lines = untrained(moments, jax.random.key(config.seed))
    training, validation = split_at(moments, n // 10)
    fitting = dataclasses.replace(
        config.fitting, epochs=LINE_EPOCHS, learning_rate=LINE_RATE, batch_size=min(512, config.batch_size)
    )
    result = run.fit(
        "lines",
        lines,
        moment_loss,
        training,
        validation=validation,
        config=fitting,
        trainable=trained_part(lines, lambda one: one.network),
        about=dataclasses.asdict(config),
    )
    return result.model, result


def _with_mass(model: PhotometryPosterior, galaxies: SimulatedGalaxy) -> PhotometryPosterior:
    """The mean of mass over light, and its scatter."""
    few = jax.tree.map(lambda leaf: jnp.asarray(leaf[:BATCH]), galaxies)
    bright = MeasuredFluxes(
        few.flux_njy, 1e-2 * few.flux_njy, jnp.zeros(few.flux_njy.shape, bool), few.redshift
    )
    log_light = _log_light(model, bright)
    off = LOG_MSTAR - np.asarray(jax.vmap(model.log_mass)(few.redshift, log_light))
    found = jnp.asarray(off.mean(), jnp.float32), jnp.asarray(off.std(), jnp.float32)
    return eqx.tree_at(lambda m: (m.mass_mean, m.mass_scale), model, found)


@eqx.filter_jit
def _log_light(model: PhotometryPosterior, measured: MeasuredFluxes) -> Array:
    return jax.vmap(lambda one: model.features(one)[1])(measured)
