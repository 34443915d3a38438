"""A mock universe: from the properties of galaxies to spectra, photometry, images, and whole surveys."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
