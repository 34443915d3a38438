"""Are posteriors of properties sharp and right: logarithms of densities at the truth, and ranks of it."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from nebulium.generate.image_model import GRID
from nebulium.generate.latent.reader import log_posterior
from nebulium.generate.model import LatentImageModel
from nebulium.nn.mapping import map_galaxies

Image = Float[Array, "side side band"]
Conditions = Float[Array, " condition"]

BATCH = 64
#: Places of a property at which the bound by diffusion is taken, from end to end of these quantiles.
PLACES, ENDS = 21, (0.001, 0.999)


@dataclass(frozen=True)
class PosteriorScores:
    """Scores of single properties, the others not known.

    Attributes
    ----------
    log_density : dict of str to ndarray of shape (n, condition)
        At the truth, by method, nats for one standardised unit: of the training population, of a Gaussian of
        properties and coefficients, and of the model.
    pit : ndarray of shape (n, condition)
        Rank of the truth in the posterior of the model.
    """

    log_density: dict[str, Float[np.ndarray, "n condition"]]
    pit: Float[np.ndarray, "n condition"]


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
    """The Gaussian of training galaxies, from prepared images and properties that are all known."""
    coefficients = map_galaxies(model.basis.coefficients, images, batch=BATCH)
    columns = np.column_stack([coefficients[:, : model.basis.components[0]], np.ones(len(coefficients))])
    standard = map_galaxies(model.known, conditions, batch=BATCH).conditions
    weights = np.linalg.lstsq(columns, standard, rcond=None)[0]
    scatter = np.std(standard - columns @ weights, axis=0)
    return LinearGaussian(weights.astype(np.float32), scatter.astype(np.float32))


def posterior_scores(
    model: LatentImageModel,
    images: object,
    conditions: Float[np.ndarray, "n condition"],
    linear: LinearGaussian,
) -> PosteriorScores:
    """Score the posteriors of galaxies from prepared images, and what is true of them."""
    each = jnp.eye(len(model.conditions), dtype=jnp.float32)

    def one(image: Image, truth: Conditions) -> dict[str, Conditions]:
        coefficients, standard = model.basis.coefficients(image), model.known(truth).conditions
        read = model.reader.read(coefficients, model.basis)
        density = model.posterior(image, jnp.full_like(truth, jnp.nan))
        below = jnp.cumsum(density, axis=1) * (GRID[1] - GRID[0])
        even = jnp.append(coefficients[: model.basis.components[0]], 1.0)
        mean = even @ jnp.asarray(linear.weights)
        return {
            "population": jax.vmap(lambda own: model.reader.prior(standard * own, own))(each),
            "Gaussian": jax.scipy.stats.norm.logpdf(standard, mean, jnp.asarray(linear.scatter)),
            "model": jax.vmap(lambda own: log_posterior(read, standard * own, own))(each),
            "pit": jax.vmap(lambda at, row: jnp.interp(at, jnp.asarray(GRID), row))(standard, below),
        }

    found = map_galaxies(one, images, conditions, batch=BATCH)
    return PosteriorScores({name: found[name] for name in ("population", "Gaussian", "model")}, found["pit"])


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
