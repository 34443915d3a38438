import numpy as np
import pytest

from nebulium.data.images.labelled import prepare_parts
from nebulium.data.images.matching import match_to_model
from nebulium.data.images.opening import open_images
from nebulium.data.images.preparation import ImageForm, Preparation, measure_preparation
from nebulium.data.images.source import with_factors
from nebulium.data.images.stretches import Stretch
from nebulium.data.rejects import Rejects


def sky(folder, sigma=0.2, n=9, side=8, bands=1):
    pixels = np.random.default_rng(0).normal(0.0, sigma, (n, side, side, bands)).astype(np.float32)
    np.save(folder / "a.npy", pixels)
    return open_images(folder / "a.npy")


def test_the_preparation_of_fluxes_is_their_size_and_the_noise_of_their_sky(tmp_path):
    preparation = measure_preparation(sky(tmp_path), np.arange(9))
    assert preparation.size == 8
    assert preparation.stretch.softening == pytest.approx((0.2,), rel=0.2)


def test_a_form_goes_through_json_and_back():
    form = ImageForm(("g", "r"), "nJy", Preparation(8, Stretch("asinh", (1.0, 2.0)), 2))
    assert ImageForm.of(**form.as_dict()) == form


def test_images_that_were_padded_are_counted_and_those_set_aside_are_not(tmp_path):
    images, rejects = match_to_model(sky(tmp_path, n=3), None), Rejects()
    assert images.notes(12, rejects) == ()
    list(images.source.chunks())
    assert images.notes(8, rejects) == ()
    assert images.notes(12, rejects)[0].startswith("3 of 3 images were padded from 8 to 12 pixels")
    rejects.add([1], np.array([1]), "is a star")
    assert images.notes(12, rejects)[0].startswith("2 of 2 images")


def test_each_image_and_band_has_a_factor_of_its_own(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((3, 8, 8, 2), np.float32))
    factors = np.array([[1.0, 2], [3, 4], [5, 6]])
    source = with_factors(open_images(tmp_path / "a.npy"), factors)
    chunk = next(source.chunks(np.array([2, 0])))
    assert [image[0, 0].tolist() for image in chunk.pixels] == factors[[2, 0]].tolist()


def test_labels_stay_with_their_images_and_rows_of_no_part_are_left_out(tmp_path):
    pixels = np.arange(1, 7, dtype=np.float32)[:, None, None, None] * np.ones((6, 4, 4, 1), np.float32)
    pixels[1] = 0.0
    np.save(tmp_path / "a.npy", pixels)
    part = np.array(["test", "train", "", "train", "validation"])
    parts = prepare_parts(
        open_images(tmp_path / "a.npy"),
        np.array([0, 1, 2, 3, 5]),
        part,
        {"value": np.array([1.0, 2.0, 3.0, 4.0, 6.0])},
        tmp_path / "store",
        preparation=Preparation(4, Stretch("none")),
        rejects=Rejects(),
    )
    assert {name: len(images) for name, images in parts.items()} == {"train": 1, "validation": 1, "test": 1}
    for images in parts.values():
        taken = images.take(np.array([0]))
        assert taken["image"][0, 0, 0].tolist() == taken["value"].tolist()
