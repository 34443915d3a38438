"""The likelihood of measured lines under the intrinsic law, the noise and the selection.

Each line's equivalent width is integrated out on nodes in its normal score, laid between the scores that
are five sigma from the measurement (or the bulk of the law, where that is narrower). The rule is exact
enough for a measurement of S/N 100 and of S/N 0.1 alike and needs no switch between forms. The dependence
between lines enters by one pass of expectation propagation: each line's posterior of its score is matched
by a Gaussian, and the joint evidence of Gaussian measurements is closed-form (Minka 2001, UAI 17, 362).
"""

from collections.abc import Callable
from typing import Literal, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve_triangular
from jax.scipy.special import log_ndtr, logsumexp
from jaxtyping import Array, Bool, Float

from nebulium.lines.continuum.line_list import Continuum, OfLines
from nebulium.lines.measurement import BOUND_SNR, N_LINES, STRONG_OF_WEAK, WEAK, NoiseLaw, Selection
from nebulium.lines.model import FREE, LOG_EW_BOUND, LineModel
from nebulium.nn import SinhArcsinh
from nebulium.nn.copula import HALF_LOG_TWO_PI
from nebulium.sed.cosmology import Scalar

AtNodes = Float[Array, "10 node"]

#: What is assumed of galaxies whose line is missing. ``truncated``: nothing, only positive measurements are
#: modelled. ``censored``: their measurement was negative. ``learned``: a smooth chance to be recorded.
SelectionKind = Literal["truncated", "censored", "learned"]
SELECTION_KINDS = get_args(SelectionKind)
#: Which galaxies the intrinsic law is then one of.
POPULATIONS = {
    "learned": "all galaxies of the table, those included whose line was not recorded: the chance to be "
    "recorded is learned as a smooth function of the S/N",
    "censored": "all galaxies of the table, a missing line taken for a negative measurement",
    "truncated": "the galaxies whose line was recorded",
}

NODES = 25
FARTHEST_SCORE = 5.0
# Nodes for lines that are missing: all that is known is the law itself and the chance to go unrecorded.
MISSING_SCORES = np.linspace(-3.6, 3.6, 13, dtype=np.float32)
SIGMA_SCORES, _weights = np.polynomial.hermite_e.hermegauss(5)
SIGMA_WEIGHTS = (_weights / _weights.sum()).astype(np.float32)
# An outlier has any width around the law's median (within e^2) and any sigma around the typical (e^1.5).
OUTLIER_WIDTHS = (2.0, 1.5)
IS_WEAK = np.isin(np.arange(N_LINES), WEAK)
# Evidence is floored here (log of 1e-9): a chance or a density of exactly zero has no gradient to learn from.
TINY = 1e-9


class MeasuredLines(eqx.Module):
    """Measured equivalent widths of one galaxy, or of a batch.

    Attributes
    ----------
    ew_aa : (..., 10) float32
        Rest frame, AA; any number where missing.
    sigma_aa : (..., 10) float32
        Quoted one-sigma errors, AA, positive; any positive number where missing.
    present : (..., 10) bool
        Whether the line was recorded.
    """

    ew_aa: Float[Array, "*batch 10"]
    sigma_aa: Float[Array, "*batch 10"]
    present: Bool[Array, "*batch 10"]

    @classmethod
    def from_columns(cls, ew_aa: np.ndarray, ew_ivar: np.ndarray) -> "MeasuredLines":
        """From arrays in which a missing line is NaN."""
        present = np.isfinite(ew_aa) & (ew_aa > 0) & np.isfinite(ew_ivar) & (ew_ivar > 0)
        sigma = 1.0 / np.sqrt(np.where(present, ew_ivar, 1.0))
        as_float = lambda values: jnp.asarray(values, jnp.float32)  # noqa: E731
        return cls(as_float(np.where(present, ew_aa, 1.0)), as_float(sigma), jnp.asarray(present))

    @property
    def at_bound(self) -> Bool[Array, "*batch 10"]:
        """Recorded, but at the bound of the fit."""
        return self.present & (self.ew_aa < BOUND_SNR * self.sigma_aa)


class _Posterior(eqx.Module):
    """What one line's data say of its normal score."""

    log_evidence: OfLines
    mean: OfLines
    variance: OfLines


