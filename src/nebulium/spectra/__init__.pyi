from .continuum.basis import ContinuumBasis as ContinuumBasis
from .draws import SpectrumDraw as SpectrumDraw
from .draws import render as render
from .model import SpectrumModel as SpectrumModel
from .recipe import SpectraConfig as SpectraConfig
from .training_file import train_file as train_file
