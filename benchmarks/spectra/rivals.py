"""Methods of other groups that give spectra from images, trained and scored on the same mock of SDSS."""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from benchmarks.results import Result, Row
from benchmarks.settings import Settings
from benchmarks.spectra.mock import COUNTED, DRAWS, HOLDS, PIXELS, Axes, grid_spectra, rendered
from benchmarks.spectra.mocks import MODEL, spectra_survey
from nebulium.data.images.labelled import prepare_parts
from nebulium.data.images.matching import open_for_model
from nebulium.data.images.sizes import binned
from nebulium.data.rejects import Rejects
from nebulium.data.splits import Split
from nebulium.metrics.two_sample import classifier_auc
from nebulium.spectra import SpectrumModel
from nebulium.spectra.continuum.training import SpectrumFiles, spectra_of_images
from nebulium.spectra.rivals.components import Pairs
from nebulium.spectra.rivals.contrastive_diffusion import train_contrastive_diffusion
from nebulium.spectra.rivals.latent_network import train_latent_network
from nebulium.spectra.scores.evaluate import distribution_columns
from nebulium.spectra.scores.galaxies import SpectralGalaxies, drawn_spectra
from nebulium.verbs.predict import named_model

#: Pixels on a side of the blocks of an image that rivals see as one: for their training takes minutes.
BINNING = 2
NETWORK, DIFFUSION = "residual network, six components", "contrast and diffusion"


@dataclass(frozen=True, eq=False)
class Galaxies:
    """Galaxies of one part.

    Attributes
    ----------
    own : SpectralGalaxies
        As the packaged model sees them.
    pairs : Pairs
        As rivals see them.
    """

    own: SpectralGalaxies
    pairs: Pairs


def measure(settings: Settings) -> Iterator[Result]:
    """Train the rivals, and look at the test galaxies once."""
    with tempfile.TemporaryDirectory() as scratch:
        survey = spectra_survey(settings, scratch)
        model = named_model(settings.spectra_model or MODEL, of=SpectrumModel).model
        galaxies = galaxies_by_part(survey, model, Path(scratch) / "images")
        test = galaxies["test"]
        axes, rows = Axes.of(galaxies["train"].pairs.spectra), list[Row]()
        for name, train in {NETWORK: train_latent_network, DIFFUSION: train_contrastive_diffusion}.items():
            rival, minutes = _trained(train, galaxies)
            spectra = rival.spectra(test.pairs.images, jax.random.key(1), DRAWS)
            rows += _rows(name, spectra, test.pairs.spectra, axes, minutes, ranked=name == DIFFUSION)
        drawn = drawn_spectra(model, test.own, draws=DRAWS, with_redshift=False, seed=1)
        spectra = rendered(model, drawn.draws, lines=True)
        rows += _rows(MODEL, spectra, test.pairs.spectra, axes, np.nan, ranked=False)
        yield Result(
            "spectra/rivals",
            "Spectra from images beside methods of others",
            f"The same {len(test.own):,} test galaxies, redshifts not known. A residual network learns six "
            "principal components of the whole spectrum (after Wu & Peek 2020); encoders learn by contrast, "
            f"and a diffusion draws {DRAWS} spectra, of which the one most like the image is the best (after "
            "Doorenbos et al. 2022, 2024). Both see images of "
            f"{model.form.preparation.size // BINNING} pixels on a side. Errors as in the other tables; "
            "shares of truths within intervals of draws, of six components and of 50 wavelengths; the AUC by "
            "which one draw of each galaxy, by ten components, is told from its own spectrum.",
            (
                "method",
                "components",
                "error of the spectrum / %",
                *(f"{share} % hold, {what}" for what in ("components", "wavelengths") for share in HOLDS),
                "told apart, AUC",
                "CPU-minutes of training",
            ),
            rows,
        )


def galaxies_by_part(survey: Path, model: SpectrumModel, scratch: Path) -> Mapping[str, Galaxies]:
    """Images and spectra by their part of the split, in one order."""
    files, rejects = SpectrumFiles(survey / "spectra"), Rejects()
    source = open_for_model(survey, model.form).source
    spectra, rows = spectra_of_images(files, model.basis, source.ids, rejects)
    parts = prepare_parts(
        source,
        rows,
        Split().parts(spectra.ids),
        {"place": np.arange(len(rows))},
        scratch,
        preparation=model.form.preparation,
        rejects=rejects,
    )
    found = {}
    for name, images in parts.items():
        own = SpectralGalaxies(images, spectra.select(images.labels["place"]))
        every = np.array_split(np.arange(len(own)), max(len(own) // 512, 1))
        small = np.concatenate([binned(images.images[some], BINNING) for some in every])
        total = grid_spectra(survey, files, own.spectra, model).total
        found[name] = Galaxies(own, Pairs(small.astype(np.float32), total))
    return found


def _trained(train: Callable[..., Any], galaxies: Mapping[str, Galaxies]) -> tuple[Any, float]:
    """A rival, and the minutes of processors that its training took."""
    start = time.process_time()
    rival = train(galaxies["train"].pairs, galaxies["validation"].pairs)
    return rival, (time.process_time() - start) / 60


def _rows(
    name: str,
    spectra: Float[np.ndarray, "n draw wave"],
    true: Float[np.ndarray, "n wave"],
    axes: Axes,
    minutes: float,
    *,
    ranked: bool,
) -> list[Row]:
    """What is said of a method: by the mean of its draws, and by the best of those that are ranked."""
    # Any draw: a ranked one would be more typical of the image than galaxies are.
    any_draw = spectra[
        np.arange(len(true)), np.random.default_rng(0).integers(spectra.shape[1], size=len(true))
    ]
    groups = np.arange(len(true))
    apart = classifier_auc(axes(true), axes(any_draw), seed=0, groups_a=groups, groups_b=groups)
    points = {name: spectra.mean(axis=1)}
    if ranked:
        points = {f"{name}, mean": points[name], f"{name}, best": spectra[:, 0]}
    return [
        [
            method,
            axes.error(point, true),
            100 * float(np.median(np.abs(point / true - 1.0))),
            *_shares(spectra, true, axes),
            apart,
            minutes,
        ]
        for method, point in points.items()
    ]


def _shares(
    spectra: Float[np.ndarray, "n draw wave"], true: Float[np.ndarray, "n wave"], axes: Axes
) -> list[float]:
    """Shares that intervals of draws hold, of components and of wavelengths; NaN where all draws agree."""
    if np.ptp(spectra[0], axis=0).max() == 0:
        return [np.nan] * 2 * len(HOLDS)
    places = axes(spectra.reshape(-1, PIXELS)).reshape(*spectra.shape[:2], -1)
    own, some = axes(true), range(0, PIXELS, 20)
    found = []
    for pairs in (
        {str(k): (own[:, k], places[..., k]) for k in range(COUNTED)},
        {str(k): (true[:, k], spectra[..., k]) for k in some},
    ):
        columns = distribution_columns(*({key: pair[side] for key, pair in pairs.items()} for side in (0, 1)))
        found += [float(np.mean([one[f"inside_{share}"] for one in columns.values()])) for share in HOLDS]
    return found
