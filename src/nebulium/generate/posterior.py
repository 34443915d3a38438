"""What the image of one galaxy says of its properties: quantiles, probabilities of classes, draws."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from nebulium.generate.image_model import GRID, Conditions, Image, ImageModel
from nebulium.generate.model import LatentImageModel
from nebulium.generate.population import Population
from nebulium.nn.classes import split_by_target

#: Columns of a property, by what they add to its name, and the quantile of each.
QUANTILES = {"": 0.5, "_q16": 0.16, "_q84": 0.84}
#: Draws that are weighed as another prior has them, and how many must count.
WEIGHED, LEAST_EFFECTIVE = 1024, 30


def posterior_of(
    model: Any,
    prior: Population | None,
    kept: int,
    key: Key[Array, ""],
    image: Image,
    conditions: Conditions,
    row: Int[Array, ""],
) -> dict[str, Any]:
    """The posterior of one galaxy by any model of images; what is drawn is that of its row.

    Draws and another prior take a `LatentImageModel`.
    """
    key = jax.random.fold_in(key, row)
    inside = model.image_domain.contains(model.image_axes(image))
    if prior is not None:
        found = of_population(model, image, conditions, prior, kept, key)
        return found | {"in_domain": inside & (found["effective"] >= LEAST_EFFECTIVE)}
    found = of_training_prior(model, image, conditions) | {"in_domain": inside}
    if kept:
        found["kept"] = model.in_units(model.draws(image, conditions, kept, key))
    return found


def of_training_prior(model: ImageModel, image: Image, conditions: Conditions) -> dict[str, Any]:
    """The posterior where galaxies are those of the training."""
    density = model.posterior(image, conditions)
    found: dict[str, Any] = {
        part: model.condition_mean + model.condition_scale * _quantiles(density, share)
        for part, share in QUANTILES.items()
    }
    return found | {"classes": model.class_probabilities(image, conditions)}


def of_population(
    model: LatentImageModel,
    image: Image,
    conditions: Conditions,
    prior: Population,
    kept: int,
    key: Key[Array, ""],
) -> dict[str, Any]:
    """The posterior where galaxies are those of a population, and how many draws count."""
    key, kept_key = jax.random.split(key)
    drawn = model.draws(image, conditions, WEIGHED, key)
    weights = jax.nn.softmax(jax.vmap(lambda one: prior.log_weight(model, one))(drawn))
    values, numbers = model.in_units(drawn), len(model.condition_mean)
    columns = values[:, :numbers].T
    found: dict[str, Any] = {
        part: jax.vmap(lambda column, share=share: _weighed_quantile(column, weights, share))(columns)
        for part, share in QUANTILES.items()
    }
    found["classes"] = split_by_target(weights @ drawn[:, numbers:], model.kinds.counts)
    if kept:
        found["kept"] = values[jax.random.choice(kept_key, WEIGHED, (kept,), p=weights)]
    return found | {"effective": 1.0 / jnp.sum(weights**2)}


def _weighed_quantile(
    values: Float[Array, " draw"], weights: Float[Array, " draw"], share: float
) -> Float[Array, ""]:
    """The value below which a share of the weight lies."""
    order = jnp.argsort(values)
    below = jnp.cumsum(weights[order]) - 0.5 * weights[order]
    return jnp.interp(jnp.asarray(share, jnp.float32), below, values[order])


def _quantiles(density: Float[Array, "number place"], share: float) -> Float[Array, " number"]:
    """Where a share of each density lies below, in standardised units."""
    step = jnp.asarray(GRID[1] - GRID[0])
    below = jnp.cumsum(density, axis=1) * step
    places = jnp.asarray(GRID) + 0.5 * step
    return jax.vmap(lambda one: jnp.interp(jnp.asarray(share, jnp.float32), one, places))(below)
