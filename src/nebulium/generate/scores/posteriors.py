"""Are posteriors of properties sharp and right: logarithms of densities at the truth, and ranks of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from nebulium.generate.image_model import GRID
from nebulium.generate.latent.diffusion import Known
from nebulium.generate.latent.reader import log_posterior
from nebulium.generate.model import LatentImageModel
from nebulium.nn.mapping import map_galaxies

Image = Float[Array, "side side band"]
Conditions = Float[Array, " condition"]

BATCH = 64
#: Methods, the trivial one first: the prior, a Gaussian of properties and coefficients, Bayes' rule.
POPULATION, LINEAR, MODEL = "population", "linear Gaussian", "model"
#: Places of a property at which the bound by diffusion is taken, from end to end of these quantiles.
PLACES, ENDS = 21, (0.001, 0.999)


class PosteriorScores(NamedTuple):
    """Scores of densities of single properties, the others not known; NaN where the truth is not known.

    Attributes
    ----------
    log_density : (n, condition)
        At the truth, nats for one standardised unit.
    pit : (n, condition)
        Rank of the truth in the density.
    """

    log_density: Any
    pit: Any


@dataclass(frozen=True)
class LinearGaussian:
    """Properties given coefficients, were both one Gaussian: the trivial rival of a network.

    Attributes
    ----------
    weights : ndarray of shape (coefficient + 1, condition), float32
        Of the coefficients that are the same in all orientations, and of 1.
    scatter : ndarray of shape (condition,), float32
    """

    weights: Float[np.ndarray, "some condition"]
    scatter: Float[np.ndarray, " condition"]


def fit_linear_gaussian(
    model: LatentImageModel, images: object, conditions: Float[np.ndarray, "n condition"]
) -> LinearGaussian:
    """The Gaussian of training galaxies, from prepared images and properties, NaN where not known."""
    coefficients = map_galaxies(model.coefficients, images, batch=BATCH)
    columns = np.column_stack([coefficients[:, : model.diffusion.gaussian.even], np.ones(len(coefficients))])
    standard, known = map_galaxies(model.known, conditions, batch=BATCH)
    weights, scatter = [], []
    for values, there in zip(standard.T, known.T > 0, strict=True):
        found = np.linalg.lstsq(columns[there], values[there], rcond=None)[0]
        left = values[there] - columns[there] @ found
        weights.append(found)
        scatter.append(np.sqrt(np.sum(left**2) / max(len(left) - len(found), 1)))
    return LinearGaussian(np.array(weights, np.float32).T, np.array(scatter, np.float32))


def posterior_scores(
    model: LatentImageModel,
    images: object,
    conditions: Float[np.ndarray, "n condition"],
    linear: LinearGaussian | None,
) -> dict[str, PosteriorScores]:
    """Score the posteriors of galaxies from prepared images: of the population, a Gaussian, and the model."""
    each = jnp.eye(len(model.conditions), dtype=jnp.float32)

    def one(image: Image, truth: Conditions) -> dict[str, PosteriorScores]:
        coefficients = model.coefficients(image)
        read = model.reader.read(coefficients, model.basis)
        densities = {
            POPULATION: lambda at: jax.vmap(lambda own: model.reader.prior(at * own, own))(each),
            MODEL: lambda at: jax.vmap(lambda own: log_posterior(read, at * own, own))(each),
        }
        if linear is not None:
            even = jnp.append(coefficients[: model.diffusion.gaussian.even], 1.0)
            normal = even @ jnp.asarray(linear.weights), jnp.asarray(linear.scatter)
            densities[LINEAR] = lambda at: jax.scipy.stats.norm.logpdf(at, *normal)
        return {name: density_scores(density, model.known(truth)) for name, density in densities.items()}

    found: dict[str, PosteriorScores] = map_galaxies(one, images, conditions, batch=BATCH)
    return {name: found[name] for name in (POPULATION, LINEAR, MODEL) if name in found}


def density_scores(log_density: Callable[[Conditions], Conditions], truth: Known) -> PosteriorScores:
    """Score a density of each property, a function of all of them in standardised units, at the truth."""
    places = jnp.broadcast_to(jnp.asarray(GRID)[:, None], (len(GRID), len(truth.known)))
    log = jax.vmap(log_density)(places)
    density = jnp.exp(log - jnp.max(log, axis=0, keepdims=True))
    summed = jnp.cumsum(density, axis=0)
    # Over the last sum, which rounding may leave a little above that of all at once.
    below = summed / summed[-1:]
    # What is summed up to a place lies below the middle between it and the next.
    middle = jnp.asarray(GRID + 0.5 * (GRID[1] - GRID[0]))
    pit = jax.vmap(lambda at, column: jnp.interp(at, middle, column), in_axes=(0, 1))(truth.conditions, below)
    there = lambda values: jnp.where(truth.known > 0, values, jnp.nan)  # noqa: E731
    return PosteriorScores(there(log_density(truth.conditions)), there(pit))


def bound_scores(
    model: LatentImageModel,
    images: object,
    conditions: Float[np.ndarray, "n condition"],
    population: Float[np.ndarray, "m condition"],
    *,
    draws: int,
    key: Key[Array, ""],
) -> tuple[Float[np.ndarray, "n condition"], Float[np.ndarray, "n condition"]]:
    """The same by the bound of the diffusion, property by property, and the errors of its differences.

    The bound is taken on a grid and times the population's density; an error is that of the difference
    between the truth and the middle of the grid, nats.
    """
    ends = np.quantile(population, ENDS, axis=0).astype(np.float32)
    number = len(model.conditions)

    def one(image: Image, truth: Conditions, key: Array) -> tuple[Conditions, Conditions]:
        def of_one(place: Array) -> tuple[Array, Array]:
            own = jax.nn.one_hot(place, number, dtype=jnp.float32)
            low, high = jnp.asarray(ends)[:, place]
            values = jnp.linspace(low, high, PLACES)
            both = jnp.append(values, truth[place])
            given = jnp.where(own > 0, both[:, None], jnp.nan)
            bounds = model.bounds(image, given, key, draws=draws)
            standard = jax.vmap(model.known)(given).conditions[:, place]
            prior = jax.vmap(lambda at: model.reader.prior(at * own, own))(standard)
            log = jnp.mean(bounds, axis=1) + prior
            step = standard[1] - standard[0]
            total = jax.scipy.special.logsumexp(log[:-1]) + jnp.log(step)
            apart = bounds[-1] - bounds[PLACES // 2]
            return log[-1] - total, jnp.std(apart) / jnp.sqrt(jnp.asarray(draws, jnp.float32))

        return jax.lax.map(of_one, jnp.arange(number))

    keys = jax.random.split(key, len(conditions))
    return map_galaxies(one, images, conditions, keys, batch=8)
