"""Files and folders that appear whole or not at all."""

import errno
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from nebulium.errors import OutputError

#: What the system says, and what the user can do about it.
MENDS = {
    errno.ENOSPC: ("the disk is full", "free some space, or write to another disk"),
    errno.EDQUOT: ("the disk quota is used up", "free some space, or write to another disk"),
    errno.EFBIG: ("the file is too large for this disk", "write to another disk"),
    errno.EIO: ("the disk reports an error", "write to another disk"),
    errno.EROFS: ("the disk is read-only", "write to another folder"),
    errno.EACCES: ("writing there is not permitted", "choose a folder that you may write to"),
    errno.EPERM: ("writing there is not permitted", "choose a folder that you may write to"),
    errno.ENAMETOOLONG: ("the name is too long", "choose a shorter name"),
}

#: Faults of the disk under the output, whichever library was writing at the time.
DISK_FAULTS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS})


@contextmanager
def replace_on_success(path: str | Path, *, folder_with: str | None = None) -> Iterator[Path]:
    """Write to a hidden name beside ``path``; take its place only when the block ends without an error.

    The data are on the disk before the name changes, so that neither a full disk, Ctrl-C, ``kill -9`` nor a
    power cut leaves half a file under the name that was asked for.

    Parameters
    ----------
    path : str or Path
        The file or folder to be written. A file of that name is replaced, a folder only as `folder_with`
        says.
    folder_with : str, optional
        Name of a file that each folder of the kind that is written holds: a folder that is there is replaced
        whole if it has this file, or is empty.

    Yields
    ------
    Path
        Where to write instead, with the same ending; the block makes a file or a folder of that name.

    Raises
    ------
    OutputError
        If the folder around it is missing or cannot be written to, the disk is full, or ``path`` is a device
        or a folder of another kind.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     with replace_on_success(f"{scratch}/answer.txt") as partial:
    ...         _ = partial.write_text("42")
    ...     Path(f"{scratch}/answer.txt").read_text()
    '42'
    """
    with _telling(Path(path), disk_faults_only=False):
        # A link stays a link: what it points to is replaced.
        target = Path(path).resolve()
        check_place(path, folder_with=folder_with)
        partial = target.with_name(f".partial-{os.getpid()}-{secrets.token_hex(4)}-{target.name}")
        _check_writable(partial)
    try:
        with _telling(Path(path), disk_faults_only=True):
            yield partial
        with _telling(Path(path), disk_faults_only=False):
            _to_disk(partial)
            _take_place(partial, target)
    except BaseException:
        _remove(partial)
        raise


@contextmanager
def _telling(path: Path, *, disk_faults_only: bool) -> Iterator[None]:
    """Errors of the system about the output become errors that say what to do."""
    try:
        yield
    except OSError as error:
        if _is_short_write(error):
            error = OSError(errno.ENOSPC, str(error))
        if disk_faults_only and error.errno not in DISK_FAULTS:
            raise
        raise output_error(path, error) from error


def _is_short_write(error: OSError) -> bool:
    """Numpy and astropy report a full disk without the number of the error."""
    return error.errno is None and ("requested and" in str(error) or "enough space" in str(error))


def file_stem(name: str) -> str:
    """A name, such as that of a column, as part of the name of a file."""
    return name.replace("/", "_")


def output_error(path: str | Path, error: OSError) -> OutputError:
    """The error to raise when the system refuses to write."""
    problem, mend = MENDS.get(error.errno or 0, (str(error), "write to another folder"))
    return OutputError(str(path), f"cannot be written: {problem}", mend)


def as_paths(source: str | Path | Sequence[str | Path]) -> list[Path]:
    """The paths of one input, or of several."""
    return [Path(one) for one in ([source] if isinstance(source, str | Path) else source)]


def input_name(source: str | Path | Sequence[str | Path]) -> str:
    """One name for many files."""
    return ", ".join(map(str, as_paths(source)))[:200]


def check_not_input(source: Path, output: Path) -> None:
    """Refuse to replace the input, a folder that it is in, or a file in a folder that is the input."""
    if source.exists() and output.exists() and source.samefile(output):
        raise OutputError(str(output), "is the input, which would be lost", "choose another name")
    if output.is_dir() and output.resolve() in source.resolve().parents:
        problem = f"is a folder with the input {source} in it, which would be lost"
        raise OutputError(str(output), problem, "choose another name, or move the input")
    if source.is_dir() and output.exists() and source.resolve() in output.resolve().parents:
        problem = f"is a file of the input {source}, which might be lost"
        raise OutputError(str(output), problem, "choose another name, or remove it first")


def check_place(path: str | Path, *, folder_with: str | None = None) -> None:
    """Refuse a place where nothing can be written, or where other things would be lost: before long work."""
    target = Path(path).resolve()
    if not target.parent.is_dir():
        problem = f"cannot be written: there is no folder {target.parent}"
        raise OutputError(str(path), problem, f"make it first: mkdir -p '{target.parent}'")
    if target.is_dir():
        if folder_with is None:
            problem = "cannot be written: it is a folder, and a file is to be written"
            raise OutputError(str(path), problem, "add the name of a file")
        if not (target / folder_with).is_file() and any(target.iterdir()):
            problem = f"is a folder with other things in it, which would be lost (there is no {folder_with})"
            raise OutputError(str(path), problem, "choose the name of a new folder")
    elif target.is_file() and folder_with is not None:
        problem = "cannot be written: it is a file, and a folder is to be written"
        raise OutputError(str(path), problem, "choose the name of a folder")
    elif target.exists() and not target.is_file():
        problem = "cannot be written: it is a device, not a file"
        raise OutputError(str(path), problem, "choose the name of an ordinary file")


def _check_writable(partial: Path) -> None:
    """Say at once, not after an hour's work, that the folder is read-only."""
    try:
        partial.touch(exist_ok=False)
    finally:
        partial.unlink(missing_ok=True)


def _to_disk(partial: Path) -> None:
    """A rename may reach the disk before the data do, unless these are flushed first."""
    files = [item for item in partial.rglob("*") if item.is_file()] if partial.is_dir() else [partial]
    for file in files:
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _take_place(partial: Path, target: Path) -> None:
    """Rename; an old folder steps aside first, since a folder cannot be renamed over a full one."""
    aside = None
    if target.is_dir():
        aside = target.with_name(f".replaced-{os.getpid()}-{secrets.token_hex(4)}-{target.name}")
        target.rename(aside)
    try:
        partial.replace(target)
    except BaseException:
        if aside is not None:
            aside.rename(target)
        raise
    if aside is not None:
        _remove(aside)


def _remove(path: Path) -> None:
    """Remove what was written so far, be it a file or a folder, and be it there or not."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
