"""Spectra of galaxies from their images: continuum and lines, with honest uncertainties."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
