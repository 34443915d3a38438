"""What is measured of the training galaxies before any network learns, for all models of images."""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from nebulium.data.images.labelled import LabelledImages, StoredImages
from nebulium.generate.image_model import Image, ImageModel
from nebulium.generate.latent.noise import PixelNoise, fit_noise
from nebulium.nn.mapping import map_galaxies
from nebulium.nn.training_domain import measure_domain

Model = TypeVar("Model", bound=ImageModel)

#: Images that the components, and the noise, are measured on.
MOST_FOR_BASIS, MOST_FOR_NOISE = 12_000, 512
BATCH = 128


def with_scales(model: Model, values: Float[np.ndarray, "n condition"]) -> Model:
    """The model that knows the means and scatters of the properties that are numbers."""
    numbers = values[:, : len(model.condition_mean)]
    found = tuple(jnp.asarray(of(numbers, axis=0), jnp.float32) for of in (np.nanmean, np.nanstd))
    return eqx.tree_at(lambda m: (m.condition_mean, m.condition_scale), model, found)


def measured(
    model: Model, parts: Mapping[str, LabelledImages], known: Mapping[str, Mapping[str, np.ndarray]]
) -> Model:
    """The model, whose components are known, with its noise and the domains of properties and images."""
    model = eqx.tree_at(lambda m: m.noise, model, _noise(model, parts["validation"].images))
    domain = measure_domain(
        *(jnp.asarray(known[name]["conditions"]) for name in ("train", "validation")),
        n_reference=model.condition_domain.reference.shape[0],
    )
    return _with_image_domain(eqx.tree_at(lambda m: m.condition_domain, model, domain), parts)


def known_of(model: ImageModel, images: LabelledImages) -> dict[str, np.ndarray]:
    """Standardised properties of galaxies, and which are known."""
    known = map_galaxies(model.known, images.labels["value"].astype(np.float32), batch=BATCH)
    return {"conditions": known.conditions, "known": known.known}


def _with_image_domain(model: Model, parts: Mapping[str, LabelledImages]) -> Model:
    """The model with the domain of its images."""
    axes = {name: mapped(model.image_axes, parts[name].images) for name in ("train", "validation")}
    left = axes["train"][:, -1]
    mean, scale = np.mean(left), max(float(np.std(left)), 1e-3)
    standard = [jnp.asarray(np.column_stack([a[:, :-1], (a[:, -1] - mean) / scale])) for a in axes.values()]
    domain = measure_domain(*standard, n_reference=model.image_domain.reference.shape[0])
    found = (domain, jnp.asarray(mean, jnp.float32), jnp.asarray(scale, jnp.float32))
    return eqx.tree_at(lambda m: (m.image_domain, m.left_mean, m.left_scale), model, found)


def _noise(model: ImageModel, images: StoredImages) -> PixelNoise:
    """Noise as it is left of images that components were not fitted to."""
    return fit_noise(rebuilt_pairs(model, images), np.asarray(model.basis.shares()))


def rebuilt_pairs(model: ImageModel, images: StoredImages) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Some images in their frames, in chunks with what components make of them."""
    both = eqx.Partial(_and_rebuilt, model)
    return (map_galaxies(both, chunk, batch=BATCH) for chunk in chunks_of(images, MOST_FOR_NOISE))


def _and_rebuilt(model: ImageModel, image: Image) -> tuple[Image, Image]:
    """An image in its frame, and what components make of it."""
    return model.in_frame(image), model.rebuilt(model.coefficients(image))


def mapped(function: Callable[..., Array], images: StoredImages) -> np.ndarray:
    """What is measured of those images that the components are measured on."""
    chunks = chunks_of(images, MOST_FOR_BASIS)
    return np.concatenate([map_galaxies(function, one, batch=BATCH) for one in chunks])


def chunks_of(images: StoredImages, most: int) -> Iterator[np.ndarray]:
    """Some of the images."""
    rows = rows_of(len(images), most)
    for first in range(0, len(rows), BATCH):
        yield images[rows[first : first + BATCH]]


def rows_of(n: int, most: int) -> Int[np.ndarray, " some"]:
    """Rows that are spread evenly over a set."""
    return np.arange(min(n, most)) * n // min(n, most)
