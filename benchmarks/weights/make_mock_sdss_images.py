"""Train the packaged model `mock-sdss-images` and write its folder.

    python -m benchmarks.weights.make_mock_sdss_images [--survey FOLDER] [--epochs N]

Half an hour of two cores for the galaxies, unless they were made before (`nebulium mock make --survey sdss
--n 64000 --seed 21`), and as long again for the training. How good it is, `python -m benchmarks
generate_mock` measures on the test galaxies.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from benchmarks.generate.mock import GALAXIES, MODEL, PROPERTIES, SEED, write_properties
from benchmarks.settings import REPOSITORY
from nebulium.generate import LatentConfig, train_file
from nebulium.mock.survey.making import make_survey

DESTINATION = REPOSITORY / "src/nebulium/generate/weights" / MODEL
EPOCHS = 240


def main() -> None:
    """Make the model."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--survey", type=Path, help="mock of SDSS that was made before")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    settings = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        survey = settings.survey or Path(scratch) / "survey"
        if settings.survey is None:
            make_survey(survey, survey="sdss", n=GALAXIES, seed=SEED, processes=2)
        table = Path(scratch) / "properties.parquet"
        write_properties(survey, table)
        output = Path(scratch) / DESTINATION.name
        config = LatentConfig(epochs=settings.epochs)
        train_file(survey, output, properties=PROPERTIES, table=table, config=config, progress=True)
        shutil.rmtree(DESTINATION, ignore_errors=True)
        shutil.copytree(output, DESTINATION)


if __name__ == "__main__":
    main()
