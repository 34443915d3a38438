"""Pictures of every kind that people have, and what is wrong with some."""

import io
import struct
import zipfile
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nebulium.data.images.opening import open_images
from nebulium.data.images.pictures import decoded
from nebulium.errors import ImageError

RED = (200, 30, 20)


def encoded(mode="RGB", form="png", size=(12, 10), colour=None, **options):
    content = io.BytesIO()
    rng = np.random.default_rng(0)
    picture = Image.new(mode, size, colour) if colour is not None else noise(mode, size, rng)
    picture.save(content, form, **options)
    return content.getvalue()


def noise(mode, size, rng):
    return Image.fromarray(rng.integers(1, 255, (size[1], size[0], 3)).astype(np.uint8)).convert(mode)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_colours_have_three_bands(mode):
    image = decoded(encoded(mode))
    assert image.shape == (10, 12, 3)
    assert image.dtype == np.uint8


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_grey_has_one(mode):
    np.testing.assert_array_equal(decoded(encoded(mode)), decoded(encoded("L")))
    assert decoded(encoded(mode)).shape == (10, 12, 1)


def test_rows_are_rows_and_red_comes_first():
    image = decoded(encoded(colour=RED))
    np.testing.assert_array_equal(image[3, 4], RED)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (encoded("RGBA", colour=(*RED, 128)), "has transparent pixels"),
        (
            encoded("I;16", colour=300),
            "has 16 bits a pixel but no value above 300, as counts have, expected a display",
        ),
        (encoded("F", "tiff", colour=0.5), "has the colour mode F, expected RGB or grey"),
        (encoded("1", colour=1), "has the colour mode 1, expected RGB or grey"),
        (b"", "is an empty file (0 bytes)"),
        (b"<html>404", "is neither JPG nor PNG, whatever its name says"),
        (
            encoded("L", save_all=True, append_images=[Image.new("L", (12, 10), 9)]),
            "holds 2 pictures, expected one",
        ),
        (encoded()[:60], "is truncated or damaged"),
        (b"\xff\xd8\xff\xe0" + bytes(100), "is truncated or damaged"),
    ],
)
def test_what_is_wrong_is_said(content, reason):
    assert decoded(content) == reason


@pytest.mark.parametrize("form", ["png", "tiff"])
def test_grey_of_16_bits_keeps_its_upper_ones(form):
    deep = np.arange(120, dtype=np.uint16).reshape(10, 12) * 500
    content = io.BytesIO()
    Image.fromarray(deep).save(content, form)
    np.testing.assert_array_equal(decoded(content.getvalue())[..., 0], deep // 256)


def test_colours_of_16_bits_keep_their_upper_ones():
    # Pillow writes none.
    deep = (np.arange(360, dtype=np.uint16) * 180).reshape(10, 12, 3)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in deep)
    header = struct.pack(">IIBBBBB", 12, 10, 16, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    chunks = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    ]
    np.testing.assert_array_equal(decoded(b"\x89PNG\r\n\x1a\n" + b"".join(chunks)), deep // 256)


def test_inks_become_colours():
    content = io.BytesIO()
    Image.new("RGB", (12, 10), RED).convert("CMYK").save(content, "jpeg", quality=100)
    np.testing.assert_allclose(decoded(content.getvalue())[5, 5], RED, atol=2)


@given(orientation=st.integers(1, 8), form=st.sampled_from(["jpeg", "png"]))
def test_a_picture_is_turned_as_it_says(orientation, form):
    upright = np.zeros((16, 32), np.uint8)
    upright[:8, :8] = 255
    # As a camera would have stored it: the inverse of what the tag asks for.
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1], 5: upright.T,
        6: np.rot90(upright), 7: upright[::-1, ::-1].T, 8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    exif, content = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(content, form, exif=exif)
    np.testing.assert_allclose(decoded(content.getvalue())[..., 0], upright, atol=12)


