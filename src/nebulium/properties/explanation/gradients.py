"""What a network looks at: how much each pixel, or each place, changes the predicted value.

Pure functions of a function ``score: image -> scalar`` and one image (height, width, band). Positive is what
raises the predicted value, negative what lowers it, in its unit.
"""

from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nebulium.training.augmentation import orientations

Image: TypeAlias = Float[Array, "height width band"]
Map: TypeAlias = Float[Array, "height width"]
Scalar: TypeAlias = Float[Array, ""]

STEPS = 64
#: Which of the eight orientations undoes each: only the quarter turns are not their own inverse.
WAYS_BACK = (0, 1, 2, 3, 4, 6, 5, 7)


def blank_sky(image: Image) -> Image:
    """An image without its galaxy, where the path of `integrated_gradients` begins."""
    border = jnp.concatenate([image[0], image[-1], image[1:-1, 0], image[1:-1, -1]])
    return jnp.broadcast_to(jnp.median(border, axis=0), image.shape)


def integrated_gradients(
    score: Callable[[Image], Scalar], image: Image, baseline: Image | None = None, *, steps: int = STEPS
) -> Image:
    """Share of each pixel and band in the difference between the scores of an image and of a baseline.

    The gradient of the score, averaged along the straight way from the baseline to the image, times the
    difference between the two.
    """
    start = blank_sky(image) if baseline is None else baseline
    fractions = (jnp.arange(steps, dtype=image.dtype) + 0.5) / steps
    slope = jax.grad(score)

    def add(total: Image, fraction: Scalar) -> tuple[Image, None]:
        return total + slope(start + fraction * (image - start)), None

    total, _ = jax.lax.scan(add, jnp.zeros_like(image), fractions)
    return (image - start) * total / steps


def completeness_gap(
    score: Callable[[Image], Scalar], image: Image, shares: Image, baseline: Image | None = None
) -> Scalar:
    """By how much the shares of the pixels miss the difference that they should add up to."""
    start = blank_sky(image) if baseline is None else baseline
    return jnp.sum(shares) - (score(image) - score(start))


def grad_cam(
    feature_map: Callable[[Image], Float[Array, "rows columns channel"]],
    score: Callable[[Float[Array, "rows columns channel"]], Scalar],
    image: Image,
) -> Map:
    """Weight of each place in the last feature map, enlarged to the size of the image."""
    features = feature_map(image)
    weights = jnp.mean(jax.grad(score)(features), axis=(0, 1))
    return jax.image.resize(features @ weights, image.shape[:2], "linear")


def averaged_over_orientations(explain: Callable[[Image], Array], image: Image) -> Array:
    """The mean of what is found in the image turned and mirrored, each turned back.

    A galaxy has no upper side, but a network trained on a few thousand has habits; the mean has none. The
    grid of a network's strides is not one of them, and stays to be seen in maps of single pixels.
    """
    found = jax.lax.map(explain, orientations(image))
    with_bands = found.reshape(*found.shape[:3], -1)
    back = [orientations(one)[way] for one, way in zip(with_bands, WAYS_BACK, strict=True)]
    return jnp.mean(jnp.stack(back), axis=0).reshape(found.shape[1:])
