"""A prior of one's own: the density of properties of a table, in place of the training galaxies'."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from nebulium.data.tables.reading import read_table
from nebulium.errors import TableError
from nebulium.generate.latent.diffusion import Known
from nebulium.generate.latent.reader import OF_ALL, starting_mixture
from nebulium.generate.model import LatentImageModel
from nebulium.nn.joint_mixture import draws, log_density
from nebulium.nn.mapping import map_galaxies

Column = Float[Array, " column"]
Mixture = Float[Array, " parameter"]

#: Galaxies whose density is fitted, at least and at most, and steps that fit it.
LEAST, MOST, STEPS, RATE = 200, 4096, 400, 0.03
#: Largest share of these that may be unlike all training galaxies.
MOST_OUTSIDE = 0.05
#: Smallest share of the training galaxies that counts once they are weighed as the prior has them.
LEAST_SHARE, TRIED = 0.01, 4096
BATCH = 256


class Population(eqx.Module):
    """A mixture of properties, of which some may be told nothing about.

    Attributes
    ----------
    name : str
        The table.
    mixture : (parameter,) float32
        As that of all galaxies of the reader.
    told : (column,) float32
        1 for the columns of properties that the table has; of the others the density given these is that of
        the training galaxies.
    share : float
        Of the training galaxies, that counts once they are weighed as this population.
    """

    name: str = eqx.field(static=True)
    mixture: Mixture
    told: Column
    share: float = eqx.field(static=True)

    def log_weight(self, model: LatentImageModel, columns: Column) -> Float[Array, ""]:
        """Logarithm of the density of properties over that of the training galaxies."""
        own = log_density(self.mixture, columns, self.told, OF_ALL, model.kinds.counts)
        return own - model.reader.prior(columns, self.told)


def read_population(table: str | Path, model: LatentImageModel) -> Population:
    """Fit the properties of a table; refuse what the model cannot say anything of."""
    kinds = model.kinds
    found = read_table(table, columns={name: name for name in kinds.names}, optional=kinds.names)
    there = [name for name in kinds.names if name in found]
    if not there:
        problem = f"has none of the columns {', '.join(kinds.names)}"
        raise TableError(found.name, problem, "name columns as the model does")
    if len(found) < LEAST:
        problem = f"has {len(found):,} galaxies, too few for the density of a population"
        raise TableError(found.name, problem, f"give {LEAST} or more, or say what is known: --given (given=)")
    values = np.full((len(found), len(kinds.names)), np.nan, np.float32)
    for name in there:
        values[:, kinds.names.index(name)] = kinds.column(found, name)
    outside = 1.0 - np.mean(map_galaxies(model.in_domain, values, batch=BATCH))
    if outside > MOST_OUTSIDE:
        problem = f"has {outside:.0%} galaxies unlike all that the model learned from"
        mend = "leave these out, or train a model on galaxies like them"
        raise TableError(found.name, problem, mend)
    known = map_galaxies(model.known, values[np.random.default_rng(0).permutation(len(values))[:MOST]])
    told = np.repeat([name in there for name in kinds.names], kinds.columns).astype(np.float32)
    population = Population(found.name, _fitted(known, kinds.counts), jnp.asarray(told), 0.0)
    share = _share(population, model)
    if share < LEAST_SHARE:
        problem = f"leaves {share:.2%} of the training galaxies to count, too few for a prior"
        mend = f"give a wider population, or say what is known of each galaxy: --given {there[0]} (given=)"
        raise TableError(found.name, problem, mend)
    return replace(population, share=share)


def _fitted(known: Known, classes: tuple[int, ...]) -> Mixture:
    """The mixture of largest likelihood, from some of the galaxies on."""
    # Optax raises numbers to the power of its count of steps.
    with jax.numpy_dtype_promotion("standard"):
        values, there = (jnp.asarray(one) for one in known)
        return _fit(starting_mixture(np.asarray(known.conditions), classes), values, there, classes)


@eqx.filter_jit
def _fit(
    start: Mixture,
    values: Float[Array, "n column"],
    there: Float[Array, "n column"],
    classes: tuple[int, ...],
) -> Mixture:
    """The same, in one compiled scan."""
    optimiser = optax.adam(optax.cosine_decay_schedule(RATE, STEPS))

    def loss(mixture: Mixture) -> Float[Array, ""]:
        one = lambda value, known: log_density(mixture, value, known, OF_ALL, classes)  # noqa: E731
        return -jnp.mean(jax.vmap(one)(values, there))

    def step(state: tuple[Mixture, optax.OptState], _: None) -> tuple[tuple[Mixture, optax.OptState], None]:
        mixture, memory = state
        change, memory = optimiser.update(jax.grad(loss)(mixture), memory)
        return (mixture + change, memory), None

    return jax.lax.scan(step, (start, optimiser.init(start)), length=STEPS)[0][0]


def _share(population: Population, model: LatentImageModel) -> float:
    """The share of draws of the training population that counts once they are weighed."""
    return float(_effective(population, model)) / TRIED


@eqx.filter_jit
def _effective(population: Population, model: LatentImageModel) -> Float[Array, ""]:
    """How many of the draws count."""
    nothing = jnp.zeros(len(population.told))
    tried = draws(model.reader.of_all, nothing, nothing, OF_ALL, TRIED, jax.random.key(0), model.kinds.counts)
    weights = jax.nn.softmax(jax.vmap(partial(population.log_weight, model))(tried))
    return 1.0 / jnp.sum(weights**2)
