"""What is trained: a network of redshifts, and the losses of the three ways to train it."""

from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from nebulium.data.batches import padded_batches
from nebulium.photoz.images.contrastive import KeyQueue, info_nce
from nebulium.photoz.images.crops import Crops
from nebulium.photoz.images.model import ImageStandards, Latent, RedshiftNetwork
from nebulium.photoz.images.rows import RedshiftImages
from nebulium.training import LossContext

_CHUNK = 256


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
    standards : ImageStandards
    views : Views
    weights : LossWeights
    in_half : bool
        Whether the encoder computes in bfloat16.
    """

    network: RedshiftNetwork
    standards: ImageStandards
    views: Crops = eqx.field(static=True)
    weights: LossWeights = eqx.field(static=True)
    in_half: bool = eqx.field(static=True)

    def view_latents(self, images: Array, key: Key[Array, ""]) -> Float[Array, "batch latent"]:
        """Latent vectors of random views of prepared images."""
        keys = jax.random.split(key, images.shape[0])
        views = jax.vmap(self.views.random)(images, keys)
        return jax.vmap(self._latent)(views)

    def middle_latents(self, images: Array) -> Float[Array, "batch latent"]:
        """Latent vectors of prepared images as they are."""
        return jax.vmap(self._latent)(jax.vmap(self.views.middle)(images))

    def _latent(self, view: Array) -> Latent:
        return self.network.latent(self.standards.image(view), in_half=self.in_half)

    def apertures(self, images: Array, key: Key[Array, ""] | None = None) -> Float[Array, "batch aperture"]:
        """Standardised fluxes in apertures of prepared images; with a key, of images with more noise."""
        middles = jax.vmap(self.views.middle)(images)
        if key is not None:
            middles = jax.vmap(self.views.noisier)(middles, jax.random.split(key, images.shape[0]))
        return jax.vmap(self.standards.apertures)(middles)

    def redshift_losses(
        self,
        latents: Float[Array, "batch latent"],
        apertures: Float[Array, "batch aperture"],
        galaxies: dict[str, Array],
    ) -> Float[Array, " batch"]:
        """Negative log densities at the labels; 0 where there is none."""
        vectors = jax.vmap(self.network.for_head)(latents, apertures)
        return jax.vmap(self.network.head.loss)(vectors, galaxies["redshift"], galaxies["redshift_err"])


def pita_losses(
    learner: Learner, galaxies: dict[str, Array], key: Key[Array, ""], beside: LossContext
) -> tuple[Float[Array, " batch"], KeyQueue]:
    """The three losses of PITA (Khederlarian et al. 2026, arXiv:2602.10207), and the queue afterwards."""
    query_key, key_key, aperture_key = jax.random.split(key, 3)
    latents = learner.view_latents(galaxies["image"], query_key)
    teacher: Any = beside.teacher
    keys = jax.vmap(teacher.network.projected)(teacher.view_latents(galaxies["image"], key_key))
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
        apertures = learner.apertures(galaxies["image"], aperture_key)
        redshift = learner.redshift_losses(latents, apertures, galaxies) / jnp.maximum(
            share, 1.0 / labelled.size
        )
        losses = losses + weights.redshift * redshift
    return losses, beside.memory.enqueued(keys, beside.weights * galaxies["is_first"])


def supervised_losses(
    learner: Learner, galaxies: dict[str, Array], key: Key[Array, ""]
) -> Float[Array, " batch"]:
    """The loss of redshifts alone, of random views of labelled galaxies."""
    view_key, aperture_key = jax.random.split(key)
    latents = learner.view_latents(galaxies["image"], view_key)
    apertures = learner.apertures(galaxies["image"], aperture_key)
    return learner.redshift_losses(latents, apertures, galaxies)


def validation_losses(
    learner: Learner, galaxies: dict[str, Array], key: Key[Array, ""]
) -> Float[Array, " batch"]:
    """The loss of redshifts of galaxies as they lie: what predictions will be made of."""
    latents = learner.middle_latents(galaxies["image"])
    return learner.redshift_losses(latents, learner.apertures(galaxies["image"]), galaxies)


def embedded(learner: Learner, images: RedshiftImages) -> dict[str, np.ndarray]:
    """What the redshift head sees of galaxies as they lie, with their labels."""
    parts = []
    for rows, count in padded_batches(len(images), _CHUNK):
        pixels = jnp.asarray(images.store.take(images.rows[rows]))
        parts.append(jax.tree.map(lambda array, n=count: np.asarray(array)[:n], _embed(learner, pixels)))
    latent, apertures = (np.concatenate(part) for part in zip(*parts, strict=True))
    labels = {"redshift": images.redshift, "redshift_err": images.redshift_err}
    return {"latent": latent, "apertures": apertures, **labels}


@eqx.filter_jit
def _embed(learner: Learner, images: Array) -> tuple[Array, Array]:
    return learner.middle_latents(images), learner.apertures(images)


def frozen_losses(
    learner: Learner, galaxies: dict[str, Array], key: Key[Array, ""]
) -> Float[Array, " batch"]:
    """The loss of redshifts in a latent space that stays as it is."""
    return learner.redshift_losses(galaxies["latent"], galaxies["apertures"], galaxies)


def colour_loss(predicted: Float[Array, " colour"], colours: Float[Array, " colour"]) -> Float[Array, ""]:
    """Mean squared difference over the colours that are known."""
    known = jnp.isfinite(colours)
    squares = jnp.where(known, (predicted - jnp.where(known, colours, 0.0)) ** 2, 0.0)
    return jnp.sum(squares) / jnp.maximum(jnp.sum(known.astype(jnp.float32)), 1.0)
