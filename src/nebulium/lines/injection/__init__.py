"""Emission lines put into spectra."""
