"""Galaxies as round spots with spectra: their colour says the slope of the continuum, and that the lines."""

from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.data.images.mmu import Images, write_images
from nebulium.data.spectra.spectrum_set import Spectra
from nebulium.data.spectra.writing import write_spectra
from nebulium.data.tables.table import Table
from nebulium.lines import add_lines

GALAXIES, SIDE, BANDS = 420, 16, ("sdss_g0", "sdss_r0", "sdss_i0")
SKY = 0.02
WAVES = np.arange(3650.0, 9300.0, 5.0, dtype=np.float32)


class Truth(NamedTuple):
    """What the galaxies were made with."""

    redshift: np.ndarray
    slope: np.ndarray
    ew_halpha: np.ndarray


class Set(NamedTuple):
    """Where the images and the spectra lie."""

    images: Path
    spectra: Path
    truth: Truth


@pytest.fixture(scope="session")
def galaxies(tmp_path_factory) -> Set:
    """Images and spectra of the same galaxies, in another order."""
    folder = tmp_path_factory.mktemp("spectra")
    return write_set(folder, GALAXIES)


def truth_of(n: int) -> Truth:
    """Redshifts, slopes and lines."""
    random = np.random.default_rng(1)
    slope = random.normal(0.0, 0.3, n)
    ew = 10 ** (1.0 + 1.2 * slope + 0.1 * random.normal(size=n))
    return Truth(random.uniform(0.03, 0.12, n), slope, ew)


def continuum(rest: np.ndarray, slope: np.ndarray | float) -> np.ndarray:
    """A power law with a break at 4000 AA that is deeper in red galaxies."""
    depth = 0.3 * np.exp(-np.asarray(slope))
    return (rest / 5500.0) ** (-1.5 * np.asarray(slope)) * (1.0 - depth * (rest < 4000.0))


@jax.jit
def _with_lines(flux, ew, z):
    return jax.vmap(lambda flux, ew, z: add_lines(jnp.asarray(WAVES), flux, ew, z))(flux, ew, z)


def write_set(folder: Path, n: int) -> Set:
    """Write so many galaxies."""
    truth, random = truth_of(n), np.random.default_rng(2)
    at = np.arange(SIDE) - 0.5 * (SIDE - 1)
    radius2 = at[:, None] ** 2 + at[None, :] ** 2
    profile = np.exp(-0.5 * radius2 / 4.0)
    colours = np.stack([truth.slope, np.zeros(n), -truth.slope], axis=1)
    clean = profile[None, :, :, None] * (3.0 * 10 ** (0.3 * colours))[:, None, None, :]
    pixels = (clean + SKY * random.normal(size=clean.shape)).astype(np.float32)
    ivar = np.full(pixels.shape, SKY**-2, np.float32)
    of_bands = np.ones((2, n, len(BANDS)), np.float32)
    ids = np.arange(n) + 100
    beside = Table({"redshift": truth.redshift})
    images = Images(ids, BANDS, pixels, ivar, pixels > np.inf, *of_bands, table=beside)
    write_images(images, folder / "images.parquet")
    rest = WAVES[None, :] / (1.0 + truth.redshift[:, None])
    flux = 20.0 * continuum(rest, truth.slope[:, None])
    widths = truth.ew_halpha[:, None] * np.array([1, 0.2, 0.4, 0.17, 0.5, 0.1, 1, 0.3, 0.2, 0.2])
    with_lines = np.asarray(
        _with_lines(*(jnp.asarray(one, jnp.float32) for one in (flux, widths, truth.redshift)))
    )
    noise = 0.2
    seen = with_lines + noise * random.normal(size=flux.shape)
    order = random.permutation(n)
    spectra = Spectra(
        ids[order],
        np.broadcast_to(WAVES, flux.shape).astype(np.float32)[order],
        seen.astype(np.float32)[order],
        np.full(flux.shape, noise**-2, np.float32),
        truth.redshift[order],
    )
    write_spectra(spectra, folder / "spectra.parquet")
    return Set(folder / "images.parquet", folder / "spectra.parquet", truth)


@pytest.fixture(scope="session")
def trained(galaxies, tmp_path_factory) -> Path:
    """A small model of them."""
    from nebulium.spectra import SpectraConfig, train_file

    folder = tmp_path_factory.mktemp("models") / "spots"
    config = SpectraConfig(
        components=3, width=32, depth=1, hidden=16, mixture=3, members=2, epochs=60, batch_size=32
    )
    train_file(galaxies.images, galaxies.spectra, folder, config=config)
    return folder
