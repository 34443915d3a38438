"""The transmission curves of the bands of a catalogue."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nebulium.data.tables.reading import read_table
from nebulium.errors import SpectrumError, TableError, mending
from nebulium.sed.filters import FilterCurve, Filters, load_filters, make_filters

COLUMNS = {"filter": "filter", "wave_aa": "wave_aa", "transmission": "transmission"}


def band_filters(bands: Sequence[str], curves: str | Path | None = None) -> Filters:
    """Filters of bands: from a table of curves, or known by their names.

    Parameters
    ----------
    bands : sequence of str
        Names of the bands.
    curves : str or Path, optional
        Table with the columns filter, wave_aa (Angstrom, vacuum) and transmission. If not given, the bands
        must be called as in `nebulium.sed.filters.list_filters`.

    Returns
    -------
    Filters
        In the order of the bands.

    Raises
    ------
    TableError
        The table lacks a column, or a band.
    SpectrumError
        A name is not known, or a curve makes no sense.

    Examples
    --------
    >>> band_filters(["acs_wfc_f606w"]).pivot_aa.round()
    Array([5919.], dtype=float32)
    """
    if curves is None:
        mend = "call the bands as in nebulium.sed.list_filters(), or give their curves: --filters TABLE"
        with mending(SpectrumError, mend):
            return load_filters(*bands)
    table = read_table(curves, columns=COLUMNS)
    names = table["filter"].astype(str)
    lacking = [band for band in bands if band not in names]
    if lacking:
        problem = f"has no curve of {', '.join(lacking)}; it has {', '.join(np.unique(names))}"
        raise TableError(str(curves), problem, "call the bands as the filters are called there")
    wave_aa, transmission = (table[name].astype(np.float64) for name in ("wave_aa", "transmission"))
    rows = [(band, names == band) for band in bands]
    return make_filters([FilterCurve(band, wave_aa[one], transmission[one]) for band, one in rows])
