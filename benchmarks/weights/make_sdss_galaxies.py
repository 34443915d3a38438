"""Train the model `sdss-galaxies` and write its folder.

    python -m benchmarks.weights.make_sdss_galaxies [--epochs N]

Some minutes of one core. How good it is, `python -m benchmarks generate_pictures` measures on the test
galaxies.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from benchmarks.generate.pictures import EPOCHS, MODEL, train_model
from benchmarks.settings import REPOSITORY

DESTINATION = REPOSITORY / "src/nebulium/generate/weights" / MODEL
ABOUT = """
What it is: a model of colour pictures as SkyServer made them of SDSS DR7, 128 pixels and 5 Petrosian R90
across, halved to 64: those of the Galaxy Zoo 2 challenge with classes, where volunteers agree, and 399 with
gas metallicities. Most galaxies have neither: they teach what galaxies look like.

What it is not: a model of fluxes or of sizes on the sky, as pictures are stretched and all scaled alike;
nor of where arms, knots and dust lanes lie, which are drawn as texture of the right strength anywhere, as
are neighbours. Of 78 barred galaxies it has learned little, of metallicities no more than some 300 pictures
say.

Cite: York et al. 2000, AJ 120, 1579 (SDSS); Willett et al. 2013, MNRAS 435, 2835 (Galaxy Zoo 2), and its
volunteers; Wu & Boada 2019, MNRAS 484, 4683 (the pictures with metallicities).
"""


def main() -> None:
    """Make the model."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    settings = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        output = train_model(Path(scratch) / MODEL, epochs=settings.epochs)
        shutil.rmtree(DESTINATION, ignore_errors=True)
        shutil.copytree(output, DESTINATION)
    with (DESTINATION / "README.md").open("a", encoding="utf-8") as card:
        card.write(ABOUT)


if __name__ == "__main__":
    main()
