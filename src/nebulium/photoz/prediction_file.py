"""Redshifts of the galaxies of a mock survey or a catalogue, and their places in a space, in a file."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nebulium import verbs
from nebulium.photoz.predict import RedshiftPredictor
from nebulium.verbs import PredictionRun, find_predictor


def predict_file(
    data: str | Path,
    output: str | Path,
    *,
    model: str | Path,
    pdf: str | Path | None = None,
    columns: Mapping[str, Any] | None = None,
    curves: str | Path | None = None,
    progress: Callable[[int], Any] | None = None,
) -> PredictionRun:
    """Predict the redshifts of all galaxies of a catalogue.

    Parameters
    ----------
    data : str or Path
        Folder of a mock survey, or a table.
    output : str or Path
        A table ending in .parquet, .fits or .ecsv. Galaxies that cannot be predicted are listed, with the
        reason, beside it in ``<stem>.rejects.csv``. All appear whole or not at all.
    model : str or Path
        Name of a packaged model, or a model folder.
    pdf : str or Path, optional
        Densities as a qp ensemble, a file ending in .hdf5.
    columns : mapping, optional
        What is told of the columns: fields of `nebulium.photometry.CatalogueLayout`; those of the catalogue
        that the model was trained on, if not given.
    curves : str or Path, optional
        Transmission curves: see `nebulium.photometry.band_filters`.
    progress : callable of int, optional
        Gets the number of galaxies predicted so far, after each chunk.

    Returns
    -------
    PredictionRun

    Raises
    ------
    NebuliumError
        The data, the model or the output is at fault, the data do not suit the model, or no galaxy can be
        predicted.

    Examples
    --------
    >>> predict_file("survey", "redshifts.parquet", model="desi-lines")
    Traceback (most recent call last):
    nebulium.errors.ModelFileError: model desi-lines: predicts emission lines, not redshifts. To mend: ...
    """
    return verbs.predict_file(
        data,
        output,
        model=find_predictor(model, of=RedshiftPredictor),
        options={"columns": columns, "curves": curves},
        further={} if pdf is None else {"densities": pdf},
        progress=progress,
    )


def embed_file(
    data: str | Path,
    output: str | Path,
    *,
    model: str | Path,
    columns: Mapping[str, Any] | None = None,
    curves: str | Path | None = None,
    progress: Callable[[int], Any] | None = None,
) -> PredictionRun:
    """Write where a model puts the galaxies of a catalogue: a row a galaxy.

    Parameters
    ----------
    data : str or Path
        Folder of a mock survey, or a table.
    output : str or Path
        A table ending in .parquet, .fits or .ecsv, with the ids, `redshift_median`, `in_domain` and, of a
        model of images, the vector that its redshift head sees, `latent_000` to `latent_127`; of a model of
        fluxes the standardised magnitudes, colours and errors that its networks see, `feature_000` and so on.
        Galaxies that cannot be used are listed, with the reason, beside it in ``<stem>.rejects.csv``.
    model : str or Path
        Name of a packaged model, or a model folder.
    columns : mapping, optional
        What is told of the columns: fields of `nebulium.photometry.CatalogueLayout`; those of the catalogue
        that the model was trained on, if not given.
    curves : str or Path, optional
        Transmission curves: see `nebulium.photometry.band_filters`.
    progress : callable of int, optional
        Gets the number of galaxies embedded so far, after each chunk.

    Returns
    -------
    PredictionRun

    Raises
    ------
    NebuliumError
        The data, the model or the output is at fault, the data do not suit the model, no galaxy can be
        used, or the model has no space of galaxies.

    Examples
    --------
    >>> embed_file("survey", "embeddings.parquet", model="desi-lines")
    Traceback (most recent call last):
    nebulium.errors.ModelFileError: model desi-lines: is of class LineModel, which puts galaxies into no ...
    """
    return verbs.predict_file(
        data,
        output,
        model=find_predictor(model, verb="embed", of=RedshiftPredictor),
        options={"columns": columns, "curves": curves},
        progress=progress,
    )
