"""What nebulium raises when the input, the model or the output is at fault."""

from collections.abc import Iterator
from contextlib import contextmanager


class NebuliumError(Exception):
    """A fault that the user can mend; the command line prints it and exits with code 2.

    The three parts make every message say the same things in the same order.

    Parameters
    ----------
    where : str
        The file, row, column or argument at fault.
    problem : str
        What was expected and what was found.
    mend : str
        What the user can do about it.

    Examples
    --------
    >>> print(NebuliumError("galaxies.parquet, column redshift", "is missing", "map it with --column"))
    galaxies.parquet, column redshift: is missing. To mend: map it with --column
    """

    def __init__(self, where: str, problem: str, mend: str):
        super().__init__(f"{where}: {problem}. To mend: {mend}")
        self.where, self.problem, self.mend = where, problem, mend


class TableError(NebuliumError):
    """A table that cannot be read, or that lacks what is asked of it."""


class MissingColumnError(TableError):
    """A table lacks a column that is asked of it."""

    def __init__(self, where: str, problem: str, mend: str, *, column: str):
        super().__init__(where, problem, mend)
        self.column = column


class SpectrumError(NebuliumError):
    """A spectrum file that cannot be read, or with units or wavelengths that make no sense."""


class ModelFileError(NebuliumError):
    """A model folder that is incomplete, of another class, or from a newer version."""


class OutputError(NebuliumError):
    """A file or folder that cannot be written."""


class SurveyError(NebuliumError):
    """A mock survey that is not known, or that cannot be made of what was given."""


class ImageError(NebuliumError):
    """Images that cannot be read, prepared or drawn as asked, or an instrument that is not known."""


class MissingExtraError(NebuliumError, ImportError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, extra: str):
        super().__init__(f"package {package}", "is not installed", f"pip install 'nebulium[{extra}]'")


@contextmanager
def from_extra(package: str, extra: str) -> Iterator[None]:
    """Imports from a package that comes with an extra: the error says which extra, if it is missing."""
    try:
        yield
    except ImportError as error:
        raise MissingExtraError(package, extra) from error


@contextmanager
def mending(kind: type[NebuliumError], mend: str) -> Iterator[None]:
    """Errors of a kind with another mend: one that exists where the user stands."""
    try:
        yield
    except kind as error:
        error.args = (f"{error.where}: {error.problem}. To mend: {mend}",)
        error.mend = mend
        raise
