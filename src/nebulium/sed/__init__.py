"""Spectra of stars: templates, star-formation histories, dust, distances, filters.

The stellar populations are those of DSPS, in JAX; importing this package changes nothing global.
"""

from nebulium.sed.band_fluxes import Photometry, photometry
from nebulium.sed.cosmology import Cosmology, age_gyr, from_astropy, luminosity_distance_mpc
from nebulium.sed.dust import AbstractDust, CalzettiDust, NoDust, NollDust, SalimDust
from nebulium.sed.filters import FilterCurve, Filters, list_filters, load_filters, make_filters, read_filter
from nebulium.sed.igm import igm_transmission, resolve_lyman_steps
from nebulium.sed.sfh import (
    AbstractHistory,
    Burst,
    DelayedExponential,
    Exponential,
    Lognormal,
    Tabulated,
    TwoComponents,
)
from nebulium.sed.spectrum import Galaxy, ObservedSpectrum, RestSpectrum, observe, rest_spectrum
from nebulium.sed.ssp import SSPGrid, load_ssp

__all__ = [
    "AbstractDust",
    "AbstractHistory",
    "Burst",
    "CalzettiDust",
    "Cosmology",
    "DelayedExponential",
    "Exponential",
    "FilterCurve",
    "Filters",
    "Galaxy",
    "Lognormal",
    "NoDust",
    "NollDust",
    "ObservedSpectrum",
    "Photometry",
    "RestSpectrum",
    "SSPGrid",
    "SalimDust",
    "Tabulated",
    "TwoComponents",
    "age_gyr",
    "from_astropy",
    "igm_transmission",
    "list_filters",
    "load_filters",
    "load_ssp",
    "luminosity_distance_mpc",
    "make_filters",
    "observe",
    "photometry",
    "read_filter",
    "resolve_lyman_steps",
    "rest_spectrum",
]
