"""The methods that learn from catalogues, from a task to a trained model."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Float

from nebulium.data.splits import ALL_HELD_OUT, Split
from nebulium.photometry.curves import band_filters
from nebulium.photometry.dereddening import check_extinction
from nebulium.photometry.galaxies import PhotometricGalaxies
from nebulium.photoz.baselines import fit_train_distribution
from nebulium.photoz.card import described
from nebulium.photoz.density.grid import RedshiftGrid
from nebulium.photoz.density.recalibration import with_recalibration
from nebulium.photoz.fluxes.recipe import train_photometry
from nebulium.photoz.predict import predict_galaxies
from nebulium.photoz.templates.model import make_template_model
from nebulium.photoz.training_galaxies import CorrectedGalaxies, TrainingTask, can_recalibrate, read_training
from nebulium.training import FitResult
from nebulium.verbs import TrainedModel


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


def train_on_photometry(task: TrainingTask) -> TrainedModel:
    """Train networks on fluxes."""
    config, data = task.settings, _read(task)
    rows = data.rows(task.split)
    model, results = train_photometry(
        data.galaxies.select(rows["train"]),
        data.galaxies.select(rows["validation"]),
        config=config,
        run=task.run,
    )
    shape = {name: getattr(config, name) for name in ("grid_most", "grid_bins", "head", "width", "depth")}
    shape |= {"bands": list(model.bands), "members": config.members}
    shape |= {"domain_references": model.domain.reference.shape[0]}
    domain = (
        "fluxes no further from those of training galaxies than those of 99.7 % of the validation galaxies"
    )
    return _trained(model, shape, task, data, rows, domain, results)


def make_templates(task: TrainingTask) -> TrainedModel:
    """Make templates ready for the bands of a catalogue."""
    data = _read(task)
    bands = data.galaxies.bands
    model = make_template_model(bands, band_filters(bands, task.curves), task.settings.grid)
    domain = "a template fits no worse than noise would make it in all but 0.1 % of galaxies"
    if task.recalibrate:
        rows = data.rows(task.split)
    else:
        task = replace(task, split=Split(task.split.seed, ALL_HELD_OUT))
        rows = task.split.rows(data.galaxies.ids, np.isfinite(data.galaxies.redshift))
    return _trained(model, model.hyperparameters, task, data, rows, domain)


def take_distribution(task: TrainingTask) -> TrainedModel:
    """Take the distribution of the training redshifts."""
    data = _read(task)
    rows, bands = data.rows(task.split), data.galaxies.bands
    model = fit_train_distribution(data.galaxies.redshift[rows["train"]], task.settings.grid, bands=bands)
    shape = {"bands": list(bands), **asdict(task.settings)}
    return _trained(model, shape, task, data, rows, "always true: the galaxy is not looked at")


def pit_values(model: Any, galaxies: PhotometricGalaxies) -> Float[np.ndarray, " n"]:
    """Where the true redshifts of n galaxies lie in their densities."""
    return predict_galaxies(model, galaxies).densities.cdf(galaxies.redshift.astype(np.float64))


def _read(task: TrainingTask) -> CorrectedGalaxies:
    data = read_training(task, most_redshift=task.settings.grid_most)
    check_extinction(dict(data.layout.extinction), data.galaxies.bands)
    return data


def _trained(
    model: eqx.Module,
    hyperparameters: Mapping[str, Any],
    task: TrainingTask,
    data: CorrectedGalaxies,
    rows: Mapping[str, np.ndarray],
    domain: str,
    results: Sequence[FitResult[Any]] = (),
) -> TrainedModel:
    """What the methods of catalogues have in common."""
    validation = data.galaxies.select(rows["validation"])
    if mends := can_recalibrate(task, len(validation)):
        model = with_recalibration(model, pit_values(model, validation))
    return described(
        task,
        model,
        layout=data.layout,
        rows=rows,
        hyperparameters=hyperparameters,
        domain=domain,
        recalibrated=mends,
        results=results,
    )
