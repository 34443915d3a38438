"""A page to look at galaxies, their emission lines and the predictions of models."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
