"""Metallicity, and any other property, from images of galaxies."""

from nebulium.nn.image_model import model_images
from nebulium.properties.baselines.baselines import MeanBaseline, RidgeBaseline
from nebulium.properties.baselines.integrated_light import colours_of, magnitudes_of
from nebulium.properties.baselines.learned import ExtraTreesBaseline, ForestBaseline, SupportVectorBaseline
from nebulium.properties.explanation.file import explain_file
from nebulium.properties.labels import read_labels
from nebulium.properties.model import PropertyModel, PropertyPrediction
from nebulium.properties.predict import predict_file, predict_images
from nebulium.properties.recipe import PropertiesConfig, train
from nebulium.properties.scores.evaluate import evaluate_file, evaluate_predictions
from nebulium.properties.scores.mass_metallicity import MassRelation, fit_mass_relation, more_than_mass
from nebulium.properties.scores.scores import property_columns
from nebulium.properties.training_file import train_file

__all__ = [
    "ExtraTreesBaseline",
    "ForestBaseline",
    "MassRelation",
    "MeanBaseline",
    "PropertiesConfig",
    "PropertyModel",
    "PropertyPrediction",
    "RidgeBaseline",
    "SupportVectorBaseline",
    "colours_of",
    "evaluate_file",
    "evaluate_predictions",
    "explain_file",
    "fit_mass_relation",
    "magnitudes_of",
    "model_images",
    "more_than_mass",
    "predict_file",
    "predict_images",
    "property_columns",
    "read_labels",
    "train",
    "train_file",
]
