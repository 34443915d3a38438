"""What is measured of the training galaxies before any network learns, for all models of images."""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nebulium.data.images.labelled import LabelledImages, StoredImages
from nebulium.generate.image_model import ImageModel
from nebulium.generate.latent.basis import Basis, fit_basis, with_tails
from nebulium.generate.latent.noise import PixelNoise, fit_noise
from nebulium.generate.latent.reader import OF_ALL
from nebulium.nn.joint_mixture import parameter_count
from nebulium.nn.mapping import map_galaxies
from nebulium.nn.training_domain import measure_domain

Model = TypeVar("Model", bound=ImageModel)

#: Images that the components, and the noise, are measured on.
MOST_FOR_BASIS, MOST_FOR_NOISE = 20_000, 512
BATCH = 128


def basis_of(training: LabelledImages, components: int) -> Basis:
    """The components of the training images."""
    basis = fit_basis(chunks_of(training.images, MOST_FOR_BASIS), components)
    return with_tails(basis, mapped(basis.amplitudes, training.images))


def measured(model: Model, basis: Basis, parts: Mapping[str, LabelledImages]) -> Model:
    """A model with what is measured of the galaxies: of their images, and of their properties."""
    values = parts["train"].labels["value"]
    found = (basis, *(jnp.asarray(of(values, axis=0), jnp.float32) for of in (np.nanmean, np.nanstd)))
    model = eqx.tree_at(lambda m: (m.basis, m.condition_mean, m.condition_scale), model, found)
    model = eqx.tree_at(lambda m: m.noise, model, _noise(model, parts["validation"].images))
    domain = measure_domain(
        *(jnp.asarray(known_of(model, parts[name])["conditions"]) for name in ("train", "validation")),
        n_reference=model.condition_domain.reference.shape[0],
    )
    return _with_image_domain(eqx.tree_at(lambda m: m.condition_domain, model, domain), parts)


def known_of(model: ImageModel, images: LabelledImages) -> dict[str, np.ndarray]:
    """Standardised properties of galaxies, and which are known."""
    known = map_galaxies(model.known, images.labels["value"].astype(np.float32), batch=BATCH)
    return {"conditions": known.conditions, "known": known.known}


def first_population(conditions: Float[np.ndarray, "n condition"]) -> Float[Array, " parameter"]:
    """The density of all galaxies at its start: normal distributions about some of them."""
    start = np.zeros((OF_ALL, parameter_count(1, conditions.shape[1])), np.float32)
    start[:, 1 : 1 + conditions.shape[1]] = conditions[np.arange(OF_ALL) * len(conditions) // OF_ALL]
    return jnp.asarray(start.ravel())


def _with_image_domain(model: Model, parts: Mapping[str, LabelledImages]) -> Model:
    """The model with the domain of its images."""
    axes = {name: mapped(model.image_axes, parts[name].images) for name in ("train", "validation")}
    left = axes["train"][:, -1]
    mean, scale = np.mean(left), max(float(np.std(left)), 1e-3)
    standard = [jnp.asarray(np.column_stack([a[:, :-1], (a[:, -1] - mean) / scale])) for a in axes.values()]
    domain = measure_domain(*standard, n_reference=model.image_domain.reference.shape[0])
    measured = (domain, jnp.asarray(mean, jnp.float32), jnp.asarray(scale, jnp.float32))
    return eqx.tree_at(lambda m: (m.image_domain, m.left_mean, m.left_scale), model, measured)


def _noise(model: ImageModel, images: StoredImages) -> PixelNoise:
    """Noise as it is left of images that components were not fitted to."""
    stretch = model.form.preparation.stretch
    rebuilt = lambda image: model.basis.image(model.basis.coefficients(image))  # noqa: E731

    def pairs() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for chunk in chunks_of(images, MOST_FOR_NOISE):
            modelled = map_galaxies(rebuilt, chunk, batch=BATCH)
            yield stretch.invert(chunk), stretch.invert(modelled)

    pixels = model.form.preparation.side**2 * len(model.form.bands)
    return fit_noise(pairs(), model.basis.size / pixels)


def mapped(function: Callable[..., Array], images: StoredImages) -> np.ndarray:
    """What is measured of those images that the components are measured on."""
    chunks = chunks_of(images, MOST_FOR_BASIS)
    return np.concatenate([map_galaxies(function, one, batch=BATCH) for one in chunks])


def rows_of(n: int, most: int) -> np.ndarray:
    """Some of n rows, spread evenly."""
    return np.arange(min(n, most)) * n // min(n, most)


def chunks_of(images: StoredImages, most: int) -> Iterator[np.ndarray]:
    """Some of the images, spread evenly over the set."""
    rows = rows_of(len(images), most)
    for first in range(0, len(rows), BATCH):
        yield images[rows[first : first + BATCH]]
