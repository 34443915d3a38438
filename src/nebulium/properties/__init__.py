"""Metallicity, and any other property, from images of galaxies."""
