"""Features of an image by name, alone or one after another."""

from collections.abc import Mapping
from functools import cache

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nebulium.errors import TableError
from nebulium.nn.convolution import Image
from nebulium.nn.image_model import Measuring
from nebulium.properties.features.modes import mode_features
from nebulium.properties.features.profiles import profile_features
from nebulium.properties.features.scattering import scattering_features

FEATURES: Mapping[str, Measuring] = {
    "profiles": profile_features,
    "modes": mode_features,
    "scattering": scattering_features,
}
#: What the training domain is measured by, and so always there, first.
PROFILES = "profiles"


@cache
def measure_of(names: tuple[str, ...]) -> Measuring:
    """A function that measures all of them: one function for the same names, which compiles once."""

    def measure(image: Image) -> Float[Array, " feature"]:
        return jnp.concatenate([FEATURES[name](image) for name in names])

    return measure


@cache
def feature_counts(names: tuple[str, ...], side: int, bands: int) -> tuple[int, ...]:
    """How many numbers each of them is, of an image of so many pixels a side."""
    image = jax.ShapeDtypeStruct((side, side, bands), jnp.float32)
    return tuple(jax.eval_shape(FEATURES[name], image).size for name in names)


def check_features(names: tuple[str, ...]) -> None:
    """Known names, each once, profiles first."""
    unknown = [name for name in names if name not in FEATURES]
    if unknown or len(set(names)) < len(names) or names[:1] != (PROFILES,):
        found = f"unknown {unknown[0]}" if unknown else ", ".join(names) or "none"
        mend = f"give {PROFILES} and, after it, any of {', '.join(list(FEATURES)[1:])}, each once"
        raise TableError("features", f"cannot be {found}", mend)
