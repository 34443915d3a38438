"""The methods by name, and how each is trained: from a task to a trained model."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Float

from nebulium.data.splits import ALL_HELD_OUT, Split
from nebulium.errors import NebuliumError
from nebulium.photometry.curves import band_filters
from nebulium.photometry.dereddening import check_extinction
from nebulium.photometry.galaxies import PhotometricGalaxies
from nebulium.photometry.layout import CatalogueLayout
from nebulium.photoz.baselines import fit_train_distribution
from nebulium.photoz.card import described
from nebulium.photoz.combined import CombinedSettings, combine
from nebulium.photoz.density.prediction import PredictedRedshifts
from nebulium.photoz.density.recalibration import with_recalibration
from nebulium.photoz.fluxes import recipe as fluxes
from nebulium.photoz.images import recipe as images
from nebulium.photoz.images.galaxies import match_images, prepare_training
from nebulium.photoz.predict import predict_arrays, predict_galaxies
from nebulium.photoz.templates.adjustment import (
    Adjustment,
    TemplateSettings,
    can_fit_without_redshifts,
    fitted_templates,
)
from nebulium.photoz.templates.model import TemplateModel
from nebulium.photoz.training_galaxies import (
    Method,
    TrainingTask,
    can_recalibrate,
    labelled_rows,
    read_training,
)
from nebulium.training import FitResult
from nebulium.verbs import TrainedModel

DOMAIN_OF_IMAGES = (
    "fluxes in apertures and a place in the latent space no further from those of labelled training galaxies "
    "than those of 99.7 % of the validation galaxies"
)
DOMAIN_OF_FLUXES = (
    "fluxes no further from those of training galaxies than those of 99.7 % of the validation galaxies"
)
DOMAIN_OF_TEMPLATES = "a template fits no worse than noise would make it in all but 0.1 % of galaxies"


def train_images(task: TrainingTask) -> TrainedModel:
    """Train a model of redshifts on images."""
    config = task.settings
    galaxies, layout = read_training(task, most_redshift=config.grid_most or math.inf)
    reading = task.reading
    matched = match_images(reading.source, galaxies, dict(layout.extinction), reading.counted)
    rows = labelled_rows(matched.galaxies, task)
    training, validation = prepare_training(
        matched, task.split, rows, task.run.scratch, task.run.rejects, size=config.size
    )
    model, results = images.train_on_store(training, validation, config=config, run=task.run)
    if mends := can_recalibrate(task, len(validation)):
        predicted = predict_arrays(model, validation.images.rows, validation.images)
        model = with_recalibration(model, pit_values(predicted, validation.labels["redshift"]))
    return described(
        task,
        model,
        layout=layout,
        rows=rows,
        hyperparameters=images.hyperparameters(training, config),
        domain=DOMAIN_OF_IMAGES,
        recalibrated=mends,
        results=results,
        settings={"images": len(training)},
        preprocessing={"unit": model.form.unit},
    )


def train_on_photometry(task: TrainingTask) -> TrainedModel:
    """Train networks on fluxes."""
    config, (galaxies, layout) = task.settings, _read(task)
    rows = labelled_rows(galaxies, task)
    parts = (galaxies.select(rows[part]) for part in ("train", "validation"))
    model, results = fluxes.train_photometry(*parts, config=config, run=task.run)
    shape = fluxes.hyperparameters(galaxies.select(rows["train"]), config)
    return _trained(model, shape, task, galaxies, layout, rows, DOMAIN_OF_FLUXES, results)


def make_templates(task: TrainingTask) -> TrainedModel:
    """Make templates ready for the bands of a catalogue."""
    galaxies, layout = _read(task)
    known = np.isfinite(galaxies.redshift)
    fits = _fitted_parts(task, len(task.split.rows(galaxies.ids, known)["train"]))
    if task.recalibrate or any(fits.values()):
        rows = labelled_rows(galaxies, task)
    else:
        task = replace(task, split=Split(task.split.seed, ALL_HELD_OUT))
        rows = task.split.rows(galaxies.ids, known)
    model, about = _templates(task, galaxies, rows["train"], fits)
    return _trained(model, model.hyperparameters, task, galaxies, layout, rows, DOMAIN_OF_TEMPLATES, **about)


def train_combined(task: TrainingTask) -> TrainedModel:
    """Train networks on fluxes, fit templates to the bands, and weigh the two on validation galaxies."""
    galaxies, layout = _read(task)
    rows = labelled_rows(galaxies, task)
    training, validation = (galaxies.select(rows[part]) for part in ("train", "validation"))
    networks, results = fluxes.train_photometry(training, validation, config=task.settings, run=task.run)
    templates, about = _templates(task, galaxies, rows["train"], _fitted_parts(task, len(training)))
    shape = {
        "photometry": fluxes.hyperparameters(training, task.settings), "template": templates.hyperparameters
    }  # fmt: skip
    model = combine(networks, templates, validation, shape)
    of_networks, of_templates = np.asarray(model.powers, np.float64).round(2).tolist()
    pool = f"of networks to the power {of_networks:g}, of templates to {of_templates:g}"
    about["facts"] = {**about["facts"], "Pooled densities": f"{pool}, chosen on the validation galaxies"}
    domain = f"{DOMAIN_OF_FLUXES}; and {DOMAIN_OF_TEMPLATES}"
    return _trained(model, shape, task, galaxies, layout, rows, domain, results, **about)


def _fitted_parts(task: TrainingTask, labelled: int) -> dict[str, bool]:
    """What is fitted of templates."""
    return {name: task.settings.fits(name, labelled) for name in ("zero_points", "band_errors")}


def _templates(
    task: TrainingTask, galaxies: PhotometricGalaxies, training: np.ndarray, fits: dict[str, bool]
) -> tuple[TemplateModel, dict[str, Any]]:
    """Templates for the bands of a catalogue, and what its folder says of them."""
    filters = band_filters(galaxies.bands, task.reading.curves)
    model, change = fitted_templates(
        galaxies.bands,
        filters,
        task.settings,
        galaxies.select(training),
        zero_points=fits["zero_points"],
        band_errors=fits["band_errors"],
        unlabelled=galaxies,
    )
    if any(fits.values()) or not can_fit_without_redshifts(galaxies):
        of = f"{len(training):,} galaxies with redshifts"
    else:
        fits = {name: task.settings.is_automatic(name) for name in fits}
        of = "galaxies at the redshifts that templates give them"
    task.run.notes.extend(notes := _adjustment_notes(change, galaxies.bands, fits, of))
    facts = {"Bands and templates": "; ".join(notes)} if notes else {}
    return model, {"facts": facts, "preprocessing": {"adjustment": change.as_dict(galaxies.bands)}}


def _adjustment_notes(
    change: Adjustment, bands: Sequence[str], fits: Mapping[str, bool], galaxies: str
) -> list[str]:
    """What was done to the bands, for who trains and who uses the model."""
    of, notes = f"fitted to {galaxies}", []
    if any(change.zero_point_mag):
        told = ", ".join(f"{band} {mag:+.3f}" for band, mag in zip(bands, change.zero_point_mag, strict=True))
        notes.append(f"zero points in mag, {of if fits['zero_points'] else 'as given'}: {told}")
    if change.error is not None:
        told = ", ".join(f"{band} {100 * one:.1f}" for band, one in zip(bands, change.error, strict=True))
        notes.append(f"errors in % of the flux, {of if fits['band_errors'] else 'as given'}: {told}")
    return notes


def take_distribution(task: TrainingTask) -> TrainedModel:
    """Take the distribution of the training redshifts."""
    galaxies, layout = _read(task)
    rows, bands = labelled_rows(galaxies, task), galaxies.bands
    model = fit_train_distribution(galaxies.redshift[rows["train"]], task.settings.grid, bands=bands)
    shape = {"bands": list(bands), **asdict(task.settings)}
    domain = "always true: the galaxy is not looked at"
    return _trained(model, shape, task, galaxies, layout, rows, domain)


def pit_values(predicted: PredictedRedshifts, redshift: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Where the true redshifts of n galaxies lie in their densities."""
    return predicted.densities.cdf(redshift.astype(np.float64))


