"""Emission lines from starlight: predict them, put them into spectra, train and score the models."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
