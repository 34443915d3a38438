"""Catalogues of fluxes: columns, units, checks, Galactic extinction, filters by name."""

from nebulium.photometry.catalogue import PhotometricCatalogue, open_photometry, read_photometry
from nebulium.photometry.curves import band_filters
from nebulium.photometry.dereddening import deredden, extinction_of_bands
from nebulium.photometry.fluxes import flux_njy_of_magnitude
from nebulium.photometry.galaxies import PhotometricGalaxies
from nebulium.photometry.layout import BandColumns, CatalogueLayout

__all__ = [
    "BandColumns",
    "CatalogueLayout",
    "PhotometricCatalogue",
    "PhotometricGalaxies",
    "band_filters",
    "deredden",
    "extinction_of_bands",
    "flux_njy_of_magnitude",
    "open_photometry",
    "read_photometry",
]
