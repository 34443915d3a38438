"""The same images in every format that is read, and what is no set of images."""

import io
import zipfile

import h5py
import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from nebulium.data.images.mmu import Images, write_images
from nebulium.data.images.opening import open_images
from nebulium.data.tables.table import Table
from nebulium.errors import ImageError, NebuliumError

IDS = np.array([39627, 7, 1237648704043942146, 11, 12])
BANDS = ("red", "green", "blue")


def colours(n=5, height=10, width=8):
    return np.random.default_rng(0).integers(1, 255, (n, height, width, 3)).astype(np.uint8)


def png(image):
    content = io.BytesIO()
    Image.fromarray(image).save(content, "png")
    return content.getvalue()


def as_folder(folder, images, ids=IDS):
    path = folder / "pictures"
    path.mkdir()
    for identifier, image in zip(ids, images, strict=True):
        (path / f"{identifier}.png").write_bytes(png(image))
    (path / "notes.txt").write_text("no image")
    (path / "._7.png").write_bytes(b"left by another program")
    return path


def as_zip(folder, images, ids=IDS):
    with zipfile.ZipFile(folder / "pictures.zip", "w") as file:
        for identifier, image in zip(ids, images, strict=True):
            file.writestr(f"sdss/{identifier}.PNG", png(image))
        file.writestr("__MACOSX/sdss/._7.png", b"left by another program")
        file.writestr("sdss/readme.txt", "no image")
    return folder / "pictures.zip"


def as_npy(folder, images, ids=IDS):
    np.save(folder / "cube.npy", images)
    np.save(folder / "cube.ids.npy", ids)
    return folder / "cube.npy"


def as_npy_with_csv(folder, images, ids=IDS):
    np.save(folder / "cube.npy", images)
    (folder / "cube.ids.csv").write_text("objid\n" + "\n".join(map(str, ids)))
    return folder / "cube.npy"


def as_npz(folder, images, ids=IDS):
    np.savez(folder / "cube.npz", images=images, ids=ids, bands=np.array(BANDS))
    return folder / "cube.npz"


def as_compressed_npz(folder, images, ids=IDS):
    np.savez_compressed(folder / "cube.npz", flux=images, object_id=ids.astype(str), bands=np.array(BANDS))
    return folder / "cube.npz"


def as_hdf5(folder, images, ids=IDS):
    with h5py.File(folder / "cube.hdf5", "w") as file:
        file["image"] = images
        file["object_id"] = [str(identifier) for identifier in ids]
        file.attrs["bands"] = BANDS
    return folder / "cube.hdf5"


def as_fits_cubes(folder, images, ids=IDS):
    path = folder / "cutouts"
    path.mkdir()
    for identifier, image in zip(ids, images, strict=True):
        header = fits.Header({"BANDS": ",".join(BANDS)})
        fits.writeto(path / f"{identifier}.fits", np.moveaxis(image, -1, 0).astype(np.float32), header)
    return path


def as_fits_bands(folder, images, ids=IDS):
    """An extension a band, the bands in another order in each file."""
    path = folder / "cutouts"
    path.mkdir()
    for row, (identifier, image) in enumerate(zip(ids, images, strict=True)):
        # The file that is read first has them as they are.
        order = np.roll(np.arange(3), 0 if str(identifier) == min(map(str, ids)) else row)
        hdus = [fits.PrimaryHDU()]
        for band in order:
            header = fits.Header({"EXTNAME": BANDS[band]})
            hdus.append(fits.ImageHDU(image[..., band].astype(np.float32), header))
        hdus.append(fits.ImageHDU(np.zeros((3, 3)), name="MASK"))
        fits.HDUList(hdus).writeto(path / f"{identifier}.fits.gz")
    return path


def as_parquet(folder, images, ids=IDS):
    write_images(mmu(images, ids), folder / "cutouts.parquet")
    return folder / "cutouts.parquet"


def as_shards(folder, images, ids=IDS):
    """As `nebulium mock make` leaves them."""
    (folder / "survey" / "data").mkdir(parents=True)
    (folder / "survey" / "figures").mkdir()
    (folder / "survey" / "figures" / "stamps.png").write_bytes(png(colours(1)[0]))
    (folder / "survey" / "catalogue.parquet").write_bytes(b"not read")
    for first in range(0, len(ids), 2):
        part = mmu(images[first : first + 2], ids[first : first + 2])
        write_images(part, folder / "survey" / "data" / f"mock-{first}.parquet")
    return folder / "survey"


def mmu(images, ids):
    flux = images.astype(np.float32)
    cells = np.ones((len(ids), 3), np.float32)
    table = Table({"redshift": np.linspace(0.1, 0.3, len(ids))})
    about = {"unit": "1 is the AB magnitude of the zero point: red 22.5, green 22.4, blue -1"}
    return Images(np.asarray(ids), BANDS, flux, flux, flux < 0, 1.3 * cells, 0.4 * cells, table, about)


