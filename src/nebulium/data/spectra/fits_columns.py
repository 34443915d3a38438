"""Columns of FITS binary tables, read by themselves: to describe all of them, as astropy does, takes long.

A survey keeps more than a hundred columns beside each spectrum, and a file for each spectrum.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np

from nebulium.data.column_checks import named_rows
from nebulium.data.files import native
from nebulium.errors import SpectrumError

#: A larger table is left to astropy, which maps it into memory.
LARGEST_BYTES = 1 << 24
CARD = re.compile(r"(TTYPE|TFORM|TUNIT|TNULL|TSCAL|TZERO|TDIM)(\d+) *= *(?:'((?:[^']|'')*)'|([^ /]+))")
FORM = re.compile(r" *(\d*)([LXBIJKAEDCMPQ])")
#: Type and bytes of one value; those without a type are left to astropy.
TYPES = {"L": "S1", "B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8", "A": "S"}
SIZES = {"L": 1, "B": 1, "I": 2, "J": 4, "K": 8, "E": 4, "D": 8, "A": 1, "C": 8, "M": 16, "P": 8, "Q": 16}


class Columns:
    """The columns of one binary table of an open FITS file.

    Attributes
    ----------
    forms : dict of str to str
        TFORM by name, in order.
    units : dict of str to str
        TUNIT by name.
    """

    def __init__(self, path: Path, hdu: Any):
        self.path, self.hdu = path, hdu
        info = hdu.fileinfo()
        self._file, self._start = info["file"], info["datLoc"]
        self._file.seek(info["hdrLoc"])
        header = self._file.read(info["datLoc"] - info["hdrLoc"]).decode("ascii", "replace")
        cards: dict[str, dict[int, str]] = {}
        for place in range(0, len(header), 80):
            card = CARD.match(header, place, place + 80)
            if card is not None:
                text = card[4] if card[3] is None else card[3].replace("''", "'").rstrip()
                cards.setdefault(card[1], {})[int(card[2])] = text
        numbers = sorted(cards.get("TTYPE", {}))
        self._numbers = {cards["TTYPE"][number]: number for number in numbers}
        self.forms = {name: cards["TFORM"][number] for name, number in self._numbers.items()}
        units = cards.get("TUNIT", {})
        self.units = {name: units[number] for name, number in self._numbers.items() if number in units}
        self._all_forms = cards.get("TFORM", {})
        special = [cards.get(key, {}) for key in ("TNULL", "TSCAL", "TZERO", "TDIM")]
        self._special = {number for known in special for number in known}

    def is_variable(self, name: str) -> bool:
        """Whether the rows of a column are arrays of different lengths."""
        return bool({"P", "Q"} & set(self.forms[name]))

    def is_plain(self, name: str) -> bool:
        """Whether a column has one number, or one text, a row."""
        form = FORM.match(self.forms[name])
        return form is not None and not self.is_variable(name) and (form[2] == "A" or form[1] in ("", "1"))

    def values(self, name: str, *, is_id: bool = False) -> np.ndarray:
        """A column: rows of different lengths filled up with NaN, and what is null not a number."""
        if self.is_variable(name):
            return self._padded(name)
        form = FORM.match(self.forms[name])
        rows, width = self.hdu.header["NAXIS2"], self.hdu.header["NAXIS1"]
        special = self._numbers[name] in self._special or form is None or form[2] not in TYPES
        if special or rows * width > LARGEST_BYTES or form is None:
            return self._by_astropy(name, is_id=is_id)
        count, kind = int(form[1] or 1), form[2]
        dtype = np.dtype(f"S{count}" if kind == "A" else TYPES[kind])
        shape = (rows,) if kind == "A" or count == 1 else (rows, count)
        self._file.seek(self._start)
        stored = self._file.read(rows * width)
        strides = (width,) if len(shape) == 1 else (width, dtype.itemsize)
        found = np.ndarray(shape, dtype, stored, self._offset(self._numbers[name]), strides)
        return found == b"T" if kind == "L" else native(found)

    def _offset(self, number: int) -> int:
        """Bytes of a row before a column."""
        before = [FORM.match(self._all_forms[place]) for place in range(1, number)]
        parts = [(int(form[1] or 1), form[2]) for form in before if form is not None]
        return sum((count + 7) // 8 if kind == "X" else count * SIZES[kind] for count, kind in parts)

    def _by_astropy(self, name: str, *, is_id: bool) -> np.ndarray:
        column, values = self.hdu.columns[name], native(self.hdu.data[name])
        null = column.null
        if not isinstance(null, int | np.integer) or values.dtype.kind not in "iu":
            return values
        absent = values == int(null) + int(column.bzero or 0)
        if is_id and np.any(absent):
            problem = f"has no id in {named_rows(absent)}"
            raise SpectrumError(f"{self.path}, column {name}", problem, "fill it, or leave the row out")
        return np.where(absent, np.nan, values.astype(np.float64)) if np.any(absent) else values

    def _padded(self, name: str) -> np.ndarray:
        """Arrays of different lengths as the rows of one, filled up with NaN."""
        rows = [np.asarray(row).ravel() for row in self.hdu.data[name]]
        if any(row.dtype.kind not in "biuf" for row in rows):
            mend = "check how the file was made"
            raise SpectrumError(f"{self.path}, column {name}", "holds no numbers", mend)
        padded = np.full((len(rows), max(map(len, rows), default=0)), np.nan)
        for place, row in enumerate(rows):
            padded[place, : len(row)] = row
        return padded


def is_table(hdu: Any) -> bool:
    """Whether an extension is a binary table, and not an image compressed into one."""
    from astropy.io import fits

    return isinstance(hdu, fits.BinTableHDU) and not hdu.header.get("ZIMAGE")
