"""What a verb does for every subject, once: trainings to model folders, predictions from a file to a file."""

from nebulium.verbs.card import Card
from nebulium.verbs.predict import PredictionRun, predict_file
from nebulium.verbs.predictor import (
    NamedModel,
    Opened,
    Prediction,
    Predictor,
    find_predictor,
    named_model,
    predict_all,
    predicts_for,
)
from nebulium.verbs.saving import TrainedModel, TrainingRun, save_trained
from nebulium.verbs.training import Training, fit_members, training_run

__all__ = [
    "Card",
    "TrainedModel",
    "Training",
    "TrainingRun",
    "fit_members",
    "save_trained",
    "training_run",
    "NamedModel",
    "Opened",
    "Prediction",
    "PredictionRun",
    "Predictor",
    "find_predictor",
    "named_model",
    "predict_all",
    "predict_file",
    "predicts_for",
]
