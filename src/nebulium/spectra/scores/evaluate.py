"""From images with spectra to all that says how good a model of spectra is."""

import dataclasses
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from nebulium.data.images.opening import ImagePaths
from nebulium.data.output import as_paths
from nebulium.data.spectra.checks import Declared
from nebulium.errors import check_extra
from nebulium.lines.continuum.line_list import LINES
from nebulium.lines.model import FREE
from nebulium.metrics.two_sample import classifier_auc
from nebulium.spectra.continuum.training import SpectrumFiles, SpectrumPaths
from nebulium.spectra.derived import BPT_CLASSES, WEAKEST_AA, Derived
from nebulium.spectra.draws import SpectrumDraw
from nebulium.spectra.model import SpectrumModel
from nebulium.spectra.scores import figures
from nebulium.spectra.scores.baselines import point_predictions
from nebulium.spectra.scores.galaxies import (
    LEAST_TRAINING,
    Drawn,
    SpectralGalaxies,
    drawn_spectra,
    scored_galaxies,
    values_of,
)
from nebulium.verbs.evaluation import Evaluation, Methods, Scoring, evaluate_methods
from nebulium.verbs.held_out import TEST
from nebulium.verbs.predict import named_model
from nebulium.verbs.score import DISTRIBUTION_METRICS, Columns, Metric, smaller

#: Draws of each galaxy, and components that are scored.
DRAWS, SCORED = 128, 6
#: The logarithm that stands for all fainter lines, and draws above it among which a line has a rank.
FLOOR, LEAST_SEEN = np.float32(np.log10(np.float32(WEAKEST_AA))) + 1e-6, 16
#: Components and lines by which drawn and true spectra are told apart.
APART = 10


def error_over_variance(true: np.ndarray, predicted: np.ndarray) -> float:
    """Mean squared error over the variance of the truth: 1 for the mean of all, 0 if all is known."""
    return float(np.mean((predicted - true) ** 2) / np.var(true))


def scatter_of(true: np.ndarray, predicted: np.ndarray) -> float:
    """Standard deviation of the errors."""
    return float(np.std(predicted - true))


METRICS: Mapping[str, Metric] = {
    "error_over_variance": Metric(error_over_variance, "MSE / variance", loss=smaller),
    "scatter": Metric(scatter_of, "scatter", loss=smaller),
    **{name: DISTRIBUTION_METRICS[name] for name in ("coverage_68", "coverage_95", "pit_ks", "crps")},
}


def evaluate_file(
    images: ImagePaths,
    spectra: SpectrumPaths,
    *,
    model: str | Path,
    redshifts: str | Path | None = None,
    with_redshift: bool = False,
    bands: Sequence[str] | None = None,
    id_column: str | None = None,
    wave_unit: str | None = None,
    flux_unit: str | None = None,
    air: bool | None = None,
    all_rows: bool = False,
    draws: int = DRAWS,
    resamples: int = 200,
    seed: int = 0,
) -> Evaluation:
    """Score a model of spectra on galaxies whose spectra are known.

    Parameters
    ----------
    images, spectra, redshifts, bands, id_column, wave_unit, flux_unit, air : optional
        As in `train_file`.
    model : str or Path
        Name of a packaged model, or a model folder.
    with_redshift : bool
        Tell the model, and the baselines, the redshift.
    all_rows : bool
        Score every galaxy: right only if the model was not trained on any. By default those in the test part
        of its own split; baselines learn from the training part.
    draws : int
        Spectra drawn of each galaxy.
    resamples, seed : int
        Of the bootstrap that gives the errors, and of the draws.

    Returns
    -------
    Evaluation
        Scores of components, brightness, redshift, break and lines, by the model and simpler methods, with
        the tables `bpt` and `told_apart`.

    Raises
    ------
    NebuliumError
        The images, the spectra or the model is at fault, or there are fewer than 50 galaxies to score.

    Examples
    --------
    >>> evaluate_file("mock", "mock/spectra", model="mine").write("scores")  # doctest: +SKIP
    """
    check_extra("bench")
    where = " ".join(map(str, as_paths(images)))
    scoring = Scoring.of(where, [model], None if all_rows else TEST, resamples, seed)
    (name,) = scoring.models
    ours = named_model(model, of=SpectrumModel).model
    files = SpectrumFiles(spectra, redshifts, Declared(wave_unit, flux_unit, air, id_column))
    with tempfile.TemporaryDirectory() as scratch:
        galaxies = scored_galaxies(images, files, ours, scoring, Path(scratch) / "images", bands=bands)
        test, training = galaxies.test, galaxies.training
        drawn = drawn_spectra(ours, test, draws=draws, with_redshift=with_redshift, seed=seed)
        true = true_values(ours, test)
        methods: dict[str, dict[str, Columns]] = {name: distribution_columns(true, _drawn_values(drawn))}
        baselines = baseline_columns(ours, test, training, true, with_redshift=with_redshift, seed=seed)
        shown = figures.example_figures(ours, test, drawn)
    if with_redshift:
        del methods[name]["redshift"]
    derived = test.derived(ours)
    scored = evaluate_methods(
        methods,
        METRICS,
        ids=test.spectra.ids,
        baselines=baselines,
        method=name,
        bootstrap=scoring.bootstrap,
        figures=lambda scores: {**shown, "calibration": figures.calibration_figure(methods[name])},
        about={"draws": draws, "with_redshift": with_redshift},
    )
    tables = {
        "bpt": [bpt_scores(derived, drawn.derived)],
        "told_apart": [told_apart(test, derived, drawn, seed)],
    }
    scored = dataclasses.replace(scored, tables=tables)
    return scoring.completed(scored, len(test), galaxies.notes, galaxies.rejects)


