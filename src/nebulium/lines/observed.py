"""What a survey would measure of the lines: intrinsic widths, noise and selection together.

The distribution of a measurement is carried by weighted points: a fixed low-discrepancy set in the scores
of the line, of its quoted error and of its noise, each point weighted by the chance to be recorded.
Quantiles are those of the points; nothing depends on a random key, and a galaxy alone gives what it gives in
a batch.
"""

from functools import cache

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key
from scipy.stats import norm, qmc

from nebulium.lines.continuum.completion import Completions, complete_continuum
from nebulium.lines.continuum.features import log_luminosity
from nebulium.lines.continuum.line_list import Continuum, OfLines
from nebulium.lines.likelihood import MeasuredLines
from nebulium.lines.measurement import N_LINES, STRONG_OF_WEAK, WEAK, Selection
from nebulium.lines.model import KNOTS, LOG_EW_BOUND, LineDensity, LineModel
from nebulium.sed.cosmology import Scalar

N_POINTS = 512
# Quantiles are found in log(EW + this), to a millionth of the range.
LEAST_EW_AA, BISECTIONS = 1e-4, 22
# Draws from the intrinsic law among which one measurement is chosen by its weight.
N_DRAWS = 512
# Scores at which the law of each completion of a continuum is read, to mix them.
MIXTURE_SCORES = np.asarray(norm.ppf((np.arange(65) + 0.5) / 65), np.float32)


class WeightedPoints(eqx.Module):
    """Points that carry a distribution for each line.

    Attributes
    ----------
    ew_aa : (point, 10) float32
        Equivalent widths, AA.
    weight : (point, 10) float32
        Not negative, of any sum.
    """

    ew_aa: Float[Array, "point 10"]
    weight: Float[Array, "point 10"]

    def quantiles(self, levels: Float[Array, " level"]) -> Float[Array, "level 10"]:
        """Quantiles of each line at probabilities between 0 and 1."""
        return self.quantiles_by_line(_for_each_line(levels))

    def quantiles_by_line(self, levels: Float[Array, "level 10"]) -> Float[Array, "level 10"]:
        """Quantiles of each line at probabilities of its own."""
        return jax.vmap(_weighted_quantiles, 1, 1)(self.ew_aa, self.weight, levels)

    def share_below(self, ew_aa: OfLines) -> OfLines:
        """Share of each line's distribution up to an equivalent width."""
        below = jnp.where(self.ew_aa <= ew_aa[None, :], self.weight, 0.0)
        return jnp.sum(below, axis=0) / jnp.sum(self.weight, axis=0)


def measured_quantiles(
    model: LineModel,
    continuum_flux: Continuum,
    redshift: Scalar,
    sigma_aa: OfLines,
    levels: Float[Array, " level"],
) -> Float[Array, "level 10"]:
    """Quantiles of what would be measured of each line, given that it is recorded.

    Parameters
    ----------
    model : LineModel
        The model.
    continuum_flux : (12,) float32
        As in `LineModel.features`; no bin missing (see `completions` for what to put there).
    redshift : () float32
        Redshift.
    sigma_aa : (10,) float32
        Quoted errors of the measurements, AA; NaN where unknown, and the noise typical of such a continuum in
        the training set is taken.
    levels : (level,) float32
        Probabilities between 0 and 1.

    Returns
    -------
    (level, 10) float32
        Rest frame, AA; at the levels that held these shares of the validation galaxies' measurements.

    Examples
    --------
    >>> model = LineModel(with_luminosity=False, key=jax.random.key(0))
    >>> unknown = jnp.full(10, jnp.nan)
    >>> wide = measured_quantiles(model, jnp.ones(12), jnp.array(0.1), unknown, jnp.array([0.16, 0.84]))
    >>> bool(jnp.all(wide[0] < wide[1]))
    True
    """
    own, typical = (_calibrated(levels, of_noise) for of_noise in model.measured_levels)
    points = _measured_points(model, continuum_flux, redshift, sigma_aa)
    return points.quantiles_by_line(jnp.where(_is_known(sigma_aa)[None, :], own, typical))


