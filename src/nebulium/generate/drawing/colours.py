"""Images of a model as colour pictures, all on one scale."""

import re

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, UInt8

from nebulium.data.glossary import MAGGIES, parse_unit
from nebulium.data.images.parquet import zero_points
from nebulium.data.images.preparation import ImageForm
from nebulium.data.images.stretches import DISPLAY_UNIT, core_light, lupton_rgb, scaled_colours
from nebulium.errors import NebuliumError
from nebulium.generate.image_model import ImageModel
from nebulium.nn.mapping import map_batch

#: AB magnitude of a nanomaggy.
NANOMAGGY = 22.5
#: The bands of SkyServer's pictures, as surveys and curves of transmission call them.
SDSS_BANDS = re.compile(r"(?:sdss_)?([gri])0?")


def colour_pictures(
    model: ImageModel, flux: Float[np.ndarray, "n height width band"]
) -> UInt8[np.ndarray, "n height width 3"]:
    """Images in the unit of the model as red, green and blue, upright.

    Colours stay as they are. Of SDSS's g, r and i in nanomaggies are made what SkyServer makes of them; other
    bands are scaled by the average galaxy of the training, which is white, and by the noise of its sky.
    """
    form = model.form
    if form.unit == DISPLAY_UNIT:
        colours = np.round(np.clip(flux, 0.0, 255.0)).astype(np.uint8)
        return np.broadcast_to(colours, (*flux.shape[:3], 3)) if flux.shape[-1] == 1 else colours[..., :3]
    # The first row of an image of fluxes is its lowest.
    upright = flux[:, ::-1]
    if _as_skyserver(form):
        return np.stack([lupton_rgb(image) for image in upright])
    average = np.asarray(map_batch(model.rebuilt, jnp.zeros((1, model.basis.size))))
    noise = np.sqrt(np.asarray(model.noise.sky_variance))
    return scaled_colours(upright, core_light(average)[0], noise.tolist())


def _as_skyserver(form: ImageForm) -> bool:
    """Whether images are such as SkyServer makes colour pictures of."""
    bands = [SDSS_BANDS.fullmatch(band) for band in form.bands]
    if [band and band[1] for band in bands] != ["g", "r", "i"]:
        return False
    points = zero_points(form.unit, form.bands)
    if points is not None:
        return set(points) == {NANOMAGGY}
    try:
        return bool(parse_unit(form.unit) == MAGGIES[1])
    except (NebuliumError, ValueError):
        return False
