"""Redshifts from templates of galaxies."""
