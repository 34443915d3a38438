"""Properties from photometry, measured."""
