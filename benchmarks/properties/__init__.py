"""Properties from images measured."""
