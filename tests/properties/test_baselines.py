"""Baselines: laws they share, answers known in closed form, and the real images' labels."""

import numpy as np
import pytest

from nebulium.errors import MissingExtraError, TableError
from nebulium.metrics.point import rmse
from nebulium.properties.baselines.baselines import (
    BASELINES,
    ForestBaseline,
    RidgeBaseline,
    SupportVectorBaseline,
)
from nebulium.properties.baselines.feature_scale import FeatureScale
from nebulium.properties.baselines.integrated_light import colours_of, magnitudes_of

pytest.importorskip("sklearn")

SLOPES = np.array([0.2, -0.1, 0.0])


def galaxies(count=150, seed=0, noise=0.02):
    random = np.random.default_rng(seed)
    features = random.normal(size=(count, 3)) * [1.0, 10.0, 0.1] + [5.0, -3.0, 0.0]
    scaled = (features - [5.0, -3.0, 0.0]) / [1.0, 10.0, 0.1]
    return features, 9 + scaled @ SLOPES + random.normal(0, noise, count)


@pytest.fixture(scope="module")
def fitted():
    return {name: fit(*galaxies()) for name, fit in BASELINES.items()}


@pytest.mark.parametrize("name", BASELINES)
def test_one_equals_batch(fitted, name):
    features, _ = galaxies(5, seed=1)
    batch = fitted[name].predict(features)
    assert batch.shape == (5,)
    assert fitted[name].predict(features[2:3])[0] == pytest.approx(batch[2], rel=1e-9)


@pytest.mark.parametrize("name", BASELINES)
def test_no_galaxy_gives_no_row(fitted, name):
    assert fitted[name].predict(np.zeros((0, 3))).shape == (0,)


@pytest.mark.parametrize("name", BASELINES)
def test_galaxies_without_a_label_do_not_count(fitted, name):
    features, values = galaxies()
    holed = BASELINES[name](np.vstack([features, features[:20]]), np.append(values, np.full(20, np.nan)))
    np.testing.assert_allclose(holed.predict(features[:4]), fitted[name].predict(features[:4]), rtol=1e-9)


@pytest.mark.parametrize("name", BASELINES)
def test_missing_and_constant_features_are_borne(name):
    features, values = galaxies()
    features[::7, 0], features[:, 2] = np.nan, np.nan
    assert np.isfinite(BASELINES[name](features, values).predict(features)).all()


@pytest.mark.parametrize("name", BASELINES)
def test_too_few_galaxies_are_refused(name):
    features, values = galaxies(9)
    with pytest.raises(TableError, match="needs 10 galaxies with a value, found 9"):
        BASELINES[name](features, values)


@pytest.mark.parametrize("name", list(BASELINES)[1:])
def test_all_beat_the_mean(fitted, name):
    features, values = galaxies(300, seed=2)
    errors = {one: rmse(values, fitted[one].predict(features)) for one in ("mean", name)}
    assert errors[name] < 0.6 * errors["mean"]


@pytest.mark.parametrize("name", list(BASELINES)[2:])
def test_same_seed_same_forest(fitted, name):
    features, _ = galaxies(10, seed=3)
    np.testing.assert_array_equal(
        BASELINES[name](*galaxies()).predict(features), fitted[name].predict(features)
    )


def test_ridge_leave_one_out_is_brute_force():
    """Its penalty is the one that a loop over left-out galaxies would choose."""
    features, values = galaxies(30, noise=0.3)
    ridge = RidgeBaseline.fit(features, values)
    scaled = FeatureScale.measure(features).apply(features)

    def left_out(penalty):
        errors = []
        for row in range(30):
            rest = np.arange(30) != row
            middle, mean = scaled[rest].mean(axis=0), values[rest].mean()
            near = scaled[rest] - middle
            slopes = np.linalg.solve(near.T @ near + penalty * np.eye(3), near.T @ (values[rest] - mean))
            errors.append(values[row] - mean - (scaled[row] - middle) @ slopes)
        return np.mean(np.square(errors))

    others = ridge.penalty * 10.0 ** np.array([-1.0, -0.5, 0.5, 1.0])
    assert left_out(ridge.penalty) <= min(left_out(other) for other in others) * 1.001


@pytest.mark.parametrize("name", ["ridge", "extra trees", "support vectors"])
def test_many_features_of_few_galaxies(name):
    """As with radial profiles: 120 features that are noisy views of three."""
    features, values = galaxies(250, noise=0.05)
    random = np.random.default_rng(4)
    scaled = FeatureScale.measure(features).apply(features)
    profiles = scaled @ random.normal(size=(3, 120)) + random.normal(0, 1, (250, 120))
    found = BASELINES[name](profiles[:200], values[:200]).predict(profiles[200:])
    assert rmse(values[200:], found) < 0.6 * values[200:].std()


def test_ridge_finds_slopes():
    features, values = galaxies(2000)
    np.testing.assert_allclose(RidgeBaseline.fit(features, values).slopes, SLOPES, atol=0.003)


def test_without_scikit_learn_the_extra_is_named(monkeypatch):
    for module, fit in (("sklearn.ensemble", ForestBaseline.fit), ("sklearn.svm", SupportVectorBaseline.fit)):
        monkeypatch.setitem(__import__("sys").modules, module, None)
        with pytest.raises(MissingExtraError, match=r"nebulium\[bench\]"):
            fit(*galaxies())


def test_magnitudes_do_not_see_the_sky():
    images = np.random.default_rng(0).uniform(1, 2, (3, 4, 4, 2))
    padded = np.pad(images, ((0, 0), (4, 4), (4, 4), (0, 0)))
    np.testing.assert_allclose(magnitudes_of(padded), magnitudes_of(padded + 7.0))
    np.testing.assert_allclose(magnitudes_of(padded, aperture=0.5), magnitudes_of(padded))
    np.testing.assert_allclose(colours_of(padded), colours_of(3 * padded))


def test_an_image_without_light_has_no_magnitude():
    images = np.zeros((2, 6, 6, 3))
    images[1, 3, 3] = [1.0, 0.5, -0.2]
    found = magnitudes_of(images)
    assert np.isnan(found[0]).all()
    assert found[1] == pytest.approx([0.0, 0.7526, 7.5], abs=1e-3)
