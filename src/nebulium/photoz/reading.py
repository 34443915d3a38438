"""A mock survey or a catalogue as models of redshifts read it, and what is met on the way."""

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from nebulium.data.ids import rows_of_ids
from nebulium.data.images.opening import ImagePaths
from nebulium.data.rejects import Rejects
from nebulium.data.tables.reading import open_table
from nebulium.data.tables.table import concatenate_rows
from nebulium.errors import TableError
from nebulium.photometry.catalogue import PhotometricCatalogue, open_photometry
from nebulium.photometry.dereddening import corrected, known_extinction
from nebulium.photometry.fluxes import check_remembered_unit
from nebulium.photometry.galaxies import PhotometricGalaxies
from nebulium.photometry.layout import CatalogueLayout


@dataclass(frozen=True, eq=False)
class Reading:
    """What is read of a mock survey or a catalogue, and what is met.

    Attributes
    ----------
    source : Path, or sequence of these
        Mock survey or catalogue; of a model of images also several files of these.
    layout : CatalogueLayout
        What is told of its columns; to predict, that of the catalogue the model was trained on, with what is
        told now.
    curves : str or Path, optional
        Transmission curves: see `nebulium.photometry.curves.band_filters`.
    ids : ndarray, optional
        The galaxies wanted; all if not given.
    rejects : Rejects
        Takes the galaxies that cannot be used.
    counted : Counter
        Counts what was taken as missing, or left out, by reason.
    notes : list of str
        Takes what was supposed of the data.
    unit_remembered : bool
        Whether the unit of the fluxes was told of the catalogue that the model was trained on, not of this.
    """

    source: ImagePaths
    layout: CatalogueLayout
    curves: str | Path | None = None
    ids: np.ndarray | None = None
    rejects: Rejects = field(default_factory=Rejects)
    counted: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    unit_remembered: bool = False

    def catalogue(self, *, with_redshifts: bool = False) -> tuple[PhotometricCatalogue, dict[str, float]]:
        """The catalogue, and the extinction of its bands if it is to be corrected."""
        if not isinstance(self.source, str | Path):
            problem = f"is one of {len(self.source)} files, expected one table"
            raise TableError(str(self.source[0]), problem, "join them, or give one at a time")
        found = open_photometry(self.source, self.layout, with_redshifts=with_redshifts)
        if self.unit_remembered and found.layout.flux_unit is not None:
            check_remembered_unit(found.layout, open_table(found.path, None).units, str(found.path))
        return found, known_extinction(found.layout, self.curves)

    def wants(self, ids: np.ndarray) -> Bool[np.ndarray, " n"]:
        """Which galaxies are wanted."""
        return np.ones(len(ids), bool) if self.ids is None else rows_of_ids(ids, self.ids) >= 0

    def corrected(self) -> tuple[PhotometricGalaxies, CatalogueLayout]:
        """All galaxies that can be used, corrected where that is asked for; and the layout as found."""
        catalogue, extinction = self.catalogue(with_redshifts=True)
        chunks = catalogue.chunks(rejects=self.rejects, counted=self.counted)
        parts = [corrected(chunk, extinction) for chunk in chunks]
        if not parts:
            problem = f"has no galaxy that can be used ({self.rejects.summary()})"
            raise TableError(str(self.source), problem, "mend the rows")
        return concatenate_rows(parts), replace(catalogue.layout, extinction=tuple(extinction.items()))


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
