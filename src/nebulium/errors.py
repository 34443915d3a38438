"""What nebulium raises when the input, the model or the output is at fault."""

import copyreg
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

#: Of each extra, the modules that are imported and the packages that bring them, the first needed first.
EXTRAS = {
    "sed": {"dsps": "dsps", "h5py": "h5py", "sedpy": "astro-sedpy"},
    "mock": {"galsim": "galsim", "flowjax": "flowjax", "speclite": "speclite"},
    "photoz": {"qp": "qp-prob"},
    "explore": {"dash": "dash", "plotly": "plotly", "umap": "umap-learn"},
    "bench": {"sklearn": "scikit-learn"},
}
#: The extras that bring those of `sed` as well.
WITH_SED = ("mock", "photoz", "explore")


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
        super().__init__(where, problem, mend)
        self.where, self.problem, self.mend = where, problem, mend

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}. To mend: {self.mend}"

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies are made of what it holds: its kind may be constructed of other arguments."""
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]


class TableError(NebuliumError):
    """A table that cannot be read, or that lacks what is asked of it."""


class MissingColumnError(TableError):
    """A table lacks a column that is asked of it."""

    def __init__(self, where: str, problem: str, mend: str, *, column: str):
        super().__init__(where, problem, mend)
        self.column = column


class ImplausibleError(TableError):
    """Numbers that are hardly in the unit that they are taken to be in."""


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
        problem = f"{package} is not installed"
        super().__init__(f"the extra {extra}", problem, f"pip install 'nebulium[{extra}]'")


def check_extra(extra: str) -> None:
    """Refuse work that needs an extra which is not installed, before anything is made."""
    needed = EXTRAS[extra] | (EXTRAS["sed"] if extra in WITH_SED else {})
    for module, package in needed.items():
        if find_spec(module) is None:
            raise MissingExtraError(package, extra)


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
        error.mend = mend
        raise
