"""Tables and spectra in and out: formats, units, column names, splits, rows set aside, whole files."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