def true_values(model: SpectrumModel, galaxies: SpectralGalaxies) -> dict[str, Float[np.ndarray, " n"]]:
    """What is scored, as the spectra have it; lines beyond a spectrum are NaN."""
    spectra = galaxies.spectra
    draws = SpectrumDraw(spectra.coefficients, spectra.log_flux, spectra.redshift, spectra.ew_aa)
    found = values_of(draws, galaxies.derived(model), components=SCORED)
    for place, line in enumerate(LINES):
        known = np.isfinite(spectra.ew_aa[:, place])
        found[f"log_ew_{line}"] = np.where(known, found[f"log_ew_{line}"], np.nan)
    return found


def _drawn_values(drawn: Drawn) -> dict[str, Float[np.ndarray, "n draw"]]:
    return values_of(drawn.draws, drawn.derived, components=SCORED)


def distribution_columns(
    true: Mapping[str, np.ndarray], drawn: Mapping[str, Float[np.ndarray, "n draw"]]
) -> dict[str, Columns]:
    """How the draws of each galaxy fare at its truth."""
    found: dict[str, Columns] = {}
    for name, truth in true.items():
        values = drawn[name].astype(np.float64)
        ranked = np.sort(values, axis=1)
        n = values.shape[1]
        # A line that is seen stands among the draws in which it is seen.
        least = FLOOR if name.startswith("log_ew_") else -np.inf
        seen = np.sum(ranked > least, axis=1)
        lower = np.sum((ranked < truth[:, None]) & (ranked > least), axis=1)
        pit = np.where((truth > least) & (seen >= LEAST_SEEN), (lower + 0.5) / (seen + 1), np.nan)
        off = 2 * np.abs(pit - 0.5)
        # Mean distance of draws to the truth, less half of that to each other (Gneiting & Raftery 2007).
        weights = (2 * np.arange(1, n + 1) - n - 1) / n**2
        crps = np.mean(np.abs(values - truth[:, None]), axis=1) - ranked @ weights
        inside = {
            f"inside_{share}": np.where(np.isfinite(off), off < share / 100, np.nan) for share in (68, 95)
        }
        found[name] = {"true": truth, "predicted": values.mean(axis=1), "pit": pit, "crps": crps, **inside}
    return found


def baseline_columns(
    model: SpectrumModel,
    test: SpectralGalaxies,
    training: SpectralGalaxies,
    true: Mapping[str, np.ndarray],
    *,
    with_redshift: bool,
    seed: int,
) -> Methods:
    """Point predictions of simpler methods, where there are training galaxies."""
    if len(training) < LEAST_TRAINING:
        return {}
    known = true_values(model, training)
    names = [name for name in known if not (with_redshift and name == "redshift")]
    values = np.column_stack([known[name] for name in names])
    values = np.where(np.isnan(values), np.nanmedian(values, axis=0), values)
    both = (training.spectra.redshift, test.spectra.redshift) if with_redshift else None
    found = point_predictions(
        training.seen(model)[0],
        test.seen(model)[0],
        values,
        bands=len(model.form.bands),
        redshift=both,
        seed=seed,
    )
    return {
        method: {
            name: {"true": true[name], "predicted": predicted[:, place]} for place, name in enumerate(names)
        }
        for method, predicted in found.items()
    }


def bpt_scores(true: Derived, drawn: Derived) -> dict[str, Any]:
    """Shares of classes that are right: of all, and balanced with the population's shares divided out."""
    truth = np.argmax(true.bpt, axis=1)
    shares = drawn.bpt.mean(axis=1)
    known = np.bincount(truth, minlength=len(BPT_CLASSES)) / len(truth)
    there = known > 0
    balanced = np.where(there, shares / np.maximum(shares.mean(axis=0), 1e-9), -1.0)
    chosen = np.argmax(balanced, axis=1)
    recalls = [float(np.mean(chosen[truth == one] == one)) for one in np.flatnonzero(there)]
    return {
        "galaxies": len(truth),
        "majority_share": float(known.max()),
        "accuracy": float(np.mean(np.argmax(shares, axis=1) == truth)),
        "balanced_accuracy": float(np.mean(recalls)),
    }


def told_apart(test: SpectralGalaxies, true: Derived, drawn: Drawn, seed: int) -> dict[str, Any]:
    """Can a classifier tell one drawn spectrum of each galaxy from its own."""
    # Of tied lines measurements know the sum alone.
    seen = np.column_stack([test.spectra.coefficients[:, :APART], true.log_ew[:, FREE]])
    ours = np.column_stack([drawn.draws.coefficients[:, 0, :APART], drawn.derived.log_ew[:, 0, FREE]])
    groups = np.arange(len(seen))
    area = classifier_auc(seen, ours, seed=seed, groups_a=groups, groups_b=groups)
    return {"galaxies": len(seen), "auc": area.value, "auc_error": area.error}