#: Formats that hold colours, and formats that hold numbers.
COLOUR_FORMATS = {
    "folder": as_folder,
    "zip": as_zip,
    "npy": as_npy,
    "npy_with_csv": as_npy_with_csv,
    "npz": as_npz,
    "compressed_npz": as_compressed_npz,
    "hdf5": as_hdf5,
}
NUMBER_FORMATS = {
    "fits_cubes": as_fits_cubes,
    "fits_bands": as_fits_bands,
    "parquet": as_parquet,
    "shards": as_shards,
}
FORMATS = COLOUR_FORMATS | NUMBER_FORMATS


def only_chunk(source, rows=None):
    (chunk,) = source.chunks(rows)
    return chunk


@pytest.fixture(scope="module", params=FORMATS.values(), ids=FORMATS)
def source(request, tmp_path_factory):
    return open_images(request.param(tmp_path_factory.mktemp("images"), colours()))


class TestEveryFormat:
    def test_ids_are_whole_numbers_and_go_with_their_images(self, source):
        assert source.ids.dtype == np.int64
        assert sorted(source.ids) == sorted(IDS)
        chunk = only_chunk(source)
        np.testing.assert_array_equal(chunk.rows, np.arange(5))
        np.testing.assert_array_equal(chunk.ids, source.ids)
        for identifier, image in zip(chunk.ids, chunk.pixels, strict=True):
            np.testing.assert_array_equal(image, colours()[IDS.tolist().index(identifier)])

    def test_bands_are_named(self, source):
        assert source.bands == BANDS

    def test_colours_are_told_from_numbers(self, source):
        kinds = {image.dtype for image in only_chunk(source).pixels}
        assert kinds == ({np.dtype(np.uint8)} if source.unit == "display" else {np.dtype(np.float32)})

    def test_rows_come_in_the_order_asked_for(self, source):
        rows = np.array([4, 0, 3, 0])
        chunk = only_chunk(source, rows)
        np.testing.assert_array_equal(chunk.rows, rows)
        whole = only_chunk(source)
        for row, image in zip(rows, chunk.pixels, strict=True):
            np.testing.assert_array_equal(image, whole.pixels[row])

    def test_the_size_of_a_chunk_changes_nothing(self, source):
        one_by_one = [image for chunk in source.chunks(size=1) for image in chunk.pixels]
        np.testing.assert_array_equal(one_by_one, only_chunk(source).pixels)
        assert [len(chunk.rows) for chunk in source.chunks(size=2)] == [2, 2, 1]

    def test_no_rows_are_no_chunks(self, source):
        assert list(source.chunks(np.zeros(0, np.int64))) == []

    def test_bands_are_picked_and_put_in_order(self, source):
        picked = open_images(source.path, bands=["blue", "red"])
        assert picked.bands == ("blue", "red")
        for after, before in zip(only_chunk(picked).pixels, only_chunk(source).pixels, strict=True):
            np.testing.assert_array_equal(after, before[..., [2, 0]])

    def test_two_sources_are_read_at_a_time(self, source):
        pairs = zip(source.chunks(size=2), source.chunks(size=2), strict=True)
        assert all(np.array_equal(one.pixels, other.pixels) for one, other in pairs)

    @pytest.mark.parametrize("bands", [["red", "infrared"], ["red", "red"], []])
    def test_bands_that_are_not_there_are_refused(self, source, bands):
        with pytest.raises(ImageError, match="has the bands red, green, blue, asked for were"):
            open_images(source.path, bands=bands)


@pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS)
def test_an_image_of_zeros_is_set_aside(write, tmp_path):
    images = colours()
    images[1] = 0
    source = open_images(write(tmp_path, images))
    (bad,) = np.flatnonzero(source.ids == 7)
    chunk = only_chunk(source)
    assert chunk.problems == {bad: "is zero in all pixels"}
    assert chunk.rows.tolist() == [row for row in range(5) if row != bad]
    assert 7 not in chunk.ids
    assert len(chunk.pixels) == 4


@pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS)
def test_ids_may_be_text(write, tmp_path):
    source = open_images(write(tmp_path, colours(2), np.array(["J1234+56", "007"])))
    assert sorted(source.ids) == ["007", "J1234+56"]
    assert source.ids.dtype.kind == "U"


DOUBLED = {
    name: write for name, write in FORMATS.items() if name not in ("folder", "fits_cubes", "fits_bands")
}


@pytest.mark.parametrize("write", DOUBLED.values(), ids=DOUBLED)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_id_twice_is_refused(write, tmp_path):
    path = write(tmp_path, colours(3), np.array([7, 8, 7]))
    with pytest.raises(NebuliumError, match="expected every id once, found 7|has two files of the id 7"):
        open_images(path)


def cut(path, name):
    """The half of a file."""
    (file,) = path.rglob(name) if path.is_dir() else (path,)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize(("write", "name"), [(as_folder, "39627.png"), (as_fits_cubes, "39627.fits")])
