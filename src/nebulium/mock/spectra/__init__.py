"""Spectra of mock galaxies, as spectrographs see them."""
