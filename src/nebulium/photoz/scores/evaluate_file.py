"""From data with redshifts and models to scores and figures, of the galaxies that no model was trained on."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from nebulium.errors import TableError
from nebulium.metrics.estimates import FEWEST
from nebulium.photometry.fluxes import ZERO_POINT_NJY
from nebulium.photometry.galaxies import PhotometricGalaxies
from nebulium.photoz.scores.evaluate import evaluate_redshifts
from nebulium.photoz.scores.held_out import predict_held_out
from nebulium.verbs.evaluation import Evaluation, describe_run
from nebulium.verbs.held_out import TEST
from nebulium.verbs.score import Bootstrap


def evaluate_file(
    data: str | Path,
    *,
    models: Sequence[str | Path],
    columns: Mapping[str, Any] | None = None,
    curves: str | Path | None = None,
    all_rows: bool = False,
    point: str = "median",
    resamples: int = 200,
    seed: int = 0,
) -> Evaluation:
    """Score a model, or several on the same galaxies: the first is compared with each of the others.

    Parameters
    ----------
    data : str or Path
        Folder of a mock survey, or a table.
    models : sequence of str or Path
        Names of packaged models, or model folders.
    columns : mapping, optional
        Fields of `CatalogueLayout`, by name, in place of those that the model was trained with.
    curves : str or Path, optional
        Table of the transmission curves of the bands; known by the names of the bands if not given.
    all_rows : bool
        Score every galaxy with a redshift: right only if no model was trained on any. By default those in the
        test part of the split of each model.
    point : str
        The redshift of a density: median, mode or mean.
    resamples, seed : int
        Of the bootstrap that gives the errors, and of the galaxies shown.

    Returns
    -------
    Evaluation
        Also along the magnitude in the last band, and the colour of the two in the middle.

    Raises
    ------
    NebuliumError
        As in `nebulium.photoz.predict_file`, or there is no galaxy to score.

    Examples
    --------
    >>> evaluate_file("mock", models=["mine"])  # doctest: +SKIP
    """
    found = predict_held_out(data, models, columns=columns, curves=curves, all_rows=all_rows)
    galaxies = found.galaxies
    if len(galaxies) < FEWEST:
        problem = f"has {len(galaxies)} galaxies to score, and it takes {FEWEST}"
        mend = "give more galaxies with redshifts; of those of a training, one in ten is for testing"
        raise TableError(galaxies.name, problem, mend)
    scored = evaluate_redshifts(
        found.densities,
        galaxies.redshift.astype(np.float64),
        ids=galaxies.ids,
        id_column=found.id_column,
        along=_magnitude_and_colour(galaxies),
        training_redshift=found.training.redshift.astype(np.float64),
        point=point,
        resamples=resamples,
        seed=seed,
    )
    part, bootstrap = None if all_rows else TEST, Bootstrap(resamples, seed)
    about = describe_run(data, found.models, part, len(galaxies), bootstrap)
    return dataclasses.replace(
        scored, about={**scored.about, **about}, notes=found.notes, rejects=found.rejects
    )


def _magnitude_and_colour(
    galaxies: PhotometricGalaxies,
) -> dict[str, tuple[Float[np.ndarray, " n"], str]]:
    """The magnitude in the last band, and the colour of the two in the middle, with their labels."""
    bands, middle = galaxies.bands, len(galaxies.bands) // 2
    with np.errstate(invalid="ignore", divide="ignore"):
        magnitudes = ZERO_POINT_NJY - 2.5 * np.log10(galaxies.flux_njy.astype(np.float64))
    magnitudes[~np.isfinite(magnitudes)] = np.nan
    along = {"mag": (magnitudes[:, -1], f"{bands[-1]} / AB mag")}
    if len(bands) > 1:
        colour = magnitudes[:, middle - 1] - magnitudes[:, middle]
        along["colour"] = (colour, f"{bands[middle - 1]} – {bands[middle]} / AB mag")
    return along
