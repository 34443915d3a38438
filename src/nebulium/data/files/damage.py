"""Files that are cut, damaged, or not what their name says: one error for all formats."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nebulium.errors import NebuliumError, TableError

#: What parsers raise when a file ends too early or its bytes make no sense.
FAULTS: tuple[type[Exception], ...] = (
    OSError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError,
    MemoryError, RuntimeError, zlib.error, zipfile.BadZipFile,
)  # fmt: skip


@contextmanager
def reading(
    path: Path,
    form: str,
    error: type[NebuliumError] = TableError,
    faults: tuple[type[Exception], ...] = FAULTS,
) -> Iterator[None]:
    """Faults of a parser as an error that says what to do; an error of nebulium's passes."""
    try:
        yield
    except NebuliumError:
        raise
    except faults as fault:
        reason = (str(fault).strip() or type(fault).__name__).splitlines()[0]
        problem = f"is truncated, damaged, or not {form} ({reason})"
        raise error(str(path), problem, "make or download it again") from fault