def measured_share_below(
    model: LineModel, continuum_flux: Continuum, redshift: Scalar, sigma_aa: OfLines, ew_aa: OfLines
) -> OfLines:
    """Probability that what would be measured of each line is no larger; before any calibration."""
    return _measured_points(model, continuum_flux, redshift, sigma_aa).share_below(ew_aa)


def marginalised_quantiles(
    model: LineModel, continuum_flux: Continuum, redshift: Scalar, levels: Float[Array, " level"]
) -> Float[Array, "level 10"]:
    """Quantiles of the intrinsic widths for a continuum with missing bins.

    Parameters
    ----------
    model : LineModel
        The model; its domain holds the galaxies that stand in.
    continuum_flux : (12,) float32
        NaN where a bin is missing.
    redshift : () float32
        Redshift.
    levels : (level,) float32
        Probabilities between 0 and 1.

    Returns
    -------
    (level, 10) float32
        Rest frame, AA: those of the mean of the laws over the completions of the continuum.

    Examples
    --------
    >>> model = LineModel(with_luminosity=False, key=jax.random.key(0))
    >>> flux = jnp.ones(12).at[0].set(jnp.nan)
    >>> marginalised_quantiles(model, flux, jnp.array(0.1), jnp.array([0.5])).shape
    (1, 10)
    """
    filled = completions(model, continuum_flux, redshift)
    scores = jnp.broadcast_to(jnp.asarray(MIXTURE_SCORES)[:, None], (MIXTURE_SCORES.size, N_LINES))

    def at_scores(flux: Continuum) -> Float[Array, "score 10"]:
        return jax.vmap(model.density(flux, redshift).at_scores)(scores)

    ew = jax.vmap(at_scores)(filled.continuum_flux)
    weight = jnp.broadcast_to(filled.weight[:, None, None], ew.shape)
    return WeightedPoints(ew.reshape(-1, N_LINES), weight.reshape(-1, N_LINES)).quantiles(levels)


def completions(model: LineModel, continuum_flux: Continuum, redshift: Scalar) -> Completions:
    """Continua of the training set's kind that agree with the bins that were seen."""
    raw = model.domain.reference * model.feature_std[None, :] + model.feature_mean[None, :]
    if not model.with_luminosity:
        return complete_continuum(raw, continuum_flux)
    of_unit_flux = log_luminosity(jnp.ones(12, jnp.float32), redshift)
    return complete_continuum(raw[:, :-1], continuum_flux, raw[:, -1], of_unit_flux)


def sample_measured(
    model: LineModel,
    continuum_flux: Continuum,
    redshift: Scalar,
    lines: MeasuredLines,
    key: Key[Array, ""],
    *,
    independent: bool = False,
) -> OfLines:
    """Draw what could have been measured of a galaxy with these errors and these missing lines."""
    draw_key, noise_key, choice_key = jax.random.split(key, 3)
    density = model.density(continuum_flux, redshift)
    if independent:
        density = LineDensity(density.log_ew, jnp.eye(N_LINES, dtype=jnp.float32))
    law, selection = model.noise_law(continuum_flux, redshift), model.measurement.selection
    ew = density.sample(draw_key, N_DRAWS)
    noise = jax.random.normal(noise_key, (N_DRAWS, N_LINES)) * (law.scale * lines.sigma_aa)[None, :]
    measured = ew + noise
    log_sigma = jnp.log(lines.sigma_aa)
    log_weight = jax.vmap(lambda shift: law.log_sigma.log_prob(log_sigma - shift))(law.shift(ew))
    log_weight += jnp.log(_chance_recorded(selection, measured, lines.sigma_aa[None, :]) + 1e-12)
    if independent:
        chosen = jax.random.categorical(choice_key, log_weight, axis=0)
        drawn = jnp.take_along_axis(measured, chosen[None, :], axis=0)[0]
    else:
        # A tied pair is one measurement: the weaker line is the stronger one's fit, moved by the ratio.
        tied = measured[:, STRONG_OF_WEAK] * (ew[:, WEAK] / ew[:, STRONG_OF_WEAK])
        follows = lines.present[STRONG_OF_WEAK]
        measured = measured.at[:, WEAK].set(jnp.where(follows[None, :], tied, measured[:, WEAK]))
        counts = lines.present.at[WEAK].set(lines.present[WEAK] & ~follows)
        chosen = jax.random.categorical(
            choice_key, jnp.sum(jnp.where(counts[None, :], log_weight, 0.0), axis=1)
        )
        drawn = measured[chosen]
    return jnp.where(lines.present, jnp.maximum(drawn, 0.0), jnp.nan)


