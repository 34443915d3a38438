"""What a verb does for every subject, once: trainings, predictions, and their scores."""

from nebulium.verbs.card import Card
from nebulium.verbs.comparison import Comparison, compare_methods
from nebulium.verbs.evaluation import Evaluation, score_methods
from nebulium.verbs.held_out import HeldOut, held_out_galaxies
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
from nebulium.verbs.score import Bootstrap, Metric, Sample, Score, score_method
from nebulium.verbs.training import Training, fit_members, training_run

__all__ = [
    "Card",
    "TrainedModel",
    "Training",
    "TrainingRun",
    "fit_members",
    "save_trained",
    "training_run",
    "Bootstrap",
    "Comparison",
    "Evaluation",
    "HeldOut",
    "Metric",
    "NamedModel",
    "Opened",
    "Prediction",
    "PredictionRun",
    "Predictor",
    "Sample",
    "Score",
    "compare_methods",
    "find_predictor",
    "held_out_galaxies",
    "named_model",
    "predict_all",
    "predict_file",
    "predicts_for",
    "score_method",
    "score_methods",
]
