"""The joint law of ten equivalent widths, given the stellar continuum.

One network reads the continuum and writes, for each line, a sinh-arcsinh law of the logarithm of the
equivalent width, and for all lines together the correlation of their normal scores (a Gaussian copula).
Medians are then an output of the network, quantiles a formula, samples and densities a few lines, and
equivalent widths positive by construction.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtri
from jaxtyping import Array, Bool, Float, Key

from nebulium.lines.continuum.features import LUMINOSITY_BIN, colours, log_luminosity
from nebulium.lines.continuum.line_list import LINES, TIED, Continua, Continuum, OfLines, line_index
from nebulium.lines.measurement import N_LINES, SCALAR_GAIN, WEAK, Measurement, NoiseLaw
from nebulium.modelfile import register
from nebulium.nn import SinhArcsinh, TrainingDomain, copula_log_density, factor_correlation
from nebulium.nn.convolution import normal_numbers
from nebulium.sed.cosmology import Scalar

N_COLOURS = 11
#: Lines with a law of their own; a tied line has the law of its stronger partner, moved down by the ratio.
FREE = np.array([line_index(line) for line in LINES if line not in TIED])
# Which free line each of the ten follows.
FOLLOWS = np.array(
    [int(np.flatnonzero(line_index(TIED[n][0] if n in TIED else n) == FREE)[0]) for n in LINES]
)
# Equivalent widths stay within e^-11 to e^11 AA, so that float32 holds every product of them.
LOG_EW_BOUND = 11.0
# Standardised features are clipped here: far outside the training domain the network should not run away.
FEATURE_BOUND = 6.0
# The luminosity range of the training set, but for the odd galaxy.
LUMINOSITY_LEVELS = (0.0005, 0.9995)
# Probabilities at which quantiles of measurements are calibrated; see `nebulium.lines.calibration`.
KNOTS = np.array([0.025, 0.05, 0.1, 0.16, 0.25, 0.375, 0.5, 0.625, 0.75, 0.84, 0.9, 0.95, 0.975], np.float32)


class LineDensity(eqx.Module):
    """Joint law of the ten intrinsic equivalent widths of one galaxy.

    Attributes
    ----------
    log_ew : SinhArcsinh of shape (10,)
        Law of each line's log EW (AA).
    correlation : (10, 10) float32
        Of the lines' normal scores.

    Examples
    --------
    >>> law = SinhArcsinh.from_raw(jnp.zeros((10, 4)))
    >>> density = LineDensity(law, jnp.eye(10))
    >>> density.median().tolist()[0], density.sample(jax.random.key(0), 5).shape
    (1.0, (5, 10))
    """

    log_ew: SinhArcsinh
    correlation: Float[Array, "10 10"]

    def median(self) -> OfLines:
        """Median EW of each line, AA."""
        return _exp(self.log_ew.location)

    def quantile(self, levels: Float[Array, " level"]) -> Float[Array, "level 10"]:
        """Quantiles of each line's EW, AA, at probabilities between 0 and 1."""
        return jax.vmap(lambda level: self.at_scores(jnp.full(N_LINES, ndtri(level))))(levels)

    def sample(self, key: Key[Array, ""], n: int) -> Float[Array, "{n} 10"]:
        """Draw n sets of ten equivalent widths, AA, with their correlations."""
        scores = normal_numbers(key, n, N_LINES) @ jnp.linalg.cholesky(self.correlation).T
        return jax.vmap(self.at_scores)(scores)

    def log_prob(self, ew_aa: OfLines) -> Scalar:
        """Logarithm of the joint density per AA^10; -inf where a width is not positive."""
        positive = ew_aa > 0
        log_ew = jnp.log(jnp.where(positive, ew_aa, 1.0))
        marginal = jnp.sum(self.log_ew.log_prob(log_ew) - log_ew)
        joint = marginal + copula_log_density(self.log_ew.score(log_ew), self.correlation)
        return jnp.where(jnp.all(positive), joint, -jnp.inf)

    def at_scores(self, scores: OfLines) -> OfLines:
        """Equivalent widths, AA, at the normal scores of the lines."""
        return _exp(self.log_ew.value(scores))


