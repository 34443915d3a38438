"""A page to look at galaxies, their lines, and what the models say of them."""

from nebulium.explore.export.writing import ExportedPage, export_page
from nebulium.explore.page.explored import Explored, explore
from nebulium.explore.page.server import make_app, serve
from nebulium.explore.sample.galaxies import Galaxies, read_galaxies

__all__ = [
    "Explored",
    "ExportedPage",
    "Galaxies",
    "explore",
    "export_page",
    "make_app",
    "read_galaxies",
    "serve",
]
