"""Blocks on disk, the shards made from them, and the catalogue: files that appear whole or not at all."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from nebulium.data.files import to_numpy
from nebulium.data.glossary import units_of
from nebulium.data.images.mmu import ID, IMAGE, Images, image_writer, images_to_arrow
from nebulium.data.output import replace_on_success
from nebulium.data.spectra.mmu import spectra_to_arrow
from nebulium.data.spectra.spectrum_set import Spectra
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import TableWriter
from nebulium.mock.survey.run_file import WORK, RunSettings

BLOCK = 64
CATALOGUE = "catalogue.parquet"
#: Folders of the shards, and how the blocks for them are called.
IMAGES, SPECTRA = "data", "spectra"
BLOCK_NAMES = {IMAGES: "block", SPECTRA: "spectra"}
ROWS_AT_ONCE = 8192


@dataclass(frozen=True)
class Block:
    """Galaxies of one block.

    Parameters
    ----------
    images : Images
        With the catalogue in their table.
    spectra : Spectra, optional
    """

    images: Images
    spectra: Spectra | None = None


def kinds_of(settings: RunSettings) -> tuple[str, ...]:
    """What a survey has in shards."""
    return (IMAGES,) if settings.spectra is None else (IMAGES, SPECTRA)


def block_path(folder: Path, block: int, kind: str = IMAGES) -> Path:
    """Where a block waits until its shard is written."""
    return folder / WORK / f"{BLOCK_NAMES[kind]}-{block:07d}.parquet"


def shard_paths(folder: Path, shards: int, kind: str = IMAGES) -> list[Path]:
    """The files of a survey, in order."""
    return [folder / kind / f"mock-{shard:05d}-of-{shards:05d}.parquet" for shard in range(shards)]


def save_block(folder: Path, number: int, block: Block) -> None:
    """Keep a block until its shards are written."""
    if block.spectra is not None:
        _write_parts(block_path(folder, number, SPECTRA), iter([spectra_to_arrow(block.spectra)]))
    _write_parts(block_path(folder, number), iter([images_to_arrow(block.images)]))


def missing_blocks(folder: Path, settings: RunSettings) -> list[int]:
    """Blocks that are neither on disk nor in a finished shard."""
    wanted: set[int] = set()
    kinds = kinds_of(settings)
    for kind in kinds:
        paths = shard_paths(folder, settings.shards, kind)
        for path, rows in zip(paths, settings.shard_rows(), strict=True):
            if not path.exists():
                wanted |= set(_blocks_of(rows))
    return [
        block
        for block in sorted(wanted)
        if not all(block_path(folder, block, kind).exists() for kind in kinds)
    ]


def write_shards(folder: Path, settings: RunSettings) -> None:
    """Write the shards that are missing, then the catalogue; a block goes once its last shard is there."""
    kinds = kinds_of(settings)
    for kind in kinds:
        (folder / kind).mkdir(exist_ok=True)
    for shard, rows in enumerate(settings.shard_rows()):
        for kind in kinds:
            path = shard_paths(folder, settings.shards, kind)[shard]
            if not path.exists():
                _write_parts(path, _parts(folder, rows, kind))
        for block in _blocks_of(rows):
            if BLOCK * (block + 1) <= rows.stop or rows.stop == settings.n:
                for kind in kinds:
                    block_path(folder, block, kind).unlink(missing_ok=True)
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


def _parts(folder: Path, rows: range, kind: str) -> Iterator[pa.Table]:
    for block in _blocks_of(rows):
        table = pyarrow.parquet.ParquetFile(block_path(folder, block, kind)).read()
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