@register
class LineModel(eqx.Module):
    """Emission lines from starlight.

    Works on one galaxy: jit, vmap and differentiate its methods as any function.

    Attributes
    ----------
    with_luminosity : bool
        Whether the luminosity is a feature beside the eleven colours.
    feature_mean, feature_std : (feature,) float32
        Statistics of the training set.
    brightness_mean, brightness_std : () float32
        The same of log10 of the flux in the luminosity bin, which the noise depends on.
    trunk : equinox.nn.MLP
        Shared by all lines.
    marginals, loadings : equinox.nn.Linear
        From the trunk to the laws of the lines and to their correlations.
    log_tie_scatter : (2,) float32
        Log of the scatter of the tied ratios, in log EW, over the gain of `nebulium.lines.measurement`.
    measurement : Measurement
        Noise and selection of the survey it was trained on.
    domain : TrainingDomain
        Where the training galaxies lie.
    log_luminosity_range : (2,) float32
        Range of the training luminosities (see `nebulium.lines.continuum.features.log_luminosity`).
    measured_levels : (2, 10, knot) float32
        Levels at which the law of a measurement holds the shares `KNOTS`, with the galaxy's own noise and
        with the noise typical of its continuum; see `nebulium.lines.calibration`.
    """

    with_luminosity: bool = eqx.field(static=True)
    feature_mean: Float[Array, " feature"]
    feature_std: Float[Array, " feature"]
    brightness_mean: Scalar
    brightness_std: Scalar
    trunk: eqx.nn.MLP
    marginals: eqx.nn.Linear
    loadings: eqx.nn.Linear
    log_tie_scatter: Float[Array, "2"]
    measurement: Measurement
    domain: TrainingDomain
    log_luminosity_range: Float[Array, "2"]
    measured_levels: Float[Array, "2 10 knot"]
    copula_rank: int = eqx.field(static=True)

    def __init__(
        self,
        *,
        with_luminosity: bool,
        width: int = 256,
        depth: int = 3,
        copula_rank: int = 4,
        noise_width: int = 64,
        selective: bool = True,
        key: Key[Array, ""],
    ):
        keys = jax.random.split(key, 4)
        n_features = N_COLOURS + int(with_luminosity)
        self.with_luminosity = with_luminosity
        self.copula_rank = copula_rank
        self.feature_mean = jnp.zeros(n_features, jnp.float32)
        self.feature_std = jnp.ones(n_features, jnp.float32)
        self.brightness_mean = jnp.zeros((), jnp.float32)
        self.brightness_std = jnp.ones((), jnp.float32)
        self.trunk = eqx.nn.MLP(
            n_features,
            width,
            width,
            depth - 1,
            activation=jax.nn.silu,
            final_activation=jax.nn.silu,
            key=keys[0],
        )
        marginals = eqx.nn.Linear(width, 4 * FREE.size + WEAK.size, key=keys[1])
        self.marginals = eqx.tree_at(lambda layer: layer.weight, marginals, 0.3 * marginals.weight)
        self.loadings = eqx.nn.Linear(width, copula_rank * FREE.size, key=keys[2])
        self.log_tie_scatter = jnp.full(WEAK.size, -0.25, jnp.float32)
        noise_features = n_features + int(with_luminosity)
        self.measurement = Measurement(noise_features, width=noise_width, selective=selective, key=keys[3])
        self.domain = TrainingDomain(n_features)
        self.log_luminosity_range = jnp.array([-jnp.inf, jnp.inf], jnp.float32)
        self.measured_levels = jnp.tile(jnp.asarray(KNOTS), (2, N_LINES, 1))

    def features(self, continuum_flux: Continuum, redshift: Scalar) -> Float[Array, " feature"]:
        """Standardised features of a continuum.

        Parameters
        ----------
        continuum_flux : (12,) float32
            Observed-frame flux density in the twelve rest-frame bins, 1e-17 erg/s/cm2/AA (any unit for the
            model without luminosity).
        redshift : () float32
            Not used by the model without luminosity.

        Returns
        -------
        (feature,) float32
            NaN where a bin is missing, or the redshift that the luminosity needs.

        Examples
        --------
        >>> model = LineModel(with_luminosity=True, key=jax.random.key(0))
        >>> model.features(jnp.ones(12), jnp.array(0.1)).shape
        (12,)
        """
        raw = colours(continuum_flux)
        if self.with_luminosity:
            raw = jnp.append(raw, log_luminosity(continuum_flux, redshift))
        return jnp.clip((raw - self.feature_mean) / self.feature_std, -FEATURE_BOUND, FEATURE_BOUND)

    def noise_features(self, continuum_flux: Continuum, redshift: Scalar) -> Float[Array, " noise_feature"]:
        """Features that the noise depends on: those of the lines and, with luminosity, the brightness.

        Parameters
        ----------
        continuum_flux, redshift
            As in `features`.

        Returns
        -------
        (noise_feature,) float32

        Examples
        --------
        >>> model = LineModel(with_luminosity=True, key=jax.random.key(0))
        >>> model.noise_features(jnp.ones(12), jnp.array(0.1)).shape
        (13,)
        """
        features = self.features(continuum_flux, redshift)
        if not self.with_luminosity:
            return features
        flux = continuum_flux[LUMINOSITY_BIN]
        brightness = jnp.log10(jnp.where(flux > 0, flux, 1.0))
        standardised = (brightness - self.brightness_mean) / self.brightness_std
        return jnp.append(features, jnp.clip(standardised, -FEATURE_BOUND, FEATURE_BOUND))

    def median_ew(self, continuum_flux: Continuum, redshift: Scalar) -> OfLines:
        """Median intrinsic equivalent widths: only the part of the network that they need.

        Parameters
        ----------
        continuum_flux, redshift
            As in `features`.

        Returns
        -------
        (10,) float32
            Rest frame, AA, emission positive, in the order of `LINES`; NaN where a feature is.

        Examples
        --------
        >>> model = LineModel(with_luminosity=False, key=jax.random.key(0))
        >>> bool(jnp.all(model.median_ew(jnp.ones(12), jnp.array(0.0)) > 0))
        True
        """
        hidden = self.trunk(self.features(continuum_flux, redshift))
        location = _LOCATIONS @ self.marginals.weight @ hidden + _LOCATIONS @ self.marginals.bias
        return _exp(location)

    def density(self, continuum_flux: Continuum, redshift: Scalar) -> LineDensity:
        """Joint law of the intrinsic equivalent widths.

        Parameters
        ----------
        continuum_flux, redshift
            As in `features`.

        Returns
        -------
        LineDensity

        Examples
        --------
        >>> model = LineModel(with_luminosity=False, key=jax.random.key(0))
        >>> model.density(jnp.ones(12), jnp.array(0.0)).quantile(jnp.array([0.16, 0.84])).shape
        (2, 10)
        """
        hidden = self.trunk(self.features(continuum_flux, redshift))
        law = self.law_of(self.marginals(hidden))
        return LineDensity(law, self.correlation_of(self.loadings(hidden), law))

    def law_of(self, output: Float[Array, " output"]) -> SinhArcsinh:
        """Laws of the ten lines from the output of the layer `marginals`.

        Parameters
        ----------
        output : (34,) float32
            Four numbers for each free line, then the log ratio of each tied pair.

        Returns
        -------
        SinhArcsinh of shape (10,)

        Examples
        --------
        >>> model = LineModel(with_luminosity=False, key=jax.random.key(0))
        >>> model.law_of(jnp.zeros(34)).location.shape
        (10,)
        """
        raw = output[: 4 * FREE.size].reshape(FREE.size, 4)[FOLLOWS]
        return SinhArcsinh.from_raw(raw.at[WEAK, 0].add(-self.log_ratio_of(output)))

    def log_ratio_of(self, output: Float[Array, " output"]) -> Float[Array, "2"]:
        """Log of EW(stronger) over EW(weaker) of the tied pairs; see `law_of`.

        Parameters
        ----------
        output : (34,) float32
            Of the layer `marginals`.

        Returns
        -------
        (2,) float32

        Examples
        --------
        >>> LineModel(with_luminosity=False, key=jax.random.key(0)).log_ratio_of(jnp.zeros(34)).tolist()
        [0.0, 0.0]
        """
        return output[4 * FREE.size :]

    def correlation_of(self, output: Float[Array, " output"], law: SinhArcsinh) -> Float[Array, "10 10"]:
        """Correlations of the ten normal scores; a tied line follows its partner but for the ratio's scatter.

        Parameters
        ----------
        output : (8 rank,) float32
            Of the layer `loadings`.
        law : SinhArcsinh of shape (10,)
            From `law_of`.

        Returns
        -------
        (10, 10) float32

        Examples
        --------
        >>> model = LineModel(with_luminosity=False, key=jax.random.key(0))
        >>> model.correlation_of(jnp.zeros(32), model.law_of(jnp.zeros(34))).shape
        (10, 10)
        """
        free = self.free_correlation_of(output)
        together = free[FOLLOWS][:, FOLLOWS]
        # Scores that differ by N(0, 2 - 2 rho) give, at the median, log ratios that scatter by the tie's.
        scatter = jnp.exp(self.tie_log_scatter - law.log_scale[WEAK])
        rho = jnp.clip(1.0 - 0.5 * scatter**2, 0.0, 1.0 - 1e-4)
        damping = jnp.ones(N_LINES, rho.dtype).at[WEAK].set(rho)
        return jnp.where(_DIAGONAL, 1.0, together * jnp.outer(damping, damping))

    def free_correlation_of(self, output: Float[Array, " output"]) -> Float[Array, "8 8"]:
        """Correlations of the free lines; see `correlation_of`.

        Parameters
        ----------
        output : (8 rank,) float32
            Of the layer `loadings`.

        Returns
        -------
        (8, 8) float32

        Examples
        --------
        >>> model = LineModel(with_luminosity=False, key=jax.random.key(0))
        >>> bool(jnp.allclose(model.free_correlation_of(jnp.zeros(32)), jnp.eye(8)))
        True
        """
        return factor_correlation(output.reshape(FREE.size, self.copula_rank))

    @property
    def tie_log_scatter(self) -> Float[Array, "2"]:
        """Log of the scatter of the tied pairs' log ratio."""
        return SCALAR_GAIN * self.log_tie_scatter

    def noise_law(self, continuum_flux: Continuum, redshift: Scalar) -> NoiseLaw:
        """Noise typical of such a continuum in the training set; see `nebulium.lines.measurement`.

        Parameters
        ----------
        continuum_flux, redshift
            As in `features`.

        Returns
        -------
        NoiseLaw

        Examples
        --------
        >>> model = LineModel(with_luminosity=False, key=jax.random.key(0))
        >>> model.noise_law(jnp.ones(12), jnp.array(0.0)).scale.shape
        (10,)
        """
        return self.measurement.law(self.noise_features(continuum_flux, redshift))