def _measured_points(
    model: LineModel, continuum_flux: Continuum, redshift: Scalar, sigma_aa: OfLines
) -> WeightedPoints:
    law = model.noise_law(continuum_flux, redshift)
    scores = jnp.asarray(_point_scores())
    density = model.density(continuum_flux, redshift)
    ew = jax.vmap(density.at_scores)(_for_each_line(scores[:, 0]))
    shift = law.shift(ew)
    known = _is_known(sigma_aa)
    log_known = jnp.log(jnp.where(known, sigma_aa, 1.0))
    log_typical = jax.vmap(law.log_sigma.value)(_for_each_line(scores[:, 1])) + shift
    # The far tail of a law with heavy tails would overflow float32.
    log_typical = jnp.clip(log_typical, -LOG_EW_BOUND, LOG_EW_BOUND)
    sigma = jnp.exp(jnp.where(known[None, :], log_known[None, :], log_typical))
    measured = ew + law.scale[None, :] * sigma * scores[:, 2:3]
    fits = jnp.exp(jax.vmap(lambda s: law.log_sigma.log_prob(log_known - s))(shift)) + 1e-12
    weight = jnp.where(known[None, :], fits, 1.0) * _chance_recorded(
        model.measurement.selection, measured, sigma
    )
    return WeightedPoints(jnp.maximum(measured, 0.0), weight)


def _is_known(sigma_aa: OfLines) -> Bool[Array, "10"]:
    return jnp.isfinite(sigma_aa) & (sigma_aa > 0)


def _calibrated(wanted: Float[Array, " level"], held: Float[Array, "10 knot"]) -> Float[Array, "level 10"]:
    """Levels of each line at which the wanted shares were held."""
    ends = lambda knots: jnp.concatenate([jnp.zeros(1), knots, jnp.ones(1)])  # noqa: E731
    at = ends(jnp.asarray(KNOTS))
    return jax.vmap(lambda of_line: jnp.interp(wanted, at, ends(of_line)), 0, 1)(held)


def _chance_recorded(
    selection: Selection, measured: Float[Array, "point 10"], sigma: Float[Array, "#point 10"]
) -> Float[Array, "point 10"]:
    return jax.vmap(selection.chance)(jnp.clip(measured / sigma, -1.0, 100.0))


def _for_each_line(scores: Float[Array, " point"]) -> Float[Array, "point 10"]:
    return jnp.broadcast_to(scores[:, None], (scores.size, N_LINES))


def _weighted_quantiles(
    values: Float[Array, " point"], weights: Float[Array, " point"], levels: Float[Array, " level"]
) -> Float[Array, " level"]:
    """By bisection: many times faster than sorting the points."""
    log_values = jnp.log(values + LEAST_EW_AA)
    share = weights / jnp.sum(weights)

    def halve(_: Array | int, bracket: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bracket
        middle = 0.5 * (low + high)
        below = (log_values[None, :] <= middle[:, None]).astype(share.dtype) @ share
        return jnp.where(below < levels, middle, low), jnp.where(below < levels, high, middle)

    ends = (jnp.full(levels.shape, jnp.min(log_values)), jnp.full(levels.shape, jnp.max(log_values)))
    low, high = jax.lax.fori_loop(0, BISECTIONS, halve, ends)
    return jnp.maximum(jnp.exp(0.5 * (low + high)) - LEAST_EW_AA, 0.0)


@cache
def _point_scores() -> Float[np.ndarray, "512 3"]:
    """Sobol points (Sobol 1967), scrambled with a fixed seed, as standard normal scores."""
    uniform = qmc.Sobol(3, seed=1).random(N_POINTS)
    return np.asarray(norm.ppf(np.clip(uniform, 1e-4, 1.0 - 1e-4)), np.float32)
