"""Are images likelier with the properties of their own galaxies than with those of another one?"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nebulium.generate.model import LatentImageModel
from nebulium.metrics.classes import roc_auc
from nebulium.nn.mapping import map_galaxies

Ratios = Float[np.ndarray, " n"]

BATCH = 64


def own_and_another(
    model: LatentImageModel, images: object, conditions: Float[np.ndarray, "n condition"], *, seed: int = 0
) -> tuple[Ratios, Ratios]:
    """Log of p(image given properties) / p(image) with the own properties, and with those of another galaxy.

    Both are told in the properties that are known of both galaxies; NaN where there are none.
    """
    order = np.random.default_rng(seed).permutation(len(conditions))
    others = np.empty_like(conditions)
    others[order] = conditions[np.roll(order, 1)]
    pairs = np.stack([conditions, others], axis=1).astype(np.float32)

    def one(image: Array, pair: Array) -> Array:
        there = jnp.all(jnp.isfinite(pair), axis=0)
        ratios = model.log_ratios(image, jnp.where(there[None, :], pair, jnp.nan))
        return jnp.where(jnp.any(there), ratios, jnp.nan)

    own, another = map_galaxies(one, images, pairs, batch=BATCH).T
    return own, another


def own_wins(own: Ratios, another: Ratios) -> float:
    """Area under the ROC curve of own properties against those of another galaxy."""
    both = np.concatenate([own, another])
    return roc_auc(np.arange(len(both)) < len(own), both)
