"""What is read off drawn spectra: the break at 4000 AA, equivalent widths, the BPT class, colours."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from nebulium.lines.continuum.line_list import OfLines, line_index
from nebulium.lines.injection.profiles import LINE_CENTRES_AA
from nebulium.lines.scores.bpt import BPT_LINES, KAUFFMANN_2003, KEWLEY_2001, BptCurve
from nebulium.sed.band_fluxes import line_njy_per_flux, mean_flux_njy, photometry_of_flux
from nebulium.sed.filters import Filters
from nebulium.spectra.continuum.basis import ContinuumBasis, resampled
from nebulium.spectra.draws import SpectrumDraw, break_4000, continuum_of

#: Classes of the diagram of Baldwin, Phillips & Terlevich 1981, left to right.
BPT_CLASSES = ("star-forming", "composite", "AGN")


#: A fainter line is not told from what its continuum is off by: half an Angstrom stands for all below.
WEAKEST_AA = 0.5
#: Share of the response of a filter that may lie beyond the wavelengths that were learned.
MOST_BEYOND = 0.05
#: How far the ends of a spectrum are drawn on, as a share of the wavelength.
DRAWN_ON = 0.2


class Derived(NamedTuple):
    """Numbers of a spectrum.

    Attributes
    ----------
    dn4000 : () float32
    log_ew : (10,) float32
        Logarithm to base 10 of the equivalent widths, AA, no less than that of `WEAKEST_AA`.
    bpt : (3,) float32
        1 for its class among `BPT_CLASSES`, 0 for the others.
    """

    dn4000: Any
    log_ew: Any
    bpt: Any


def derived_of(basis: ContinuumBasis, draw: SpectrumDraw) -> Derived:
    """Numbers of a drawn spectrum."""
    at_line, _ = resampled(
        basis.continuum(draw.coefficients)[:, None], basis.first, jnp.asarray(LINE_CENTRES_AA), jnp.zeros(())
    )
    flux = draw.ew_aa * at_line[:, 0]
    return Derived(
        break_4000(basis, draw.coefficients), jnp.log10(jnp.maximum(draw.ew_aa, WEAKEST_AA)), bpt_class(flux)
    )


def bpt_class(line_flux: OfLines) -> Float[Array, "3"]:
    """The class of ratios of line fluxes: below Kauffmann et al. 2003, above Kewley et al. 2001, between."""
    nii, halpha, oiii, hbeta = (jnp.maximum(line_flux[line_index(line)], 1e-12) for line in BPT_LINES)
    x, y = jnp.log10(nii / halpha), jnp.log10(oiii / hbeta)

    def below(curve: BptCurve) -> Bool[Array, ""]:
        left = x < curve.asymptote
        return left & (y < curve.rise / jnp.where(left, x - curve.asymptote, -1.0) + curve.level)

    forming, not_excited = below(KAUFFMANN_2003), below(KEWLEY_2001)
    return jnp.stack([forming, ~forming & not_excited, ~forming & ~not_excited]).astype(jnp.float32)


def band_magnitudes(basis: ContinuumBasis, draw: SpectrumDraw, filters: Filters) -> Float[Array, " band"]:
    """AB magnitudes of a drawn spectrum, lines included, through filters.

    NaN where more than a twentieth of a filter's response lies beyond the spectrum; what lies there counts as
    bright as the end of the spectrum.
    """
    rest, stretch = jnp.asarray(basis.wave_rest_aa), 1.0 + draw.redshift
    on = jnp.concatenate([rest[:1] * (1.0 - DRAWN_ON), rest, rest[-1:] * (1.0 + DRAWN_ON)])
    continuum = continuum_of(basis, draw)
    flux = mean_flux_njy(on * stretch, jnp.pad(continuum, 1, mode="edge"), filters)
    centres = jnp.asarray(LINE_CENTRES_AA)
    at_line, known = resampled(continuum[:, None], basis.first, centres, jnp.zeros(()))
    lines = jnp.where(known, draw.ew_aa * stretch * at_line[:, 0], 0.0)
    flux += line_njy_per_flux(centres * stretch, filters) @ lines
    middles = 0.5 * (filters.edges_aa[:, 1:] + filters.edges_aa[:, :-1])
    # Photons of a spectrum flat in wavelength.
    photons = filters.response * middles**2 * jnp.diff(filters.edges_aa, axis=1)
    beyond = (middles < rest[0] * stretch) | (middles > rest[-1] * stretch)
    share = jnp.sum(jnp.where(beyond, photons, 0.0), axis=1) / jnp.sum(photons, axis=1)
    return photometry_of_flux(flux, share <= MOST_BEYOND).mag_ab
