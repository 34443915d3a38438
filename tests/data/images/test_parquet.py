"""Parquet of images as a source: masks, odd rows, damage, and what stands beside."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from nebulium.data.images.mmu import Images, image_writer, images_to_arrow, write_images
from nebulium.data.images.opening import open_images
from nebulium.data.tables.table import Table
from nebulium.errors import ImageError, TableError


def some_images(n=4, side=8, bands=("g", "r"), first=0, psf=1.2):
    rng = np.random.default_rng(first)
    flux = rng.normal(5.0, 1.0, (n, side, side, len(bands))).astype(np.float32)
    cells = np.ones((n, len(bands)), np.float32)
    about = {"unit": "1 is the AB magnitude of the zero point: g 22.5, r 27"}
    table = Table({"redshift": np.arange(first, first + n) / 10.0})
    ids = np.arange(first, first + n)
    return Images(ids, bands, flux, flux, flux < -99, psf * cells, 0.4 * cells, table, about)


def only_chunk(path):
    (chunk,) = open_images(path).chunks()
    return chunk


def test_what_the_file_tells(tmp_path):
    write_images(some_images(), tmp_path / "a.parquet")
    source = open_images(tmp_path / "a.parquet", bands=["r", "g"])
    assert source.zero_point_ab == (27.0, 22.5)
    np.testing.assert_allclose(source.psf_fwhm_arcsec, 1.2, rtol=1e-6)
    np.testing.assert_allclose(source.pixel_scale_arcsec, 0.4, rtol=1e-6)
    assert source.unit.startswith("1 is the AB magnitude")


def test_what_it_does_not_know_is_none(tmp_path):
    write_images(some_images(psf=np.nan), tmp_path / "a.parquet")
    assert open_images(tmp_path / "a.parquet").psf_fwhm_arcsec is None


def test_the_columns_beside_go_with_the_rows(tmp_path):
    for first in (0, 4):
        write_images(some_images(first=first), tmp_path / f"{first}.parquet")
    source = open_images(tmp_path)
    np.testing.assert_allclose(source.table["redshift"], source.ids / 10.0)
    assert source.table is source.table


def test_rows_of_many_files_in_any_order(tmp_path):
    parts = [some_images(first=first) for first in (0, 4, 8)]
    for part in parts:
        write_images(part, tmp_path / f"{part.ids[0]}.parquet")
    flux = np.concatenate([part.flux for part in parts])
    rows = np.random.default_rng(0).integers(0, 12, 30)
    (chunk,) = open_images(tmp_path).chunks(rows)
    np.testing.assert_array_equal(chunk.pixels, flux[rows])
    np.testing.assert_array_equal(chunk.ids, rows)


def test_flagged_pixels_are_filled_or_too_many(tmp_path):
    images = some_images()
    images.bad[1, 3, 3, 0] = True
    images.flux[1, 3, 3, 0] = 1e6
    images.bad[2, :4] = True
    write_images(images, tmp_path / "a.parquet")
    chunk = only_chunk(tmp_path / "a.parquet")
    assert chunk.problems == {2: "has more than 5% bad pixels (NaN, infinite or flagged) in band g"}
    assert chunk.pixels[1].max() < 100
    images.flux[1, 3, 3, 0] = chunk.pixels[1][3, 3, 0]
    np.testing.assert_array_equal(chunk.pixels[1], images.flux[1])


def test_odd_rows_do_not_spoil_the_others(tmp_path):
    parts = [
        some_images(2),
        some_images(1, side=6, first=2),
        some_images(1, bands=("r", "g"), first=3),
        some_images(1, bands=("g", "z"), first=4),
    ]
    table = pa.concat_tables([images_to_arrow(part) for part in parts]).combine_chunks()
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    chunk = only_chunk(tmp_path / "a.parquet")
    assert chunk.problems == {4: "has the bands g, z, expected g, r"}
    assert [image.shape for image in chunk.pixels] == [(8, 8, 2), (8, 8, 2), (6, 6, 2), (8, 8, 2)]
    np.testing.assert_array_equal(chunk.pixels[3], parts[2].flux[0, ..., ::-1])


def test_lists_of_structs_are_read_as_well(tmp_path):
    images = some_images(2)
    rows = [
        [
            {"band": band, "flux": images.flux[row, ..., place].tolist(), "psf_fwhm": 1.2, "scale": 0.4}
            for place, band in enumerate(images.bands)
        ]
        for row in range(2)
    ]
    pyarrow.parquet.write_table(pa.table({"object_id": ["a", "b"], "image": rows}), tmp_path / "a.parquet")
    chunk = only_chunk(tmp_path / "a.parquet")
    assert chunk.ids.tolist() == ["a", "b"]
    np.testing.assert_array_equal(chunk.pixels, images.flux)


def test_a_damaged_row_group_is_set_aside(tmp_path):
    path = tmp_path / "a.parquet"
    tables = [images_to_arrow(some_images(2, first=first)) for first in (0, 2, 4)]
    with image_writer(path, tables[0].schema) as writer:
        for table in tables:
            writer.write_table(table)
    file = pyarrow.parquet.ParquetFile(path)
    columns = file.metadata.row_group(1)
    flux = next(
        columns.column(i) for i in range(columns.num_columns) if ".flux" in columns.column(i).path_in_schema
    )
    content = bytearray(path.read_bytes())
    content[flux.data_page_offset : flux.data_page_offset + flux.total_compressed_size] = bytes(
        flux.total_compressed_size
    )
    path.write_bytes(content)
    chunk = only_chunk(path)
    assert chunk.problems == dict.fromkeys((2, 3), "is in a damaged part of its file")
    assert chunk.ids.tolist() == [0, 1, 4, 5]


def test_a_shard_that_has_gone_is_set_aside(tmp_path):
    for first in (0, 4):
        write_images(some_images(first=first), tmp_path / f"{first}.parquet")
    source = open_images(tmp_path)
    (tmp_path / "4.parquet").unlink()
    (chunk,) = source.chunks()
    assert chunk.ids.tolist() == [0, 1, 2, 3]
    assert len(chunk.problems) == 4


def test_a_table_without_images_is_refused(tmp_path):
    pyarrow.parquet.write_table(pa.table({"object_id": ["1"], "redshift": [0.1]}), tmp_path / "a.parquet")
    with pytest.raises(TableError, match="a.parquet: has no column image .*give a column image"):
        open_images(tmp_path / "a.parquet")


def test_no_rows_are_refused(tmp_path):
    pyarrow.parquet.write_table(images_to_arrow(some_images()).slice(0, 0), tmp_path / "a.parquet")
    with pytest.raises(ImageError, match="a.parquet: has no rows"):
        open_images(tmp_path / "a.parquet")


def test_without_ids_rows_go_by_their_place(tmp_path):
    table = images_to_arrow(some_images()).drop_columns(["object_id", "redshift"])
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    source = open_images(tmp_path / "a.parquet")
    assert source.ids.tolist() == [0, 1, 2, 3]
    assert source.table is None
