"""Measurements of made-up lines on real continua: does training find the truth through noise and selection?

The truth is drawn from a law outside the model's family. Its location is a quadratic polynomial of the
features, fitted to the recorded widths; its scatter a gamma law whose shape changes with colour, tied between
the lines by a Student copula with heavy tails. Noise and selection are those that a model learned from the
data.
"""

from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key
from scipy import stats

from nebulium.lines.continuum.line_list import LINES
from nebulium.lines.likelihood import MeasuredLines
from nebulium.lines.measurement import BOUND_SNR, STRONG_OF_WEAK, WEAK, NoiseLaw
from nebulium.lines.model import FREE, LineModel
from nebulium.lines.recipe import LinesConfig, TrainingGalaxies, fit_galaxies

# Least and most shape of the gamma law: scatters in log EW of 0.9 and 0.4.
GAMMA_SHAPES = (1.5, 6.5)
COPULA_CORRELATION = 0.55
COPULA_FREEDOM = 4
# Measured widths at the bound of a fit: above zero, below what counts as at the bound.
BOUND_VALUE_SNR = 0.3 * BOUND_SNR
LEVELS = (0.5, 0.16, 0.84, 0.025, 0.975)


@dataclass(frozen=True)
class Simulation:
    """Galaxies with known lines.

    Attributes
    ----------
    galaxies : TrainingGalaxies
        Real continua with simulated measurements.
    true_ew_aa : (n, 10) float32
        Intrinsic widths, AA.
    """

    galaxies: TrainingGalaxies
    true_ew_aa: np.ndarray


@dataclass(frozen=True)
class Recovery:
    """What a model retrained on a simulation says of galaxies it was not trained on.

    Attributes
    ----------
    true_ew_aa : (n, 10) float32
        Intrinsic widths, AA.
    quantiles_ew_aa : (n, 5, 10) float32
        Predicted at the probabilities 0.5, 0.16, 0.84, 0.025, 0.975, AA.
    expected_snr : (n, 10) float32
        Predicted median over the error typical of such a line on such a continuum. (The error drawn for the
        galaxy would not do: it grows with the true width, and to bin by it is to select on the truth.)
    """

    true_ew_aa: np.ndarray
    quantiles_ew_aa: np.ndarray
    expected_snr: np.ndarray


def recovery(
    model: LineModel,
    training: TrainingGalaxies,
    held_out: TrainingGalaxies,
    *,
    config: LinesConfig,
    seed: int = 0,
) -> Recovery:
    """Simulate measurements, train a new model on them from scratch, and compare it with the truth."""
    location = fit_location(model, training)
    train_key, held_out_key = jax.random.split(jax.random.key(seed))
    trained_on = simulate(model, training, location, train_key)
    compared = simulate(model, held_out, location, held_out_key)
    retrained = fit_galaxies(trained_on.galaxies, compared.galaxies, config=config).model
    quantiles = _intrinsic_quantiles(retrained, compared.galaxies)
    return Recovery(compared.true_ew_aa, quantiles, _expected_snr(model, held_out, quantiles[:, 0]))


def simulate(
    model: LineModel, galaxies: TrainingGalaxies, location: Float[np.ndarray, "term 8"], key: Key[Array, ""]
) -> Simulation:
    """Draw true lines for real continua, and measure them as the survey would."""
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    features, law, log_ratio = _what_the_model_says(model, galaxies)
    truth = _true_widths(features, location, log_ratio, np.exp(np.asarray(model.tie_log_scatter)), rng)
    measured, sigma = _measure(truth, law, rng)
    # A tied pair is one measurement.
    measured[:, WEAK] = measured[:, STRONG_OF_WEAK] * truth[:, WEAK] / truth[:, STRONG_OF_WEAK]
    snr = (measured / sigma).astype(np.float32)
    chance = np.asarray(jax.vmap(model.measurement.selection.chance)(jnp.asarray(snr)))
    present = rng.random(snr.shape) < chance
    recorded = np.where(measured > 0, measured, BOUND_VALUE_SNR * sigma)
    ew = np.where(present, recorded, np.nan)
    lines = MeasuredLines.from_columns(ew, 1.0 / sigma**2)
    observed = eqx.tree_at(lambda g: g.lines, galaxies, lines)
    return Simulation(observed, truth.astype(np.float32))


