"""Train the packaged model `sdss-metallicity` and write its folder.

    python -m benchmarks.weights.make_sdss_metallicity --work sdss-metallicity.work

First come cutouts of mock galaxies as SkyServer would show them, then networks that learn the properties of
the mock galaxies from them, then a Gaussian process that learns the metallicities of the 400 real cutouts
from radial profiles, the modes of the rings, and what those networks say of them. A step whose result is
there is skipped.
"""

import argparse
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import jax
import numpy as np

from benchmarks.settings import REPOSITORY, data_folder
from nebulium.data.images.opening import open_images
from nebulium.data.rejects import Rejects
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import write_table
from nebulium.errors import ImageError
from nebulium.mock.galaxies import half_light_radius_kpc
from nebulium.mock.images.colour import petrosian_cutout
from nebulium.mock.structure import Structure
from nebulium.mock.survey.blocks import BlockMaker
from nebulium.mock.survey.run_file import RunSettings
from nebulium.properties.config import PropertiesConfig
from nebulium.properties.model import GAUSSIAN_PROCESS
from nebulium.properties.recipe import train
from nebulium.verbs.labels.joining import join_labels, read_labels
from nebulium.verbs.training import Training

DESTINATION = REPOSITORY / "src/nebulium/properties/weights/sdss-metallicity"
CITATION = (
    "York et al. 2000, AJ 120, 1579 (SDSS); Tremonti et al. 2004, ApJ 613, 898 (metallicities); "
    "Wu & Boada 2019, MNRAS 484, 4683 (metallicities from images)"
)
BLOCKS, SEED, PROCESSES = 420, 77, 2
# The sample of Wu & Boada 2019 has emission lines, and redshifts above 0.02.
LEAST_LOG_SSFR, LEAST_REDSHIFT = -11.3, 0.02
# What the networks learn of mock galaxies, beside the metallicity: what a picture tells of the rest.
MOCK_TARGETS = (
    "oh12", "log_mstar", "log_redshift", "log_ssfr", "av_mag", "mag_ab_r", "log_half_light_radius_kpc",
    "bulge_share",
)  # fmt: skip
PRETRAINING = PropertiesConfig(epochs=12, members=2, encoder_binning=2, with_profiles=False)


def main() -> None:
    """Make the model."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.weights.make_sdss_metallicity", description=__doc__
    )
    parser.add_argument("--work", type=Path, required=True, help="folder of what is made on the way")
    work = parser.parse_args().work
    work.mkdir(exist_ok=True)
    networks = pretrained_networks(work)
    shutil.rmtree(DESTINATION, ignore_errors=True)
    DESTINATION.parent.mkdir(exist_ok=True)
    source = open_images(data_folder() / "sdss" / "sdss_gri_jpg_128.zip")
    labels = read_labels(
        data_folder() / "sdss" / "sdss_metallicity.csv", source, ["oh_p50"], id_column="objid"
    )
    labelled = join_labels(source, labels, ["oh_p50"], Rejects())
    # A scattering transform adds nothing to these, by cross-validation.
    config = PropertiesConfig(head=GAUSSIAN_PROCESS, init=str(networks), features=("profiles", "modes"))
    # How well this does on other galaxies, the benchmark `properties_sdss` measures by cross-validation.
    all_of_them = {"train": 1.0, "validation": 0.0, "test": 0.0}
    output = work / "sdss-metallicity"
    shutil.rmtree(output, ignore_errors=True)
    shutil.rmtree(Training(output).folder, ignore_errors=True)
    train(
        source, labelled, output, config=config, fractions=all_of_them, id_column="objid", citation=CITATION
    )
    shutil.copytree(output, DESTINATION)


def pretrained_networks(work: Path) -> Path:
    """Folder of the networks that know mock galaxies; trained if it is not there."""
    output = work / "mock-networks"
    if output.exists():
        return output
    images, labels = mock_cutouts(work)
    source = open_images(images)
    labelled = join_labels(source, read_table(labels), MOCK_TARGETS, Rejects())
    return train(source, labelled, output, config=PRETRAINING, resume=True, progress=True)


def mock_cutouts(work: Path) -> tuple[Path, Path]:
    """Files of the mock cutouts and of their labels; made if they are not there."""
    images, labels = work / "mock-cutouts.npz", work / "mock-labels.parquet"
    if not (images.exists() and labels.exists()):
        with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
            parts = list(pool.map(_cutouts_of, [range(start, BLOCKS, 8) for start in range(8)]))
        ids = np.concatenate([part[0] for part in parts])
        values = np.concatenate([part[2] for part in parts])
        columns = {"target_id": ids} | dict(zip(MOCK_TARGETS, values.T, strict=True))
        write_table(Table(columns), labels)
        np.savez(images, images=np.concatenate([part[1] for part in parts]), ids=ids)
    return images, labels


def _cutouts_of(blocks: range) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ids, cutouts and labels of the galaxies of some blocks."""
    made = [galaxy for block in blocks for galaxy in _cutouts_of_block(block)]
    ids, cutouts, labels = zip(*made, strict=True)
    return np.array(ids), np.stack(cutouts), np.array(labels, np.float32)


def _cutouts_of_block(block: int) -> Iterator[tuple[int, np.ndarray, list[float]]]:
    make = BlockMaker(RunSettings("sdss", 10**6, SEED, 64, 0.0, shards=1))
    galaxies = jax.tree.map(np.asarray, make.galaxies(block))
    properties, light = galaxies.properties, galaxies.light
    log_ssfr = light.log_sfr - properties.log_mstar
    radius_kpc = _radii_kpc(galaxies.structure, light.flux_njy[:, :, 1])
    for row in np.flatnonzero((log_ssfr > LEAST_LOG_SSFR) & (properties.redshift > LEAST_REDSHIFT)):
        structure = jax.tree.map(lambda leaf, at=row: leaf[at], galaxies.structure)
        flux_njy, redshift = light.flux_njy[row], float(properties.redshift[row])
        try:
            cutout = petrosian_cutout(structure, flux_njy, redshift, np.random.default_rng([block, row]))
        except ImageError:
            continue
        labels = [
            properties.oh12[row],
            properties.log_mstar[row],
            np.log10(redshift),
            log_ssfr[row],
            properties.av_mag[row],
            light.mag_ab[row, 1],
            np.log10(radius_kpc[row]),
            flux_njy[0, 1] / flux_njy[:, 1].sum(),
        ]
        yield 64 * block + int(row), cutout, [float(value) for value in labels]


@jax.jit
def _radii_kpc(structures: Structure, flux: jax.Array) -> jax.Array:
    return jax.vmap(half_light_radius_kpc)(structures, flux)


if __name__ == "__main__":
    main()
