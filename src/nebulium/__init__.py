"""The light of galaxies and their physical properties, both ways, in JAX."""
