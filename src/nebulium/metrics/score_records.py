"""Records of scores as JSON and as tables: an estimate becomes a value and its error."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nebulium.data.tables.table import Table
from nebulium.metrics.probabilistic import Estimate


def plain_record(record: Any) -> dict[str, Any]:
    """What JSON can hold of a record of scores."""
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
    """Records of scores as a table."""
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
