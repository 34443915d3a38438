"""Catalogues of fluxes: columns, units, checks, Galactic extinction, filters by name."""