def with_statistics(
    model: LineModel, continuum_flux: Float[Array, "n 12"], redshift: Float[Array, " n"]
) -> LineModel:
    """Set the model's feature statistics and its luminosity range from its training set."""
    raw = jax.vmap(colours)(continuum_flux)
    luminosity = jax.vmap(log_luminosity)(continuum_flux, redshift)
    if model.with_luminosity:
        raw = jnp.concatenate([raw, luminosity[:, None]], axis=1)
    brightness = jnp.log10(continuum_flux[:, LUMINOSITY_BIN])
    extremes = jnp.quantile(luminosity, jnp.array(LUMINOSITY_LEVELS, jnp.float32))
    new = (jnp.mean(raw, axis=0), jnp.std(raw, axis=0), jnp.mean(brightness), jnp.std(brightness), extremes)
    return eqx.tree_at(statistics_of, model, new)


_log_luminosities = jax.jit(jax.vmap(log_luminosity))


def luminosities_in_range(
    model: LineModel, continuum_flux: Continua, redshift: Float[np.ndarray, " n"]
) -> Bool[np.ndarray, " n"]:
    """Which galaxies have a luminosity like those of the training set; False where it is not known."""
    low, high = np.asarray(model.log_luminosity_range)
    luminosity = np.asarray(_log_luminosities(continuum_flux, redshift))
    return (luminosity >= low) & (luminosity <= high)


def statistics_of(model: Any) -> tuple[Any, ...]:
    """The leaves that are measured on the training set, not trained."""
    return (
        model.feature_mean,
        model.feature_std,
        model.brightness_mean,
        model.brightness_std,
        model.log_luminosity_range,
    )


def _exp(log_ew: OfLines) -> OfLines:
    return jnp.exp(jnp.clip(log_ew, -LOG_EW_BOUND, LOG_EW_BOUND))


def _location_rows() -> Float[np.ndarray, "10 34"]:
    """Picks the ten medians out of the outputs of the layer `marginals`."""
    rows = np.zeros((N_LINES, 4 * FREE.size + WEAK.size), np.float32)
    rows[np.arange(N_LINES), 4 * FOLLOWS] = 1.0
    rows[WEAK, 4 * FREE.size + np.arange(WEAK.size)] = -1.0
    return rows


_LOCATIONS = _location_rows()
_DIAGONAL: Bool[np.ndarray, "10 10"] = np.eye(N_LINES, dtype=bool)
