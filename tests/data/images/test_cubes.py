"""Arrays of NumPy and HDF5: what goes with the pixels, and arrays that are no images."""

import h5py
import numpy as np
import pytest

from nebulium.data.images.opening import open_images
from nebulium.errors import ImageError, NebuliumError


def cube(n=4, side=8, bands=2, dtype=np.float32):
    return np.random.default_rng(0).normal(5.0, 1.0, (n, side, side, bands)).astype(dtype)


def write_npz(path, **arrays):
    np.savez(path, **{name: np.array(values) for name, values in arrays.items()})


def write_hdf5(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file[name] = values


def write_hdf5_attributes(path, images, **told):
    with h5py.File(path, "w") as file:
        file["images"] = images
        file["images"].attrs.update(told)


WRITERS = {"a.npz": write_npz, "a.h5": write_hdf5, "b.h5": write_hdf5_attributes}


@pytest.fixture(params=WRITERS)
def write(request, tmp_path):
    def write_and_open(**arrays):
        WRITERS[request.param](tmp_path / request.param, **arrays)
        return open_images(tmp_path / request.param)

    return write_and_open


class TestEveryCube:
    def test_what_is_told(self, write):
        source = write(
            images=cube(), ids=[4, 3, 2, 1], bands=["g", "r"], unit="nJy", zero_point_ab=31.4,
            psf_fwhm_arcsec=[1.0, 1.2],
        )  # fmt: skip
        assert source.ids.tolist() == [4, 3, 2, 1]
        assert (source.bands, source.unit) == (("g", "r"), "nJy")
        assert source.zero_point_ab == (31.4, 31.4)
        assert source.psf_fwhm_arcsec == (1.0, 1.2)
        assert source.pixel_scale_arcsec is None
        assert source.table is None

    def test_what_is_not_told(self, write):
        source = write(images=cube())
        assert source.ids.tolist() == [0, 1, 2, 3]
        assert (source.bands, source.unit) == (("0", "1"), "")

    def test_an_array_without_a_band_axis_has_one_band(self, write):
        source = write(images=cube()[..., 0])
        (chunk,) = source.chunks()
        np.testing.assert_array_equal(chunk.pixels, cube()[..., :1])

    def test_other_numbers_are_read_as_numbers(self, write):
        images = cube(dtype=np.float64).astype(">i2")
        (chunk,) = write(images=images).chunks()
        np.testing.assert_array_equal(chunk.pixels, images.astype(np.float32))

    @pytest.mark.parametrize(
        ("told", "words"),
        [
            ({"ids": [1, 2]}, r"has 4 images, and ids of shape \(2,\)"),
            ({"ids": [1.0, 2.0, 3.0, 4.0]}, "ids of shape .* and type float64"),
            ({"ids": [1, 2, 2, 3]}, "expected every id once, found 2 in rows 1 and 2"),
            ({"bands": ["g"]}, "has 2 bands, named g"),
            ({"bands": ["g", "g"]}, "has 2 bands, named g, g"),
            ({"zero_point_ab": [1.0, 2.0, 3.0]}, "has 3 numbers for zero_point_ab, and 2 bands"),
        ],
    )
    def test_what_does_not_go_with_the_images_is_refused(self, write, told, words):
        with pytest.raises(NebuliumError, match=words):
            write(images=cube(), **told)

    @pytest.mark.parametrize(
        ("images", "words"),
        [
            (np.ones(5), r"holds an array of shape \(5,\) of float64. To mend: save an array of shape"),
            (np.ones((0, 8, 8, 2)), r"shape \(0, 8, 8, 2\)"),
            (np.ones((2, 8, 8, 2), complex), "of complex128"),
            (np.ones((2, 3, 8, 8)), r"looks like \(n, band, height, width\). To mend: .*np.moveaxis"),
        ],
    )
    def test_arrays_that_are_no_images_are_refused(self, write, images, words):
        with pytest.raises(ImageError, match=words):
            write(images=images)


def test_no_array_of_a_known_name(tmp_path):
    write_npz(tmp_path / "a.npz", pictures=cube())
    with pytest.raises(ImageError, match=r"holds none of images, image, flux \(it has pictures\)"):
        open_images(tmp_path / "a.npz")
    write_hdf5(tmp_path / "a.h5", pictures=cube())
    with pytest.raises(ImageError, match=r"holds none of images, image, flux \(it has pictures\)"):
        open_images(tmp_path / "a.h5")


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_objects_are_not_unpickled(tmp_path, name):
    images = np.array([{"pixels": 1}], object)
    np.save(tmp_path / name, images) if name == "a.npy" else write_npz(tmp_path / name, images=images)
    with pytest.raises(ImageError, match="holds an array of shape .1,. of object"):
        open_images(tmp_path / name)


def test_fortran_order_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.asfortranarray(cube()))
    with pytest.raises(ImageError, match="Fortran order. To mend: save np.ascontiguousarray"):
        open_images(tmp_path / "a.npy")


def test_a_csv_of_ids_may_have_other_columns(tmp_path):
    np.save(tmp_path / "a.npy", cube(2))
    (tmp_path / "a.ids.csv").write_text("redshift,object_id\n0.1,NGC 1\n0.2,NGC 2\n")
    assert open_images(tmp_path / "a.npy").ids.tolist() == ["NGC 1", "NGC 2"]


def test_damaged_ids_are_named(tmp_path):
    np.save(tmp_path / "a.npy", cube(2))
    (tmp_path / "a.ids.npy").write_bytes(b"no ids")
    with pytest.raises(ImageError, match="a.ids.npy: is truncated, damaged, or not NumPy"):
        open_images(tmp_path / "a.npy")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_damaged_pixels_of_an_npz_are_noticed(tmp_path, save):
    save(tmp_path / "a.npz", images=cube(64, 16))
    content = bytearray((tmp_path / "a.npz").read_bytes())
    middle = len(content) // 2
    content[middle : middle + 200] = bytes(200)
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(ImageError, match="is truncated, damaged, or not NumPy"):
        open_images(tmp_path / "a.npz")


def test_a_file_that_shrinks_sets_images_aside(tmp_path):
    np.save(tmp_path / "a.npy", cube())
    source = open_images(tmp_path / "a.npy")
    with (tmp_path / "a.npy").open("r+b") as file:
        file.truncate(1500)
    (chunk,) = source.chunks()
    assert chunk.problems == dict.fromkeys((2, 3), "is in a damaged part of its file")


def test_a_damaged_chunk_of_an_hdf5_file_is_set_aside(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset("images", data=cube(), chunks=(1, 8, 8, 2), compression="gzip")
        place = data.id.get_chunk_info(2)
    content = bytearray((tmp_path / "a.h5").read_bytes())
    content[place.byte_offset : place.byte_offset + place.size] = bytes(place.size)
    (tmp_path / "a.h5").write_bytes(content)
    (chunk,) = open_images(tmp_path / "a.h5").chunks()
    assert chunk.problems == {2: "is in a damaged part of its file"}
    assert chunk.rows.tolist() == [0, 1, 3]