def galaxy_log_likelihood(
    model: LineModel,
    continuum_flux: Continuum,
    redshift: Scalar,
    lines: MeasuredLines,
    selection: SelectionKind,
) -> Scalar:
    """Log-likelihood of one galaxy's lines, recorded and missing."""
    hidden = model.trunk(model.features(continuum_flux, redshift))
    output = model.marginals(hidden)
    # A tied pair is one measurement, that of the stronger line: the weaker teaches its own noise alone.
    law = jax.tree.map(lambda a: jnp.where(IS_WEAK, jax.lax.stop_gradient(a), a), model.law_of(output))
    noise = model.noise_law(continuum_flux, redshift)
    recorded = _recorded(
        law, noise, lines, model.measurement.selection, model.measurement.outlier_share, selection
    )
    unrecorded = _unrecorded(law, noise, model.measurement.selection)
    single = _single_lines(recorded, unrecorded, lines.present, selection)
    joint = _dependence(
        model.free_correlation_of(model.loadings(hidden)), recorded, unrecorded, lines.present
    )
    ratios = _tied_ratios(model.log_ratio_of(output), model.tie_log_scatter, lines)
    return jnp.sum(single) + joint + jnp.sum(ratios)


def missing_chance(model: LineModel, continuum_flux: Continuum, redshift: Scalar) -> OfLines:
    """Chance of each line to be missing from a table like the training set."""
    law = model.density(continuum_flux, redshift).log_ew
    noise = model.noise_law(continuum_flux, redshift)
    return jnp.exp(_unrecorded(law, noise, model.measurement.selection).log_evidence)


def _recorded(
    law: SinhArcsinh,
    noise: NoiseLaw,
    lines: MeasuredLines,
    selection: Selection,
    outlier_share: OfLines,
    kind: SelectionKind,
) -> _Posterior:
    """Evidence of each recorded line, its intrinsic width integrated out."""
    sigma = lines.sigma_aa
    scatter = noise.scale * sigma
    at_bound = lines.at_bound
    low, high = _score_range(law, lines.ew_aa, scatter, at_bound)
    step = (high - low) / (NODES - 1)
    scores = jnp.linspace(low, high, NODES, axis=1)
    ew = _ew_at(law, scores)
    log_sigma_law = _log_sigma_density(noise, ew, sigma)
    residual = (lines.ew_aa[:, None] - ew) / scatter[:, None]
    gaussian = -0.5 * residual**2 - HALF_LOG_TWO_PI - jnp.log(scatter)[:, None]
    negative = log_ndtr(-ew / scatter[:, None]) + jnp.log(selection.at_bound)[:, None]
    log_weight = (
        -0.5 * scores**2
        - HALF_LOG_TWO_PI
        + log_sigma_law
        + jnp.where(at_bound[:, None], negative, gaussian)
        + jnp.log(step)[:, None]
    )
    evidence = logsumexp(log_weight, axis=1)
    with_outliers = jnp.logaddexp(
        jnp.log1p(-outlier_share) + evidence, jnp.log(outlier_share) + _outlier(law, noise, lines)
    )
    evidence = jnp.where(at_bound, evidence, with_outliers)
    if kind == "learned":
        chance = selection.chance(lines.ew_aa / sigma)
        evidence += jnp.where(at_bound, 0.0, jnp.log(chance + TINY))
    return _Posterior(evidence, *_moments(log_weight, scores))


def _score_range(
    law: SinhArcsinh, ew: OfLines, scatter: OfLines, at_bound: Bool[Array, "10"]
) -> tuple[OfLines, OfLines]:
    """Scores between which a measurement allows the line to lie; nodes are places, not parameters."""
    least = 1e-3 * ew
    lowest = ew - 5.0 * scatter
    low = jnp.where(lowest > least, law.score(jnp.log(jnp.maximum(lowest, least))), -FARTHEST_SCORE)
    low = jnp.where(at_bound, -FARTHEST_SCORE, low)
    high = jnp.clip(law.score(jnp.log(ew + 5.0 * scatter)), -3.0, FARTHEST_SCORE + 0.5)
    low = jnp.clip(low, -FARTHEST_SCORE, high - 0.2)
    return jax.lax.stop_gradient((low, high))


def _unrecorded(law: SinhArcsinh, noise: NoiseLaw, selection: Selection) -> _Posterior:
    """Evidence that each line goes unrecorded, its width and its sigma integrated out."""
    scores = jnp.asarray(MISSING_SCORES)
    ew = _ew_at(law, jnp.broadcast_to(scores, (N_LINES, scores.size)))
    sigma_scores = jnp.broadcast_to(jnp.asarray(SIGMA_SCORES, jnp.float32), (N_LINES, SIGMA_SCORES.size))
    log_sigma = _over_nodes(noise.log_sigma.value, sigma_scores)
    log_sigma = log_sigma[:, None, :] + _over_nodes(noise.shift, ew)[:, :, None]
    true_snr = jnp.clip(ew[:, :, None] * jnp.exp(-log_sigma), 0.0, 100.0)
    missed = 1.0 - selection.chance_of_line(true_snr, noise.scale)
    missed = jnp.clip(missed @ jnp.asarray(SIGMA_WEIGHTS), 1e-6, 1.0)
    log_prior = jax.nn.log_softmax(-0.5 * scores**2)
    log_weight = jnp.log(missed) + log_prior[None, :]
    return _Posterior(
        logsumexp(log_weight, axis=1), *_moments(log_weight, jnp.broadcast_to(scores, ew.shape))
    )


