"""Galaxies as points of a model's space, and their neighbours there."""
