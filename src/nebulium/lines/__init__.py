"""Emission lines from starlight: predict them, put them into spectra, train and score the models."""

from nebulium.lines.chain import LineChain, SampledLines, make_chain, synthesise
from nebulium.lines.continuum.bins import continuum_bins, mask_lines
from nebulium.lines.continuum.features import colours, features_from_spectra, log_luminosity
from nebulium.lines.continuum.line_list import LINE_WAVES_AA, LINES
from nebulium.lines.injection.file import inject_file
from nebulium.lines.injection.profiles import EmissionLines, add_lines, emission_lines, line_spectrum
from nebulium.lines.injection.spectra import inject_lines, sample_ews
from nebulium.lines.model import LineDensity, LineModel
from nebulium.lines.observed import marginalised_quantiles, measured_quantiles
from nebulium.lines.predict import Predictions, predict_file, predict_table
from nebulium.lines.quantiles import median_ews
from nebulium.lines.recipe import LinesConfig, train
from nebulium.lines.scores.evaluate import evaluate_file
from nebulium.lines.training_file import train_file

__all__ = [
    "LINES",
    "LINE_WAVES_AA",
    "EmissionLines",
    "LineChain",
    "LineDensity",
    "LineModel",
    "LinesConfig",
    "Predictions",
    "SampledLines",
    "add_lines",
    "colours",
    "continuum_bins",
    "emission_lines",
    "evaluate_file",
    "features_from_spectra",
    "inject_file",
    "inject_lines",
    "line_spectrum",
    "log_luminosity",
    "make_chain",
    "marginalised_quantiles",
    "mask_lines",
    "measured_quantiles",
    "median_ews",
    "predict_file",
    "predict_table",
    "sample_ews",
    "synthesise",
    "train",
    "train_file",
]
