"""Are posteriors of properties sharp and right: logarithms of densities at the truth, and ranks of it."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from nebulium.generate.latent.reader import log_posterior
from nebulium.generate.model import GRID, LatentImageModel
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
        At the truth, by method, nats for one standardised unit: of the training population, of the Gaussian
        in closed form, and of the model.
    pit : ndarray of shape (n, condition)
        Rank of the truth in the posterior of the model.
    """

    log_density: dict[str, Float[np.ndarray, "n condition"]]
    pit: Float[np.ndarray, "n condition"]


def posterior_scores(
    model: LatentImageModel, images: object, conditions: Float[np.ndarray, "n condition"]
) -> PosteriorScores:
    """Score the posteriors of galaxies from prepared images, and what is true of them."""
    each = jnp.eye(len(model.conditions), dtype=jnp.float32)

    def one(image: Image, truth: Conditions) -> dict[str, Conditions]:
        coefficients, standard = model.basis.coefficients(image), model.known(truth).conditions
        read = model.reader.read(coefficients, model.basis)
        density = model.posterior(image, jnp.full_like(truth, jnp.nan))
        below = jnp.cumsum(density, axis=1) * (GRID[1] - GRID[0])
        closed = model.diffusion.gaussian.closed
        mean = closed.cross.T @ coefficients
        scatter = jnp.sqrt(jnp.maximum(1.0 - jnp.sum(closed.cross**2, axis=0), 1e-3))
        return {
            "population": jax.vmap(lambda own: model.reader.prior(standard * own, own))(each),
            "Gaussian": jax.scipy.stats.norm.logpdf(standard, mean, scatter),
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
