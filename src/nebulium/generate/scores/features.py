"""Numbers that describe the image of a galaxy: its shape, its colours, its noise.

Definitions follow Conselice 2003 (ApJS 147, 1: concentration, asymmetry, clumpiness) and Lotz et al. 2004
(AJ 128, 163: Gini, M20), inside twice the half-light radius in place of the Petrosian radius: they are for
comparing two sets of images of one survey, not for tables of galaxies.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

Image = Float[Array, "side side band"]
Band = Float[Array, "side side"]
Number = Float[Array, ""]

MORPHOLOGY = (
    "log_flux",
    "log_half_light_radius",
    "concentration",
    "ellipticity",
    "asymmetry",
    "clumpiness",
    "gini",
    "m20",
    "log_peak_share",
)
#: Half-light radii within which shapes are measured.
WITHIN = 2.0
#: Pixels of the border in which the sky is measured.
BORDER = 4
_LEAST = 1e-6


def feature_names(bands: Sequence[str]) -> tuple[str, ...]:
    """Those of morphology in the middle band, then those of colour and noise."""
    pairs = list(zip(bands[:-1], bands[1:], strict=True))
    return (
        *MORPHOLOGY,
        *(f"{blue}-{red}" for blue, red in pairs),
        *(f"{blue}-{red} gradient" for blue, red in pairs),
        *(f"log_sky_{band}" for band in bands),
        "sky_correlation",
    )


def image_features(image: Image) -> Float[Array, " feature"]:
    """All features of an image in flux, with its sky at zero."""
    side, _, bands = image.shape
    band = image[:, :, bands // 2]
    flux, radius, curve = _growth(band)
    r20, r50, r80 = (_radius(curve, radius, share) for share in (0.2, 0.5, 0.8))
    inside = _disc(side, WITHIN * r50)
    morphology = [
        jnp.arcsinh(flux / _scale(band)),
        jnp.log10(r50),
        5 * jnp.log10(r80 / r20),
        _ellipticity(band, inside),
        _asymmetry(band, inside),
        _clumpiness(band, inside, r50),
        _gini(band, inside),
        _m20(band, inside),
        jnp.log10(jnp.maximum(jnp.max(jnp.where(inside > 0, band, 0.0)), _LEAST) / jnp.maximum(flux, _LEAST)),
    ]
    inner, outer = _disc(side, r50), inside - _disc(side, r50)
    of_bands = [[jnp.sum(image * disc[:, :, None], axis=(0, 1)) for disc in (inside, inner, outer)]]
    whole, near, far = (jnp.arcsinh(sums / _scale(band)) for sums in of_bands[0])
    noise = [jnp.log10(jnp.maximum(_scale(image[:, :, b]), _LEAST)) for b in range(bands)]
    return jnp.stack([*morphology, *-jnp.diff(whole), *-jnp.diff(near - far), *noise, _correlation(band)])


def _distances(side: int) -> Float[Array, "side side"]:
    at = jnp.arange(side, dtype=jnp.float32) - 0.5 * (side - 1)
    return jnp.hypot(at[:, None], at[None, :])


def _disc(side: int, radius: Number) -> Band:
    """Weights of the pixels of a disc, those on its edge by their share."""
    return jnp.clip(radius - _distances(side) + 0.5, 0.0, 1.0)


def _scale(band: Band) -> Number:
    """Scatter of the sky in the border, by the median of its differences from zero."""
    border = jnp.concatenate(
        [band[:BORDER].ravel(), band[-BORDER:].ravel(), band[:, :BORDER].ravel(), band[:, -BORDER:].ravel()]
    )
    return 1.4826 * jnp.median(jnp.abs(border - jnp.median(border)))


def _growth(band: Band) -> tuple[Number, Float[Array, " radius"], Float[Array, " radius"]]:
    """Flux in the largest disc, radii, and the share of the flux within each."""
    side = len(band)
    radius = jnp.asarray(np.linspace(0.5, 0.5 * side, 2 * side).astype(np.float32))
    curve = jax.lax.map(lambda one: jnp.sum(band * _disc(side, one)), radius)
    flux = jnp.maximum(curve[-1], _scale(band))
    return flux, radius, curve / flux


def _radius(curve: Float[Array, " radius"], radius: Float[Array, " radius"], share: float) -> Number:
    """Where the growth curve first passes a share of the flux."""
    place = jnp.clip(jnp.argmax(curve >= share), 1, len(radius) - 1)
    low, high = curve[place - 1], curve[place]
    part = jnp.clip((share - low) / jnp.maximum(high - low, _LEAST), 0.0, 1.0)
    return radius[place - 1] + part * (radius[place] - radius[place - 1])


def _ellipticity(band: Band, inside: Band) -> Number:
    """One minus the ratio of the axes of the second moments."""
    at = jnp.arange(len(band), dtype=jnp.float32) - 0.5 * (len(band) - 1)
    weight = jnp.maximum(band, 0.0) * inside
    total = jnp.maximum(jnp.sum(weight), _LEAST)
    xx = jnp.sum(weight * at[None, :] ** 2) / total
    yy = jnp.sum(weight * at[:, None] ** 2) / total
    xy = jnp.sum(weight * at[:, None] * at[None, :]) / total
    apart = jnp.sqrt(0.25 * (xx - yy) ** 2 + xy**2)
    small, large = 0.5 * (xx + yy) - apart, 0.5 * (xx + yy) + apart
    return 1.0 - jnp.sqrt(jnp.maximum(small, _LEAST) / jnp.maximum(large, _LEAST))


def _asymmetry(band: Band, inside: Band) -> Number:
    """Against the image turned by half, relative to the flux; the sky's share is left in."""
    return jnp.sum(jnp.abs(band - band[::-1, ::-1]) * inside) / _total(band, inside)


