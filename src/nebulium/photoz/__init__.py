"""Redshifts of galaxies from their images and photometry, as densities p(z)."""
