"""Run benchmarks, write their results, print them beside their targets."""

import argparse
import importlib
import sys
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.results import Result
from benchmarks.settings import RESULTS, Settings

#: Modules by the names of the benchmarks, in the order in which they run: the quick ones first.
MODULES = {
    "house": "house.report",
    "windows": "lines.windows",
    "dsps": "sed.dsps",
    "speed": "lines.speed",
    "coverage": "lines.coverage",
    "joint": "lines.joint",
    "published": "lines.published",
    "training": "lines.training",
    "memory": "lines.memory",
    "simulation": "lines.simulation",
    "selection": "lines.selection",
    "mock_population": "mock.population",
    "mock_light": "mock.light",
    "mock_images": "mock.images",
    "mock_survey": "mock.survey",
    "properties_speed": "properties.speed",
    "properties_memory": "properties.memory",
    "properties_mock": "properties.mock",
    "properties_sdss": "properties.sdss",
    "photoz_speed": "photoz.speed",
    "photoz_hdfn": "photoz.hdfn",
    "photoz_dc2": "photoz.dc2",
    "photoz_mock": "photoz.mock",
    "explore": "explore.page",
}


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for; 1 if a target is missed."""
    chosen = _parser().parse_args(arguments)
    given = {name: value for name, value in vars(chosen).items() if name not in ("names", "results")}
    settings = replace(Settings(), **{name: value for name, value in given.items() if value is not None})
    settings.figures.mkdir(parents=True, exist_ok=True)
    results = [result for name in chosen.names or MODULES for result in _run(name, settings, chosen.results)]
    missed = [check for result in results for check in result.checks if not check.met]
    total = sum(len(result.checks) for result in results)
    print(f"\n{total - len(missed)} of {total} targets met")
    return 1 if missed else 0


def _run(name: str, settings: Settings, folder: Path) -> list[Result]:
    start = time.perf_counter()
    results = []
    for result in importlib.import_module(f"benchmarks.{MODULES[name]}").measure(settings):
        print(result.text(), flush=True)
        result.write(folder)
        results.append(result)
    print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)
    return results


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", choices=tuple(MODULES), metavar="NAME", help=f"one of {', '.join(MODULES)}"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the JSON files")
    parser.add_argument("--figures", type=Path, help="folder of the figures")
    parser.add_argument("--model", help="packaged model or folder")
    parser.add_argument("--colours-model", help="the same, of the model without luminosity")
    parser.add_argument("--most-galaxies", type=int, help="test galaxies to use at most, for a quick look")
    parser.add_argument(
        "--memory-rows", type=int, nargs="+", help="rows of the tables of `memory`, ascending"
    )
    parser.add_argument(
        "--mock-galaxies", type=int, nargs="+", help="lengths of the surveys of `mock_survey`"
    )
    parser.add_argument("--memory-images", type=int, help="images of the set of `properties_memory`")
    parser.add_argument("--mock-survey", type=Path, help="survey that `properties_mock` takes, made before")
    parser.add_argument("--photoz-runs", type=Path, help="folder of `make bench-train`")
    parser.add_argument("--explore-galaxies", type=int, help="mock galaxies that `explore` shows")
    parser.add_argument("--explore-seconds", type=float, help="how long the visitors of `explore` click")
    parser.add_argument("--house-before", help="commit with which `house` compares the tree")
    parser.add_argument("--repeats", type=int, help="runs of each timing")
    return parser


if __name__ == "__main__":
    sys.exit(main())
