"""Drawn images in each of the formats: read back by the library, and whole or not there."""

import numpy as np
import pytest
from PIL import Image

from nebulium.data.images.mmu import read_images
from nebulium.data.images.opening import open_images
from nebulium.data.tables.reading import read_table
from nebulium.errors import NebuliumError
from nebulium.generate import posterior_file, sample_file
from nebulium.generate.drawing.colours import colour_pictures
from nebulium.modelfile import load_model

DRAWN = {"given": {"log_mass": (9.8, 10.2)}, "n": 70, "steps": 16}


@pytest.fixture(scope="module")
def folder(trained, tmp_path_factory):
    """The same galaxies in all formats; they are more than one batch."""
    where = tmp_path_factory.mktemp("drawn")
    for name, kind in (("drawn.parquet", None), ("fits", "fits"), ("jpeg", "jpeg")):
        run = sample_file(where / name, model=trained, kind=kind, **DRAWN)
        assert (run.output, run.images) == (where / name, 70)
    return where


def pixels_of(path):
    source = open_images(path)
    chunks = list(source.chunks())
    ids = np.concatenate([chunk.ids for chunk in chunks])
    order = np.argsort(ids)
    assert ids[order].tolist() == list(range(70))
    return source, np.stack([image for chunk in chunks for image in chunk.pixels])[order]


def test_fits_holds_what_parquet_holds(folder, trained):
    first, expected = pixels_of(folder / "drawn.parquet")
    second, found = pixels_of(folder / "fits")
    np.testing.assert_array_equal(found, expected)
    for name in ("bands", "unit", "pixel_scale_arcsec", "psf_fwhm_arcsec"):
        assert getattr(second, name) == getattr(first, name)
    table, beside = (
        read_table(folder / "fits" / "properties.ecsv"),
        read_images(folder / "drawn.parquet").table,
    )
    assert list(table.columns) == list(beside.columns)
    for name in beside.columns:
        np.testing.assert_array_equal(table[name], beside[name])
    run = posterior_file(
        folder / "fits",
        folder / "inferred.csv",
        model=trained,
        given=["log_mass"],
        table=folder / "fits" / "properties.ecsv",
    )
    assert len(read_table(run.output)) == 70


def test_jpegs_are_the_colours_of_the_images(folder, trained):
    source, found = pixels_of(folder / "jpeg")
    assert source.unit == "display"
    expected = colour_pictures(load_model(trained), read_images(folder / "drawn.parquet").flux)
    # What JPEG changes is less than the noise: other galaxies are far off.
    off = np.abs(found.astype(float) - expected)
    assert off.mean() < 4
    assert np.abs(found.astype(float) - expected[::-1]).mean() > 3 * off.mean()
    assert read_table(folder / "jpeg" / "properties.ecsv")["target_id"].tolist() == list(range(70))
    with Image.open(folder / "jpeg" / "3.jpg") as picture:
        assert picture.format == "JPEG"


@pytest.mark.parametrize("kind", ["parquet", "fits", "jpeg"])
def test_nothing_half_drawn_is_left_and_what_was_there_stays(trained, tmp_path, kind):
    output = tmp_path / ("drawn.parquet" if kind == "parquet" else "drawn")
    sample_file(output, model=trained, kind=kind, n=2, steps=2)
    before = sorted(tmp_path.rglob("*"))

    def stopped(count):
        assert count == 64
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sample_file(output, model=trained, kind=kind, n=70, steps=2, progress=stopped)
    assert sorted(tmp_path.rglob("*")) == before
    # A folder is replaced whole.
    sample_file(output, model=trained, kind=kind, n=1, steps=2)
    assert len(open_images(output)) == 1


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("drawn", {}, r"does not say what to write.*--kind fits or jpeg"),
        ("drawn.parquet", {"kind": "jpeg"}, r"has the ending '\.parquet', and jpeg is asked for"),
        ("drawn", {"kind": "parquet"}, "has the ending '', and parquet is asked for"),
    ],
)
def test_names_that_do_not_fit_are_refused(trained, tmp_path, name, options, message):
    with pytest.raises(NebuliumError, match=message):
        sample_file(tmp_path / name, model=trained, **options)
    assert not list(tmp_path.iterdir())


def test_the_folder_that_the_table_is_in_is_not_replaced(trained, tmp_path):
    sample_file(tmp_path / "drawn", model=trained, kind="fits", n=2, steps=2)
    table = tmp_path / "drawn" / "properties.ecsv"
    with pytest.raises(NebuliumError, match="is a folder with the input .* in it, which would be lost"):
        sample_file(tmp_path / "drawn", model=trained, kind="fits", table=table)
