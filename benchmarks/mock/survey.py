"""Galaxies a second from properties to finished image with ``nebulium mock make``, and its memory."""

import tempfile
from pathlib import Path

from benchmarks.processes import Cost, cost_of
from benchmarks.results import CHECK_COLUMNS, Check, Result, Target
from benchmarks.settings import Settings
from nebulium.mock.survey.survey_list import find_survey

SURVEY, PROCESSES, SHARDS = "candels", 2, 4
RATE, FLAT, TEN_MINUTES = Target(least=40), Target(most=1.10), Target(most=600)
LONG = 20_000


def measure(settings: Settings) -> list[Result]:
    """Time and memory of the command at each length."""
    costs = {n: _cost(n) for n in sorted(settings.mock_galaxies)}
    shortest, longest = min(costs), max(costs)
    rate = (longest - shortest) / (costs[longest].seconds - costs[shortest].seconds)
    memory = Check(
        f"peak memory of {longest:,} galaxies over that of {shortest:,}",
        costs[longest].peak_bytes / costs[shortest].peak_bytes,
        FLAT,
    )
    steady = Check("galaxies a second, without the start", rate, RATE)
    checks = [steady, memory]
    if LONG in costs:
        checks.append(Check(f"seconds for {LONG:,} galaxies", costs[LONG].seconds, TEN_MINUTES))
    rows = [[f"{n:,} galaxies: seconds, start to pictures", c.seconds, ""] for n, c in costs.items()]
    rows += [[f"{n:,} galaxies: peak / MiB", c.peak_bytes / 2**20, ""] for n, c in costs.items()]
    rows += [check.row for check in checks]
    instrument = find_survey(SURVEY).instrument()
    pixels = instrument.stamp_pixels
    return [
        Result(
            "mock/survey",
            "A survey, from properties to images",
            f"`nebulium mock make --survey {SURVEY} --processes {PROCESSES} --shards {SHARDS}` in a process "
            "of its own: properties drawn and selected, spectra with lines, photometry, images of "
            f"{pixels} x {pixels} pixels in {len(instrument.bands)} bands with noise and "
            f"{find_survey(SURVEY).neighbours_per_stamp(pixels):.2f} neighbours each on average, shards, "
            "catalogue and pictures. The rate is that between the two lengths, so that imports and "
            "compilation, which do not grow, are left out; the seconds are those of the whole command. "
            "Memory is the largest resident set of any of its processes.",
            CHECK_COLUMNS,
            rows,
        )
    ]


def _cost(n: int) -> Cost:
    with tempfile.TemporaryDirectory(prefix="nebulium-mock-") as scratch:
        folder = str(Path(scratch) / "mock")
        options = ("--survey", SURVEY, "--n", str(n), "--processes", str(PROCESSES), "--shards", str(SHARDS))
        return cost_of("mock", "make", *options, "--output", folder)
