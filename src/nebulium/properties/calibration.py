"""Error bars and probabilities that hold what they say: one factor a target, set on galaxies never seen.

Split conformal prediction (Lei et al. 2018, J. Am. Stat. Assoc. 113, 1094; Romano et al. 2019,
arXiv:1905.03222): the half-widths of the intervals are scaled so that they hold 68 % of the validation
labels, and with them, on average, 68 % of whatever is drawn from the same galaxies.
"""

import math

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from nebulium.nn.classes import split_by_target
from nebulium.properties.model import PropertyModel, PropertyPrediction
from nebulium.verbs.labels.classes import best_temperature

Labels = Float[np.ndarray, "n target"]

LEVEL = 0.68
# With fewer labels the factor would be noise: 20 set the coverage to 10 per cent.
FEWEST = 20

Values = Float[np.ndarray, " _"]


def conformal_factor(
    values: Values, median: Values, q16: Values, q84: Values, *, sigma: Values | None = None
) -> float:
    """Factor on the half-widths of intervals with which they hold 68 % of the labels.

    A label with an error of its own need only lie within the half-width and that error, added in quadrature:
    the intervals are those of the true value.
    """
    side = np.where(values > median, q84 - median, median - q16)
    noise = np.zeros_like(values) if sigma is None else sigma
    away = np.sqrt(np.maximum((values - median) ** 2 - noise**2, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        needed = np.sort((away / side)[np.isfinite(values)])
    if len(needed) < FEWEST:
        return 1.0
    # The galaxy to come is one more among those that rank alike: hence the 1. A whole number stays one.
    rank = math.ceil((len(needed) + 1) * LEVEL - 1e-9)
    factor = float(needed[rank - 1])
    return factor if math.isfinite(factor) and factor > 0 else 1.0


def calibrated(
    model: PropertyModel, values: Labels, predicted: PropertyPrediction, sigma: Labels | None = None
) -> PropertyModel:
    """A model whose 68 % intervals hold 68 % of the labels given, target by target."""
    noise = np.zeros_like(values) if sigma is None else sigma
    arrays = values, predicted.median, predicted.q16, predicted.q84, noise
    columns = zip(*(np.asarray(array).T for array in arrays), strict=True)
    factors = [conformal_factor(*column, sigma=error) for *column, error in columns]
    return eqx.tree_at(
        lambda one: one.interval_factor, model, model.interval_factor * jnp.asarray(factors, jnp.float32)
    )


def with_temperature(
    model: PropertyModel, labels: Float[np.ndarray, "n classified"], probability: Float[np.ndarray, "n class"]
) -> PropertyModel:
    """A model at the temperatures that make held-out classes most probable (Guo et al. 2017)."""
    if model.temperature is None:
        return model
    parts = split_by_target(np.asarray(probability, np.float64), model.class_counts)
    found = [best_temperature(true, part) for true, part in zip(labels.T, parts, strict=True)]
    return eqx.tree_at(
        lambda one: one.temperature, model, model.temperature * jnp.asarray(found, jnp.float32)
    )
