"""Train the packaged model `sdss-galaxies` and write its folder.

    python -m benchmarks.weights.make_sdss_galaxies [--epochs N]

Some minutes of one core. How good it is, `python -m benchmarks generate_pictures` measures on the test
galaxies.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from benchmarks.generate.pictures import MODEL, PROPERTIES, write_pictures
from benchmarks.settings import REPOSITORY
from nebulium.generate import LatentConfig, train_file

DESTINATION = REPOSITORY / "src/nebulium/generate/weights" / MODEL
#: Half the side of the pictures, and a small network: there are few galaxies to learn from.
CONFIG = {"components": 96, "width": 128, "depth": 2, "binning": 2, "batch_size": 256}
EPOCHS = 600


def main() -> None:
    """Make the model."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    settings = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        images, table = write_pictures(Path(scratch))
        output = Path(scratch) / DESTINATION.name
        config = LatentConfig(**CONFIG, epochs=settings.epochs)
        train_file(images, output, properties=PROPERTIES, table=table, config=config, progress=True)
        shutil.rmtree(DESTINATION, ignore_errors=True)
        shutil.copytree(output, DESTINATION)


if __name__ == "__main__":
    main()
