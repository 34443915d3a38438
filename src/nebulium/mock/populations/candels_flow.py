"""A normalizing flow over the results of a fit of templates on a grid: redshift, age, tau, A_V, mass.

Needs flowjax; `nebulium.mock.populations.candels` imports it late.

Three of the five variables come on the coarse grid of the fit, and which values are taken together is the
better part of what there is to learn. So each of them is drawn by a spline of degree one whose knots are the
edges of the cells: the density is constant within a cell, and the likelihood of a dequantised value is that
of its cell, with nothing lost to the dequantisation (Müller et al. 2019, ACM Trans. Graph. 38, 145, have such
splines on even knots). The mass is drawn by a rational-quadratic spline (Durkan et al. 2019, NeurIPS 32).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import paramax
from flowjax.bijections import AbstractBijection, RationalQuadraticSpline
from flowjax.utils import get_ravelled_pytree_constructor
from jax.scipy.special import ndtr, ndtri
from jaxtyping import Array, Float, Key

from nebulium.mock.populations.candels_grid import AGE, AV, LOG_MASS_RANGE, REDSHIFT, TAU
from nebulium.modelfile import register
from nebulium.sed.cosmology import Scalar, age_gyr

#: Order in which the variables are drawn, each given those before it.
VARIABLES = ("z", "lage", "ltau", "av", "lmass")
REACH = 5.0  # of the spline of the mass, in normal scores
MEAN_LOG_MASS, LOG_SCALE_RANGE = 8.6, (-4.0, 2.0)
AGE_TOLERANCE = 1e-3  # dex, of the age of the Universe by which FAST drops values of its grid
_FREQUENCIES = np.array([0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0], np.float32)
_HALF_LOG_TWO_PI = np.float32(0.5 * np.log(2.0 * np.pi))
_TINY = 1e-12


class CellSpline(eqx.Module):
    """From the unit interval to a variable whose density is constant within each cell.

    Parameters
    ----------
    edges : array (cell + 1,)
        Not decreasing.
    share : array (cell,)
        Probability of each cell; sums to 1.
    """

    edges: Float[Array, " edge"]
    share: Float[Array, " cell"]

    def value(self, level: Scalar) -> Scalar:
        """The variable at a level of its cumulative distribution."""
        cumulative = jnp.concatenate([jnp.zeros(1, self.share.dtype), jnp.cumsum(self.share)])
        # Counted from the right, so that cells of no probability are passed over.
        cell = jnp.clip(jnp.searchsorted(cumulative, level, side="right") - 1, 0, self.share.size - 1)
        within = (level - cumulative[cell]) / jnp.maximum(self.share[cell], _TINY)
        return self.edges[cell] + jnp.clip(within, 0.0, 1.0) * (self.edges[cell + 1] - self.edges[cell])

    def log_density(self, value: Scalar) -> Scalar:
        """Logarithm of the density."""
        cell = jnp.clip(jnp.searchsorted(self.edges, value, side="right") - 1, 0, self.share.size - 1)
        width = self.edges[cell + 1] - self.edges[cell]
        return jnp.log(jnp.maximum(self.share[cell], _TINY)) - jnp.log(jnp.maximum(width, _TINY))


class BoundedSpline(eqx.Module):
    """From the unit interval to a variable between two bounds: a normal law, bent, moved, scaled and cut off.

    Parameters
    ----------
    location, log_scale : scalar
    bend : flowjax bijection
        Of standard normal scores.
    bounds : tuple of float
    """

    location: Scalar
    log_scale: Scalar
    bend: AbstractBijection
    bounds: tuple[float, float]

    def value(self, level: Scalar) -> Scalar:
        """The variable at a level of its cumulative distribution."""
        low, high = self._ends()
        score = ndtri(jnp.clip(low + level * (high - low), 1e-7, 1.0 - 1e-7))
        value = self.location + jnp.exp(self.log_scale) * self.bend.transform(score)
        return jnp.clip(value, *self.bounds)

    def log_density(self, value: Scalar) -> Scalar:
        """Logarithm of the density."""
        low, high = self._ends()
        score, log_slope = self._score(value)
        inside = log_slope - self.log_scale - 0.5 * score**2 - _HALF_LOG_TWO_PI
        return inside - jnp.log(jnp.maximum(high - low, _TINY))

    def _ends(self) -> tuple[Scalar, Scalar]:
        """Levels of the whole law at the two bounds."""
        low, high = (ndtr(self._score(jnp.asarray(bound))[0]) for bound in self.bounds)
        return low, high

    def _score(self, value: Scalar) -> tuple[Scalar, Scalar]:
        """Normal score of a value, and the logarithm of the slope of the bend there."""
        return self.bend.inverse_and_log_det((value - self.location) * jnp.exp(-self.log_scale))


class Conditionals(eqx.Module):
    """From the unit cube to the five variables, each drawn given those before it.

    Parameters
    ----------
    log_share_z : array (redshift,)
        Logarithm of the number of galaxies in each cell of redshift, up to a constant.
    age, tau, av, mass : MLP
        Networks that give the distribution of the next variable.
    knots : int
        Inner knots of the spline of the mass.
    """

    log_share_z: Float[Array, " redshift"]
    age: eqx.nn.MLP
    tau: eqx.nn.MLP
    av: eqx.nn.MLP
    mass: eqx.nn.MLP
    knots: int = eqx.field(static=True)

    def __init__(self, width: int, depth: int, knots: int, *, key: Key[Array, ""]):
        keys = jax.random.split(key, 4)
        sizes = np.cumsum([_redshift_features(jnp.zeros(())).size, AGE.size + 1, TAU.size + 1, AV.size + 1])
        outputs = (AGE.size, TAU.size, AV.size, 2 + _mass_bend(knots)[1])
        self.log_share_z = jnp.zeros(REDSHIFT.size)
        self.age, self.tau, self.av, self.mass = (
            eqx.nn.MLP(int(size), output, width, depth, jax.nn.silu, key=k)
            for size, output, k in zip(sizes, outputs, keys, strict=True)
        )
        self.knots = knots

    def values(self, levels: Float[Array, "5"]) -> Float[Array, "5"]:
        """The variables at levels of their cumulative distributions."""
        values: list[Scalar] = []
        for level, law_of in zip(levels, self._laws(), strict=True):
            values.append(law_of(values).value(level))
        return jnp.stack(values)

    def log_density(self, variables: Float[Array, "5"]) -> Scalar:
        """Logarithm of the density, per unit of each variable."""
        values = list(variables)
        laws = [law_of(values[:place]) for place, law_of in enumerate(self._laws())]
        return sum((law.log_density(value) for law, value in zip(laws, values, strict=True)), jnp.zeros(()))

    def _laws(self) -> tuple[Callable[[list[Scalar]], CellSpline | BoundedSpline], ...]:
        return self._redshift_law, self._age_law, self._tau_law, self._av_law, self._mass_law

    def _redshift_law(self, before: list[Scalar]) -> CellSpline:
        return CellSpline(_constant(REDSHIFT.edges()), jax.nn.softmax(self.log_share_z))

    def _age_law(self, before: list[Scalar]) -> CellSpline:
        """Nothing is older than the Universe: neither a value of the grid nor a place within its cell."""
        first, oldest = REDSHIFT.first, _log_age_of_universe(before[0])
        nearest = first + REDSHIFT.step * jnp.rint((before[0] - first) / REDSHIFT.step)
        allowed = _constant(AGE.values()) <= _log_age_of_universe(nearest) + AGE_TOLERANCE
        logits = jnp.where(allowed, self.age(_features(before)), -jnp.inf)
        return CellSpline(jnp.minimum(_constant(AGE.edges()), oldest), jax.nn.softmax(logits))

    def _tau_law(self, before: list[Scalar]) -> CellSpline:
        return CellSpline(_constant(TAU.edges()), jax.nn.softmax(self.tau(_features(before))))

    def _av_law(self, before: list[Scalar]) -> CellSpline:
        return CellSpline(_constant(AV.edges()), jax.nn.softmax(self.av(_features(before))))

    def _mass_law(self, before: list[Scalar]) -> BoundedSpline:
        location, log_scale, *bend = jnp.split(self.mass(_features(before)), [1, 2])
        constructor, _ = _mass_bend(self.knots)
        return BoundedSpline(
            MEAN_LOG_MASS + location[0],
            jnp.clip(log_scale[0], *LOG_SCALE_RANGE),
            paramax.unwrap(constructor(bend[0])),
            LOG_MASS_RANGE,
        )


@register
class CandelsFlow(eqx.Module):
    """Density of redshift, age, tau, A_V and mass of the galaxies of 3D-HST.

    Parameters
    ----------
    width, depth : int
        Of each network.
    knots : int
        Inner knots of the spline of the mass.
    key : PRNG key
    """

    conditionals: Conditionals

    def __init__(self, width: int, depth: int, knots: int, *, key: Key[Array, ""]):
        self.conditionals = Conditionals(width, depth, knots, key=key)

    def sample(self, key: Key[Array, ""]) -> Float[Array, "5"]:
        """One galaxy."""
        # Split as flowjax splits the key of a flow: a seed makes the galaxies that it always made.
        levels = jax.random.uniform(jax.random.split(key, 1)[0], (len(VARIABLES),))
        with _flowjax_promotion():
            return self.conditionals.values(levels)

    def log_prob(self, variables: Float[Array, "5"]) -> Scalar:
        """Logarithm of the density, per unit of each variable."""
        with _flowjax_promotion():
            return self.conditionals.log_density(variables)


@contextmanager
def _flowjax_promotion() -> Iterator[None]:
    """Flowjax leans on promotions that a caller may have forbidden."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


