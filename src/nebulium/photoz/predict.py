"""Redshifts of many galaxies from their fluxes or images, as densities, tables and qp ensembles."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from nebulium import verbs
from nebulium.data.images.matching import open_for_model
from nebulium.data.images.opening import ImagePaths
from nebulium.data.images.preparation import PreparedImages
from nebulium.data.output import input_name
from nebulium.nn.image_model import model_images
from nebulium.nn.mapping import BATCH, Rows, map_galaxies
from nebulium.photometry.dereddening import check_extinction, corrected, dust_notes
from nebulium.photometry.galaxies import PhotometricGalaxies
from nebulium.photometry.layout import changed_layout, layout_from
from nebulium.photoz.density.densities import RedshiftDensities
from nebulium.photoz.density.prediction import PredictedRedshifts
from nebulium.photoz.density.qp_export import QpWriter
from nebulium.photoz.images.galaxies import check_fluxes, corrected_images
from nebulium.photoz.reading import Reading, check_dereddened_alike, counted_notes
from nebulium.verbs import Opened, Prediction, PredictionRun, Predictor, find_predictor

NOT_TOLD = (
    "the model was not told whether the fluxes that it learned from are corrected for Galactic extinction: "
    "see that these are alike"
)

Chunk = TypeVar("Chunk")


def predict_galaxies(model: Any, galaxies: PhotometricGalaxies, *, batch: int = BATCH) -> PredictedRedshifts:
    """Densities of galaxies in memory.

    Parameters
    ----------
    model : equinox.Module
        ``model(flux_njy (band,), flux_err_njy (band,))`` is a `RedshiftPrediction`; with `bands` and `grid`.
    galaxies : PhotometricGalaxies
        At least one; with the bands of the model, in any order.
    batch : int
        Galaxies at a time; every batch has this size, so that the model is compiled once.

    Returns
    -------
    PredictedRedshifts

    Raises
    ------
    TableError
        A band of the model is not there.

    Examples
    --------
    >>> from nebulium.photoz.fluxes.model import PhotometryModel
    >>> one = np.ones((3, 2), np.float32)
    >>> galaxies = PhotometricGalaxies(
    ...     np.arange(3), ("r", "g"), one, 0.1 * one, one[:, 0], 0 * one[:, 0], None, "a.fits"
    ... )
    >>> model = PhotometryModel(bands=["g", "r"], grid_bins=50, members=1, domain_references=8)
    >>> predicted = predict_galaxies(model, galaxies, batch=2)
    >>> predicted.densities.mass.shape, list(predicted.as_table().columns)[:3]
    ((3, 50), ['target_id', 'redshift_median', 'redshift_mode'])
    """
    ordered = galaxies.in_bands(model.bands)
    return predict_arrays(model, galaxies.ids, ordered.flux_njy, ordered.flux_err_njy, batch=batch)


def predict_arrays(model: Any, ids: np.ndarray, *seen: Rows, batch: int = BATCH) -> PredictedRedshifts:
    """Densities of galaxies from the arrays that a model takes: prepared images, or fluxes and errors."""
    predicted = map_galaxies(model, *seen, batch=batch)
    return PredictedRedshifts(ids, RedshiftDensities(model.grid, predicted.mass), predicted.in_domain)


@dataclass(frozen=True, eq=False)
class RedshiftPredictor(Predictor[Chunk]):
    """Redshifts of the galaxies of a mock survey or a catalogue."""

    predicts = "redshifts"

    def open(self, source: ImagePaths, *, ids: np.ndarray | None = None, **told: Any) -> Opened[Chunk]:
        """Open a catalogue; told are the `columns` and `curves` of `predict_file`."""
        reading = self.reading(source, ids=ids, **told)

        def chunks() -> Iterator[Chunk]:
            yield from self.read(reading)
            reading.notes.extend(counted_notes(reading.counted))

        return Opened(input_name(source), chunks(), reading.layout.id_column, reading.rejects, reading.notes)

    def reading(
        self,
        source: ImagePaths,
        *,
        columns: Mapping[str, Any] | None = None,
        curves: str | Path | None = None,
        ids: np.ndarray | None = None,
    ) -> Reading:
        """What is to be read, and what is known of it beforehand."""
        document = self.config["preprocessing"].get("catalogue")
        layout = changed_layout(None if document is None else layout_from(document), columns or {})
        notes = list(dust_notes(layout))
        if self.dereddened is None and layout.dereddened is not None:
            notes.insert(0, NOT_TOLD)
        remembered = not {"flux_unit", "bands"} & set(columns or {})
        return Reading(source, layout, curves, ids, notes=notes, unit_remembered=remembered)

    @abstractmethod
    def read(self, reading: Reading) -> Iterator[Chunk]:
        """Galaxies as the model takes them, so many at a time that memory does not grow with their number."""

    def about(self) -> dict[str, Any]:
        """The method that the model goes by."""
        return {"method": self.config["method"]}

    def writers(self) -> dict[str, Callable[..., Any]]:
        """The densities as a qp ensemble, which ends in .hdf5."""
        return {"densities": self._qp_ensemble}

    @contextmanager
    def _qp_ensemble(self, path: Path, id_column: str) -> Iterator[Callable[[Prediction], None]]:
        with QpWriter(path, self.model.grid, id_column=id_column) as writer:
            yield lambda prediction: writer.append(prediction.detail, prediction.ids)

    @property
    def dereddened(self) -> bool | None:
        """Whether the fluxes that the model learned from are corrected for Galactic extinction, if known."""
        told: bool | None = self.config["preprocessing"].get("dereddened")
        return told


#: Galaxies of a chunk: their densities are a few arrays of 20 MB.
ROWS_PER_CHUNK = 8192


@dataclass(frozen=True, eq=False)
class FluxPredictor(RedshiftPredictor[PhotometricGalaxies]):
    """Redshifts from fluxes and their errors."""

    def __call__(self, chunk: PhotometricGalaxies) -> Prediction:
        """Predict galaxies."""
        return predict_galaxies(self.model, chunk).prediction()

    def read(self, reading: Reading) -> Iterator[PhotometricGalaxies]:
        """Galaxies in the bands of the model, corrected for Galactic extinction as those of the training."""
        catalogue, extinction = reading.catalogue()
        check_extinction(extinction, catalogue.layout.names)
        for chunk in catalogue.chunks(
            rejects=reading.rejects, counted=reading.counted, rows_per_chunk=ROWS_PER_CHUNK
        ):
            galaxies = corrected(chunk, extinction).in_bands(self.model.bands)
            check_dereddened_alike(galaxies, self.dereddened)
            wanted = reading.wants(galaxies.ids)
            if np.any(wanted):
                yield galaxies.select(wanted)


@dataclass(frozen=True, eq=False)
class ImagePredictor(RedshiftPredictor[PreparedImages]):
    """Redshifts from images, which may stand beside a catalogue."""

    def __call__(self, chunk: PreparedImages) -> Prediction:
        """Predict prepared images."""
        predicted = predict_arrays(self.model, chunk.ids, chunk.images).prediction()
        return replace(predicted, columns=predicted.columns | chunk.beside)

    def read(self, reading: Reading) -> Iterator[PreparedImages]:
        """Images as the model takes them, corrected for Galactic extinction as those of the training."""
        matched = open_for_model(reading.source, self.model.form)
        reading.notes.extend(matched.supposed)
        check_fluxes(matched.source)
        source, good = corrected_images(matched.source, reading, self.dereddened)
        rows = np.flatnonzero(good & reading.wants(source.ids))
        yield from model_images(source, self.model, rejects=reading.rejects, rows=rows)


def predict_file(
    data: ImagePaths,
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
    data : str, Path or sequence of these
        Folder of a mock survey, or a table; for a model of images whatever `nebulium.data.open_images` takes,
        also several files, which the column `file` tells apart.
    output : str or Path
        A table ending in .parquet, .fits, .ecsv or .csv. Galaxies that cannot be predicted are listed, with
        the reason, beside it in ``<stem>.rejects.csv``. All appear whole or not at all.
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
