"""A mock universe: from the properties of galaxies to spectra, photometry, images, and whole surveys."""

from nebulium.data.images.stretches import lupton_rgb
from nebulium.mock.galaxies import GalaxyMaker, MockGalaxy, load_population, make_galaxy_maker
from nebulium.mock.images.colour import petrosian_cutout, petrosian_radii
from nebulium.mock.images.noise import add_noise
from nebulium.mock.images.noiseless import Neighbour, noiseless_image
from nebulium.mock.images.stamp_page import stamp_colours, stamp_page
from nebulium.mock.instruments import INSTRUMENTS, Band, Instrument, instrument
from nebulium.mock.light import Light, LightModel, make_light_model
from nebulium.mock.populations.properties import GalaxyProperties
from nebulium.mock.structure import Structure, draw_structure
from nebulium.mock.survey.making import SurveyRun, make_survey
from nebulium.mock.survey.pictures import show_survey
from nebulium.mock.survey.survey_list import SURVEYS, Survey, find_survey

__all__ = [
    "INSTRUMENTS",
    "SURVEYS",
    "Band",
    "GalaxyMaker",
    "GalaxyProperties",
    "Instrument",
    "Light",
    "LightModel",
    "MockGalaxy",
    "Neighbour",
    "Structure",
    "Survey",
    "SurveyRun",
    "add_noise",
    "draw_structure",
    "find_survey",
    "instrument",
    "load_population",
    "lupton_rgb",
    "make_galaxy_maker",
    "make_light_model",
    "make_survey",
    "noiseless_image",
    "petrosian_cutout",
    "petrosian_radii",
    "show_survey",
    "stamp_colours",
    "stamp_page",
]
