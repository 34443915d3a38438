"""Settings of a training of properties."""

from collections.abc import Sequence
from dataclasses import dataclass

from nebulium.nn.encoders import computes_in_half
from nebulium.training import FitConfig
from nebulium.training.config import fit_config_of


@dataclass(frozen=True)
class PropertiesConfig:
    """How a model of properties is built and trained.

    Attributes
    ----------
    encoder : str
        See `nebulium.nn.encoders.ENCODERS`.
    head : str
        See `nebulium.nn.densities.HEADS`; or "gaussian-process" for samples of up to 2,000 galaxies, on what
        is measured in the image, on the embedding and, with `init`, on what its networks say. Classes, of up
        to 4,000 galaxies, are then learned by a kernel logistic regression.
    features : sequence of str, optional
        What a Gaussian process has measured in the image: "profiles", and "modes" and "scattering" if wanted;
        all three if not given, or those of `init`.
    members : int
        Networks of the ensemble, each from a seed of its own.
    size : int, optional
        Pixels on a side, by cropping or padding; that of the first image if not given.
    binning : int
        Pixels on a side of the blocks that are averaged first.
    encoder_binning : int
        The same for the encoder alone; profiles see all pixels.
    with_profiles : bool
        Whether radial profiles stand beside the image in each network.
    most_shift_px : int
        Largest random shift in training, beside random orientations.
    balance : float
        How much rare classes weigh in training: their frequency to the power of minus this; 0 weighs all
        galaxies alike, 1 all classes.
    epochs, batch_size, learning_rate, schedule, weight_decay, patience, seed
        As in `nebulium.training.FitConfig`.
    half_precision : bool, optional
        Compute encoders in bfloat16; where the device is fast at it, if not given.
    split_seed : str
        Names the split by id into train, validation and test.
    conformal : bool
        Scale the intervals so that they hold 68 % of the validation labels.
    init : str, optional
        A model, by name or folder, whose networks the training starts from.

    Examples
    --------
    >>> PropertiesConfig(epochs=5).encoder
    'resnet-small'
    """

    encoder: str = "resnet-small"
    head: str = "gaussian"
    features: Sequence[str] | None = None
    members: int = 1
    size: int | None = None
    binning: int = 1
    encoder_binning: int = 1
    with_profiles: bool = True
    most_shift_px: int = 0
    balance: float = 0.0
    epochs: int = 30
    batch_size: int = 64
    learning_rate: float = 2e-3
    schedule: str = "one-cycle"
    weight_decay: float = 1e-2
    patience: int | None = None
    seed: int = 0
    half_precision: bool | None = None
    split_seed: str = "nebulium"
    conformal: bool = False
    init: str | None = None

    @property
    def fitting(self) -> FitConfig:
        """Settings of the training loop for the first network."""
        return fit_config_of(self, warm_up=0.15, averaging=0.99)

    @property
    def in_half(self) -> bool:
        """Whether encoders compute in bfloat16 on the device that is there."""
        return computes_in_half(self.half_precision)
