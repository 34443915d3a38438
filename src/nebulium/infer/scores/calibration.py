"""Simulation-based calibration: galaxies of the prior, their posteriors, and where in these the truth lies.

If a posterior is right, the truth lies anywhere in it with equal chance (Talts et al. 2018,
arXiv:1804.06788), and so it does for all properties at once, by distances to random points (TARP: Lemos et
al. 2023, ICML 202, 19256).
"""

import dataclasses
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from nebulium.data.tables.table import select_rows
from nebulium.infer.likelihood import MeasuredFluxes, draw_measured
from nebulium.infer.parameters import MASS, PROPERTIES, Prior
from nebulium.infer.predict import PosteriorPredictor, can_be_relied_on, fits
from nebulium.infer.recipe import (
    LOG_MSTAR,
    InferConfig,
    SimulatedGalaxy,
    Simulator,
    draw_errors,
    draw_seen,
    make_simulator,
    simulate,
)
from nebulium.metrics.probabilistic import pit_from_samples, pit_ks
from nebulium.sed.cosmology import DEFAULT_COSMOLOGY
from nebulium.sed.spectrum import dilution

#: Masses of simulated galaxies lie within so much of 10^10 solar masses.
MASSES_DEX = 1.5
#: Galaxies are also looked at in so many parts, from faint to bright.
PARTS = 3


@dataclass(frozen=True, eq=False)
class Calibration:
    """Where the truth lies in the posteriors of simulated galaxies.

    Attributes
    ----------
    pit : ndarray of shape (n, property)
        Share of the draws below the truth, in the order of `PROPERTIES`.
    tarp : ndarray of shape (n,)
        Share of the draws that are nearer to a random point than the truth is.
    signal : ndarray of shape (n,)
        Median over the bands of flux over error, that of the model included.
    effective, k_hat : ndarray of shape (n,)
        See `nebulium.infer.importance.Weights`.
    efficiency : ndarray of shape (n,)
        Effective draws over all.
    in_domain : ndarray of bool of shape (n,)
        Whether a galaxy of the model fits.
    """

    pit: Float[np.ndarray, "n property"]
    tarp: Float[np.ndarray, " n"]
    signal: Float[np.ndarray, " n"]
    effective: Float[np.ndarray, " n"]
    k_hat: Float[np.ndarray, " n"]
    efficiency: Float[np.ndarray, " n"]
    in_domain: Bool[np.ndarray, " n"]

    def select(self, rows: np.ndarray) -> "Calibration":
        """Some of the galaxies."""
        return select_rows(self, rows)

    @property
    def flagged(self) -> np.ndarray:
        """Which posteriors are said not to be reliable."""
        return ~can_be_relied_on(self.effective, self.k_hat)

    def parts(self) -> dict[str, np.ndarray]:
        """Which galaxies are in each third of signal over noise."""
        ends = np.quantile(self.signal, np.linspace(0.0, 1.0, PARTS + 1)[1:-1])
        place = np.digitize(self.signal, ends)
        return {name: place == part for part, name in enumerate(("faint", "middle", "bright"))}

    def held(self, share: float) -> Float[np.ndarray, "property"]:
        """Share of the truths of each property in the central part of the posteriors."""
        return np.mean(np.abs(self.pit - 0.5) < 0.5 * share, axis=0)

    def tarp_distance(self) -> float:
        """Largest difference between the shares of TARP and even ones."""
        return pit_ks(self.tarp)


