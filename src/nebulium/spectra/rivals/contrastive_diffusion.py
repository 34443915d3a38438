"""Spectra drawn by diffusion given contrastive features of the image, after Doorenbos et al. 2022, 2024.

arXiv:2211.05556, 2406.18175: encoders of images and spectra learn by contrast; a diffusion draws spectra
given the features of the image; draws are ranked by how like the image they are, and the first is the best.
What diffuses here are principal components of the whole spectrum at rest, all of unit variance, where theirs
are pixels of the observed frame: so minutes of a processor are enough. Noise and preconditioning follow
Karras et al. 2022 (arXiv:2206.00364).
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from nebulium.generate.drawing.samplers import denoised
from nebulium.generate.latent.denoiser import Denoiser
from nebulium.nn.mapping import map_galaxies
from nebulium.spectra.rivals import contrast as contrastive
from nebulium.spectra.rivals.components import Pairs, SpectrumComponents, Values
from nebulium.spectra.rivals.contrast import FEATURES, Contrast, Features, train_contrast
from nebulium.training import FitConfig, fit

COMPONENTS, ENCODER = 20, "resnet-tiny"
#: Of the denoiser.
WIDTH, DEPTH = 192, 3
#: Lowest and highest level of noise, in scatters of the components, and levels at which spectra are drawn.
LEVELS, STEPS = (0.02, 20.0), 20
FIT = FitConfig(epochs=30, batch_size=256, learning_rate=1e-3, weight_decay=1e-2, averaging=0.999)
_BATCH = 16


class SpectrumDiffusion(eqx.Module):
    """A density of components given the contrastive features of an image.

    Parameters
    ----------
    components, width, depth : int
        How many there are; of the denoiser.
    key : key
        Of the first weights.
    """

    denoiser: Denoiser

    def __init__(self, components: int, *, width: int = WIDTH, depth: int = DEPTH, key: Key[Array, ""]):
        self.denoiser = Denoiser(components, FEATURES, width=width, depth=depth, key=key)

    def denoised(self, noisy: Values, log_level: Array, features: Features) -> Values:
        """Expected components under noise of a level: those of a Gaussian, and what the network adds."""
        noise = jnp.exp(2.0 * log_level)
        # A vector of unit length has small numbers: as the network likes them, they are of order one.
        conditions = FEATURES**0.5 * features
        told = self.denoiser(
            noisy * jax.lax.rsqrt(1.0 + noise), log_level, conditions, jnp.ones_like(conditions)
        )
        return noisy / (1.0 + noise) + jnp.sqrt(noise / (1.0 + noise)) * told

    def loss(self, values: Values, features: Features, log_level: Array, key: Key[Array, ""]) -> Array:
        """Squared error of what is expected, over what a Gaussian leaves."""
        noise = jnp.exp(2.0 * log_level)
        noisy = values + jnp.sqrt(noise) * jax.random.normal(key, values.shape)
        left = self.denoised(noisy, log_level, features) - values
        return (1.0 + noise) / noise * jnp.mean(left**2)

    def draw(self, features: Features, key: Key[Array, ""]) -> Values:
        """Components of one spectrum."""
        lowest, highest = np.log(LEVELS)
        levels = jnp.linspace(highest, lowest, STEPS, dtype=jnp.float32)
        count = self.denoiser.first.in_features
        start = jnp.sqrt(1.0 + jnp.exp(2.0 * levels[0])) * jax.random.normal(key, (int(count),))
        return denoised(
            "heun", lambda noisy, level: self.denoised(noisy, level, features), start, levels, key
        )


class ContrastiveDiffusion(eqx.Module):
    """Spectra drawn for an image.

    Attributes
    ----------
    components : SpectrumComponents
    contrast : Contrast
    diffusion : SpectrumDiffusion
    """

    components: SpectrumComponents
    contrast: Contrast
    diffusion: SpectrumDiffusion

    def spectra(
        self, images: Float[np.ndarray, "n side side band"], key: Key[Array, ""], draws: int
    ) -> Float[np.ndarray, "n draw wave"]:
        """Spectra of prepared images, those of a galaxy with the one most like its image first."""

        def one(image: Array, key: Array) -> Array:
            features = self.contrast.of_image(image)
            keys = jax.random.split(key, draws)
            values = jax.vmap(lambda key: self.diffusion.draw(features, key))(keys)
            alike = jax.vmap(self.contrast.of_spectrum)(values) @ features
            return jax.vmap(self.components.spectrum)(values[jnp.argsort(-alike)])

        found: np.ndarray = map_galaxies(one, images, jax.random.split(key, len(images)), batch=_BATCH)
        return found


def train_contrastive_diffusion(
    training: Pairs,
    validation: Pairs,
    *,
    components: int = COMPONENTS,
    encoder: str = ENCODER,
    width: int = WIDTH,
    depth: int = DEPTH,
    contrast_config: FitConfig = contrastive.FIT,
    config: FitConfig = FIT,
    progress: bool = False,
) -> ContrastiveDiffusion:
    """Train the encoders, then the diffusion; validation chooses the epoch of each."""
    contrast_key, diffusion_key = jax.random.split(jax.random.key(config.seed))
    basis = SpectrumComponents(training.spectra, components)
    data, held = (
        {"image": pairs.images, "values": map_galaxies(basis, pairs.spectra)}
        for pairs in (training, validation)
    )
    contrast = Contrast(training.images, components, encoder=encoder, key=contrast_key)
    contrast = train_contrast(contrast, data, held, contrast_config, progress=progress)
    seen, held_seen = (
        {"features": map_galaxies(contrast.of_image, one["image"]), "values": one["values"]}
        for one in (data, held)
    )
    diffusion = SpectrumDiffusion(components, width=width, depth=depth, key=diffusion_key)
    found = fit(diffusion, diffusion_loss, seen, validation=held_seen, config=config, progress=progress)
    return ContrastiveDiffusion(basis, contrast, found.model)


def diffusion_loss(diffusion: SpectrumDiffusion, galaxies: dict[str, Array], key: Key[Array, ""]) -> Array:
    """Loss of each galaxy at a level of its own, drawn evenly in its logarithm."""
    level_key, noise_key = jax.random.split(key)
    n = len(galaxies["values"])
    lowest, highest = np.log(LEVELS)
    levels = jax.random.uniform(level_key, (n,), minval=lowest, maxval=highest)
    keys = jax.random.split(noise_key, n)
    return jax.vmap(diffusion.loss)(galaxies["values"], galaxies["features"], levels, keys)
