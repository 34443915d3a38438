"""Train the packaged posterior `sdss-ugriz-properties` and write its folder.

    python -m benchmarks.weights.make_sdss_properties

Fifteen minutes of two cores: it learns from galaxies that it simulates. How good it is, `python -m benchmarks
infer_calibration` measures on others.
"""

import shutil
import tempfile
from pathlib import Path

from benchmarks.settings import REPOSITORY
from nebulium.infer import InferConfig, train_file

MODEL = "sdss-ugriz-properties"
DESTINATION = REPOSITORY / "src/nebulium/infer/weights" / MODEL
CONFIG = InferConfig(bands=tuple(f"sdss_{band}0" for band in "ugriz"), epochs=30)


def main() -> None:
    """Make the model."""
    with tempfile.TemporaryDirectory() as scratch:
        output = Path(scratch) / MODEL
        train_file(output, config=CONFIG, progress=True)
        shutil.rmtree(DESTINATION, ignore_errors=True)
        shutil.copytree(output, DESTINATION)


if __name__ == "__main__":
    main()
