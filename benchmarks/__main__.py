"""Run benchmarks, write their results, print them beside their targets."""

import argparse
import importlib
import sys
import time
from dataclasses import fields
from pathlib import Path
from typing import get_args

from benchmarks.results import Result
from benchmarks.settings import RESULTS, Settings

#: Modules by the names of the benchmarks, in the order in which they run: the quick ones first.
MODULES = {
    "house": "house.report",
    "tables": "data.tables",
    "many_files": "data.many_files",
    "inputs": "data.inputs",
    "windows": "lines.windows",
    "dsps": "sed.dsps",
    "sed_band_table": "sed.band_table",
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
    "mock_spectra": "mock.spectra",
    "mock_survey": "mock.survey",
    "properties_speed": "properties.speed",
    "properties_memory": "properties.memory",
    "properties_mock": "properties.mock",
    "properties_sdss": "properties.sdss",
    "properties_galaxy_zoo": "properties.galaxy_zoo",
    "generate_mock": "generate.mock",
    "generate_candels": "generate.candels",
    "generate_rivals": "generate.rivals",
    "generate_speed": "generate.speed",
    "generate_halves": "generate.halves",
    "generate_pixels": "generate.pixels",
    "generate_pictures": "generate.pictures",
    "spectra": "spectra.mock",
    "spectra_basis": "spectra.basis",
    "spectra_rivals": "spectra.rivals",
    "spectra_learning": "spectra.learning",
    "spectra_legacy": "spectra.legacy",
    "spectra_pairs": "spectra.pairs",
    "infer_calibration": "infer.calibration",
    "photoz_speed": "photoz.speed",
    "photoz_hdfn": "photoz.hdfn",
    "photoz_real": "photoz.real",
    "photoz_dc2": "photoz.dc2",
    "photoz_rail": "photoz.beside_rail",
    "photoz_few_labels": "photoz.few_labels",
    "photoz_bpz": "photoz.bpz",
    "photoz_mock": "photoz.mock",
    "explore": "explore.page",
}


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for; 1 if a target is missed."""
    chosen = vars(_parser().parse_args(arguments))
    names, folder = chosen.pop("names"), chosen.pop("results")
    settings = Settings(**{name: tuple(v) if isinstance(v, list) else v for name, v in chosen.items()})
    settings.figures.mkdir(parents=True, exist_ok=True)
    results = [result for name in names or MODULES for result in _run(name, settings, folder)]
    checks = [check for result in results for check in result.checks]
    missed = [check for check in checks if not check.met]
    print(f"\n{len(checks) - len(missed)} of {len(checks)} targets met")
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
    known = ", ".join(MODULES)
    parser.add_argument("names", nargs="*", choices=tuple(MODULES), metavar="NAME", help=f"one of {known}")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the JSON files")
    for setting in fields(Settings):
        parser.add_argument(
            f"--{setting.name.replace('_', '-')}",
            # Of `int | None` and `tuple[int, ...]`, the int.
            type=next(iter(get_args(setting.type)), setting.type),
            nargs="+" if isinstance(setting.default, tuple) else None,
            default=setting.default,
            help=setting.metadata["help"],
        )
    return parser


if __name__ == "__main__":
    sys.exit(main())
