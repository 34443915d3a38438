"""What is trained: a network that sees each galaxy in random orientations, and its loss."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from nebulium.nn.encoders import encode_in_half
from nebulium.properties.model import ImageNetwork
from nebulium.properties.standardisation import Standards
from nebulium.training.augmentation import augment


class Learner(eqx.Module):
    """A network in training, with what it is not trained on.

    Attributes
    ----------
    network : ImageNetwork
    standards : Standards
    most_shift_px : int
        Largest random shift, beside random orientations.
    in_half : bool
        Whether the encoder computes in bfloat16.
    """

    network: ImageNetwork
    standards: Standards
    most_shift_px: int = eqx.field(static=True)
    in_half: bool = eqx.field(static=True)


def mean_loss_of_targets(learner: Learner, galaxies: dict[str, Array], key: Array) -> Array:
    """Mean loss over the targets that each galaxy has a label of."""
    profiles = jax.vmap(learner.standards.profiles)(galaxies["image"])
    standard = jax.vmap(learner.standards.image)(galaxies["image"])
    turned = augment(standard, key, most_shift_px=learner.most_shift_px)
    encode: Callable[[Array], Array] = learner.network.encoder
    if learner.in_half:
        encode = lambda image: encode_in_half(learner.network.encoder, image)  # noqa: E731

    def one(image: Array, profiles: Array, label: Array, label_sigma: Array) -> Array:
        vector = learner.network.vector(encode(learner.network.seen(image)), profiles)
        losses = learner.network.head.loss(vector, label, label_sigma)
        return jnp.sum(losses) / jnp.maximum(jnp.sum(jnp.isfinite(label), dtype=jnp.float32), 1.0)

    return jax.vmap(one)(turned, profiles, galaxies["label"], galaxies["label_sigma"])
