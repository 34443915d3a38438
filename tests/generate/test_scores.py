import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.data.images.opening import open_images
from nebulium.generate.scores.features import MORPHOLOGY, feature_names, image_features
from nebulium.generate.scores.likeness import feature_likeness, told_apart
from nebulium.generate.scores.posteriors import (
    LINEAR,
    MODEL,
    POPULATION,
    bound_scores,
    fit_linear_gaussian,
    posterior_scores,
)
from nebulium.modelfile import load_model
from nebulium.nn.mapping import map_galaxies
from nebulium.training.augmentation import orientations

SIDE, BANDS = 24, ("g", "r", "i")
NAMES = feature_names(BANDS)


def disc(axis_ratio: float, radius: float, *, noise: float = 0.0, clumps: int = 0) -> np.ndarray:
    """An exponential disc, twice as bright in each band as in the one before."""
    y, x = np.mgrid[:SIDE, :SIDE] - 0.5 * (SIDE - 1)
    image = np.exp(-np.hypot(x, y / axis_ratio) / radius)
    random = np.random.default_rng(1)
    for _ in range(clumps):
        at = random.uniform(-4, 4, 2)
        image += 0.5 * np.exp(-0.5 * ((x - at[0]) ** 2 + (y - at[1]) ** 2))
    cube = image[..., None] * np.array([0.5, 1.0, 2.0])
    return (cube + noise * random.normal(size=cube.shape)).astype(np.float32)


@pytest.fixture(scope="module")
def measure():
    return jax.jit(jax.vmap(image_features))


def test_features_do_not_change_when_an_image_is_turned(measure):
    found = np.asarray(measure(orientations(jnp.asarray(disc(0.5, 3.0, noise=0.01, clumps=2)))))
    # The sky of the border is correlated along one axis alone.
    np.testing.assert_allclose(found[:, :-1], np.tile(found[:1, :-1], (8, 1)), atol=2e-3)


def test_features_tell_what_they_are_called(measure):
    round_one, flat, large, clumpy = measure(jnp.asarray(np.stack([
        disc(1.0, 2.0, noise=0.003), disc(0.4, 2.0, noise=0.003), disc(1.0, 3.0, noise=0.003),
        disc(1.0, 2.0, noise=0.003, clumps=5),
    ])))  # fmt: skip
    of = lambda row, name: float(row[NAMES.index(name)])  # noqa: E731
    assert of(round_one, "ellipticity") < 0.05 < 0.4 < of(flat, "ellipticity")
    assert of(large, "log_half_light_radius") - of(round_one, "log_half_light_radius") == pytest.approx(
        np.log10(1.5), abs=0.04
    )
    assert of(clumpy, "asymmetry") > 2 * of(round_one, "asymmetry")
    assert of(clumpy, "clumpiness") > of(round_one, "clumpiness")
    # An exponential disc: five times the logarithm of the ratio of the radii with 80 and 20 % of the light.
    assert of(round_one, "concentration") == pytest.approx(2.8, abs=0.35)
    for pair in ("g-r", "r-i"):
        assert of(round_one, pair) == pytest.approx(-np.log(2), abs=0.02)
        assert of(round_one, f"{pair} gradient") == pytest.approx(0, abs=0.02)
    assert of(round_one, "log_sky_r") == pytest.approx(np.log10(0.003), abs=0.4)


def test_the_same_galaxies_are_not_told_apart_and_others_are(few_trees):
    pytest.importorskip("sklearn")
    random = np.random.default_rng(0)
    conditions = random.normal(size=(600, 2))
    real = random.normal(size=(600, len(NAMES)))
    real[:, 0] += conditions[:, 0]
    drawn = random.normal(size=(600, len(NAMES)))
    drawn[:, 0] += conditions[:, 0]
    same = told_apart(drawn, real, conditions)
    assert all(abs(one.value - 0.5) < 0.1 for one in same.values())
    # Of the right distribution, but not of these properties.
    wrong = drawn.copy()
    wrong[:, 0] = -drawn[:, 0]
    other = told_apart(wrong, real, conditions)
    assert other["morphology"].value < 0.6 < 0.7 < other["morphology and properties"].value
    likeness = feature_likeness(2 * drawn + 1, real, conditions, NAMES)
    colour = likeness[len(MORPHOLOGY)]
    assert colour.name == "g-r"
    assert colour.bias == pytest.approx(1, abs=0.15)
    assert colour.scatter == pytest.approx(2, rel=0.15)
    assert colour.wasserstein == pytest.approx(1.25, abs=0.25)


def test_posteriors_score_above_the_population(trained, spots):
    model, source = load_model(trained), open_images(spots)
    rows = np.arange(60)
    pixels = [one for chunk in source.chunks(rows) for one in chunk.pixels]
    images = model.form.preparation.from_disk(model.form.preparation.to_disk(pixels))
    truth = np.stack([source.table[name] for name in model.conditions], axis=1)[rows].astype(np.float32)
    known = np.isfinite(truth).all(axis=1)
    images, truth = images[known], truth[known]
    linear = fit_linear_gaussian(model, images, truth)
    found = posterior_scores(model, images, truth, linear)
    mean = {method: one.log_density.mean(axis=0) for method, one in found.items()}
    assert np.all(mean[MODEL] > mean[POPULATION] + 0.5)
    assert np.all(mean[LINEAR] > mean[POPULATION])
    assert np.all((found[MODEL].pit >= 0) & (found[MODEL].pit <= 1.001))
    bound, error = bound_scores(model, images[:8], truth[:8], truth, draws=32, key=jax.random.key(0))
    assert bound.shape == (8, 2)
    assert np.all(np.isfinite(bound))
    assert np.all(error > 0)


def test_features_of_many_are_those_of_each(measure):
    images = np.stack([disc(0.6, 2.0, noise=0.01), disc(0.9, 3.0, noise=0.01, clumps=1)])
    np.testing.assert_allclose(map_galaxies(image_features, images, batch=2), measure(images), rtol=1e-5)
