"""Populations of galaxies that follow published relations."""
