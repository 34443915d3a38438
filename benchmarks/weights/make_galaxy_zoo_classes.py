"""Train the packaged model `galaxy-zoo-classes` and write its folder.

    python -m benchmarks.weights.make_galaxy_zoo_classes

A kernel logistic regression learns the visual class and the oddness of real SDSS pictures from what is
measured in them: radial profiles, modes of the rings, a scattering transform. No network is trained. How well
this does on other pictures, the benchmark `properties_galaxy_zoo` measures by cross-validation.
"""

import shutil
import tempfile
from pathlib import Path

from benchmarks.properties.galaxy_zoo import galaxy_zoo_source
from benchmarks.settings import REPOSITORY
from nebulium.properties.config import PropertiesConfig
from nebulium.properties.model import GAUSSIAN_PROCESS
from nebulium.properties.recipe import train

DESTINATION = REPOSITORY / "src/nebulium/properties/weights/galaxy-zoo-classes"
CITATION = (
    "York et al. 2000, AJ 120, 1579 (SDSS); Willett et al. 2013, MNRAS 435, 2835 (Galaxy Zoo 2), and its "
    "volunteers"
)


def main() -> None:
    """Make the model."""
    source, labelled = galaxy_zoo_source()
    all_of_them = {"train": 1.0, "validation": 0.0, "test": 0.0}
    with tempfile.TemporaryDirectory() as scratch:
        output = train(
            source,
            labelled,
            Path(scratch) / DESTINATION.name,
            config=PropertiesConfig(head=GAUSSIAN_PROCESS),
            fractions=all_of_them,
            id_column="galaxy_id",
            citation=CITATION,
        )
        shutil.rmtree(DESTINATION, ignore_errors=True)
        shutil.copytree(output, DESTINATION)


if __name__ == "__main__":
    main()