def _read(task: TrainingTask) -> tuple[PhotometricGalaxies, CatalogueLayout]:
    galaxies, layout = read_training(task, most_redshift=task.settings.grid_most)
    check_extinction(dict(layout.extinction), galaxies.bands)
    return galaxies, layout


def _trained(
    model: eqx.Module,
    hyperparameters: Mapping[str, Any],
    task: TrainingTask,
    galaxies: PhotometricGalaxies,
    layout: CatalogueLayout,
    rows: Mapping[str, np.ndarray],
    domain: str,
    results: Sequence[FitResult[Any]] = (),
    **about: Mapping[str, Any],
) -> TrainedModel:
    """What the methods of catalogues have in common."""
    validation = galaxies.select(rows["validation"])
    if mends := can_recalibrate(task, len(validation)):
        pit = pit_values(predict_galaxies(model, validation), validation.redshift)
        model = with_recalibration(model, pit)
    return described(
        task,
        model,
        layout=layout,
        rows=rows,
        hyperparameters=hyperparameters,
        domain=domain,
        recalibrated=mends,
        results=results,
        **about,
    )


_PITA = "Khederlarian et al. 2026, arXiv:2602.10207, and the data set that the model was trained on"

METHODS: Mapping[str, Method] = {
    "pita": Method(
        images.RedshiftConfig,
        train_images,
        "Images, all of them: contrast of crops, colours, and the redshifts of the labelled",
        _PITA,
    ),
    "supervised": Method(images.RedshiftConfig, train_images, "Images of labelled galaxies alone"),
    "selfsupervised": Method(
        images.RedshiftConfig,
        train_images,
        "Contrast of crops of all images, then redshifts in the latent space",
        _PITA,
    ),
    "photometry": Method(
        fluxes.PhotometryConfig, train_on_photometry, "An ensemble of networks on fluxes and their errors"
    ),
    "template": Method(
        TemplateSettings,
        make_templates,
        "Template fitting: chi-square over templates of galaxies, and a prior of redshift and magnitude",
        "Benitez 2000, ApJ 536, 571; Brammer, van Dokkum & Coppi 2008, ApJ 686, 1503",
    ),
    "combined": Method(
        CombinedSettings,
        train_combined,
        "Networks on fluxes and template fitting, their densities multiplied",
        "Benitez 2000, ApJ 536, 571; Brammer, van Dokkum & Coppi 2008, ApJ 686, 1503; and the data set that "
        "the model was trained on",
    ),
    "train-distribution": Method(
        fluxes.GridConfig,
        take_distribution,
        "The distribution of the training redshifts, for any galaxy: what a method must beat",
    ),
}


def method_of(name: str) -> Method:
    """A method by its name."""
    if name not in METHODS:
        raise NebuliumError(f"method {name}", "is not known", f"choose {', '.join(METHODS)}")
    return METHODS[name]


def settings_of(name: str, given: Mapping[str, Any]) -> Any:
    """The settings of a method, from those that are given."""
    kind, own = method_of(name).settings, own_settings(name, given, [name])
    return kind(**{**own, "method": name} if kind is images.RedshiftConfig else own)


def own_settings(name: str, given: Mapping[str, Any], methods: Sequence[str]) -> dict[str, Any]:
    """The settings that a method has; each must be one of some of the methods."""
    known = {one: [entry.name for entry in fields(method_of(one).settings)] for one in methods}
    for setting in given:
        if not any(setting in names for names in known.values()):
            listed = "; ".join(f"{one}, which has {', '.join(names)}" for one, names in known.items())
            problem = f"is no setting of the method {listed}"
            raise NebuliumError(f"--{setting.replace('_', '-')}", problem, "leave it out")
    return {setting: value for setting, value in given.items() if setting in known[name]}
