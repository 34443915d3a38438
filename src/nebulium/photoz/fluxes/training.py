"""The methods that learn from catalogues, from a task to a trained model."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import equinox as eqx
import numpy as np

from nebulium.data.splits import ALL_HELD_OUT, Split
from nebulium.photometry.curves import band_filters
from nebulium.photometry.dereddening import check_extinction
from nebulium.photometry.galaxies import PhotometricGalaxies
from nebulium.photoz.baselines import fit_train_distribution
from nebulium.photoz.density.grid import RedshiftGrid
from nebulium.photoz.density.recalibration import FEWEST, measure_recalibration
from nebulium.photoz.fluxes.recipe import PhotometryConfig, train_photometry
from nebulium.photoz.predict import predict_galaxies
from nebulium.photoz.templates.model import make_template_model
from nebulium.photoz.training_galaxies import CorrectedGalaxies, TrainingTask, read_training
from nebulium.photoz.training_result import (
    TrainingResult,
    catalogue_preprocessing,
    not_recalibrated,
    settings_of,
)
from nebulium.training import FitResult


@dataclass(frozen=True)
class GridConfig:
    """Settings of methods that have no others.

    Attributes
    ----------
    grid_most, grid_bins
        See `RedshiftGrid`.

    Examples
    --------
    >>> GridConfig(grid_most=3.0).grid
    RedshiftGrid(most=3.0, bins=300)
    """

    grid_most: float = 6.0
    grid_bins: int = 300

    @property
    def grid(self) -> RedshiftGrid:
        """The bins of redshift."""
        return RedshiftGrid(self.grid_most, self.grid_bins)


def train_on_photometry(task: TrainingTask) -> TrainingResult:
    """Train networks on fluxes."""
    config = settings_of(PhotometryConfig, task.settings, "photometry")
    data = _read(task, config.grid_most)
    rows = data.rows(task.split)
    model, results = train_photometry(
        data.galaxies.select(rows["train"]),
        data.galaxies.select(rows["validation"]),
        config=config,
        run=task.run,
        resume=task.resume,
        progress=task.progress,
    )
    shape = {name: getattr(config, name) for name in ("grid_most", "grid_bins", "head", "width", "depth")}
    shape |= {"bands": list(model.bands), "members": config.members}
    shape |= {"domain_references": model.domain.reference.shape[0]}
    domain = (
        "fluxes no further from those of training galaxies than those of 99.7 % of the validation galaxies"
    )
    return _trained(model, shape, task, data, rows, asdict(config), domain, tuple(results))


def make_templates(task: TrainingTask) -> TrainingResult:
    """Make templates ready for the bands of a catalogue."""
    config = settings_of(GridConfig, task.settings, "template")
    data = _read(task, config.grid_most)
    bands = data.galaxies.bands
    model = make_template_model(bands, band_filters(bands, task.curves), config.grid)
    domain = "a template fits no worse than noise would make it in all but 0.1 % of galaxies"
    if task.recalibrate:
        rows = data.rows(task.split)
    else:
        task = replace(task, split=Split(task.split.seed, ALL_HELD_OUT))
        rows = task.split.rows(data.galaxies.ids, np.isfinite(data.galaxies.redshift))
    return _trained(model, model.hyperparameters, task, data, rows, asdict(config), domain)


def take_distribution(task: TrainingTask) -> TrainingResult:
    """Take the distribution of the training redshifts."""
    config = settings_of(GridConfig, task.settings, "train-distribution")
    data = _read(task, config.grid_most)
    rows = data.rows(task.split)
    bands = data.galaxies.bands
    model = fit_train_distribution(data.galaxies.redshift[rows["train"]], config.grid, bands=bands)
    shape = {"bands": list(bands), **asdict(config)}
    domain = "always true: the galaxy is not looked at"
    return _trained(model, shape, task, data, rows, asdict(config), domain)


def recalibrated_on(model: Any, validation: PhotometricGalaxies) -> Any:
    """A trained model with its densities set right on galaxies that it was not trained on."""
    predicted = predict_galaxies(model, validation).densities
    pit = predicted.cdf(validation.redshift.astype(np.float64))
    return eqx.tree_at(lambda one: one.recalibration, model, measure_recalibration(pit))


def _read(task: TrainingTask, most_redshift: float) -> CorrectedGalaxies:
    data = read_training(task, most_redshift=most_redshift)
    check_extinction(dict(data.layout.extinction), data.galaxies.bands)
    return data


def _trained(
    model: eqx.Module,
    hyperparameters: Mapping[str, Any],
    task: TrainingTask,
    data: CorrectedGalaxies,
    rows: Mapping[str, np.ndarray],
    settings: Mapping[str, Any],
    domain: str,
    results: tuple[FitResult[Any], ...] = (),
) -> TrainingResult:
    """What the methods of catalogues have in common."""
    validation = data.galaxies.select(rows["validation"])
    notes: tuple[str, ...] = ()
    mended = task.recalibrate and len(validation) >= FEWEST
    if mended:
        model = recalibrated_on(model, validation)
    elif task.recalibrate:
        notes = not_recalibrated(len(validation))
    return TrainingResult(
        model=model,
        hyperparameters=hyperparameters,
        settings={**settings, "recalibrate": mended},
        split=replace(task.split, id_column=data.layout.id_column).as_dict(rows),
        preprocessing=catalogue_preprocessing(data.layout),
        domain=domain,
        results=results,
        notes=notes,
    )
