"""Images in the layout of the Multimodal Universe: what is written is read, and what others wrote."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nebulium.data.images.mmu import (
    Images,
    image_writer,
    images_from_arrow,
    images_to_arrow,
    iter_images,
    read_images,
    write_images,
)
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table
from nebulium.errors import TableError


def some_images(n=5, height=6, width=4, bands=("g", "r", "i"), first=0):
    rng = np.random.default_rng(first)
    shape = (n, height, width, len(bands))
    cells = (n, len(bands))
    return Images(
        ids=np.arange(first, first + n),
        bands=bands,
        flux=rng.normal(size=shape).astype(np.float32),
        ivar=rng.random(shape).astype(np.float32),
        bad=rng.random(shape) > 0.9,
        psf_fwhm_arcsec=rng.random(cells).astype(np.float32),
        pixel_scale_arcsec=np.full(cells, 0.25, np.float32),
        table=Table({"redshift": rng.random(n), "disc_re_kpc": rng.random(n)}, {"disc_re_kpc": "kpc"}),
        metadata={"survey": "made up"},
    )


def assert_same(one, other):
    for name in ("ids", "flux", "ivar", "bad", "psf_fwhm_arcsec", "pixel_scale_arcsec"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert one.bands == other.bands
    assert one.flux.dtype == other.flux.dtype == np.float32
    for name in one.table.columns:
        np.testing.assert_array_equal(one.table[name], other.table[name])


@given(
    n=st.integers(1, 4),
    height=st.integers(1, 5),
    width=st.integers(1, 5),
    bands=st.sampled_from([("r",), ("g", "r", "i")]),
)
@settings(max_examples=25)
def test_what_is_written_is_read(n, height, width, bands):
    images = some_images(n, height, width, bands)
    read = images_from_arrow(images_to_arrow(images))
    assert_same(images, read)
    assert read.table.units == {"disc_re_kpc": "kpc"}
    assert read.metadata == {"survey": "made up"}


def test_the_layout_is_that_of_the_multimodal_universe(tmp_path):
    """Struct of lists as `datasets` stores `Sequence({band, flux, ivar, mask, psf_fwhm, scale})`."""
    images = some_images()
    write_images(images, tmp_path / "a.parquet")
    row = pyarrow.parquet.read_table(tmp_path / "a.parquet").to_pylist()[2]
    assert row["object_id"] == "2"
    assert list(row["image"]) == ["band", "flux", "ivar", "mask", "psf_fwhm", "scale"]
    assert row["image"]["band"] == ["g", "r", "i"]
    assert np.shape(row["image"]["flux"]) == (3, 6, 4)
    np.testing.assert_array_equal(row["image"]["flux"][1], images.flux[2, :, :, 1])
    assert isinstance(row["image"]["mask"][0][0][0], bool)


def test_the_columns_beside_are_a_table(tmp_path):
    write_images(some_images(), tmp_path / "a.parquet")
    table = read_table(tmp_path / "a.parquet")
    assert set(table.columns) == {"object_id", "redshift", "disc_re_kpc"}
    assert table.units["disc_re_kpc"] == "kpc"


def test_rows_are_found_in_their_groups(tmp_path):
    parts = [some_images(3, first=0), some_images(4, first=3), some_images(2, first=7)]
    schema = images_to_arrow(parts[0]).schema
    with image_writer(tmp_path / "a.parquet", schema) as writer:
        for part in parts:
            writer.write_table(images_to_arrow(part))
    read = read_images(tmp_path / "a.parquet", rows=[8, 0, 4, 3])
    assert read.ids.tolist() == [8, 0, 4, 3]
    np.testing.assert_array_equal(read.flux[2], parts[1].flux[1])
    assert read_images(tmp_path / "a.parquet", rows=slice(2, 5)).ids.tolist() == [2, 3, 4]
    assert [len(part) for part in iter_images(tmp_path / "a.parquet")] == [3, 4, 2]


def test_a_list_of_structs_and_other_names_are_read():
    """Legacy Surveys call the flux `array` and the mask `bit_mask`."""
    images = some_images(2)
    rows = [
        [
            {
                "band": band,
                "array": images.flux[n, :, :, b].tolist(),
                "bit_mask": images.bad[n, :, :, b].tolist(),
                "psf_fwhm": 1.0,
                "scale": 0.262,
            }
            for b, band in enumerate(images.bands)
        ]
        for n in range(2)
    ]
    read = images_from_arrow(pa.table({"object_id": ["x1", "x2"], "image": rows}))
    np.testing.assert_array_equal(read.flux, images.flux)
    np.testing.assert_array_equal(read.bad, images.bad)
    assert np.all(read.ivar == 1)
    assert read.ids.tolist() == ["x1", "x2"]


def one_image(**changes):
    image = {"band": ["r"], "flux": [[[1.0, 2.0]]], "psf_fwhm": [1.0], "scale": [0.2]}
    return {**image, **changes}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"redshift": [0.1]}, r"no column image \(it has redshift\)"),
        ({"image": [1.0]}, "column image of type double"),
        ({"image": [one_image(), one_image(band=["g"])]}, "row 1.*bands.*first row"),
        ({"image": [one_image(), one_image(flux=[[[1.0]]])]}, "flux differs in shape"),
        ({"image": [one_image(flux=[1.0])]}, "has double for flux"),
        ({"image": [{"band": ["r"], "flux": [[[1.0]]], "scale": [1.0]}]}, "no psf_fwhm"),
    ],
)
def test_other_layouts_are_errors(columns, message):
    with pytest.raises(TableError, match=message):
        images_from_arrow(pa.table(columns), "a.parquet")


def test_a_missing_or_damaged_file_is_an_error(tmp_path):
    with pytest.raises(TableError, match="is not there"):
        read_images(tmp_path / "a.parquet")
    write_images(some_images(), tmp_path / "a.parquet")
    content = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(content[: len(content) // 2])
    with pytest.raises(TableError, match="truncated, damaged"):
        read_images(tmp_path / "a.parquet")


def test_shapes_that_disagree_are_an_error():
    good = some_images(2)
    with pytest.raises(TableError, match="arrays of shapes"):
        Images(
            good.ids, ("g",), good.flux, good.ivar, good.bad, good.psf_fwhm_arcsec, good.pixel_scale_arcsec
        )