def calibration(
    predictor: PosteriorPredictor,
    n: int,
    *,
    relative_error: float | None = None,
    seed: int = 1,
    simulator: Simulator | None = None,
    model_error: Array | None = None,
) -> Calibration:
    """Simulate galaxies under the prior, and look where their truths lie in their posteriors.

    Parameters
    ----------
    predictor : PosteriorPredictor
    n : int
        Galaxies.
    relative_error : float, optional
        Error of all fluxes, as a fraction, in place of noise of any strength and missing bands.
    seed : int
        Of the galaxies; another one than that of the training.
    simulator : Simulator, optional
        Makes galaxies that are not of the model: with another law of dust, say.
    model_error : array (band,), optional
        Error that the light of the galaxies has, if it is not that which the model is told.

    Returns
    -------
    Calibration
    """
    predictor, rng = _with_masses(predictor), np.random.default_rng(seed)
    model = predictor.model
    # Far from the seeds of trainings.
    galaxies = simulate(simulator or simulator_of(predictor), n, 1_000_003 + seed)
    heavier = rng.uniform(-MASSES_DEX, MASSES_DEX, n).astype(np.float32)
    true_error = model.model_error if model_error is None else model_error
    measured = _measured(galaxies, heavier, true_error, relative_error, jax.random.key(seed))
    found = predictor.posteriors(measured, np.arange(n, dtype=np.int32))
    truth = np.array(galaxies.properties)
    truth[:, [PROPERTIES.index(name) for name in ("log_mstar", "log_sfr")]] += heavier[:, None]
    pit = np.stack(
        [pit_from_samples(truth[:, place], found["draws"][:, :, place]) for place in range(len(PROPERTIES))],
        axis=1,
    )
    flux, err = np.asarray(measured.flux_njy), np.asarray(measured.flux_err_njy)
    sigma = np.hypot(err, np.asarray(model.model_error)[None, :] * flux)
    return Calibration(
        pit=pit,
        tarp=_tarp(truth, found["draws"]),
        signal=np.nanmedian(flux / sigma, axis=1),
        effective=found["effective"],
        k_hat=found["k_hat"],
        efficiency=found["effective"] / predictor.draws,
        in_domain=fits(found["chi_square"], flux),
    )


def simulator_of(predictor: PosteriorPredictor) -> Simulator:
    """What makes galaxies such as a model learned from."""
    model, settings = predictor.model, predictor.config.get("training", {})
    lines = {"lines": settings["lines"]} if "lines" in settings else {}
    return make_simulator(InferConfig(bands=model.bands, redshifts=model.redshifts, **lines))


def _with_masses(predictor: PosteriorPredictor) -> PosteriorPredictor:
    """The same, with a prior of masses that simulated galaxies can fill: what is left is scale."""
    named = predictor.models[0]
    ends = (LOG_MSTAR - MASSES_DEX, LOG_MSTAR + MASSES_DEX)
    prior: Prior = named.model.prior
    narrow = Prior(prior.low.at[MASS].set(ends[0]), prior.high.at[MASS].set(ends[1]))
    model = eqx.tree_at(lambda one: one.prior, named.model, narrow)
    return dataclasses.replace(predictor, models=(dataclasses.replace(named, model=model),))


def _measured(
    galaxies: SimulatedGalaxy,
    heavier: Float[np.ndarray, " n"],
    model_error: Array,
    relative_error: float | None,
    key: Array,
) -> MeasuredFluxes:
    """Galaxies as they are measured, of so many times the mass, dex."""
    for_error, for_noise, for_bands = jax.random.split(key, 3)
    keys = [jax.random.split(one, len(heavier)) for one in (for_error, for_noise, for_bands)]
    typical, z = jnp.asarray(galaxies.flux_njy), jnp.asarray(galaxies.redshift)
    flux = typical * 10.0 ** jnp.asarray(heavier)[:, None]
    if relative_error is None:
        # Errors must tell nothing of the galaxy itself but its distance, which is known: they are another's.
        light = jax.vmap(dilution, in_axes=(0, None))(z, DEFAULT_COSMOLOGY)[:, None]
        error = light * jnp.roll(jax.vmap(draw_errors)(typical, keys[0]) / light, 1, axis=0)
        seen = jax.vmap(draw_seen)(flux, keys[2])
    else:
        error, seen = relative_error * flux, jnp.ones(flux.shape, bool)
    measured = jax.vmap(draw_measured, in_axes=(0, 0, None, 0))(flux, error, model_error, keys[1])
    return MeasuredFluxes(jnp.where(seen, measured, jnp.nan), error, jnp.zeros(flux.shape, bool), z)


def _tarp(
    truth: Float[np.ndarray, "n property"], draws: Float[np.ndarray, "n draw property"]
) -> Float[np.ndarray, " n"]:
    """Share of the draws nearer to a random galaxy of the prior than the truth, in scatters of the prior."""
    # Another galaxy's truth is a point that knows nothing of this one.
    points, scatter = np.roll(truth, 2, axis=0), truth.std(axis=0)
    of_truth = np.sum(((truth - points) / scatter) ** 2, axis=1)
    of_draws = np.sum(((draws - points[:, None, :]) / scatter) ** 2, axis=2)
    return np.mean(of_draws < of_truth[:, None], axis=1)
