"""Redshifts of galaxies from their images and photometry, as densities p(z)."""

from nebulium.photoz.baselines import TrainDistributionModel
from nebulium.photoz.density.densities import RedshiftDensities
from nebulium.photoz.density.grid import RedshiftGrid
from nebulium.photoz.density.prediction import PredictedRedshifts, RedshiftPrediction
from nebulium.photoz.density.qp_export import QpWriter, read_qp
from nebulium.photoz.density.recalibration import Recalibration, measure_recalibration, recalibrated
from nebulium.photoz.fluxes.model import PhotometryModel
from nebulium.photoz.fluxes.recipe import GridConfig, PhotometryConfig
from nebulium.photoz.images.model import ImageRedshiftModel
from nebulium.photoz.images.recipe import RedshiftConfig
from nebulium.photoz.methods import METHODS
from nebulium.photoz.predict import predict_file, predict_galaxies
from nebulium.photoz.scores.evaluate import evaluate_file, evaluate_redshifts
from nebulium.photoz.scores.label_fraction_file import label_fraction_file
from nebulium.photoz.scores.scores import redshift_columns
from nebulium.photoz.space.disagreements_file import disagreements_file
from nebulium.photoz.space.embedding import embed_file
from nebulium.photoz.space.neighbours import nearest
from nebulium.photoz.space.neighbours_file import neighbours_file
from nebulium.photoz.templates.model import TemplateModel
from nebulium.photoz.training_file import train_file

__all__ = [
    "GridConfig",
    "ImageRedshiftModel",
    "METHODS",
    "PhotometryConfig",
    "PhotometryModel",
    "PredictedRedshifts",
    "QpWriter",
    "Recalibration",
    "RedshiftConfig",
    "RedshiftDensities",
    "RedshiftGrid",
    "RedshiftPrediction",
    "TemplateModel",
    "TrainDistributionModel",
    "embed_file",
    "evaluate_file",
    "evaluate_redshifts",
    "label_fraction_file",
    "measure_recalibration",
    "nearest",
    "neighbours_file",
    "predict_file",
    "predict_galaxies",
    "read_qp",
    "recalibrated",
    "redshift_columns",
    "disagreements_file",
    "train_file",
]
