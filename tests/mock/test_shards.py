"""Blocks to shards to catalogue, with made-up galaxies: any cut into files holds the same rows."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nebulium.data.images.mmu import Images, iter_images, read_images
from nebulium.data.spectra.reading import read_spectra
from nebulium.data.spectra.spectrum_set import Spectra
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table
from nebulium.errors import OutputError
from nebulium.mock.survey.run_file import WORK, RunSettings
from nebulium.mock.survey.shards import (
    BLOCK,
    CATALOGUE,
    IMAGES,
    SPECTRA,
    Block,
    block_path,
    missing_blocks,
    save_block,
    shard_paths,
    write_shards,
)


def made_up(block: int, n: int, pixels: int = 4) -> Images:
    ids = np.arange(BLOCK * block, min(BLOCK * (block + 1), n))
    flux = np.random.default_rng(block).normal(size=(len(ids), pixels, pixels, 2)).astype(np.float32)
    cells = np.ones((len(ids), 2), np.float32)
    table = Table({"target_id": ids, "redshift": 0.01 * ids.astype(np.float32)})
    return Images(ids, ("g", "r"), flux, np.ones_like(flux), flux > np.inf, cells, cells, table)


def spectra_of(block: int, run: RunSettings, pixels: int = 5) -> Spectra | None:
    if run.spectra is None:
        return None
    ids = np.arange(BLOCK * block, min(BLOCK * (block + 1), run.n))
    flux = np.random.default_rng(block).normal(size=(len(ids), pixels)).astype(np.float32)
    wave = np.tile(np.linspace(4000.0, 5000.0, pixels, dtype=np.float32), (len(ids), 1))
    return Spectra(ids, wave, flux, np.ones_like(flux), 0.01 * ids)


def run_of(n: int, shards: int, spectra: str | None = None) -> RunSettings:
    return RunSettings("sdss", n, 0, 4, 0.0, shards, spectra=spectra)


def save_all(folder: Path, run: RunSettings) -> None:
    (folder / WORK).mkdir(parents=True, exist_ok=True)
    for block in missing_blocks(folder, run):
        save_block(folder, block, Block(made_up(block, run.n), spectra_of(block, run)))


@given(n=st.integers(1, 200), data=st.data())
@settings(max_examples=15)
def test_any_cut_into_files_holds_the_same_galaxies(tmp_path_factory, n, data):
    run = run_of(n, data.draw(st.integers(1, min(n, 9))), spectra="sdss")
    folder = tmp_path_factory.mktemp("shards")
    save_all(folder, run)
    write_shards(folder, run)
    parts = [part for path in shard_paths(folder, run.shards) for part in iter_images(path)]
    expected = [made_up(block, n) for block in range(-(-n // BLOCK))]
    assert np.concatenate([part.ids for part in parts]).tolist() == list(range(n))
    np.testing.assert_array_equal(
        np.concatenate([part.flux for part in parts]), np.concatenate([block.flux for block in expected])
    )
    seen = [read_spectra(path) for path in shard_paths(folder, run.shards, SPECTRA)]
    assert np.concatenate([part.ids for part in seen]).tolist() == list(range(n))
    np.testing.assert_array_equal(
        np.concatenate([part.flux_lambda for part in seen]),
        np.concatenate([spectra_of(block, run).flux_lambda for block in range(-(-n // BLOCK))]),
    )
    catalogue = read_table(folder / CATALOGUE)
    assert catalogue["target_id"].tolist() == list(range(n))
    assert catalogue["target_id"].dtype == np.int64
    assert not list((folder / WORK).iterdir())


def test_no_block_is_made_twice_and_none_forgotten(tmp_path):
    run = run_of(400, 3)
    assert missing_blocks(tmp_path, run) == [0, 1, 2, 3, 4, 5, 6]
    save_all(tmp_path, run)
    block_path(tmp_path, 4).unlink()
    assert missing_blocks(tmp_path, run) == [4]
    save_block(tmp_path, 4, Block(made_up(4, 400)))
    write_shards(tmp_path, run)
    assert missing_blocks(tmp_path, run) == []


def test_a_block_that_lacks_its_spectra_is_made_again(tmp_path):
    run = run_of(200, 2, spectra="sdss")
    save_all(tmp_path, run)
    block_path(tmp_path, 1, SPECTRA).unlink()
    assert missing_blocks(tmp_path, run) == [1]
    save_all(tmp_path, run)
    write_shards(tmp_path, run)
    shard_paths(tmp_path, 2, SPECTRA)[1].unlink()
    assert missing_blocks(tmp_path, run) == [1, 2, 3]


@pytest.mark.parametrize("stop", [IMAGES, SPECTRA])
def test_a_stop_between_shards_loses_nothing(tmp_path, monkeypatch, stop):
    """The blocks of the shards that are written are gone, those of the others are still there."""
    from nebulium.mock.survey import shards as module

    run, write = run_of(400, 3, spectra="sdss"), module._write_parts

    def stopped(path, parts):
        if path == shard_paths(tmp_path, 3, stop)[2]:
            raise KeyboardInterrupt
        write(path, parts)

    save_all(tmp_path, run)
    monkeypatch.setattr(module, "_write_parts", stopped)
    with pytest.raises(KeyboardInterrupt):
        write_shards(tmp_path, run)
    monkeypatch.undo()
    assert missing_blocks(tmp_path, run) == []
    for kind in (IMAGES, SPECTRA):
        assert not block_path(tmp_path, 0, kind).exists()
        assert block_path(tmp_path, 4, kind).exists()
    write_shards(tmp_path, run)
    assert len(read_spectra(shard_paths(tmp_path, 3, SPECTRA)[2])) == 134
    assert read_table(tmp_path / CATALOGUE)["target_id"].tolist() == list(range(400))


def test_memory_does_not_depend_on_the_number_of_galaxies(tmp_path):
    """Arrow's own peak; with all rows in memory it would grow eightfold."""
    peaks, usual = [], pa.default_memory_pool()
    for blocks in (4, 32):
        run, folder = run_of(BLOCK * blocks, 2, spectra="sdss"), tmp_path / str(blocks)
        (folder / WORK).mkdir(parents=True)
        for block in range(blocks):
            save_block(
                folder, block, Block(made_up(block, run.n, pixels=24), spectra_of(block, run, pixels=2000))
            )
        pa.set_memory_pool(pool := pa.proxy_memory_pool(usual))
        try:
            write_shards(folder, run)
        finally:
            pa.set_memory_pool(usual)
        peaks.append(pool.max_memory())
    assert 0 < peaks[1] < 1.3 * peaks[0]


def test_a_full_disk_loses_no_finished_block(tmp_path, monkeypatch):
    import errno

    run = run_of(130, 1)
    save_all(tmp_path, run)

    def full(self, *args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pyarrow.parquet.ParquetWriter, "write_table", full)
    with pytest.raises(OutputError, match="the disk is full.*free some space"):
        write_shards(tmp_path, run)
    monkeypatch.undo()
    assert not list(tmp_path.rglob(".partial-*"))
    assert missing_blocks(tmp_path, run) == []
    write_shards(tmp_path, run)
    assert len(read_images(shard_paths(tmp_path, 1)[0])) == 130
