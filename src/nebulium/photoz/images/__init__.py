"""Redshifts from images: PITA and its two relatives."""