def test_a_cut_image_is_set_aside(write, name, tmp_path):
    path = write(tmp_path, colours())
    cut(path, name)
    source = open_images(path)
    chunk = only_chunk(source)
    assert chunk.problems == {int(np.flatnonzero(source.ids == 39627)[0]): "is truncated or damaged"}
    assert len(chunk.pixels) == 4


ONE_FILE = ("zip", "npy", "npz", "compressed_npz", "hdf5", "parquet", "shards")


@pytest.mark.parametrize("name", ONE_FILE)
def test_a_cut_file_is_refused(name, tmp_path):
    path = FORMATS[name](tmp_path, colours())
    cut(path, "mock-2.parquet")
    with pytest.raises(NebuliumError, match="is truncated, damaged, or not"):
        open_images(path)


@pytest.mark.parametrize("name", ["a.zip", "a.npy", "a.npz", "a.h5", "a.parquet"])
@pytest.mark.parametrize("content", [b"", b"this is no set of images"])
def test_a_file_of_something_else_is_named(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(NebuliumError, match=f"{name}: is truncated, damaged, or not"):
        open_images(tmp_path / name)


def test_nothing_there(tmp_path):
    with pytest.raises(ImageError, match="is not there"):
        open_images(tmp_path / "nowhere")


def test_an_empty_folder(tmp_path):
    with pytest.raises(ImageError, match="holds no images.*To mend: give a folder or .zip of .jpg"):
        open_images(tmp_path)


def test_an_unknown_kind(tmp_path):
    (tmp_path / "a.tiff").write_bytes(b"")
    with pytest.raises(ImageError, match="a.tiff: is of no known kind. To mend: give a folder or .zip"):
        open_images(tmp_path / "a.tiff")


def test_several_kinds(tmp_path):
    as_folder(tmp_path, colours(1), IDS[:1])
    as_fits_cubes(tmp_path, colours(1), IDS[:1])
    with pytest.raises(ImageError, match="several kinds, such as 39627.fits and 39627.png"):
        open_images(tmp_path)


def test_a_folder_of_cubes(tmp_path):
    alone = only_chunk(open_images(as_npy(tmp_path, colours())))
    np.testing.assert_array_equal(only_chunk(open_images(tmp_path)).pixels, alone.pixels)


def test_a_single_picture_is_a_set_of_one(tmp_path):
    source = open_images(as_folder(tmp_path, colours()) / "7.png")
    assert source.ids.tolist() == [7]
    np.testing.assert_array_equal(only_chunk(source).pixels[0], colours()[1])


def test_colours_may_go_by_the_names_of_filters(tmp_path):
    source = open_images(as_zip(tmp_path, colours()), bands=["i", "r", "g"])
    assert source.bands == ("i", "r", "g")
    np.testing.assert_array_equal(only_chunk(source).pixels[0], colours()[0])


def test_named_bands_are_not_renamed(tmp_path):
    with pytest.raises(ImageError, match="asked for were i, r, g"):
        open_images(as_parquet(tmp_path, colours()), bands=["i", "r", "g"])


SEVERAL = {
    "pattern": lambda folder: str(folder / "*.png"),
    "pattern of folders": lambda folder: f"{folder.parent}/*/*.png",
    "files": lambda folder: sorted(folder.glob("[!.]*.png")),
    "files, one of them twice": lambda folder: [
        *sorted(folder.glob("[!.]*.png")),
        next(folder.glob("7.png")),
    ],
    "folder and file": lambda folder: [folder, folder / "7.png"],
}


@pytest.mark.parametrize("several", SEVERAL)
def test_several_files_make_one_set(several, tmp_path):
    images = colours()
    source = open_images(SEVERAL[several](as_folder(tmp_path, images)))
    assert sorted(source.ids.tolist()) == sorted(IDS.tolist())
    found = dict(zip(source.ids.tolist(), only_chunk(source).pixels, strict=True))
    for identifier, image in zip(IDS.tolist(), images, strict=True):
        np.testing.assert_array_equal(found[identifier], image)


def test_several_tables_make_one_set(tmp_path):
    for first in (0, 2):
        write_images(mmu(colours(2), IDS[first : first + 2]), tmp_path / f"{first}.parquet")
    assert open_images([tmp_path / "0.parquet", tmp_path / "2.parquet"]).ids.tolist() == IDS[:4].tolist()


@pytest.mark.parametrize(
    ("several", "message"),
    [
        ("*.jpg", r"\*.jpg: is a pattern that no file has"),
        (["pictures", "cube.npy"], "cube.npy: is of another kind than .*pictures"),
        (["pictures", "none"], "none: is not there"),
        ([], "expected a file, found none"),
    ],
)
def test_several_files_that_make_no_set(several, message, tmp_path, monkeypatch):
    as_folder(tmp_path, colours())
    as_npy(tmp_path, colours())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ImageError, match=message):
        open_images(several)
