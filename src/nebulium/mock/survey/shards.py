"""Blocks on disk, the shards made from them, and the catalogue: files that appear whole or not at all."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from nebulium.data.files import to_numpy
from nebulium.data.glossary import units_of
from nebulium.data.images.mmu import ID, IMAGE, Images, image_writer, images_to_arrow
from nebulium.data.output import replace_on_success
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import TableWriter
from nebulium.mock.survey.run_file import WORK, RunSettings

BLOCK = 64
CATALOGUE, SHARDS = "catalogue.parquet", "data"
ROWS_AT_ONCE = 8192


def block_path(folder: Path, block: int) -> Path:
    """Where a block waits until its shard is written."""
    return folder / WORK / f"block-{block:07d}.parquet"


def shard_paths(folder: Path, shards: int) -> list[Path]:
    """The files of a survey, in order."""
    return [folder / SHARDS / f"mock-{shard:05d}-of-{shards:05d}.parquet" for shard in range(shards)]


def save_block(folder: Path, block: int, images: Images) -> None:
    """Keep a block until its shard is written."""
    _write_parts(block_path(folder, block), iter([images_to_arrow(images)]))


def missing_blocks(folder: Path, settings: RunSettings) -> list[int]:
    """Blocks that are neither on disk nor in a finished shard."""
    wanted: set[int] = set()
    paths = shard_paths(folder, settings.shards)
    for path, rows in zip(paths, settings.shard_rows(), strict=True):
        if not path.exists():
            wanted |= set(_blocks_of(rows))
    return [block for block in sorted(wanted) if not block_path(folder, block).exists()]


def write_shards(folder: Path, settings: RunSettings) -> None:
    """Write the shards that are missing, then the catalogue; a block goes once its last shard is there."""
    (folder / SHARDS).mkdir(exist_ok=True)
    for path, rows in zip(shard_paths(folder, settings.shards), settings.shard_rows(), strict=True):
        if not path.exists():
            _write_parts(path, _parts(folder, rows))
        for block in _blocks_of(rows):
            if BLOCK * (block + 1) <= rows.stop or rows.stop == settings.n:
                block_path(folder, block).unlink(missing_ok=True)
    if not (folder / CATALOGUE).exists():
        _write_catalogue(folder, settings)


def _blocks_of(rows: range) -> range:
    return range(rows.start // BLOCK, -(-rows.stop // BLOCK))


def _write_parts(path: Path, parts: Iterator[pa.Table]) -> None:
    """A row group a block, so that no more than a block is in memory."""
    with replace_on_success(path) as partial:
        first = next(parts)
        with image_writer(partial, first.schema) as writer:
            writer.write_table(first)
            for part in parts:
                writer.write_table(part)


def _parts(folder: Path, rows: range) -> Iterator[pa.Table]:
    for block in _blocks_of(rows):
        table = pyarrow.parquet.ParquetFile(block_path(folder, block)).read()
        first = max(rows.start - BLOCK * block, 0)
        yield table.slice(first, rows.stop - BLOCK * block - first)


def _write_catalogue(folder: Path, settings: RunSettings) -> None:
    """All columns but the images, a row a galaxy."""
    metadata = {"survey": settings.survey, "seed": settings.seed, "n": settings.n}
    with TableWriter(folder / CATALOGUE, metadata=metadata) as writer:
        for path in shard_paths(folder, settings.shards):
            file = pyarrow.parquet.ParquetFile(path, pre_buffer=False)
            names = [name for name in file.schema_arrow.names if name not in (ID, IMAGE)]
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=names):
                table = pa.Table.from_batches([batch])
                columns = {name: to_numpy(table[name], str(path), name) for name in names}
                writer.append(Table(columns, units_of(columns), path.name))