@given(share=st.floats(0.0, 0.97))
def test_a_jpeg_cut_anywhere_is_noticed(share):
    content = encoded("RGB", "jpeg", size=(64, 64))
    assert decoded(content[: max(1, int(share * len(content)))]) == "is truncated or damaged"


@given(place=st.integers(0, 10_000), value=st.integers(0, 255), form=st.sampled_from(["png", "jpeg"]))
def test_a_flipped_byte_never_raises(place, value, form):
    content = bytearray(encoded("RGB", form))
    content[place % len(content)] = value
    image = decoded(bytes(content))
    assert isinstance(image, str) or image.dtype == np.uint8


def test_a_picture_that_would_fill_the_memory(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert decoded(encoded(size=(11, 10))) == "is too large to be a cutout"
    assert decoded(encoded(size=(110, 100))) == "is too large to be a cutout"


def folder_of(tmp_path, pictures):
    for name, content in pictures.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


def test_an_odd_picture_is_set_aside_even_if_it_comes_first(tmp_path):
    source = open_images(
        folder_of(tmp_path, {"1.png": encoded("L"), "2.jpg": encoded(), "3.JPEG": encoded()})
    )
    assert source.bands == ("red", "green", "blue")
    (chunk,) = source.chunks()
    assert chunk.problems == {0: "has shape (10, 12, 1), expected (height, width, 3)"}
    assert chunk.ids.tolist() == [2, 3]


def test_grey_pictures_have_a_band_of_their_own(tmp_path):
    assert open_images(folder_of(tmp_path, {"1.png": encoded("L")})).bands == ("grey",)


def test_two_pictures_of_one_galaxy_are_refused(tmp_path):
    folder = folder_of(tmp_path, {"7.png": encoded(), "again/7.jpg": encoded()})
    with pytest.raises(ImageError, match=r"has two files of the id 7: .*7.png and .*again/7.jpg"):
        open_images(folder)


def test_no_picture_that_can_be_read(tmp_path):
    with pytest.raises(ImageError, match="no picture that can be read; .*7.png is truncated .* download"):
        open_images(folder_of(tmp_path, {"7.png": encoded()[:50], "8.png": b""}))
    with pytest.raises(ImageError, match="7.png has transparent pixels. To mend: convert them"):
        open_images(folder_of(tmp_path / "a", {"7.png": encoded("RGBA", colour=(*RED, 128))}))


def test_a_picture_that_has_gone_is_set_aside(tmp_path):
    source = open_images(folder_of(tmp_path, {"7.png": encoded(), "8.png": encoded()}))
    (tmp_path / "8.png").unlink()
    (chunk,) = source.chunks()
    assert chunk.problems == {1: "cannot be read"}


def test_a_damaged_member_of_a_zip_is_set_aside(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("7.png", encoded())
        file.writestr("8.png", encoded("RGB", colour=RED))
    content = path.read_bytes()
    place = content.index(encoded("RGB", colour=RED)) + 20
    path.write_bytes(content[:place] + b"xxxx" + content[place + 4 :])
    (chunk,) = open_images(path).chunks()
    assert chunk.problems == {1: "cannot be read"}
    assert chunk.ids.tolist() == [7]


def test_a_zip_without_pictures(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("readme.txt", "nothing")
    with pytest.raises(ImageError, match="holds no pictures. To mend: put in files ending in .jpg"):
        open_images(tmp_path / "a.zip")


def test_the_pictures_of_wu_and_boada(nebulium_data):
    source = open_images(nebulium_data / "sdss" / "sdss_gri_jpg_128.zip")
    assert (len(source), source.bands, source.unit) == (400, ("red", "green", "blue"), "display")
    chunk = next(source.chunks(np.array([7, 3])))
    assert [image.shape for image in chunk.pixels] == [(128, 128, 3)] * 2
    assert chunk.ids.dtype == np.int64
