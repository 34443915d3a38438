"""Images of galaxies from their properties, and how likely an image is given properties."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
