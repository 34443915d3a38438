"""Tables as text: CSV with any separator, and columns apart by blanks; the header is a row or a comment."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from nebulium.data.files import FAULTS_OF_ARROW, reading
from nebulium.data.ids import ids_as_written
from nebulium.data.tables.astropy_tables import open_described, open_ecsv
from nebulium.data.tables.parquet import converted
from nebulium.data.tables.table import TableSource
from nebulium.errors import TableError

#: What parts the values of a line: the one that the first line has most of, else blanks.
SEPARATORS = (",", ";", "\t", "|")
#: Lines in which the header is looked for.
HEAD_LINES = 10_000
#: A column of a header that numbers them, as SExtractor and BPZ do: "# 3 MAG_AUTO  Kron magnitude  [mag]".
NUMBERED = re.compile(r"#\s*(\d+)\s+([A-Za-z_]\S*)(?:.*\[([^\]]+)\])?")
#: A number with a decimal comma, between semicolons.
DECIMAL_COMMA = re.compile(r"(?:^|;)\s*[-+]?\d*,\d+\s*(?:;|$)")
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eEdD][-+]?\d+)?|[-+]?(nan|inf)", re.IGNORECASE)
#: What stands for a missing value beside what Arrow takes for one.
NO_VALUE = ["", "NA", "N/A", "NaN", "nan", "-nan", "null", "NULL", "None", "--", "-", "...", "#N/A", '""']


@dataclass(frozen=True)
class Header:
    """What stands above the rows.

    Attributes
    ----------
    names : list of str
        Of the columns.
    lines : int
        Lines of the file before the first row.
    separator : str
        Between two values; a blank stands for any number of blanks.
    units : dict of str to str
        As the header declares them.
    """

    names: list[str]
    lines: int
    separator: str
    units: dict[str, str] = field(default_factory=dict)


def open_text(path: Path, wanted: Sequence[str] | None, ids: Sequence[str] = ()) -> TableSource:
    """Open a table of text; it is read whole, and columns of ids as they are written."""
    with path.open("rb") as file:
        head = [line for line, _ in zip(file, range(HEAD_LINES), strict=False)]
    if head and head[0].startswith(b"# %ECSV"):
        return open_ecsv(path, wanted)
    form = _described(head)
    if form:
        return open_described(path, form)
    encoding = _encoding(b"".join(head))
    lines = [line.decode(encoding, errors="replace").strip("\r\n\ufeff") for line in head]
    header = _header(path, lines, {*(wanted or ()), *ids})
    texts = [name for name in ids if name in header.names]
    table = _read(path, header, encoding, lines, texts)
    exact = {name: ids_as_written(table[name].fill_null("").to_numpy()) for name in texts}

    def chunks(names: Sequence[str], rows: int) -> Iterator[dict[str, np.ndarray]]:
        firsts = range(0, len(table), rows)
        # Text that is not UTF-8 is found out only here.
        with reading(path, "a table of text"):
            parts = converted(path, (table.slice(first, rows) for first in firsts), names)
            for first, part in zip(firsts, parts, strict=True):
                yield part | {name: exact[name][first : first + rows] for name in names if name in exact}

    return TableSource(str(path), tuple(header.names), chunks, header.units)


def _described(head: Sequence[bytes]) -> str | None:
    """The tables of IRSA (names between bars, rows apart by place), and those of the AAS journals and CDS."""
    if any(line.startswith(b"Byte-by-byte Description of file") for line in head[:200]):
        return "ascii.mrt"
    lines = [line for line in head if line.strip() and not line.startswith(b"\\")]
    named = len(lines) > 1 and all(line.startswith(b"|") for line in lines[:2])
    return "ascii.ipac" if named and not lines[-1].startswith(b"|") else None


def _encoding(head: bytes) -> str:
    """UTF-8, or what editors wrote before it."""
    try:
        head.decode("utf-8")
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def _read(path: Path, header: Header, encoding: str, lines: Sequence[str], texts: Sequence[str]) -> pa.Table:
    """The rows, by Arrow; blanks are made one separator first."""
    source: Path | BytesIO = path
    skipped, separator = header.lines, header.separator
    if separator == " ":
        with path.open(encoding=encoding, errors="replace") as file:
            rows = (line.split("#")[0].split() for place, line in enumerate(file) if place >= header.lines)
            source, skipped = BytesIO("\n".join(" ".join(row) for row in rows if row).encode()), 0
    comma = separator == ";" and any(map(DECIMAL_COMMA.search, lines[header.lines :]))
    try:
        return _parsed(source, header, encoding, skipped, comma, texts)
    except FAULTS_OF_ARROW as fault:
        if "Empty CSV file" in str(fault):
            raise TableError(str(path), "has no rows", "check how it was made") from fault
        problem = f"has rows that are not {len(header.names)} values ({str(fault).splitlines()[0]})"
        mend = "mend the rows; text with a separator in it stands in double quotes"
        raise TableError(str(path), problem, mend) from fault


def _parsed(
    source: Path | BytesIO, header: Header, encoding: str, skipped: int, comma: bool, texts: Sequence[str]
) -> pa.Table:
    read = pyarrow.csv.ReadOptions(
        skip_rows=skipped, column_names=header.names, encoding="utf-8" if skipped == 0 else encoding
    )
    convert = pyarrow.csv.ConvertOptions(
        decimal_point="," if comma else ".",
        column_types=dict.fromkeys(texts, pa.string()),
        null_values=NO_VALUE,
    )
    return pyarrow.csv.read_csv(source, read, pyarrow.csv.ParseOptions(delimiter=header.separator), convert)


def _header(path: Path, lines: Sequence[str], wanted: set[str]) -> Header:
    """Names of the columns: the first line, if it is not a row already, else a comment above it."""
    rows = [place for place, line in enumerate(lines) if line.strip() and not line.startswith("#")]
    comments = [line for line in lines[: rows[0] if rows else None] if line.startswith("#")]
    if not rows:
        return Header((comments[-1:] or ["#"])[0].lstrip("# ").split() or ["nothing"], len(lines), " ")
    first, below = lines[rows[0]], lines[rows[1]] if len(rows) > 1 else ""
    separator = _separator(first, path)
    fields, following = _values(first, separator), _values(below, separator)
    numbered = [found for comment in comments if (found := NUMBERED.match(comment))]
    if numbered and separator == " " and any(map(NUMBER.fullmatch, fields)):
        return _numbered(numbered, len(fields), rows[0])
    alike = [
        names for comment in comments if len(names := _values(comment.lstrip("# "), separator)) == len(fields)
    ]
    numbers_below = any(map(NUMBER.fullmatch, following))
    if not any(map(NUMBER.fullmatch, fields)) and (numbers_below or not alike or not following):
        units, more = _units(fields, [lines[row] for row in rows[1:3]], separator)
        return Header(_named(fields), rows[more] + 1, separator, units)
    if not alike:
        problem = f"has no line that names its {len(fields)} columns (the first row is {first[:60]!r})"
        raise TableError(str(path), problem, "write the names above the rows, as '# id z flux err'")
    # Of several the one with the columns asked for, or else the nearest to the rows.
    return Header(max(reversed(alike), key=lambda names: len(wanted & set(names))), rows[0], separator)


def _separator(line: str, path: Path) -> str:
    """What the line has most of, outside quotes; a CSV file of one column has none."""
    bare = re.sub(r'"[^"]*"', "", line)
    most = max(SEPARATORS, key=bare.count)
    if bare.count(most):
        return most
    return "," if path.suffix.lower() == ".csv" else " "


def _values(line: str, separator: str) -> list[str]:
    """The values of a line."""
    if '"' in line and separator != " ":
        # A name may hold the separator, in quotes.
        parts = next(csv.reader([line], delimiter=separator, skipinitialspace=True))
    else:
        parts = line.split() if separator == " " else line.split(separator)
    return [part.strip().strip('"') for part in parts] if line.strip() else []


def _named(fields: Sequence[str]) -> list[str]:
    """Names of columns; where several have none, as beside the outer bars, they are told apart."""
    if fields.count("") < 2:
        return list(fields)
    return [name or f"column_{place}" for place, name in enumerate(fields, start=1)]


def _numbered(found: Sequence[re.Match[str]], columns: int, lines: int) -> Header:
    """Names by number; a column of several values has the number of its first, and names the others."""
    names, units = {int(one[1]): one[2] for one in found}, {one[2]: one[3] for one in found if one[3]}
    full: list[str] = []
    for number in range(1, columns + 1):
        last = max((known for known in names if known <= number), default=number)
        name = names.get(last, f"column_{number}")
        full.append(name if last == number else f"{name}_{number - last}")
    return Header(full, lines, " ", units)


def _units(names: Sequence[str], below: Sequence[str], separator: str) -> tuple[dict[str, str], int]:
    """Units below the names, above a line of dashes, as VizieR writes them; and how many lines that is."""
    for place, line in enumerate(below):
        if "-" in line and not line.replace(separator, "").replace("-", "").strip():
            units = _values(below[0], separator) if place else []
            return {name: unit for name, unit in zip(names, units, strict=False) if unit}, place + 1
    return {}, 0
