"""Spectra out, chunk by chunk: whole or not at all."""

import pickle
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import reduce
from pathlib import Path
from types import TracebackType

from nebulium.data.output import replace_on_success
from nebulium.data.spectra.fits import write_spectrum_fits
from nebulium.data.spectra.mmu import write_mmu
from nebulium.data.spectra.spectrum_set import Form, Spectra
from nebulium.data.tables.table import READABLE, ending_of
from nebulium.errors import OutputError

#: Writes spectra of one form, of so many rows in all.
WRITERS = {"parquet": write_mmu, "fits": write_spectrum_fits}


class SpectraWriter:
    """Write spectra as they come; the file appears when the block ends without an error.

    How long the longest is, and which columns there are, is known after the last of many files: until then
    the spectra wait in a file without a name, beside the output.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        form = READABLE.get(ending_of(self.path) or "", "")
        if form not in WRITERS:
            problem = (
                f"cannot be written as spectra: the ending {self.path.suffix!r} is not .parquet or .fits"
            )
            raise OutputError(str(path), problem, "choose one of these endings")
        self._write, self._forms, self.rows = WRITERS[form], list[Form](), 0
        self._stack = ExitStack()

    def __enter__(self) -> "SpectraWriter":
        self._partial = self._stack.enter_context(replace_on_success(self.path))
        self._waiting = self._stack.enter_context(tempfile.TemporaryFile(dir=self._partial.parent))
        return self

    def append(self, spectra: Spectra) -> None:
        """Add spectra."""
        pickle.dump(spectra, self._waiting, protocol=5)
        self._forms.append(Form.of(spectra))
        self.rows += len(spectra)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._stack.__exit__(kind, error, trace)
            return
        with self._stack:
            self._write(self._alike(), self._partial, self.rows)

    def _alike(self) -> Iterator[Spectra]:
        form = reduce(Form.joined, self._forms)
        self._waiting.seek(0)
        for _ in self._forms:
            yield replace(form.applied(pickle.load(self._waiting)), name=str(self.path))


def write_spectra(spectra: Spectra, path: str | Path) -> None:
    """Write spectra, whole or not at all.

    Parameters
    ----------
    spectra : Spectra
        What to write.
    path : str or Path
        Ending in .parquet (layout of the Multimodal Universe) or .fits (a binary table, a row a spectrum).

    Raises
    ------
    OutputError
        If the ending is another one, or the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from nebulium.data import read_spectra
    >>> wave = np.linspace(4000, 5000, 3, dtype=np.float32)[None]
    >>> spectra = Spectra(np.array([7]), wave, np.ones_like(wave), np.ones_like(wave), np.array([0.1]))
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     write_spectra(spectra, f"{scratch}/spectra.parquet")
    ...     read_spectra(f"{scratch}/spectra.parquet").redshift.tolist()
    [0.1]
    """
    with SpectraWriter(path) as writer:
        writer.append(spectra)
