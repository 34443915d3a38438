"""Train the packaged model `sdss-galaxies` on real pictures and write its folder.

    python -m benchmarks.weights.make_sdss_galaxies [--epochs N] [--output FOLDER]

A quarter of an hour of two cores. The pictures are those of Galaxy Zoo 2 with the visual classes that most
volunteers agree on, and 400 more with metallicities of their spectra, averaged to 64 pixels on a side; most
have no label and teach what galaxies look like. How good it is, `python -m benchmarks generate_real` measures
on its test galaxies.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.settings import REPOSITORY, data_folder
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import write_table
from nebulium.generate import LatentConfig, train_file

MODEL = "sdss-galaxies"
DESTINATION = REPOSITORY / "src/nebulium/generate/weights" / MODEL
EPOCHS, BINNING = 400, 2
PROPERTIES, CLASSES = ("oh_p50",), ("visual_class", "is_odd")


def main() -> None:
    """Make the model."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--output", type=Path, default=DESTINATION)
    settings = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        table, output = Path(scratch) / "labels.parquet", Path(scratch) / settings.output.name
        write_labels(table)
        train_file(
            pictures(),
            output,
            properties=PROPERTIES,
            classes=CLASSES,
            table=table,
            config=LatentConfig(binning=BINNING, epochs=settings.epochs, batch_size=256),
            progress=True,
        )
        shutil.rmtree(settings.output, ignore_errors=True)
        shutil.copytree(output, settings.output)


def pictures() -> list[Path]:
    """Pictures of Galaxy Zoo, and those with metallicities."""
    folder = data_folder() / "sdss"
    return [folder / "galaxy_zoo" / "galaxy_zoo_jpg_128.zip", folder / "sdss_gri_jpg_128.zip"]


def write_labels(table: Path) -> None:
    """One table of what is known of both sets."""
    folder = data_folder() / "sdss"
    zoo = read_table(folder / "galaxy_zoo" / "galaxy_zoo_labels.csv")
    metallicity = read_table(folder / "sdss_metallicity.csv")
    blank = len(metallicity)
    odd = [f"{value:.0f}" if np.isfinite(value) else "" for value in zoo["is_odd"].astype(float)]
    columns = {
        "target_id": np.concatenate([zoo["galaxy_id"], metallicity["objid"]]),
        "oh_p50": np.concatenate([np.full(len(zoo), np.nan), metallicity["oh_p50"]]),
        "visual_class": np.concatenate([zoo["visual_class"].astype(str), np.full(blank, "")]),
        "is_odd": np.concatenate([np.array(odd), np.full(blank, "")]),
    }
    write_table(Table(columns), table)


if __name__ == "__main__":
    main()