def _clumpiness(band: Band, inside: Band, r50: Number) -> Number:
    """What smoothing with a quarter of the half-light radius takes away."""
    side = len(band)
    at = jnp.arange(side, dtype=jnp.float32)
    kernel = jnp.exp(-0.5 * ((at[:, None] - at[None, :]) / jnp.maximum(0.25 * r50, 0.5)) ** 2)
    kernel = kernel / jnp.sum(kernel, axis=1, keepdims=True)
    return jnp.sum(jnp.maximum(band - kernel @ band @ kernel.T, 0.0) * inside) / _total(band, inside)


def _total(band: Band, inside: Band) -> Number:
    return jnp.maximum(jnp.sum(jnp.abs(band) * inside), _LEAST)


def _gini(band: Band, inside: Band) -> Number:
    """Of the absolute fluxes of the pixels (Lotz et al. 2004, equation 6)."""
    values = jnp.sort(jnp.abs(jnp.where(inside > 0.5, band, 0.0)).ravel())
    n = jnp.maximum(jnp.sum((inside > 0.5).astype(jnp.float32)), 2.0)
    rank = jnp.arange(1, len(values) + 1, dtype=jnp.float32) - (len(values) - n)
    return jnp.sum((2 * rank - n - 1) * values) / (jnp.maximum(jnp.sum(values), _LEAST) * (n - 1))


def _m20(band: Band, inside: Band) -> Number:
    """Logarithm of the second moment of the brightest fifth of the flux over that of all."""
    flux = (jnp.maximum(band, 0.0) * inside).ravel()
    moment = flux * _distances(len(band)).ravel() ** 2
    order = jnp.argsort(-flux)
    before = jnp.cumsum(flux[order]) - flux[order]
    brightest = jnp.where(before < 0.2 * jnp.sum(flux), moment[order], 0.0)
    return jnp.log10(jnp.maximum(jnp.sum(brightest), _LEAST) / jnp.maximum(jnp.sum(moment), _LEAST))


def _correlation(band: Band) -> Number:
    """Of neighbouring pixels in the border."""
    strips = jnp.stack([band[:BORDER], band[-BORDER:]])
    strips = jnp.clip(strips, -4 * _scale(band), 4 * _scale(band))
    strips = strips - jnp.mean(strips)
    return jnp.mean(strips[:, :, 1:] * strips[:, :, :-1]) / jnp.maximum(jnp.mean(strips**2), _LEAST)
