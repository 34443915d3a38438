"""Records of scores as JSON and as tables: an estimate becomes a value and its error."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nebulium.data.tables.table import Table
from nebulium.metrics.probabilistic import Estimate


def plain_record(record: Any) -> dict[str, Any]:
    """What JSON can hold of a record of scores.

    Parameters
    ----------
    record : dataclass
        Fields are texts, numbers, estimates, records, or tuples and mappings of these.

    Returns
    -------
    dict
        An estimate has a value and an error; a number that is not known is None.

    Examples
    --------
    >>> import dataclasses
    >>> Score = dataclasses.make_dataclass("Score", ["method", "rmse", "bias"])
    >>> plain_record(Score("mean", Estimate(0.2, 0.01), math.nan))
    {'method': 'mean', 'rmse': {'value': 0.2, 'error': 0.01}, 'bias': None}
    """
    return {entry.name: _plain(getattr(record, entry.name)) for entry in dataclasses.fields(record)}


def _plain(value: Any) -> Any:
    if isinstance(value, Estimate):
        return {"value": _plain(value.value), "error": _plain(value.error)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if dataclasses.is_dataclass(value):
        return plain_record(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def record_table(records: Sequence[Any], units: Mapping[str, str] | None = None) -> Table:
    """Records of scores as a table.

    Parameters
    ----------
    records : sequence of dataclass
        All of one class; fields are texts, numbers, estimates, or tuples of these.
    units : mapping of str to str, optional
        Unit of a field; that of its error is the same.

    Returns
    -------
    Table
        A row for each record, a column for each field, and FIELD_error beside an estimate.

    Examples
    --------
    >>> import dataclasses
    >>> Score = dataclasses.make_dataclass("Score", ["method", "rmse"])
    >>> table = record_table([Score("mean", Estimate(0.2, 0.01))], {"rmse": "mag"})
    >>> list(table.columns), table.units["rmse_error"]
    (['method', 'rmse', 'rmse_error'], 'mag')
    """
    columns: dict[str, list[Any]] = {}
    for record in records:
        for entry in dataclasses.fields(record):
            for name, value in _cells(entry.name, getattr(record, entry.name)):
                columns.setdefault(name, []).append(value)
    known = units or {}
    shown = {
        name: known[name.removesuffix("_error")] for name in columns if name.removesuffix("_error") in known
    }
    return Table({name: np.array(values) for name, values in columns.items()}, shown, "scores")


def _cells(name: str, value: Any) -> list[tuple[str, Any]]:
    """Columns that one field fills."""
    if isinstance(value, Estimate):
        return [(name, value.value), (f"{name}_error", value.error)]
    if isinstance(value, tuple):
        return [cell for part, item in enumerate(value, start=1) for cell in _cells(f"{name}_{part}", item)]
    return [(name, value)]
