"""Redshifts of galaxies from their images and photometry, as densities p(z)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
