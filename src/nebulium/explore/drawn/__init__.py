"""A page of galaxies that a model of images draws, which follow sliders of their properties."""
