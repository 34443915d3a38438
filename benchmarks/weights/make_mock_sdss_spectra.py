"""Train the packaged model `mock-sdss-spectra` and write its folder.

    python -m benchmarks.weights.make_mock_sdss_spectra [--survey FOLDER]

Ten minutes of two cores for the galaxies, unless they were made before (`nebulium mock make --survey sdss
--n 20000 --seed 11 --spectra noiseless`), and as long again for the training. How good it is, `python -m
benchmarks spectra` measures on the test galaxies.
"""

import argparse
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from benchmarks.settings import REPOSITORY, Settings
from benchmarks.spectra.mocks import CONFIG, MODEL, spectra_survey
from nebulium.spectra import train_file

DESTINATION = REPOSITORY / "src/nebulium/spectra/weights" / MODEL


def main() -> None:
    """Make the model."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--survey", type=Path, help="its mock survey, if that was made before")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        survey = spectra_survey(replace(Settings(), spectra_survey=asked.survey), scratch)
        output = Path(scratch) / MODEL
        train_file(survey, survey / "spectra", output, config=CONFIG, progress=True)
        shutil.rmtree(DESTINATION, ignore_errors=True)
        shutil.copytree(output, DESTINATION)


if __name__ == "__main__":
    main()
