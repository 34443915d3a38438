"""A page to look at galaxies, their emission lines and the predictions of models."""

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