@cache
def _mass_bend(knots: int) -> tuple[Callable[[Array], AbstractBijection], int]:
    """Maker of the spline of the mass from so many raw numbers; zeros make the identity."""
    with jax.ensure_compile_time_eval(), _flowjax_promotion():
        spline = RationalQuadraticSpline(knots=knots, interval=REACH)
        return get_ravelled_pytree_constructor(spline, eqx.is_inexact_array)


def _features(before: list[Scalar]) -> Float[Array, " feature"]:
    """What the networks see of the variables drawn so far: which cell, and how they lie."""
    seen = [_redshift_features(before[0])]
    for grid, value in zip((AGE, TAU, AV), before[1:], strict=False):
        cell = jnp.rint((value - grid.first) / grid.step).astype(jnp.int32)
        place = 2.0 * cell[None].astype(value.dtype) / (grid.size - 1) - 1.0
        seen += [jax.nn.one_hot(cell, grid.size, dtype=value.dtype), place]
    return jnp.concatenate(seen)


def _redshift_features(redshift: Scalar) -> Float[Array, " feature"]:
    """Waves in log(1 + z), down to the width of the structure in photometric redshifts."""
    log_z = jnp.log1p(redshift)
    phase = np.float32(np.pi) * log_z * _FREQUENCIES
    return jnp.concatenate([log_z[None], redshift[None] / 3.0, jnp.sin(phase), jnp.cos(phase)])


def _log_age_of_universe(redshift: Scalar) -> Scalar:
    return jnp.log10(age_gyr(redshift)) + 9.0


def _constant(values: np.ndarray) -> Array:
    return jnp.asarray(values, jnp.float32)
