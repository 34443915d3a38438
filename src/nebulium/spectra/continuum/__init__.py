"""Continua of galaxies in the rest frame: their principal components, and what is measured of spectra."""