def fit_location(model: LineModel, galaxies: TrainingGalaxies) -> Float[np.ndarray, "term 8"]:
    """Coefficients of the polynomial that follows the log of the recorded widths of the free lines."""
    features = np.asarray(jax.vmap(model.features)(galaxies.continuum_flux, galaxies.redshift))
    terms, lines = _terms(features), galaxies.lines
    usable = np.asarray(lines.present & ~lines.at_bound)[:, FREE]
    log_ew = np.log(np.asarray(lines.ew_aa))[:, FREE]
    fits = [
        np.linalg.lstsq(terms[usable[:, j]], log_ew[usable[:, j], j], rcond=None)[0] for j in range(FREE.size)
    ]
    return np.stack(fits, axis=1)


def _terms(features: Float[np.ndarray, "n feature"]) -> Float[np.ndarray, "n term"]:
    """A constant, the features and their products; clipped, as a polynomial runs away at the edges."""
    x = np.clip(features.astype(np.float64), -3.0, 3.0)
    i, j = np.triu_indices(x.shape[1])
    return np.concatenate([np.ones((len(x), 1)), x, x[:, i] * x[:, j]], axis=1)


def _what_the_model_says(
    model: LineModel, galaxies: TrainingGalaxies
) -> tuple[np.ndarray, NoiseLaw, np.ndarray]:
    """Features, noise and log ratios of the tied lines."""

    def of_one(flux: Array, redshift: Array) -> tuple[Array, NoiseLaw, Array]:
        features = model.features(flux, redshift)
        ratio = model.log_ratio_of(model.marginals(model.trunk(features)))
        return features, model.noise_law(flux, redshift), ratio

    features, law, ratio = jax.lax.map(
        lambda g: of_one(*g), (galaxies.continuum_flux, galaxies.redshift), batch_size=1024
    )
    return np.asarray(features), law, np.asarray(ratio)


def _true_widths(
    features: np.ndarray,
    location: Float[np.ndarray, "term 8"],
    log_ratio: np.ndarray,
    tie_scatter: np.ndarray,
    rng: np.random.Generator,
) -> Float[np.ndarray, "n 10"]:
    n = len(features)
    correlation = np.where(np.eye(FREE.size, dtype=bool), 1.0, COPULA_CORRELATION)
    scores = rng.standard_normal((n, FREE.size)) @ np.linalg.cholesky(correlation).T
    scores *= np.sqrt(COPULA_FREEDOM / rng.chisquare(COPULA_FREEDOM, (n, 1)))
    probability = np.clip(stats.t.cdf(scores, COPULA_FREEDOM), 1e-6, 1 - 1e-6)
    least, most = GAMMA_SHAPES
    # The shape follows one colour across the 4000 AA break: narrower for blue galaxies.
    shape = (least + (most - least) / (1 + np.exp(-2.0 * features[:, 3:4]))) * np.ones((1, FREE.size))
    scatter = stats.gamma.ppf(probability, shape) / stats.gamma.ppf(0.5, shape)
    free = np.exp(_terms(features) @ location) * scatter
    truth = np.zeros((n, len(LINES)))
    truth[:, FREE] = free
    noise = tie_scatter * rng.standard_normal((n, WEAK.size))
    truth[:, WEAK] = truth[:, STRONG_OF_WEAK] * np.exp(-log_ratio + noise)
    return truth


def _measure(truth: np.ndarray, law: NoiseLaw, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Add noise that grows with the line, as the data's does."""
    scores = jnp.asarray(rng.standard_normal(truth.shape), jnp.float32)
    ew = jnp.asarray(truth, jnp.float32)
    log_sigma = law.log_sigma.value(scores) + jax.vmap(lambda one, ew: one.shift(ew))(law, ew)
    sigma = np.exp(np.asarray(log_sigma, np.float64))
    return truth + np.asarray(law.scale) * sigma * rng.standard_normal(truth.shape), sigma


def _expected_snr(
    model: LineModel, galaxies: TrainingGalaxies, median_ew_aa: Float[np.ndarray, "n 10"]
) -> Float[np.ndarray, "n 10"]:
    _, law, _ = _what_the_model_says(model, galaxies)
    shift = jax.vmap(lambda one, ew: one.shift(ew))(law, jnp.asarray(median_ew_aa))
    return median_ew_aa * np.exp(-np.asarray(law.log_sigma.location + shift))


def _intrinsic_quantiles(model: LineModel, galaxies: TrainingGalaxies) -> Float[np.ndarray, "n 5 10"]:
    levels = jnp.array(LEVELS, jnp.float32)
    of_one = lambda g: model.density(*g).quantile(levels)  # noqa: E731
    return np.asarray(jax.lax.map(of_one, (galaxies.continuum_flux, galaxies.redshift), batch_size=1024))
