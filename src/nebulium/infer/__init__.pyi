from .model import PhotometryPosterior as PhotometryPosterior
from .predict import predict_file as predict_file
from .recipe import InferConfig as InferConfig
from .scores.report import check_file as check_file
from .training_file import train_file as train_file
