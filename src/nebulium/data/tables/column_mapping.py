"""Which columns of a file make up a column of nebulium: in Python, JSON, ECSV or on the command line."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from nebulium.data.files.damage import reading
from nebulium.data.tables.opening import open_table
from nebulium.data.tables.table import missing_column
from nebulium.errors import TableError

#: Line fits of FastSpecFit (Moustakas et al. 2023, ASCL 2308.005): EXTNAME FASTSPEC, with Z in METADATA for
#: some versions. It measures the two lines of the [O II] doublet apart; their equivalent widths add up.
FASTSPECFIT: Mapping[str, str] = {
    "target_id": "TARGETID",
    "redshift": "Z",
    "ew_OII_DOUBLET": "OII_3726_EW + OII_3729_EW",
    "ew_ivar_OII_DOUBLET": "OII_3726_EW_IVAR + OII_3729_EW_IVAR",
    **{
        f"{ours}_{line}": f"{line}_{theirs}"
        for line in (
            "HGAMMA", "HBETA", "OIII_4959", "OIII_5007", "NII_6548",
            "HALPHA", "NII_6584", "SII_6716", "SII_6731",
        )
        for ours, theirs in (("ew", "EW"), ("ew_ivar", "EW_IVAR"))
    },
}  # fmt: skip

#: Mappings that go by a name.
NAMED_MAPPINGS: Mapping[str, Mapping[str, str]] = {"fastspecfit": FASTSPECFIT}


def column_mapping(given: Mapping[str, str] | str | Path | Iterable[str]) -> dict[str, str]:
    """Read a column mapping in any of its forms.

    Parameters
    ----------
    given : mapping, str, Path, or iterable of str
        A mapping of nebulium's name to the file's; or ``"name=column"`` strings; or the name of a known
        mapping (``fastspecfit``); or the path of a JSON file with such a mapping, or of an ECSV or CSV
        table with the columns ``name`` and ``column``. In an iterable these may be mixed; the later ones
        win.

    Returns
    -------
    dict of str to str
        nebulium's name -> the file's name. ``A + B`` is the sum of two columns.

    Raises
    ------
    TableError
        If a string has no ``=``, or a file cannot be read.

    Examples
    --------
    >>> column_mapping(["redshift=Z", "target_id = TARGETID"])
    {'redshift': 'Z', 'target_id': 'TARGETID'}
    >>> column_mapping("fastspecfit")["ew_HALPHA"]
    'HALPHA_EW'
    """
    if isinstance(given, Mapping):
        return dict(given)
    if isinstance(given, str | Path):
        given = [str(given)]
    merged: dict[str, str] = {}
    for item in given:
        merged |= _one(str(item))
    return merged


def _one(item: str) -> Mapping[str, str]:
    """A name, a file or a pair."""
    if item in NAMED_MAPPINGS:
        return NAMED_MAPPINGS[item]
    if item.endswith((".json", ".ecsv", ".csv")) and "=" not in item:
        return _from_json(Path(item)) if item.endswith(".json") else _from_table(Path(item))
    name, equals, column = (part.strip() for part in item.partition("="))
    if not (name and equals and column):
        known = ", ".join(NAMED_MAPPINGS)
        problem = "is not a column mapping: expected name=column"
        raise TableError(
            f"column mapping {item!r}", problem, f"write redshift=Z, say, or one of {known}, or a file"
        )
    return {name: column}


def _from_json(path: Path) -> dict[str, str]:
    """An object of strings."""
    with reading(path, "JSON"):
        content = json.loads(path.read_text(encoding="utf-8"))
    if not (isinstance(content, dict) and all(isinstance(column, str) for column in content.values())):
        raise TableError(str(path), "is not a JSON object of strings", 'write {"redshift": "Z"}, say')
    return content


def _from_table(path: Path) -> dict[str, str]:
    """A table with the columns name and column."""
    names = ("name", "column")
    source = open_table(path, names)
    for name in names:
        if name not in source.columns:
            raise missing_column(source.name, name, source.columns)
    pairs: dict[str, str] = {}
    for chunk in source.chunks(names, 1024):
        pairs |= zip(*(chunk[name].astype(str).tolist() for name in names), strict=True)
    return pairs
