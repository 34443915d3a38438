"""The light of galaxies and their physical properties, both ways, in JAX.

What the stub file beside this one names is here: a few functions, and the rooms, each with a stub of its own.
All is imported when it is first asked for, so that the command line answers at once.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
