"""What is checked of an output before the work, and written beside it after."""

from pathlib import Path

from nebulium.data.rejects import Rejects
from nebulium.errors import OutputError


def check_not_input(source: Path, output: Path) -> None:
    """Refuse to replace the input, or a file in a folder that is the input."""
    if source.exists() and output.exists() and source.samefile(output):
        raise OutputError(str(output), "is the input, which would be lost", "choose another name")
    if source.is_dir() and output.exists() and source.resolve() in output.resolve().parents:
        problem = f"is a file of the input {source}, which might be lost"
        raise OutputError(str(output), problem, "choose another name, or remove it first")


def check_free(output: Path) -> None:
    """Refuse a folder that is there, or has no place, before a long training and not after it."""
    if output.exists():
        raise OutputError(str(output), "is there already", "choose another folder, or remove it")
    if not output.parent.is_dir():
        problem = f"there is no folder {output.parent}"
        raise OutputError(str(output), problem, f"make it: mkdir -p '{output.parent}'")


def write_rejects(rejects: Rejects, output: Path) -> Path | None:
    """List the rejects beside an output that is there; if that fails, neither stays."""
    try:
        return rejects.write(output)
    except BaseException:
        output.unlink(missing_ok=True)
        raise
