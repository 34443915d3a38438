"""Light installations: real environments with the core alone, and with one extra each, and commands in each.

``python benchmarks/house/extras.py core sed``: each command must do its work where the environment has what
it needs, and else end in one line that names the extra, with code 2, and leave nothing behind.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import venv
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).parents[2]
FIXTURES = REPOSITORY / "tests" / "fixtures" / "models"
#: What the extras bring of one another.
BRINGS = {
    "core": (),
    "sed": ("sed",),
    "mock": ("mock", "sed"),
    "photoz": ("photoz", "sed"),
    # The drawing of maps brings scikit-learn.
    "explore": ("explore", "sed", "bench"),
    "bench": ("bench",),
}
PROGRESS = re.compile(r" \(\d+ s\)$")
#: Commands that run side by side.
TOGETHER = 2
#: An environment that can follow another in the same place: it has all of that, and no more than its own.
AFTER = {"sed": "core", "mock": "sed"}
MEASURED = """
import numpy as np
from nebulium import Table, write_table
from nebulium.lines.continuum.line_list import LINES
rng = np.random.default_rng(0)
columns = {"target_id": np.arange(1500), "redshift": rng.uniform(0.02, 0.2, 1500)}
columns |= {f"continuum_flux_{place}": rng.lognormal(size=1500) for place in range(12)}
columns |= {f"ew_{line}": rng.lognormal(size=1500) for line in LINES}
write_table(Table(columns), "measured.parquet")
"""
COLOURS = """
import numpy as np
from PIL import Image
for name in "123":
    pixels = np.random.default_rng(int(name)).integers(1, 255, (96, 96, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(f"cutouts/{name}.jpg")
"""
CUBE = """
import h5py, numpy as np
with h5py.File("cube.h5", "w") as file:
    file["images"] = np.random.default_rng(0).integers(1, 255, (3, 96, 96, 3)).astype(np.uint8)
"""


class Command(NamedTuple):
    """Arguments of nebulium, and the extra that they need."""

    arguments: str
    needs: str = "core"


COMMANDS = (
    Command("models list"),
    Command("lines predict continua.parquet -o lines.ecsv"),
    Command("properties predict cutouts --model sdss-metallicity -o metallicity.parquet"),
    Command("photoz predict survey --model photoz-photometry -o redshifts.fits"),
    Command("demo --galaxies 10 -o demo", "sed"),
    Command("properties predict cube.h5 --model sdss-metallicity -o of-cube.parquet", "sed"),
    Command("mock make --survey candels --n 2 --pixels 16 -o mock", "mock"),
    Command("photoz predict survey --model photoz-photometry -o with.fits --pdf densities.hdf5", "photoz"),
    Command("explore continua.parquet --export page", "explore"),
    Command("lines evaluate measured.parquet --traditional -o scores", "bench"),
)


def main(asked: list[str]) -> int:
    """Test the environments asked for; 1 if a command did not end as it should."""
    failed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="nebulium-extras-") as scratch:
        wheel = _wheel(Path(scratch))
        for chain in _chains(asked or list(BRINGS)):
            place = Path(scratch) / chain[0]
            venv.create(place, symlinks=True)
            for extra, before in zip(chain, ["", *chain], strict=False):
                failed += _tested(place, wheel, extra, before)
            shutil.rmtree(place)
    print("\n".join(["", *failed]) if failed else "all commands ended as they should")
    return 1 if failed else 0


def _chains(asked: list[str]) -> list[list[str]]:
    """Environments that grow in one place, one extra after the other."""
    chains: list[list[str]] = []
    for extra in sorted(asked, key=list(BRINGS).index):
        before = next((chain for chain in chains if chain[-1] == AFTER.get(extra)), None)
        if before is None:
            chains.append([extra])
        else:
            before.append(extra)
    return chains


def _pip(*arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "pip", *arguments, "--quiet", "--disable-pip-version-check"], check=True
    )


def _wheel(folder: Path) -> Path:
    _pip("wheel", "--no-deps", "--wheel-dir", str(folder), str(REPOSITORY))
    return next(folder.glob("*.whl"))


def _tested(place: Path, wheel: Path, extra: str, before: str) -> list[str]:
    """Install into an environment, and run the commands there that did not do their work before."""
    began = time.perf_counter()
    wanted = str(wheel) if extra == "core" else f"{wheel}[{extra}]"
    # Modules are compiled when they are first imported, and only those.
    _pip("--python", str(place), "install", "--no-compile", wanted)
    size = sum(file.stat().st_size for file in place.rglob("*") if file.is_file() and not file.is_symlink())
    print(f"{extra}: {size / 1e9:.2f} GB installed in {time.perf_counter() - began:.0f} s", flush=True)
    commands = [command for command in COMMANDS if not (before and _has(before, command))]
    with tempfile.TemporaryDirectory(dir=place.parent) as work, ThreadPoolExecutor(TOGETHER) as together:
        _prepare(Path(work), place, extra)
        faults = together.map(lambda command: _fault(command, Path(work), place, extra), commands)
        return [f"{extra}: {fault}" for fault in faults if fault]


def _has(extra: str, command: Command) -> bool:
    return command.needs in ("core", *BRINGS[extra])


def _prepare(work: Path, place: Path, extra: str) -> None:
    """Input for the commands."""
    shutil.copy(FIXTURES / "continua.parquet", work)
    shutil.copytree(FIXTURES / "survey", work / "survey")
    model = work / "photoz-photometry"
    shutil.copytree(FIXTURES / model.name, model)
    with zipfile.ZipFile(model / "weights.zip") as packed:
        packed.extractall(model)
    (work / "cutouts").mkdir()
    (work / "cube.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    for script in (MEASURED, COLOURS, *([CUBE] if "sed" in BRINGS[extra] else [])):
        subprocess.run([place / "bin" / "python", "-c", script], cwd=work, check=True)


def _fault(command: Command, work: Path, place: Path, extra: str) -> str:
    """What is wrong with how a command ended; empty if nothing is."""
    folder = Path(shutil.copytree(work, tempfile.mkdtemp(dir=work.parent), dirs_exist_ok=True))
    before = sorted(folder.rglob("*"))
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    own |= {
        "JAX_COMPILATION_CACHE_DIR": str(place.parent / "jax"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    began = time.perf_counter()
    program = [place / "bin" / "nebulium", *command.arguments.split()]
    done = subprocess.run(program, cwd=folder, env=own, capture_output=True, text=True, check=False)
    print(f"  {done.returncode}  {time.perf_counter() - began:4.0f} s  {command.arguments}", flush=True)
    # On a slow machine a line of progress may come before the fault.
    said = [line for line in done.stderr.strip().splitlines() if not PROGRESS.search(line)]
    if "Traceback" in done.stderr or done.returncode not in (0, 2):
        return f"{command.arguments}: ended with {done.returncode}: {said[-1:]}"
    if _has(extra, command):
        return "" if done.returncode == 0 else f"{command.arguments}: {said}"
    named = len(said) == 1 and said[0].startswith("Error: the extra ") and "pip install 'nebulium[" in said[0]
    if done.returncode != 2 or not named or sorted(folder.rglob("*")) != before:
        return f"{command.arguments}: expected one line that names the extra and nothing made, found {said}"
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
