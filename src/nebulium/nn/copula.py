"""Sinh-arcsinh densities, and the Gaussian copula that joins several."""

import equinox as eqx
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Float

HALF_LOG_TWO_PI = 0.9189385332
# Bounds of the shape, wide enough for any one-peaked law met so far: a skewness of 1.2 at the heaviest tail
# stretches one side by a factor of a hundred against the other.
MOST_SKEWNESS = 1.2
MOST_LOG_TAIL = 0.6
LOG_SCALE_BOUNDS = (-4.0, 2.0)


class SinhArcsinh(eqx.Module):
    """Laws of y = location + scale w(z), z standard normal, w a sinh-arcsinh curve with w(0) = 0, w'(0) = 1.

    Anchoring the curve at z = 0 makes the location the median, whatever the other parameters.

    Attributes
    ----------
    location : (...) float32
        Medians.
    log_scale : (...) float32
        Logarithm of dy/dz at the median.
    skewness : (...) float32
        Positive: the longer tail lies above.
    tail : (...) float32
        Below 1: tails heavier than a normal law's; 1 with skewness 0 is the normal law.

    References
    ----------
    Jones & Pewsey 2009, Biometrika 96, 761.

    Examples
    --------
    >>> zero = jnp.zeros(1)
    >>> normal = SinhArcsinh(zero, zero, zero, zero + 1)
    >>> normal.value(jnp.ones(1)).tolist()
    [1.0]
    """

    location: Float[Array, "*shape"]
    log_scale: Float[Array, "*shape"]
    skewness: Float[Array, "*shape"]
    tail: Float[Array, "*shape"]

    @classmethod
    def from_raw(cls, raw: Float[Array, "*shape 4"]) -> "SinhArcsinh":
        """Read unbounded numbers, a network's output, as parameters within the bounds of this module.

        Parameters
        ----------
        raw : (..., 4) float32
            Location, log scale, and the logits of skewness and tail.

        Returns
        -------
        SinhArcsinh

        Examples
        --------
        >>> SinhArcsinh.from_raw(jnp.zeros((3, 4))).tail.tolist()
        [1.0, 1.0, 1.0]
        """
        return cls(
            raw[..., 0],
            jnp.clip(raw[..., 1], *LOG_SCALE_BOUNDS),
            MOST_SKEWNESS * jnp.tanh(raw[..., 2]),
            jnp.exp(MOST_LOG_TAIL * jnp.tanh(raw[..., 3])),
        )

    def value(self, z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The variable at a normal score: the quantile function at the probability of z.

        Parameters
        ----------
        z : (...) float32
            Standard normal scores, of the same rank as the parameters.

        Returns
        -------
        (...) float32

        Examples
        --------
        >>> law = SinhArcsinh.from_raw(jnp.array([2.0, 0.0, 1.0, 0.5]))
        >>> float(law.value(jnp.array(0.0)))  # the median
        2.0
        """
        bent = jnp.sinh((jnp.arcsinh(z) + self.skewness) / self.tail)
        return self.location + jnp.exp(self.log_scale) * (bent - self._offset()) / self._slope()

    def score(self, y: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The normal score of a value; inverse of `value`.

        Parameters
        ----------
        y : (...) float32
            Values.

        Returns
        -------
        (...) float32

        Examples
        --------
        >>> law = SinhArcsinh.from_raw(jnp.array([2.0, 0.0, 1.0, 0.5]))
        >>> round(float(law.score(law.value(jnp.array(1.5)))), 4)
        1.5
        """
        return jnp.sinh(self.tail * jnp.arcsinh(self._bent(y)) - self.skewness)

    def log_prob(self, y: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Logarithm of the density of y.

        Parameters
        ----------
        y : (...) float32
            Values.

        Returns
        -------
        (...) float32

        Examples
        --------
        >>> law = SinhArcsinh.from_raw(jnp.zeros(4))
        >>> round(float(law.log_prob(jnp.array(0.0))), 4)
        -0.9189
        """
        bent = self._bent(y)
        z = jnp.sinh(self.tail * jnp.arcsinh(bent) - self.skewness)
        # dz/dy by the chain rule, each factor in a form that cannot overflow.
        log_slope = (
            0.5 * jnp.log1p(z * z)
            - 0.5 * jnp.log1p(bent * bent)
            + jnp.log(self.tail)
            + jnp.log(self._slope())
            - self.log_scale
        )
        return -0.5 * z * z - HALF_LOG_TWO_PI + log_slope

    def _bent(self, y: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return (y - self.location) * jnp.exp(-self.log_scale) * self._slope() + self._offset()

    def _offset(self) -> Float[Array, "*shape"]:
        return jnp.sinh(self.skewness / self.tail)

    def _slope(self) -> Float[Array, "*shape"]:
        return jnp.cosh(self.skewness / self.tail) / self.tail


def factor_correlation(loadings: Float[Array, "variable factor"]) -> Float[Array, "variable variable"]:
    """Correlation matrix of variables that share a few factors, each with unit noise of its own.

    Parameters
    ----------
    loadings : (variable, factor) float32
        Any numbers.

    Returns
    -------
    (variable, variable) float32
        Positive definite, ones on the diagonal.

    Examples
    --------
    >>> factor_correlation(jnp.ones((2, 1))).round(3).tolist()
    [[1.0, 0.5], [0.5, 1.0]]
    """
    covariance = loadings @ loadings.T + jnp.eye(loadings.shape[0])
    inverse_sigma = 1.0 / jnp.sqrt(jnp.diagonal(covariance))
    correlation = covariance * jnp.outer(inverse_sigma, inverse_sigma)
    return jnp.where(jnp.eye(loadings.shape[0], dtype=bool), 1.0, correlation)


def copula_log_density(
    scores: Float[Array, " variable"], correlation: Float[Array, "variable variable"]
) -> Float[Array, ""]:
    """Logarithm of the joint density of normal scores over the product of their own densities.

    Parameters
    ----------
    scores : (variable,) float32
        Standard normal scores.
    correlation : (variable, variable) float32
        Positive definite, ones on the diagonal.

    Returns
    -------
    () float32
        Zero where the variables are independent.

    Examples
    --------
    >>> float(copula_log_density(jnp.array([1.0, -2.0]), jnp.eye(2)))
    0.0
    """
    cholesky = jnp.linalg.cholesky(correlation)
    whitened = solve_triangular(cholesky, scores, lower=True)
    log_determinant = 2.0 * jnp.sum(jnp.log(jnp.diagonal(cholesky)))
    return 0.5 * (jnp.sum(scores**2) - jnp.sum(whitened**2) - log_determinant)