def _single_lines(
    recorded: _Posterior, unrecorded: _Posterior, present: Bool[Array, "10"], kind: SelectionKind
) -> OfLines:
    """Evidence of each line by itself."""
    if kind == "truncated":
        chance = jnp.clip(-jnp.expm1(unrecorded.log_evidence), 1e-4, 1.0)
        return jnp.where(present, recorded.log_evidence - jnp.log(chance), 0.0)
    return jnp.where(present, recorded.log_evidence, unrecorded.log_evidence)


def _dependence(
    correlation: Float[Array, "8 8"], recorded: _Posterior, unrecorded: _Posterior, present: Bool[Array, "10"]
) -> Scalar:
    """Evidence of the free lines together over the product of their own, measurements matched by Gaussians.

    The matched Gaussians are held fixed, so that the laws of the lines answer to their own data alone.
    """
    choose = lambda a, b: jnp.where(present, a, b)[FREE]  # noqa: E731
    mean = jax.lax.stop_gradient(choose(recorded.mean, unrecorded.mean))
    variance = jax.lax.stop_gradient(choose(recorded.variance, unrecorded.variance))
    variance = jnp.clip(variance, 1e-4, 0.98)
    noise = variance / (1.0 - variance)
    measured = mean / (1.0 - variance)
    cholesky = jnp.linalg.cholesky(correlation + jnp.diag(noise))
    whitened = solve_triangular(cholesky, measured, lower=True)
    together = -0.5 * jnp.sum(whitened**2) - jnp.sum(jnp.log(jnp.diagonal(cholesky)))
    apart = -0.5 * jnp.sum(measured**2 / (1.0 + noise)) - 0.5 * jnp.sum(jnp.log1p(noise))
    return together - apart


def _tied_ratios(
    log_ratio: Float[Array, "2"], log_scatter: Float[Array, "2"], lines: MeasuredLines
) -> Float[Array, "2"]:
    """Evidence of the ratios of the tied pairs: Student's t, three degrees of freedom, against outliers."""
    usable = lines.present & ~lines.at_bound
    both = usable[WEAK] & usable[STRONG_OF_WEAK]
    log_ew = jnp.log(jnp.where(usable, lines.ew_aa, 1.0))
    residual = (log_ew[STRONG_OF_WEAK] - log_ew[WEAK] - log_ratio) * jnp.exp(-log_scatter)
    return jnp.where(both, -2.0 * jnp.log1p(residual**2 / 3.0) - log_scatter, 0.0)


def _outlier(law: SinhArcsinh, noise: NoiseLaw, lines: MeasuredLines) -> OfLines:
    """Density of a measurement that has nothing to do with the line."""
    log_ew, log_sigma = jnp.log(lines.ew_aa + 1e-3), jnp.log(lines.sigma_aa)
    ew_width, sigma_width = OUTLIER_WIDTHS
    return (
        -0.5 * ((log_ew - law.location) / ew_width) ** 2
        - 0.5 * ((log_sigma - noise.log_sigma.location) / sigma_width) ** 2
        - log_ew
        - 2.0 * HALF_LOG_TWO_PI
        - np.log(ew_width * sigma_width).astype(np.float32)
    )


def _log_sigma_density(noise: NoiseLaw, ew: AtNodes, sigma: OfLines) -> AtNodes:
    """Density of the quoted log sigma for lines of these widths."""
    shift = _over_nodes(noise.shift, ew)
    return _over_nodes(noise.log_sigma.log_prob, jnp.log(sigma)[:, None] - shift)


def _ew_at(law: SinhArcsinh, scores: AtNodes) -> AtNodes:
    return jnp.exp(jnp.clip(_over_nodes(law.value, scores), -LOG_EW_BOUND, LOG_EW_BOUND))


def _over_nodes(of_lines: Callable[[OfLines], OfLines], values: AtNodes) -> AtNodes:
    return jax.vmap(of_lines, 1, 1)(values)


def _moments(log_weight: AtNodes, scores: AtNodes) -> tuple[OfLines, OfLines]:
    weight = jax.nn.softmax(log_weight, axis=1)
    mean = jnp.sum(weight * scores, axis=1)
    return mean, jnp.sum(weight * (scores - mean[:, None]) ** 2, axis=1)
