"""Galaxies as round spots: their width says the size, their brightness the mass, and both scatter."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from nebulium.data.images.mmu import Images, write_images
from nebulium.data.tables.table import Table

if TYPE_CHECKING:
    from nebulium.generate import LatentConfig, PixelConfig

GALAXIES, SIDE, BANDS = 900, 12, ("g", "r")
SKY, ELECTRONS = 0.02, 400.0


@pytest.fixture(scope="session")
def spots(tmp_path_factory) -> Path:
    """A Parquet file of images, with properties beside them, some of which are missing."""
    path = tmp_path_factory.mktemp("spots") / "spots.parquet"
    write_spots(path, GALAXIES)
    return path


@pytest.fixture(scope="session")
def many_spots(tmp_path_factory) -> Path:
    """More of them: enough that those of the test part can be told apart."""
    path = tmp_path_factory.mktemp("spots") / "many.parquet"
    write_spots(path, 2700)
    return path


@pytest.fixture(scope="session")
def some_spots(tmp_path_factory) -> Path:
    """Fewer, where each takes long."""
    path = tmp_path_factory.mktemp("spots") / "some.parquet"
    write_spots(path, 192)
    return path


def write_spots(path: Path, n: int) -> None:
    """Write so many galaxies."""
    random = np.random.default_rng(0)
    log_mass, log_size = random.normal(0.0, 0.5, n), random.normal(0.3, 0.12, n)
    at = np.arange(SIDE) - 0.5 * (SIDE - 1)
    radius2 = at[:, None] ** 2 + at[None, :] ** 2
    profile = np.exp(-0.5 * radius2 / 10 ** (2 * log_size[:, None, None]))
    flux = 10 ** (log_mass[:, None, None] - 2 * log_size[:, None, None]) * profile
    colour = 10 ** (0.2 * log_mass + 0.03 * random.normal(size=n))
    clean = flux[..., None] * np.stack([np.ones(n), colour], axis=1)[:, None, None, :]
    noise = np.sqrt(SKY**2 + clean / ELECTRONS) * random.normal(size=clean.shape)
    pixels = (clean + noise).astype(np.float32)
    known = np.where(random.random(n) < 0.2, np.nan, log_size)
    of_bands = np.ones((2, n, len(BANDS)), np.float32)
    beside = Table({"log_mass": 10 + log_mass, "log_size": known})
    ivar = np.full(pixels.shape, SKY**-2, np.float32)
    images = Images(np.arange(n), BANDS, pixels, ivar, pixels > np.inf, *of_bands, table=beside)
    write_images(images, path)


@pytest.fixture(scope="session")
def pixel_config() -> "PixelConfig":
    """A small model of pixels, hardly trained; of one shape, all trainings share their compiled programs."""
    from nebulium.generate import PixelConfig

    return PixelConfig(components=16, channels=(4, 4), depth=1, epochs=3, batch_size=32)


@pytest.fixture(scope="session")
def trained_pixels(spots, pixel_config, tmp_path_factory) -> Path:
    """A model of their pixels: most of what it knows is its Gaussian."""
    from nebulium.generate import train_file

    folder = tmp_path_factory.mktemp("models") / "pixels"
    train_file(spots, folder, properties=["log_mass", "log_size"], config=pixel_config)
    return folder


@pytest.fixture(scope="session")
def latent_config() -> "LatentConfig":
    """A small model, soon trained; of one shape, all trainings share their compiled programs."""
    from nebulium.generate import LatentConfig

    return LatentConfig(components=16, width=32, depth=2, epochs=60, reader_epochs=60, batch_size=64)


@pytest.fixture(scope="session")
def trained(spots, latent_config, tmp_path_factory) -> Path:
    """A model of them."""
    from nebulium.generate import train_file

    folder = tmp_path_factory.mktemp("models") / "spots"
    train_file(spots, folder, properties=["log_mass", "log_size"], config=latent_config)
    return folder
