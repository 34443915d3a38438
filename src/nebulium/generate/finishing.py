"""What is set right of a model that draws: the noise of its sky, and what is typical of its survey."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from nebulium.data.images.labelled import LabelledImages
from nebulium.data.images.stretches import MAD_TO_SIGMA
from nebulium.generate.drawing.samplers import STEPS
from nebulium.generate.latent.typicality import measured_typicality
from nebulium.generate.measuring import mapped, rows_of
from nebulium.generate.model import LatentImageModel
from nebulium.nn.mapping import map_galaxies

#: Images drawn to measure the sky, as many at a time, and rows along the edges that show it.
DRAWN, BATCH, EDGE = 512, 64, 4
#: Noise loses no more than this share of its variance to coefficients that scatter too much.
MOST_TAKEN = 0.3


def finished(model: LatentImageModel, held_back: LabelledImages) -> LatentImageModel:
    """The model whose drawn sky is as noisy as that of images held back, and that ranks images among them.

    Texture is as strong as its coefficients say.
    """
    if model.texture is None:
        model = _with_sky(model, held_back)
    if model.typicality is None:
        return model
    seen = mapped(model.unusual, held_back.images)
    ranked = measured_typicality(seen, len(model.typicality.of_all))
    return eqx.tree_at(lambda m: m.typicality, model, ranked)


def _with_sky(model: LatentImageModel, held_back: LabelledImages) -> LatentImageModel:
    """The model whose noise leaves room for that which drawn coefficients add to the sky."""
    rows = rows_of(len(held_back), DRAWN)
    values = held_back.labels["value"][rows].astype(np.float32)
    draw = eqx.Partial(model.drawn, steps=STEPS["heun"])
    drawn = map_galaxies(draw, values, jax.random.split(jax.random.key(0), len(rows)), batch=BATCH)
    real = model.form.preparation.stretch.invert(held_back.images[rows])
    sky = model.noise.sky_variance
    wanted = sky + jnp.asarray(edge_scatter(real) ** 2 - edge_scatter(drawn) ** 2)
    kept = jnp.clip(wanted, (1.0 - MOST_TAKEN) * sky, (1.0 + MOST_TAKEN) * sky)
    return eqx.tree_at(lambda m: m.noise.sky_variance, model, kept)


def edge_scatter(pixels: Float[np.ndarray, "n side side band"]) -> Float[np.ndarray, " band"]:
    """Scatter of the pixels along the edges of an image: the median of all, as some galaxies reach them."""
    edges = np.concatenate([pixels[:, :EDGE], pixels[:, -EDGE:]], axis=1).reshape(
        len(pixels), -1, pixels.shape[-1]
    )
    deviations = np.abs(edges - np.median(edges, axis=1, keepdims=True))
    return np.median(MAD_TO_SIGMA * np.median(deviations, axis=1), axis=0).astype(np.float32)
