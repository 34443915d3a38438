"""The folder that a training run leaves: settings, losses, and a checkpoint to take it up from."""

import hashlib
import importlib.metadata
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from jaxtyping import PyTree
from safetensors import SafetensorError

from nebulium.data.named_arrays import arrays_by_name, fill_arrays
from nebulium.data.output import output_error, replace_on_success
from nebulium.errors import OutputError

CONFIG, METRICS, CHECKPOINT = "config.json", "metrics.jsonl", "checkpoint.safetensors"
VERSIONS_OF = ("nebulium", "jax", "equinox", "optax", "numpy")


@dataclass(frozen=True)
class EpochRecord:
    """One line of ``metrics.jsonl``.

    Attributes
    ----------
    epoch : int
        Counted from 1.
    loss : float
        Mean training loss over the epoch.
    validation_loss : float or None
        Of the averaged weights after it; None without validation data.
    seconds : float
        Wall time of the epoch.
    """

    epoch: int
    loss: float
    validation_loss: float | None
    seconds: float


@dataclass(frozen=True)
class RunFolder:
    """A run on disk. The checkpoint is the truth: what the other files hold beyond it is cut off.

    Attributes
    ----------
    path : Path
        The folder, from `open_run`.
    """

    path: Path

    def save(self, state: PyTree, record: EpochRecord) -> None:
        """Write down one epoch: first the line of metrics, then the checkpoint that makes it count."""
        try:
            with (self.path / METRICS).open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(asdict(record)) + "\n")
        except OSError as error:
            raise output_error(self.path / METRICS, error) from error
        content = safetensors.numpy.save(arrays_by_name(state))
        with replace_on_success(self.path / CHECKPOINT) as partial:
            partial.write_bytes(content)

    def restore(self, state: PyTree) -> PyTree:
        """State at the last checkpoint; the one given, if the run was stopped before its first."""
        path = self.path / CHECKPOINT
        if not path.exists():
            return state
        try:
            arrays = safetensors.numpy.load(path.read_bytes())
        except SafetensorError as error:
            raise OutputError(str(path), f"is truncated or damaged ({error})", "train again") from error
        return fill_arrays(state, arrays, where=str(path))

    def history(self, epochs: int) -> list[EpochRecord]:
        """Cut the metrics to the epochs of the checkpoint, and return them."""
        path = self.path / METRICS
        lines = path.read_text(encoding="utf-8").splitlines()[:epochs] if path.exists() else []
        if len(lines) < epochs:
            raise OutputError(
                str(path),
                f"expected {epochs} lines, as the checkpoint has, found {len(lines)}",
                "train again",
            )
        with replace_on_success(path) as partial:
            partial.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        return [EpochRecord(**json.loads(line)) for line in lines]


def open_run(path: str | Path, settings: Mapping[str, Any], *, resume: bool) -> RunFolder:
    """Begin a run in a new folder, or take up the one that is there."""
    path = Path(path)
    if resume:
        try:
            there = json.loads((path / CONFIG).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            problem, mend = f"holds no run to resume ({error})", "check the path, or train without resuming"
            raise OutputError(str(path), problem, mend) from error
        there.pop("versions", None)
        mend = "resume with the same data and settings, or train into another folder"
        check_same(path / CONFIG, there, json.loads(json.dumps(settings)), mend)
        remove_half_written(path)
        return RunFolder(path)
    if path.exists():
        raise OutputError(str(path), "is there already", "choose another folder, or ask to resume the run")
    with replace_on_success(path) as partial:
        partial.mkdir(exist_ok=True)
        document = {**settings, "versions": package_versions(VERSIONS_OF)}
        (partial / CONFIG).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return RunFolder(path)


def fingerprint(tree: PyTree) -> str:
    """Hash of all arrays of a pytree: names, shapes, dtypes and values."""
    digest = hashlib.blake2b(digest_size=16)
    for name, array in arrays_by_name(tree).items():
        digest.update(f"{name} {array.dtype} {array.shape};".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def check_same(path: Path, there: Mapping[str, Any], asked: Mapping[str, Any], mend: str) -> None:
    """Refuse to resume a run of other settings; the error names the first that differs."""
    before, now = _flat(there), _flat(asked)
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name):
            problem = f"the run there has {name} = {before.get(name)}, this one {now.get(name)}"
            raise OutputError(str(path), problem, mend)


def make_or_take(folder: Path, *, resume: bool, holds: str, mend: str) -> None:
    """Make a folder, or take the one that is there where resuming is asked for."""
    if folder.exists() and not resume:
        raise OutputError(str(folder), holds, mend)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise output_error(folder, error) from error


def remove_half_written(folder: Path) -> None:
    """Remove what a killed run was writing."""
    for partial in list(folder.rglob(".partial-*")):
        partial.unlink() if partial.is_file() else shutil.rmtree(partial, ignore_errors=True)


def package_versions(packages: Iterable[str]) -> dict[str, str]:
    """Versions of packages; empty for one that is not installed."""
    return {package: _version(package) for package in packages}


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _flat(document: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by dotted name, so that the one that differs can be named."""
    flat: dict[str, Any] = {}
    for key, value in document.items():
        flat.update(
            _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
        )
    return flat
