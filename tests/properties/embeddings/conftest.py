"""Invented galaxies whose embeddings know their properties, in tables of several forms."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from astropy.table import Table as AstropyTable

N, WIDTH, SIDE, FIRST_ID = 150, 16, 16, 1237648704043942146


class Sample(NamedTuple):
    """A folder of tables and images, and the truth by row."""

    folder: Path
    ids: np.ndarray
    vectors: np.ndarray
    oh12: np.ndarray
    hidden: np.ndarray
    kind: np.ndarray


@pytest.fixture(scope="session")
def sample(tmp_path_factory) -> Sample:
    """Labels, embeddings as arrays and as columns in another order, and images.

    One embedding is NaN, one galaxy has none, and one stands among the embeddings alone; the last number is
    the same for all.
    """
    folder, draw = tmp_path_factory.mktemp("embeddings"), np.random.default_rng(3)
    ids = FIRST_ID + np.arange(N)
    latent = draw.normal(size=(N, 3))
    vectors = (latent @ draw.normal(size=(3, WIDTH)) + 0.1 * draw.normal(size=(N, WIDTH))).astype(np.float32)
    vectors[:, -1] = 0.25
    oh12 = 8.7 + 0.2 * latent[:, 0] + 0.02 * draw.normal(size=N)
    # Nothing in the images tells it.
    hidden = latent[:, 2] + 0.05 * draw.normal(size=N)
    kind = np.where(latent[:, 1] > 0, "spiral", "elliptical")
    AstropyTable({"objid": ids, "oh12": oh12, "hidden": hidden, "kind": kind}).write(folder / "labels.fits")
    given = vectors.copy()
    given[4, 2] = np.nan
    order = draw.permutation(np.delete(np.arange(N), 9))
    of_table = np.concatenate([ids[order], [7]])
    numbers = np.concatenate([given[order], given[:1]])
    beside = {"oh12": np.append(oh12[order], np.nan)}
    AstropyTable({"objid": of_table, "embedding": numbers} | beside).write(folder / "arrays.fits")
    columns = {f"feat_{place}": numbers[:, place] for place in reversed(range(WIDTH))}
    AstropyTable({"id_str": of_table.astype(str)} | columns).write(folder / "columns.csv")
    colour = np.clip((oh12 - 8.0) / 1.5, 0.1, 0.9)
    rows = np.arange(SIDE) - 0.5 * (SIDE - 1)
    light = np.exp(-np.hypot(rows[:, None], rows[None, :]) / 3.0)
    images = (
        150 * light[None, :, :, None] * np.stack([colour, np.ones(N), 1 - colour], axis=-1)[:, None, None]
    )
    noisy = np.clip(images + draw.normal(30, 8, images.shape), 1, 255)
    np.savez(folder / "images.npz", images=noisy.astype(np.uint8), ids=ids)
    return Sample(folder, ids, vectors, oh12, hidden, kind)
