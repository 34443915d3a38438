"""Predicted properties scored: metrics, the mass-metallicity relation, figures."""
