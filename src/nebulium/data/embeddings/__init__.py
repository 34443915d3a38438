"""Vectors that a network elsewhere has made of galaxies: tables of them, and rows of them on disk."""
