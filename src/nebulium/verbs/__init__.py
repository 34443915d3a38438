"""What a verb does for every subject, once: predictions from a file to a file."""

from nebulium.verbs.predict import PredictionRun, predict_file
from nebulium.verbs.predictor import (
    NamedModel,
    Opened,
    Prediction,
    Predictor,
    find_predictor,
    named_model,
    predicts_for,
)

__all__ = [
    "NamedModel",
    "Opened",
    "Prediction",
    "PredictionRun",
    "Predictor",
    "find_predictor",
    "named_model",
    "predict_file",
    "predicts_for",
]
