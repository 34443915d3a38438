"""Many spectrum files in one call of `nebulium lines predict`, against one of them."""

import tempfile
from pathlib import Path

import numpy as np
from astropy.io import fits

from benchmarks.processes import cost_of
from benchmarks.results import Check, Result, Target
from benchmarks.settings import Settings, data_folder

FILES = 200
SLOWER = Target(most=3)


def measure(settings: Settings) -> list[Result]:
    """Seconds of one file and of many, start-up included, taking turns after one run of each."""
    with tempfile.TemporaryDirectory(prefix="nebulium-files-") as scratch:
        folder = Path(scratch)
        written = _write_files(folder / "spectra")
        sources = {"1": written[0], f"{FILES}": folder / "spectra"}
        runs: dict[str, list[float]] = {name: [] for name in sources}
        for _ in range(1 + settings.repeats):
            for name, source in sources.items():
                arguments = ("lines", "predict", str(source), "--output", str(folder / "lines.parquet"))
                runs[name].append(cost_of(*arguments).seconds)
    seconds = {name: float(np.median(taken[1:])) for name, taken in runs.items()}
    slower = Check(
        f"time of {FILES} files over that of one", seconds[f"{FILES}"] / seconds["1"], SLOWER, ".1f"
    )
    return [
        Result(
            "data/many_files",
            "Spectrum files in one call",
            f"`nebulium lines predict` of one SDSS spec file and of a folder of {FILES} (six galaxies under "
            f"new ids), each in a process of its own, start-up included, median of {settings.repeats}.",
            ("files", "seconds", "over one"),
            [["1", round(seconds["1"], 1), ""], [f"{FILES}", round(seconds[f"{FILES}"], 1), slower]],
        )
    ]


def _write_files(folder: Path) -> list[Path]:
    """SDSS's own files over and over, each with an id of its own."""
    folder.mkdir()
    originals = sorted((data_folder() / "sdss" / "pairs").glob("spec-*.fits"))
    written = [folder / f"spec-{place:04d}.fits" for place in range(FILES)]
    for place, path in enumerate(written):
        with fits.open(originals[place % len(originals)]) as hdus:
            hdus["SPECOBJ"].data["SPECOBJID"] = f"{10**18 + place:>22}"
            hdus.writeto(path)
    return written
