"""Six latent variables of the spectrum by a network that sees the image, after Wu & Peek 2020.

arXiv:2009.12318: a residual network learns by the mean squared error of six latent variables, which a decoder
turns into a spectrum. The latent variables here are the first principal components of the whole spectrum,
where theirs are of a variational autoencoder; self-attention and their deconvolution are left out.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from nebulium.nn.mapping import map_galaxies
from nebulium.spectra.rivals.components import Pairs, SpectrumComponents
from nebulium.spectra.rivals.image_network import ImageNetwork
from nebulium.training import ArrayRows, FitConfig, augment, fit, trained_part

LATENTS, ENCODER = 6, "resnet-small"
#: With 16,000 images of 32 pixels, some five minutes of one core.
FIT = FitConfig(
    epochs=6,
    batch_size=128,
    learning_rate=2e-3,
    schedule="one-cycle",
    warm_up=0.25,
    weight_decay=1e-2,
    averaging=0.99,
)


class LatentNetwork(eqx.Module):
    """A spectrum from an image, one for each.

    Attributes
    ----------
    components : SpectrumComponents
        Six, or fewer.
    network : ImageNetwork
        From the image to their values.
    """

    components: SpectrumComponents
    network: ImageNetwork

    def spectra(
        self, images: Float[np.ndarray, "n side side band"], key: Key[Array, ""], draws: int
    ) -> Float[np.ndarray, "n draw wave"]:
        """Spectra of prepared images: so many times the same, as this method knows no other."""

        def one(image: Array) -> Array:
            return self.components.spectrum(self.network.in_all_orientations(image))

        found = map_galaxies(one, images)
        return np.broadcast_to(found[:, None, :], (len(found), draws, found.shape[-1]))


def train_latent_network(
    training: Pairs,
    validation: Pairs,
    *,
    latents: int = LATENTS,
    encoder: str = ENCODER,
    config: FitConfig = FIT,
    progress: bool = False,
) -> LatentNetwork:
    """Train the network; validation chooses the epoch."""
    components = SpectrumComponents(training.spectra, latents)
    network = ImageNetwork(training.images, latents, encoder=encoder, key=jax.random.key(config.seed))
    data, held = (
        ArrayRows({"image": pairs.images, "latent": map_galaxies(components, pairs.spectra)})
        for pairs in (training, validation)
    )
    part = trained_part(network, lambda one: one.trained)
    found = fit(network, latent_loss, data, validation=held, config=config, trainable=part, progress=progress)
    return LatentNetwork(components, found.model)


def latent_loss(network: ImageNetwork, galaxies: dict[str, Array], key: Key[Array, ""]) -> Array:
    """Mean squared error of the latent variables of each galaxy, turned and mirrored at random."""
    found = jax.vmap(network)(augment(galaxies["image"], key))
    return jnp.mean((found - galaxies["latent"]) ** 2, axis=1)
