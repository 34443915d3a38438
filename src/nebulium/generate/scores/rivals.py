"""Networks that give densities of properties from images, scored as posteriors are."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nebulium.data.ids import rows_of_ids
from nebulium.data.images.matching import open_for_model
from nebulium.data.images.opening import ImagePaths
from nebulium.data.images.preparation import ImageForm
from nebulium.data.rejects import Rejects
from nebulium.errors import ModelFileError
from nebulium.generate.model import LatentImageModel
from nebulium.generate.scores.posteriors import PosteriorScores, density_scores
from nebulium.nn.image_model import model_images
from nebulium.nn.mapping import map_galaxies
from nebulium.verbs.predict import named_model

BATCH = 64


@runtime_checkable
class GivesDensities(Protocol):
    """A model of properties from images, as `nebulium properties train` makes with --head mixture."""

    form: ImageForm
    targets: tuple[str, ...]
    has_density: bool

    def log_density(self, image: Array, label: Array) -> Array:
        """Logarithm of the density of each property, in its unit."""
        ...


def load_rival(rival: str | Path) -> GivesDensities:
    """A model that gives densities, or the error that it does not."""
    found = named_model(rival)
    if not isinstance(found.model, GivesDensities) or not found.model.has_density:
        problem = "gives no densities of properties from images"
        mend = "train one: nebulium properties train IMAGES --head mixture"
        raise ModelFileError(f"model {found.name}", problem, mend)
    return found.model


def rival_scores(
    rival: GivesDensities,
    model: LatentImageModel,
    images: ImagePaths,
    ids: np.ndarray,
    conditions: Float[np.ndarray, "n condition"],
    *,
    bands: Sequence[str] | None = None,
) -> PosteriorScores:
    """Score what a rival says of galaxies, in the units of the model; NaN for properties that it lacks."""
    shared = [name for name in model.conditions if name in rival.targets]
    if not shared:
        problem = f"predicts {', '.join(rival.targets)}, none of {', '.join(model.conditions)}"
        raise ModelFileError("rival", problem, "give a model of the same properties")
    own, theirs = (
        np.array([names.index(name) for name in shared]) for names in (model.conditions, rival.targets)
    )
    mean, scale = model.condition_mean, model.condition_scale

    def one(image: Array, truth: Array) -> PosteriorScores:
        def log_density(at: Array) -> Array:
            label = jnp.full(len(rival.targets), jnp.nan).at[theirs].set((mean + scale * at)[own])
            found = rival.log_density(image, label)[theirs] + jnp.log(scale[own])
            return jnp.full(len(at), jnp.nan).at[own].set(found)

        return density_scores(log_density, model.known(truth))

    log, pit = np.full((2, *conditions.shape), np.nan, np.float32)
    source = open_for_model(images, rival.form, bands=bands).source
    rows = np.flatnonzero(rows_of_ids(source.ids, ids) >= 0)
    for chunk in model_images(source, rival, rejects=Rejects(), rows=rows):
        place = rows_of_ids(chunk.ids, ids)
        log[place], pit[place] = map_galaxies(one, chunk.images, conditions[place], batch=BATCH)
    return PosteriorScores(log, pit)
