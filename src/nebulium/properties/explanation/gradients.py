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
    """An image without its galaxy, where the path of `integrated_gradients` begins.

    Parameters
    ----------
    image : array of shape (height, width, band)

    Returns
    -------
    array of shape (height, width, band)
        In every pixel the median of the image's border, band by band.

    Examples
    --------
    >>> image = jnp.full((8, 8, 2), 0.5).at[3:5, 3:5].set(9.0)
    >>> float(blank_sky(image).max())
    0.5
    """
    border = jnp.concatenate([image[0], image[-1], image[1:-1, 0], image[1:-1, -1]])
    return jnp.broadcast_to(jnp.median(border, axis=0), image.shape)


def integrated_gradients(
    score: Callable[[Image], Scalar],
    image: Image,
    baseline: Image | None = None,
    *,
    steps: int = STEPS,
) -> Image:
    """Share of each pixel and band in the difference between the scores of an image and of a baseline.

    The gradient of the score, averaged along the straight way from the baseline to the image, times the
    difference between the two.

    Parameters
    ----------
    score : callable
        Image -> scalar; differentiable.
    image : array of shape (height, width, band)
    baseline : array of shape (height, width, band), optional
        `blank_sky` if not given.
    steps : int
        Places at which the gradient is taken, the middles of as many equal parts of the way.

    Returns
    -------
    array of shape (height, width, band)
        They add up to score(image) - score(baseline), but for the error of the steps; see
        `completeness_gap`.

    References
    ----------
    Sundararajan, Taly & Yan 2017, arXiv:1703.01365.

    Examples
    --------
    >>> image = jnp.zeros((4, 4, 1)).at[1, 2].set(3.0)
    >>> shares = integrated_gradients(lambda x: jnp.sum(x**2), image)
    >>> round(float(shares[1, 2, 0]), 4), float(jnp.abs(shares).sum()) == float(shares[1, 2, 0])
    (9.0, True)
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
    """By how much the shares of the pixels miss the difference that they should add up to.

    Parameters
    ----------
    score, image, baseline
        As in `integrated_gradients`.
    shares : array of shape (height, width, band)
        What that returned.

    Returns
    -------
    scalar
        In the unit of the score; if not small beside the score's error bar, take more steps.

    Examples
    --------
    >>> image = jnp.linspace(0.0, 1.0, 48).reshape(4, 4, 3)
    >>> shares = integrated_gradients(lambda x: jnp.sum(x**2), image)
    >>> abs(float(completeness_gap(lambda x: jnp.sum(x**2), image, shares))) < 1e-4
    True
    """
    start = blank_sky(image) if baseline is None else baseline
    return jnp.sum(shares) - (score(image) - score(start))


def grad_cam(
    feature_map: Callable[[Image], Float[Array, "rows columns channel"]],
    score: Callable[[Float[Array, "rows columns channel"]], Scalar],
    image: Image,
) -> Map:
    """Weight of each place in the last feature map, enlarged to the size of the image.

    Parameters
    ----------
    feature_map : callable
        Image -> what the network pools, such as ``encoder.feature_map``.
    score : callable
        Feature map -> scalar, such as ``lambda features: head(encoder.pooled(features))``.
    image : array of shape (height, width, band)

    Returns
    -------
    array of shape (height, width)
        Sum over channels of the feature map times the mean gradient of its channel. Signed: there is no
        class to vote for, and what lowers a metallicity counts as much as what raises it.

    References
    ----------
    Selvaraju et al. 2017, arXiv:1610.02391.

    Examples
    --------
    >>> image = jnp.zeros((8, 8, 1)).at[:4, :4].set(1.0)
    >>> blocks = lambda x: x.reshape(2, 4, 2, 4, 1).mean(axis=(1, 3))
    >>> seen = grad_cam(blocks, jnp.sum, image)
    >>> seen.shape, bool(seen[1, 1] > seen[6, 6])
    ((8, 8), True)
    """
    features = feature_map(image)
    weights = jnp.mean(jax.grad(score)(features), axis=(0, 1))
    return jax.image.resize(features @ weights, image.shape[:2], "linear")


def averaged_over_orientations(explain: Callable[[Image], Array], image: Image) -> Array:
    """The mean of what is found in the image turned and mirrored, each turned back.

    A galaxy has no upper side, but a network trained on a few thousand has habits; the mean has none. The
    grid of a network's strides is not one of them, and stays to be seen in maps of single pixels.

    Parameters
    ----------
    explain : callable
        Image -> map (height, width) or (height, width, band).
    image : array of shape (height, width, band)
        As high as wide.

    Returns
    -------
    array of shape (height, width) or (height, width, band)
        Turned when the image is turned.

    Examples
    --------
    >>> upper_left = lambda x: x[..., 0] * jnp.eye(4)
    >>> averaged_over_orientations(upper_left, jnp.ones((4, 4, 1)))[0].tolist()
    [0.5, 0.0, 0.0, 0.5]
    """
    found = jax.lax.map(explain, orientations(image))
    with_bands = found.reshape(*found.shape[:3], -1)
    back = [orientations(one)[way] for one, way in zip(with_bands, WAYS_BACK, strict=True)]
    return jnp.mean(jnp.stack(back), axis=0).reshape(found.shape[1:])


def share_by_radius(shares: Map, edges: Float[Array, " edge"]) -> Float[Array, " ring"]:
    """How much of what a network looks at lies at which distance from the centre.

    Parameters
    ----------
    shares : array of shape (height, width)
        What pixels do to the prediction; their sizes count, not their signs.
    edges : array of shape (ring + 1,)
        Radii that bound the rings, pixels, ascending.

    Returns
    -------
    array of shape (ring,)
        Fraction of the total in each ring; NaN if nothing is looked at.

    Examples
    --------
    >>> rings = share_by_radius(jnp.ones((20, 20)), jnp.array([0.0, 5.0, 50.0]))
    >>> [round(float(share), 3) for share in rings]
    [0.2, 0.8]
    """
    height, width = shares.shape
    rows, columns = (jnp.linspace(-(side - 1) / 2, (side - 1) / 2, side) for side in (height, width))
    radius = jnp.sqrt(rows[:, None] ** 2 + columns[None, :] ** 2)
    size = jnp.abs(shares)
    rings = [
        jnp.sum(jnp.where((radius >= low) & (radius < high), size, 0.0))
        for low, high in zip(edges[:-1], edges[1:], strict=True)
    ]
    return jnp.stack(rings) / jnp.sum(size)
