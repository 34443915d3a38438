"""The network in training, which sees each galaxy in random orientations, and its loss."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from nebulium.nn.image_model import Standardisation
from nebulium.properties.model import ImageNetwork
from nebulium.training.augmentation import augment


class Learner(eqx.Module):
    """A network in training, with what it is not trained on.

    Attributes
    ----------
    network : ImageNetwork
    standardisation : Standardisation
    most_shift_px : int
        Largest random shift, beside random orientations.
    in_half : bool
        Whether the encoder computes in bfloat16.
    """

    network: ImageNetwork
    standardisation: Standardisation
    most_shift_px: int = eqx.field(static=True)
    in_half: bool = eqx.field(static=True)


def mean_loss_of_targets(learner: Learner, galaxies: dict[str, Array], key: Array) -> Array:
    """Mean loss over the targets that each galaxy has a label of."""
    profiles = jax.vmap(learner.standardisation.features)(galaxies["image"])
    standard = jax.vmap(learner.standardisation.image)(galaxies["image"])
    turned = augment(standard, key, most_shift_px=learner.most_shift_px)

    def one(image: Array, profiles: Array, label: Array, label_sigma: Array) -> Array:
        network = learner.network
        vector = network.vector(network.embedding(image, in_half=learner.in_half), profiles)
        losses = network.head.loss(vector, label, label_sigma)
        return jnp.sum(losses) / jnp.maximum(jnp.sum(jnp.isfinite(label), dtype=jnp.float32), 1.0)

    return jax.vmap(one)(turned, profiles, galaxies["label"], galaxies["label_sigma"])
