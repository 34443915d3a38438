"""Equivalent widths of the ten lines, measured on what a spectrum has above its continuum."""

from functools import partial
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erf
from jaxtyping import Array, Float

from nebulium.lines.continuum.bins import SPEED_OF_LIGHT_KM_S
from nebulium.lines.continuum.line_list import LINES, TIED, OfLines, line_index
from nebulium.lines.injection.line_grid import COMPONENT_WAVES_AA, pixel_edges
from nebulium.lines.injection.profiles import LINE_CENTRES_AA, component_fluxes
from nebulium.sed.cosmology import Scalar
from nebulium.spectra.continuum.basis import ContinuumBasis, Spectrum

#: Dispersions of the lines that are tried, km/s, gas and instrument together.
DISPERSIONS_KM_S = (60.0, 70.0, 80.0, 95.0, 115.0, 150.0, 200.0, 270.0)
#: Pixels within this of a line count.
REACH_KM_S = 1200.0
#: Numbers of pixels near lines are rounded up to a multiple of this, so that few functions are compiled.
NEAR_MULTIPLE = 256
FREE = tuple(line for line in LINES if line not in TIED)
_TINY = 1e-30


class MeasuredLines(NamedTuple):
    """Lines of a spectrum.

    Attributes
    ----------
    ew_aa, sigma_aa : (10,) float32
        Rest-frame equivalent widths, emission positive, and their errors; NaN where the line is not seen.
    """

    ew_aa: OfLines
    sigma_aa: OfLines


def measured_lines(
    basis: ContinuumBasis,
    coefficients: Float[Array, " component"],
    level: Scalar,
    wave_aa: Spectrum,
    flux: Spectrum,
    ivar: Spectrum,
    redshift: Scalar,
    most: int | None = None,
) -> MeasuredLines:
    """Gaussians of one width, with the fixed ratios of pairs, fitted to a spectrum less its continuum.

    No more than `most` pixels are near lines: see `most_near`.
    """
    rest, edges = wave_aa / (1.0 + redshift), pixel_edges(wave_aa)
    reach = REACH_KM_S / SPEED_OF_LIGHT_KM_S
    apart = jnp.abs(rest[:, None] / jnp.asarray(COMPONENT_WAVES_AA)[None, :] - 1.0)
    near = (jnp.min(apart, axis=1) < reach) & (ivar > 0) & jnp.isfinite(flux)
    # A few hundred pixels of thousands; those that fill up have no weight.
    (pixels,) = jnp.nonzero(near, size=len(wave_aa) if most is None else most, fill_value=0)
    used = jnp.arange(len(pixels)) < jnp.sum(near)
    below, above, wave_aa, flux, ivar = (
        values[pixels] for values in (edges[:-1], edges[1:], wave_aa, flux, ivar)
    )
    design, inside = basis.at(wave_aa, redshift)
    continuum = level * (design[:, 0] + design[:, 1:] @ coefficients)
    weight = jnp.where(inside & used, ivar, 0.0) * level**2
    excess = jnp.where(weight > 0, (flux - continuum) / level, 0.0)
    centres, _ = basis.at(jnp.asarray(LINE_CENTRES_AA) * (1.0 + redshift), redshift)
    at_line = centres[:, 0] + centres[:, 1:] @ coefficients
    at = jnp.asarray(COMPONENT_WAVES_AA)[:, None] * (1.0 + redshift)
    shares = jax.vmap(component_fluxes)(jnp.asarray(_OF_FREE))

    def fitted(dispersion: Scalar) -> tuple[Scalar, OfLines, OfLines]:
        width = jnp.sqrt(2.0) * at * (dispersion / SPEED_OF_LIGHT_KM_S)
        passed = 0.5 * (erf((above[None, :] - at) / width) - erf((below[None, :] - at) / width))
        profiles = shares @ (passed / (above - below)[None, :])
        normal = (profiles * weight[None, :]) @ profiles.T
        size = jnp.sqrt(jnp.diagonal(normal) + _TINY)
        scaled = normal / (size[:, None] * size[None, :]) + 1e-6 * jnp.eye(len(FREE))
        inverse = jnp.linalg.inv(scaled)
        found = inverse @ (profiles @ (weight * excess) / size) / size
        left = weight * (excess - found @ profiles) ** 2
        # Errors grow where the fit is worse than the noise says.
        worse = jnp.maximum(
            jnp.sum(left) / jnp.maximum(jnp.sum((weight > 0).astype(jnp.float32)) - len(FREE), 1.0), 1.0
        )
        errors = jnp.sqrt(worse * jnp.diagonal(inverse)) / size
        seen = size > 1e-3 * jnp.max(size)
        of_lines = jnp.asarray(_OF_FREE).T
        whole = jnp.where(of_lines @ seen.astype(jnp.float32) > 0, 1.0, jnp.nan)
        of_one = whole / ((1.0 + redshift) * at_line)
        return jnp.sum(left), of_one * (of_lines @ found), of_one * (of_lines @ errors)

    squares, widths, errors = jax.vmap(fitted)(jnp.asarray(DISPERSIONS_KM_S))
    best = jnp.argmin(squares)
    return MeasuredLines(widths[best], errors[best])


def most_near(wave_aa: Float[np.ndarray, "n wave"], redshift: Float[np.ndarray, " n"]) -> int:
    """Pixels of any spectrum that are near lines, at the most, rounded up."""
    rest, reach = wave_aa / (1.0 + redshift[:, None]), REACH_KM_S / SPEED_OF_LIGHT_KM_S
    near = np.zeros(rest.shape, bool)
    for line in COMPONENT_WAVES_AA:
        # The edges are rounded otherwise in single precision: a pixel too many does no harm.
        near |= np.abs(rest / line - 1.0) < 1.001 * reach
    counted = int(near.sum(axis=1).max(initial=1))
    return min(-(-counted // NEAR_MULTIPLE) * NEAR_MULTIPLE, rest.shape[1])


def _of_free() -> Float[np.ndarray, "free 10"]:
    """Fluxes of the ten lines for a flux of 1 of each free one."""
    found = np.zeros((len(FREE), len(LINES)), np.float32)
    for row, name in enumerate(FREE):
        found[row, line_index(name)] = 1.0
        for weak, (strong, ratio) in TIED.items():
            if strong == name:
                found[row, line_index(weak)] = 1.0 / ratio
    return found


_OF_FREE = _of_free()


@eqx.filter_jit
def measure_batch(
    basis: ContinuumBasis,
    coefficients: Array,
    level: Array,
    wave_aa: Array,
    flux: Array,
    ivar: Array,
    redshift: Array,
    most: int | None = None,
) -> MeasuredLines:
    """Many spectra."""
    one = partial(measured_lines, basis, most=most)
    return jax.vmap(one)(coefficients, level, wave_aa, flux, ivar, redshift)
