"""Densities of many galaxies, a batch of one size at a time, as tables and as a qp ensemble."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Bool

from nebulium.data.rejects import Rejects
from nebulium.data.tables.table import Table
from nebulium.errors import TableError
from nebulium.nn.mapping import BATCH, Rows, map_galaxies
from nebulium.photometry.dereddening import dust_notes
from nebulium.photometry.galaxies import PhotometricGalaxies
from nebulium.photometry.layout import CatalogueLayout, changed_layout, layout_from
from nebulium.photoz.density.densities import RedshiftDensities
from nebulium.photoz.density.qp_export import QpWriter
from nebulium.verbs import Opened, Prediction, Predictor

#: Quantiles that are written, by their column.
QUANTILES = {"redshift_median": 0.5, "redshift_q16": 0.16, "redshift_q84": 0.84}

Chunk = TypeVar("Chunk")


@dataclass(frozen=True, eq=False)
class PredictedRedshifts:
    """What a model says of many galaxies.

    Attributes
    ----------
    ids : ndarray of shape (n,)
    densities : RedshiftDensities
    in_domain : ndarray of bool of shape (n,)

    Examples
    --------
    See `predict_galaxies`.
    """

    ids: np.ndarray
    densities: RedshiftDensities
    in_domain: Bool[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.ids)

    def prediction(self) -> Prediction:
        """Columns of a table of predictions, and the densities."""
        quantiles = self.densities.quantile(list(QUANTILES.values()))
        values = {column: quantiles[:, place] for place, column in enumerate(QUANTILES)}
        values |= {"redshift_mode": self.densities.mode(), "odds": self.densities.odds()}
        order = ("redshift_median", "redshift_mode", "redshift_q16", "redshift_q84", "odds")
        columns = {column: values[column].astype(np.float32) for column in order}
        return Prediction(self.ids, {**columns, "in_domain": self.in_domain}, detail=self.densities)

    def as_table(self, name: str = "redshifts") -> Table:
        """The columns of a table of predictions.

        Parameters
        ----------
        name : str
            Where the galaxies are from.

        Returns
        -------
        Table
            `target_id`, `redshift_median`, `redshift_mode`, `redshift_q16`, `redshift_q84`, `odds`,
            `in_domain`.
        """
        return self.prediction().as_table(name=name)


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
class Reading:
    """What is read of a mock survey or a catalogue, and what is met.

    Attributes
    ----------
    source : Path
        Mock survey or catalogue.
    layout : CatalogueLayout
        That of the catalogue the model was trained on, with what is told now.
    curves : Path, optional
        Transmission curves: see `nebulium.photometry.curves.band_filters`.
    ids : ndarray, optional
        The galaxies wanted; all if not given.
    rejects : Rejects
        Takes the galaxies that cannot be used.
    counted : Counter
        Counts what was taken as missing, by reason.
    notes : list of str
        Takes what was supposed of the data.
    """

    source: Path
    layout: CatalogueLayout
    curves: Path | None = None
    ids: np.ndarray | None = None
    rejects: Rejects = field(default_factory=Rejects)
    counted: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class RedshiftPredictor(Predictor[Chunk]):
    """Redshifts of the galaxies of a mock survey or a catalogue."""

    predicts = "redshifts"

    def open(
        self,
        source: str | Path,
        *,
        columns: Mapping[str, Any] | None = None,
        curves: str | Path | None = None,
        ids: np.ndarray | None = None,
    ) -> Opened[Chunk]:
        """Open a catalogue with the layout of the training and the fields of `CatalogueLayout` told now."""
        reading = self.reading(source, columns=columns, curves=curves, ids=ids)

        def chunks() -> Iterator[Chunk]:
            yield from self.read(reading)
            reading.notes.extend(counted_notes(reading.counted))

        return Opened(str(source), chunks(), reading.layout.id_column, reading.rejects, reading.notes)

    def reading(
        self,
        source: str | Path,
        *,
        columns: Mapping[str, Any] | None = None,
        curves: str | Path | None = None,
        ids: np.ndarray | None = None,
    ) -> Reading:
        """What is to be read, and what is known of it beforehand."""
        document = self.config["preprocessing"].get("catalogue")
        layout = changed_layout(None if document is None else layout_from(document), columns or {})
        notes = [*self._dust_of_training(layout), *dust_notes(layout)]
        return Reading(Path(source), layout, None if curves is None else Path(curves), ids, notes=notes)

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

    def check_dust(self, galaxies: PhotometricGalaxies) -> None:
        """Refuse galaxies with Galactic dust for a model that learned without it, and the reverse."""
        check_dereddened_alike(galaxies, self.config["preprocessing"].get("dereddened"))

    def _dust_of_training(self, layout: CatalogueLayout) -> Iterator[str]:
        if self.config["preprocessing"].get("dereddened") is None and layout.dereddened is not None:
            yield (
                "the model was not told whether the fluxes that it learned from are corrected for Galactic "
                "extinction: see that these are alike"
            )


def counted_notes(counted: Counter[str]) -> tuple[str, ...]:
    """What was counted while a catalogue was read, a line each."""
    return tuple(f"{count:,} {reason}: not used" for reason, count in counted.items())


def check_dereddened_alike(galaxies: PhotometricGalaxies, learned: bool | None) -> None:
    """Refuse galaxies with Galactic dust for a model that learned without it, and the reverse."""
    told = galaxies.dereddened
    if learned is None or told == learned or (told is None and not learned):
        return
    if told is None:
        problem = "does not say whether it is corrected for Galactic extinction"
    else:
        problem = f"is {'' if told else 'not '}corrected for Galactic extinction"
    are = "are" if learned else "are not"
    mend = (
        "say --dereddened, or --not-dereddened with --ebv"
        if learned
        else "give fluxes that are not corrected, or train a model on fluxes that are"
    )
    raise TableError(galaxies.name, f"{problem}, and the galaxies that the model learned from {are}", mend)
