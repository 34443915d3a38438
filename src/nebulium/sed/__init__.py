"""Spectra of stars: templates, star-formation histories, dust, distances, filters.

The stellar populations are those of DSPS, in JAX; importing this package changes nothing global.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
