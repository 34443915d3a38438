"""Train a packaged model of the images of a mock survey and write its folder.

    python -m benchmarks.weights.make_mock_images mock-sdss-images|mock-candels-images [--survey FOLDER]

Half an hour of two cores for the galaxies, unless they were made before by `nebulium mock make` (of SDSS
`--survey sdss --n 64000 --seed 21`, of CANDELS `--survey candels --n 30000 --seed 31`), and as long again for
the training. How good they are, `python -m benchmarks generate_mock generate_candels` measures on the test
galaxies.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from benchmarks.generate.mocks import CANDELS, SDSS
from benchmarks.settings import REPOSITORY
from nebulium.generate import train_file

WEIGHTS = REPOSITORY / "src/nebulium/generate/weights"
MOCKS = {mock.model: mock for mock in (SDSS, CANDELS)}


def main() -> None:
    """Make the model."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model", choices=MOCKS)
    parser.add_argument("--survey", type=Path, help="its mock survey, if that was made before")
    settings = parser.parse_args()
    mock, destination = MOCKS[settings.model], WEIGHTS / settings.model
    with tempfile.TemporaryDirectory() as scratch:
        survey = mock.made(settings.survey, scratch)
        table, output = Path(scratch) / "properties.parquet", Path(scratch) / mock.model
        mock.write_properties(survey, table)
        train_file(survey, output, properties=mock.properties, table=table, config=mock.config, progress=True)
        shutil.rmtree(destination, ignore_errors=True)
        shutil.copytree(output, destination)


if __name__ == "__main__":
    main()
