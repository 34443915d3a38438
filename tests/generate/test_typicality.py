"""How typical an image is: p-values that are what they say, and small where something is wrong."""

from dataclasses import replace
from pathlib import Path

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.data.images.mmu import read_images, write_images
from nebulium.data.splits import Split
from nebulium.data.tables.reading import read_table
from nebulium.generate import score_file
from nebulium.generate.latent.typicality import measured_typicality
from nebulium.generate.predict import ScorePredictor
from nebulium.modelfile import load_model
from nebulium.nn.mapping import map_galaxies
from nebulium.verbs import NamedModel


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def held_back(spots):
    """The test galaxies."""
    images = read_images(spots)
    rows = np.flatnonzero(Split().parts(images.ids) == "test")
    names = ("ids", "flux", "ivar", "bad", "psf_fwhm_arcsec", "pixel_scale_arcsec")
    table = replace(images.table, columns={name: one[rows] for name, one in images.table.columns.items()})
    return replace(images, **{name: getattr(images, name)[rows] for name in names}, table=table)


def scored(images, trained, **changed):
    write_images(replace(images, **changed), "images.parquet")
    return read_table(score_file("images.parquet", "scores.ecsv", model=trained).output)


def test_p_values_of_galaxies_held_back_are_even(held_back, trained):
    found = scored(held_back, trained)
    parts = [f"level_{place}" for place in range(1, 5)] + ["light_g", "light_r", "left_g", "left_r"]
    names = ["typicality_p", *(f"typicality_p_{part}" for part in parts)]
    assert [name for name in found.columns if name.startswith("typicality")] == names
    for name in names:
        assert np.all((found[name] > 0) & (found[name] <= 1))
        assert 0.35 < np.mean(found[name]) < 0.65
        assert np.mean(found[name] < 0.1) < 0.25


def test_images_with_something_wrong_are_unusual(held_back, trained):
    plain = scored(held_back, trained)["typicality_p"]
    flux, noise = held_back.flux, np.random.default_rng(0).normal(size=held_back.flux.shape)
    trail = flux.copy()
    trail[:, 3] += 0.5
    half = flux.copy()
    half[:, :6] = 0.02 * noise[:, :6]
    blank = 0.02 * noise.astype(np.float32)
    wrong = {"trail": trail, "shifted": np.roll(flux, 3, axis=1), "half lost": half, "blank": blank}
    for what, pixels in wrong.items():
        found = scored(held_back, trained, flux=np.ascontiguousarray(pixels))["typicality_p"]
        assert np.mean(found[:, None] < plain[None, :]) > 0.75, what


def test_the_same_image_is_as_typical_among_others(held_back, trained):
    model = load_model(trained)
    pixels = [one for one in held_back.flux[:5]]
    images = model.form.preparation.from_disk(model.form.preparation.to_disk(pixels))
    every = map_galaxies(model.typical, images, batch=5)
    one = map_galaxies(model.typical, images[3:4], batch=1)
    np.testing.assert_allclose(one.each[0], every.each[3], atol=0.03)


def test_ranks_go_to_both_sides():
    seen = np.stack([np.arange(99.0), np.arange(99.0)], axis=1)
    typicality = measured_typicality(seen, 99)
    low, middle, high = (typicality.of(jnp.full(2, value)) for value in (-1.0, 49.2, 200.0))
    np.testing.assert_allclose(low.each, 0.02, rtol=1e-5)
    np.testing.assert_allclose(high.each, 0.02, rtol=1e-5)
    np.testing.assert_allclose(middle.each, 1.0)
    assert float(low.all) == float(high.all) < 0.05 < float(middle.all)


def test_models_from_before_say_that_they_rank_none(spots, trained):
    old = eqx.tree_at(lambda m: m.typicality, load_model(trained), None)
    predictor = ScorePredictor((NamedModel("old", old, {"units": {}, "citation": ""}),))
    opened = predictor.open(Path(spots), ids=np.arange(3))
    found = predictor(next(opened.chunks))
    assert list(found.columns) == ["log_ratio", "in_domain"]
    list(opened.chunks)
    assert "no typicality_p: old keeps nothing of images held back" in " ".join(opened.notes)
    with pytest.raises(ValueError, match="ranks no images: train it anew"):
        old.typical(jnp.zeros((12, 12, 2)))
