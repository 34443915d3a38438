"""Which columns of a table are an embedding: one of arrays, or many of numbers."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from nebulium.data.tables.table import TableSource, missing_column, nearest
from nebulium.errors import TableError

NAME_COLUMNS = "name them: --embedding-columns 'feat_*' (EmbeddingTable(..., columns='feat_*'))"
#: Columns that a message names.
NAMED = 6


@dataclass(frozen=True)
class EmbeddingTable:
    """A table of embeddings, as a user names it.

    Parameters
    ----------
    path : str or Path
        Any file that `nebulium.data.read_table` reads.
    columns : str, optional
        The column of arrays, or a pattern of the columns of numbers, such as ``feat_*``: they are taken in
        the order of the numbers in their names. Those that a model remembers, or else the only column of
        arrays, if not given.
    id_column : str, optional
        The column of ids; ``ROW`` for the numbers of the rows. That of the labels or the one that a model
        remembers, where the table has it, or else `target_id` or `object_id`, if not given.

    Examples
    --------
    >>> EmbeddingTable("zoobot.parquet", columns="feat_pred_*", id_column="id_str").columns
    'feat_pred_*'
    """

    path: str | Path
    columns: str | None = None
    id_column: str | None = None


@dataclass(frozen=True)
class EmbeddingForm:
    """The embeddings that a model takes.

    Attributes
    ----------
    columns : tuple of str
        One of arrays, or those of the numbers in their order.
    width : int
        Numbers of a galaxy.
    pattern : str
        By which the columns of numbers were found; empty for a column of arrays.
    id_column : str
        What the table calls its ids.
    """

    columns: tuple[str, ...]
    width: int
    pattern: str
    id_column: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "columns": list(self.columns)}

    @classmethod
    def of(cls, written: Mapping[str, Any]) -> "EmbeddingForm":
        """The inverse of `as_dict`."""
        return cls(**{**written, "columns": tuple(written["columns"])})

    @property
    def asked(self) -> str:
        """The column or the pattern."""
        return self.pattern or self.columns[0]


def chosen_columns(
    source: TableSource, asked: str | None, learned: EmbeddingForm | None, *, ids: str
) -> tuple[tuple[str, ...], str]:
    """The columns of an embedding, and the pattern by which they were found."""
    if asked is not None:
        return _found(source, asked, ids)
    if learned is None:
        return (_only_array(source),), ""
    lacking = [column for column in learned.columns if column not in source.all_columns]
    if lacking:
        more = f" and {len(lacking) - 1:,} more" if len(lacking) > 1 else ""
        problem = f"lacks the column {lacking[0]}{more} of the embedding that the model learned from"
        mend = (
            "give embeddings of the same network, or say what they are called: --embedding-columns (columns=)"
        )
        raise TableError(source.name, problem, mend)
    if learned.pattern:
        found = _matching(source.columns, learned.pattern, ids)
        if set(found) - set(learned.columns):
            raise other_width(source.name, len(found), learned)
    return learned.columns, learned.pattern


def other_width(where: str, width: int, learned: EmbeddingForm) -> TableError:
    """The error for an embedding that is not of the model's width."""
    problem = (
        f"has embeddings of {width:,} numbers ({learned.asked}), the model learned from {learned.width:,}"
    )
    return TableError(where, problem, "give embeddings of the same network, or train a model on these")


def in_order_of_numbers(names: Iterable[str]) -> list[str]:
    """Names sorted so that feat_2 comes before feat_10."""
    parts = {name: re.split(r"(\d+)", name) for name in names}
    return sorted(parts, key=lambda name: [(int(p), p) if p.isdecimal() else (-1, p) for p in parts[name]])


def _found(source: TableSource, asked: str, ids: str) -> tuple[tuple[str, ...], str]:
    """A column of arrays by its name, or columns of numbers by a pattern."""
    if asked in source.arrays:
        return (asked,), ""
    if asked in source.columns:
        problem = "holds one value a galaxy, expected a column of arrays or a pattern of several columns"
        raise TableError(f"{source.name}, column {asked}", problem, NAME_COLUMNS)
    found = _matching(source.columns, asked, ids)
    if len(found) > 1:
        return tuple(found), asked
    if not set("*?[") & set(asked):
        error = missing_column(source.name, asked, (*source.arrays, *source.columns))
        raise TableError(error.where, error.problem, NAME_COLUMNS)
    near = nearest(asked, source.all_columns)
    some = f"only {found[0]}" if found else f"no column{f' (the nearest is {near})' if near else ''}"
    problem = f"has {some} of numbers that matches {asked!r}, expected several"
    raise TableError(source.name, problem, NAME_COLUMNS)


def _matching(columns: Iterable[str], pattern: str, ids: str) -> list[str]:
    return in_order_of_numbers(name for name in columns if name != ids and fnmatchcase(name, pattern))


def _only_array(source: TableSource) -> str:
    """The column of arrays, if there is just one."""
    if len(source.arrays) == 1:
        return source.arrays[0]
    if source.arrays:
        listed = ", ".join(source.arrays[:NAMED])
        mend = f"name it: --embedding-columns {source.arrays[0]} (EmbeddingTable(..., columns=))"
        raise TableError(source.name, f"has {len(source.arrays)} columns of arrays: {listed}", mend)
    problem = "has no column of arrays of one length, so that it does not say which columns are the embedding"
    numbered = Counter(re.sub(r"\d+$", "*", name) for name in source.columns if name[-1:].isdecimal())
    if numbered:
        pattern, count = numbered.most_common(1)[0]
        problem += f"; {count:,} are called {pattern}"
    raise TableError(source.name, problem, NAME_COLUMNS)
