"""The network of redshifts in training, and the losses of the three ways to train it."""

from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from nebulium.data.images.labelled import LabelledImages
from nebulium.nn.image_model import Standardisation
from nebulium.nn.mapping import map_galaxies
from nebulium.photoz.images.contrastive import KeyQueue, info_nce
from nebulium.photoz.images.crops import Crops
from nebulium.photoz.images.model import Latent, RedshiftNetwork
from nebulium.training import LossContext

Batch = Float[Array, " batch"]

Galaxies = dict[str, Array]


@dataclass(frozen=True)
class LossWeights:
    """How much each loss counts.

    Attributes
    ----------
    contrast, colour, redshift : float
    temperature : float
        Of the contrast.
    """

    contrast: float = 0.1
    colour: float = 1.0
    redshift: float = 1.0
    temperature: float = 0.1


class Learner(eqx.Module):
    """A network in training, with what it is not trained on.

    Attributes
    ----------
    network : RedshiftNetwork
    standardisation : Standardisation
    crops : Crops
    weights : LossWeights
    in_half : bool
        Whether the encoder computes in bfloat16.
    """

    network: RedshiftNetwork
    standardisation: Standardisation
    crops: Crops = eqx.field(static=True)
    weights: LossWeights = eqx.field(static=True)
    in_half: bool = eqx.field(static=True)

    def crop_latents(self, images: Array, key: Key[Array, ""]) -> Float[Array, "batch latent"]:
        """Latent vectors of random crops of prepared images."""
        keys = jax.random.split(key, images.shape[0])
        crops = jax.vmap(self.crops.random)(images, keys)
        return jax.vmap(self._latent)(crops)

    def seen(self, image: Array) -> tuple[Latent, Float[Array, " aperture"]]:
        """The latent vector of a prepared image as it lies, and its standardised fluxes in apertures."""
        middle = self.crops.middle(image)
        return self._latent(middle), self.standardisation.features(middle)

    def _latent(self, crop: Array) -> Latent:
        return self.network.latent(self.standardisation.image(crop), in_half=self.in_half)

    def noisy_apertures(self, images: Array, key: Key[Array, ""]) -> Float[Array, "batch aperture"]:
        """Standardised fluxes in apertures of prepared images with more noise of the sky."""
        middles = jax.vmap(self.crops.middle)(images)
        middles = jax.vmap(self.crops.noisier)(middles, jax.random.split(key, images.shape[0]))
        return jax.vmap(self.standardisation.features)(middles)

    def redshift_losses(
        self,
        latents: Float[Array, "batch latent"],
        apertures: Float[Array, "batch aperture"],
        galaxies: Galaxies,
    ) -> Batch:
        """Negative log densities at the labels; 0 where there is none."""
        vectors = jax.vmap(self.network.for_head)(latents, apertures)
        return jax.vmap(self.network.head.loss)(vectors, galaxies["redshift"], galaxies["redshift_err"])


def pita_losses(
    learner: Learner, galaxies: Galaxies, key: Key[Array, ""], beside: LossContext
) -> tuple[Batch, KeyQueue]:
    """The three losses of PITA (Khederlarian et al. 2026, arXiv:2602.10207), and the queue afterwards."""
    query_key, key_key, aperture_key = jax.random.split(key, 3)
    latents = learner.crop_latents(galaxies["image"], query_key)
    teacher: Any = beside.teacher
    keys = jax.vmap(teacher.network.projected)(teacher.crop_latents(galaxies["image"], key_key))
    keys = jax.lax.stop_gradient(keys)
    weights = learner.weights
    contrast = info_nce(
        jax.vmap(learner.network.projected)(latents), keys, beside.memory, temperature=weights.temperature
    )
    losses = weights.contrast * contrast.loss * galaxies["is_first"]
    if weights.colour:
        losses = losses + weights.colour * jax.vmap(colour_loss)(
            jax.vmap(learner.network.colours)(latents), galaxies["colour"]
        )
    if weights.redshift:
        labelled = jnp.where(jnp.isfinite(galaxies["redshift"]), beside.weights, 0.0)
        share = jnp.sum(labelled) / jnp.sum(beside.weights)
        apertures = learner.noisy_apertures(galaxies["image"], aperture_key)
        redshift = learner.redshift_losses(latents, apertures, galaxies) / jnp.maximum(
            share, 1.0 / labelled.size
        )
        losses = losses + weights.redshift * redshift
    return losses, beside.memory.enqueued(keys, beside.weights * galaxies["is_first"])


def supervised_losses(learner: Learner, galaxies: Galaxies, key: Key[Array, ""]) -> Batch:
    """The loss of redshifts alone, of random crops of labelled galaxies."""
    crop_key, aperture_key = jax.random.split(key)
    latents = learner.crop_latents(galaxies["image"], crop_key)
    apertures = learner.noisy_apertures(galaxies["image"], aperture_key)
    return learner.redshift_losses(latents, apertures, galaxies)


def validation_losses(learner: Learner, galaxies: Galaxies, key: Key[Array, ""]) -> Batch:
    """The loss of redshifts of galaxies as they lie, as in predictions."""
    return learner.redshift_losses(*jax.vmap(learner.seen)(galaxies["image"]), galaxies)


def embedded(learner: Learner, images: LabelledImages) -> dict[str, np.ndarray]:
    """The latent vectors and fluxes in apertures of galaxies as they lie, with their redshifts."""
    latent, apertures = map_galaxies(learner.seen, images.images)
    redshifts = {name: images.labels[name] for name in ("redshift", "redshift_err")}
    return {"latent": latent, "apertures": apertures, **redshifts}


def frozen_losses(learner: Learner, galaxies: Galaxies, key: Key[Array, ""]) -> Batch:
    """The loss of redshifts in a latent space that stays as it is."""
    return learner.redshift_losses(galaxies["latent"], galaxies["apertures"], galaxies)


def colour_loss(predicted: Float[Array, " colour"], colours: Float[Array, " colour"]) -> Float[Array, ""]:
    """Mean squared difference over the colours that are known."""
    known = jnp.isfinite(colours)
    squares = jnp.where(known, (predicted - jnp.where(known, colours, 0.0)) ** 2, 0.0)
    return jnp.sum(squares) / jnp.maximum(jnp.sum(known.astype(jnp.float32)), 1.0)
