from .model import LatentImageModel as LatentImageModel
from .predict import posterior_file as posterior_file
from .predict import score_file as score_file
from .recipe import LatentConfig as LatentConfig
from .sample_file import SampleRun as SampleRun
from .sample_file import sample_file as sample_file
from .sample_file import sample_images as sample_images
from .training_file import train_file as train_file
