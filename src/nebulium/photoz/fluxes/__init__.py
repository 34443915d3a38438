"""Redshifts from fluxes: an ensemble of networks."""
