"""Which columns of a catalogue hold what: stated once, for training and for predicting."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nebulium.data.column_checks import MissingNumbers
from nebulium.errors import TableError


@dataclass(frozen=True)
class BandColumns:
    """The two columns of a band.

    Parameters
    ----------
    band : str
        Name of the band; for templates, of a filter.
    value, error : str
        Columns of the flux, or magnitude, and of its standard error.
    """

    band: str
    value: str
    error: str


def band_columns(text: str) -> BandColumns:
    """A band as written on the command line."""
    band, _, columns = (part.strip() for part in text.partition("="))
    names = [name.strip() for name in columns.split(",")]
    if not band or len(names) != 2 or not all(names):
        problem = "expected BAND=COLUMN,ERROR_COLUMN"
        raise TableError(f"band {text!r}", problem, "write f606w=flux_f606w,flux_err_f606w, say")
    return BandColumns(band, *names)


def named_number(text: str) -> tuple[str, float]:
    """A name and its number as written on the command line, NAME=NUMBER; NaN if it is none."""
    name, _, number = (part.strip() for part in text.partition("="))
    try:
        return name, float(number)
    except ValueError:
        return name, math.nan


def band_extinction(text: str) -> tuple[str, float]:
    """The extinction of a band as written on the command line."""
    band, extinction = named_number(text)
    if not 0.0 <= extinction < math.inf:
        problem = "expected BAND=NUMBER, magnitudes of 0 or more"
        raise TableError(f"extinction {text!r}", problem, "write f606w=2.47, say")
    return band, extinction


@dataclass(frozen=True)
class CatalogueLayout:
    """How a catalogue of photometry is to be read.

    Parameters
    ----------
    bands : tuple of BandColumns
        In order; if there are none, the columns ``flux_njy_obs_BAND`` and ``flux_njy_err_BAND``, as a mock
        survey has them.
    magnitudes : bool, optional
        Whether the values are AB magnitudes. If not given, they are fluxes, and what looks like
        magnitudes is refused.
    flux_unit : str, optional
        Of fluxes: a unit, or the AB magnitude of flux 1. The unit that the file declares if not given; one
        of the two is needed.
    missing : tuple of str
        Numbers that stand for a missing value: ``-99`` in any column, ``COLUMN=-1`` in one; "none" if what
        looks like one was measured.
    nondetection : float, optional
        Magnitude that stands for "fainter than the error column, which is the limit of one sigma"
        (99 in catalogues of BPZ): taken as a flux of zero with that error.
    id_column : str
        Ids.
    redshift_column, redshift_err_column : str, optional
        Spectroscopic redshifts and their standard errors; ``redshift_spec``, where it is there, if not given.
    ebv : str or float, optional
        Column of the reddening E(B-V) of the Milky Way, mag, or one number for all galaxies.
    dereddened : bool, optional
        Whether the catalogue is corrected for it already. Must be given with `ebv`.
    extinction : tuple of (str, float)
        Band and its extinction for E(B-V) = 1; computed from filters for the others.

    Raises
    ------
    TableError
        The settings contradict each other.

    Examples
    --------
    >>> layout = CatalogueLayout(bands=(BandColumns("r", "flux_r", "err_r"),), missing=("-99", "z=-1"))
    >>> layout.names, layout.id_column
    (('r',), 'target_id')
    """

    bands: tuple[BandColumns, ...] = ()
    magnitudes: bool | None = None
    flux_unit: str | None = None
    missing: tuple[str, ...] = ()
    nondetection: float | None = None
    id_column: str = "target_id"
    redshift_column: str | None = None
    redshift_err_column: str | None = None
    ebv: str | float | None = None
    dereddened: bool | None = None
    extinction: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        twice = sorted({name for name in self.names if self.names.count(name) > 1})
        if twice:
            raise TableError(f"band {twice[0]}", "is given twice", "give each band once")
        if self.magnitudes and self.flux_unit is not None:
            problem = f"is {self.flux_unit}, but the values are declared to be magnitudes"
            raise TableError("flux unit", problem, "give one of the two")
        if self.nondetection is not None and not self.magnitudes:
            raise TableError(
                "non-detections",
                "are magnitudes, but the values are not declared to be",
                "fluxes need no such number: a faint flux counts with its error, negative or not",
            )
        if self.ebv is not None and self.dereddened is None:
            raise TableError(
                "E(B-V)",
                "is given, but not whether the fluxes are corrected for it already",
                "say --dereddened or --not-dereddened",
            )
        MissingNumbers(self.missing)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the bands."""
        return tuple(band.band for band in self.bands)

    def as_dict(self) -> dict[str, Any]:
        """What JSON can hold; `layout_from` reads it."""
        return dataclasses.asdict(self)


def layout_from(document: Mapping[str, Any]) -> CatalogueLayout:
    """The layout that `CatalogueLayout.as_dict` wrote."""
    entries = {**document}
    entries["bands"] = tuple(BandColumns(**band) for band in document["bands"])
    entries["missing"] = tuple(document["missing"])
    entries["extinction"] = tuple((band, value) for band, value in document["extinction"])
    return CatalogueLayout(**entries)


def changed_layout(recorded: CatalogueLayout | None, given: Mapping[str, Any]) -> CatalogueLayout:
    """The layout that a model was trained with, and what is given now."""
    if recorded is None:
        return CatalogueLayout(**given)
    if "bands" in given:
        return CatalogueLayout(**{"extinction": recorded.extinction, **given})
    return dataclasses.replace(recorded, **given)
