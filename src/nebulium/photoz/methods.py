"""The methods by name, and how each is trained."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from nebulium.photoz.fluxes.recipe import PhotometryConfig
from nebulium.photoz.fluxes.training import (
    GridConfig,
    make_templates,
    take_distribution,
    train_on_photometry,
)
from nebulium.photoz.images.recipe import RedshiftConfig
from nebulium.photoz.images.training import train_images
from nebulium.photoz.training_galaxies import TrainingTask
from nebulium.photoz.training_result import TrainingResult


@dataclass(frozen=True)
class Method:
    """One way to redshifts.

    Attributes
    ----------
    summary, citation : str
        For the model card.
    settings : type
        A dataclass: what can be set.
    train : callable of TrainingTask
    """

    summary: str
    citation: str
    settings: type
    train: Callable[[TrainingTask], TrainingResult]


_PITA = "Khederlarian et al. 2026, arXiv:2602.10207, and the data set that the model was trained on"


def _on_images(name: str, summary: str, citation: str) -> Method:
    train = partial(train_images, method=name)
    return Method(summary, citation, RedshiftConfig, train)


METHODS: Mapping[str, Method] = {
    "pita": _on_images(
        "pita", "Images, all of them: contrast of crops, colours, and the redshifts of the labelled", _PITA
    ),
    "supervised": _on_images(
        "supervised", "Images of labelled galaxies alone", "the data set that the model was trained on"
    ),
    "selfsupervised": _on_images(
        "selfsupervised", "Contrast of crops of all images, then redshifts in the latent space", _PITA
    ),
    "photometry": Method(
        "An ensemble of networks on fluxes and their errors",
        "the data set that the model was trained on",
        PhotometryConfig,
        train_on_photometry,
    ),
    "template": Method(
        "Template fitting: chi-square over templates of galaxies, and a prior of redshift and magnitude",
        "Benitez 2000, ApJ 536, 571; Brammer, van Dokkum & Coppi 2008, ApJ 686, 1503",
        GridConfig,
        make_templates,
    ),
    "train-distribution": Method(
        "The distribution of the training redshifts, for any galaxy: what a method must beat",
        "the data set that the model was trained on",
        GridConfig,
        take_distribution,
    ),
}
