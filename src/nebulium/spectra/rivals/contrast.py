"""Contrastive learning of images and spectra: a galaxy's own spectrum is more like its image than others'.

The loss is InfoNCE over a batch, both ways (van den Oord et al. 2018, arXiv:1807.03748), with a sharpness
that is learned (Radford et al. 2021, arXiv:2103.00020).
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from nebulium.nn.convolution import Image
from nebulium.spectra.rivals.components import Values
from nebulium.spectra.rivals.image_network import ImageNetwork
from nebulium.training import ArrayRows, FitConfig, augment, fit, trained_part

#: Length of the vectors that are compared, and width of the network that sees spectra.
FEATURES, WIDTH = 64, 256
FIRST_SHARPNESS = 10.0
FIT = FitConfig(
    epochs=8,
    batch_size=256,
    learning_rate=2e-3,
    schedule="one-cycle",
    warm_up=0.25,
    weight_decay=1e-2,
    averaging=0.99,
)

Features = Float[Array, " feature"]


class Contrast(eqx.Module):
    """Two encoders whose vectors are compared.

    Parameters
    ----------
    images : (n, side, side, band) float32
        Of the training.
    components : int
        By which spectra are seen.
    encoder : str
        Of images.
    key : key
        Of the first weights.
    """

    image: ImageNetwork
    spectrum: eqx.nn.MLP
    log_sharpness: Float[Array, ""]

    def __init__(
        self,
        images: Float[np.ndarray, "n side side band"],
        components: int,
        *,
        encoder: str,
        key: Key[Array, ""],
    ):
        image_key, spectrum_key = jax.random.split(key)
        self.image = ImageNetwork(images, FEATURES, encoder=encoder, key=image_key)
        self.spectrum = eqx.nn.MLP(components, FEATURES, WIDTH, 2, jax.nn.gelu, key=spectrum_key)
        self.log_sharpness = jnp.log(jnp.asarray(FIRST_SHARPNESS, jnp.float32))

    def of_image(self, image: Image) -> Features:
        """The vector of a prepared image, of unit length."""
        return _unit(self.image.in_all_orientations(image))

    def of_spectrum(self, values: Values) -> Features:
        """The vector of a spectrum, by its components, of unit length."""
        return _unit(self.spectrum(values))


def contrast_loss(contrast: Contrast, galaxies: dict[str, Array], key: Key[Array, ""]) -> Array:
    """How hard each image and its spectrum are to find among those of the batch, in nats."""
    images = jax.vmap(_unit)(jax.vmap(contrast.image)(augment(galaxies["image"], key)))
    spectra = jax.vmap(contrast.of_spectrum)(galaxies["values"])
    alike = jnp.exp(contrast.log_sharpness) * images @ spectra.T
    among = jax.nn.logsumexp(alike, axis=0) + jax.nn.logsumexp(alike, axis=1)
    return 0.5 * among - jnp.diagonal(alike)


def train_contrast(
    contrast: Contrast,
    training: dict[str, np.ndarray],
    validation: dict[str, np.ndarray],
    config: FitConfig,
    *,
    progress: bool = False,
) -> Contrast:
    """Train both encoders on images and on components of spectra."""
    data, held = (ArrayRows(_whole_batches(one, config.batch_size)) for one in (training, validation))
    part = trained_part(contrast, lambda one: (*one.image.trained, one.spectrum, one.log_sharpness))
    return fit(
        contrast, contrast_loss, data, validation=held, config=config, trainable=part, progress=progress
    ).model


def _whole_batches(galaxies: dict[str, np.ndarray], size: int) -> dict[str, np.ndarray]:
    """Without the last few: a batch that is filled up would hold a galaxy as its own counterexample."""
    n = len(galaxies["values"])
    return {name: values[: max(n // size, 1) * size] for name, values in galaxies.items()}


def _unit(vector: Features) -> Features:
    return vector * jax.lax.rsqrt(jnp.sum(vector**2) + 1e-12)
