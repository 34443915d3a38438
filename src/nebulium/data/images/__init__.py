"""Images of galaxies in: formats, sizes, stretches, a store for training."""
