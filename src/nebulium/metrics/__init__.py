"""Metrics of point predictions, of distributions, and of samples; every convention named."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
