"""Draws of several properties at once, and priors that are not that of the training galaxies."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.data.images.opening import open_images
from nebulium.data.tables.reading import read_table
from nebulium.errors import NebuliumError
from nebulium.generate import posterior_file
from nebulium.generate.image_model import GRID
from nebulium.generate.population import read_population
from nebulium.generate.posterior import of_population
from nebulium.modelfile import load_model


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def written(name: str, **columns) -> str:
    rows = "".join(",".join(map(str, row)) + "\n" for row in zip(*columns.values(), strict=True))
    Path(name).write_text(",".join(columns) + "\n" + rows)
    return name


@pytest.fixture(scope="module")
def model(trained):
    return load_model(trained)


@pytest.fixture(scope="module")
def image(model, spots):
    pixels = next(iter(open_images(spots).chunks(np.arange(1)))).pixels[0]
    return jnp.asarray(model.form.preparation.from_disk(model.form.preparation.to_disk([pixels]))[0])


def test_draws_are_those_of_the_posterior(some_spots, trained):
    run = posterior_file(some_spots, "posterior.ecsv", model=trained, draws=200)
    found, drawn = read_table(run.output), read_table(run.further["draws"])
    assert run.further["draws"].name == "posterior.draws.parquet"
    assert list(drawn.columns) == ["object_id", "draw", "log_mass", "log_size"]
    assert drawn["object_id"].tolist() == np.repeat(found["object_id"], 200).tolist()
    for name in ("log_mass", "log_size"):
        values = drawn[name].reshape(-1, 200)
        off = (np.median(values, axis=1) - found[name]) / found[f"{name}_sigma"]
        # The median of 200 draws has an error of 0.09.
        assert np.std(off) < 0.15
        width = 0.5 * (np.quantile(values, 0.84, axis=1) - np.quantile(values, 0.16, axis=1))
        assert np.median(width / found[f"{name}_sigma"]) == pytest.approx(1.0, abs=0.05)
    again = posterior_file(some_spots, "again.ecsv", model=trained, draws=200)
    np.testing.assert_array_equal(read_table(again.further["draws"])["log_mass"], drawn["log_mass"])


def test_what_is_given_is_what_is_drawn(some_spots, trained):
    run = posterior_file(some_spots, "posterior.ecsv", model=trained, draws=200, given="log_mass")
    drawn, truth = read_table(run.further["draws"]), open_images(some_spots).table["log_mass"]
    np.testing.assert_allclose(drawn["log_mass"], np.repeat(truth, 200), rtol=1e-6)
    assert np.all(drawn["log_size"].reshape(-1, 200).std(axis=1) > 0)


def test_another_prior_weighs_the_posterior(model, image):
    """Of one property the density is known on a grid, times the ratio of the priors."""
    random = np.random.default_rng(0)
    prior = read_population(written("p.csv", log_mass=random.normal(10.4, 0.3, 900)), model)
    nothing = jnp.full(2, jnp.nan)
    found = jax.jit(lambda key: of_population(model, image, nothing, prior, 0, key))(jax.random.key(0))
    columns = jnp.stack([jnp.asarray(GRID), jnp.zeros(len(GRID))], axis=1)
    both = jax.jit(jax.vmap(lambda one: (prior.log_weight(model, one), model.reader.prior(one, prior.told))))
    weight, train = (np.exp(np.asarray(log)) for log in both(columns))
    density = np.asarray(jax.jit(lambda image: model.posterior(image, nothing))(image))[0] * weight
    # Half of what lies at a place lies below it.
    below = (np.cumsum(density) - 0.5 * density) / density.sum()
    at = [np.interp(share, below, GRID) for share in (0.16, 0.5, 0.84)]
    expected = float(model.condition_mean[0]) + float(model.condition_scale[0]) * np.array(at)
    width = 0.5 * (expected[2] - expected[0])
    for part, wanted in zip(("_q16", "", "_q84"), expected, strict=True):
        assert abs(float(found[part][0]) - wanted) < 0.15 * width
    # The table has the mean and the scatter that were put in.
    own = weight * train
    values = float(model.condition_mean[0]) + float(model.condition_scale[0]) * GRID
    mean = np.sum(own * values) / np.sum(own)
    assert mean == pytest.approx(10.4, abs=0.03)
    assert np.sqrt(np.sum(own * (values - mean) ** 2) / np.sum(own)) == pytest.approx(0.3, abs=0.03)


def test_the_training_population_as_the_prior_changes_little(spots, some_spots, trained):
    table = open_images(spots).table
    path = written("p.csv", log_mass=table["log_mass"], log_size=table["log_size"])
    plain = read_table(posterior_file(some_spots, "plain.ecsv", model=trained).output)
    run = posterior_file(some_spots, "weighed.ecsv", model=trained, prior=path)
    found = read_table(run.output)
    off = (found["log_mass"] - plain["log_mass"]) / plain["log_mass_sigma"]
    assert np.std(off) < 0.2
    assert np.median(found["effective_draws"]) > 500
    assert "the prior is p.csv" in " ".join(run.notes)
    assert not np.any(found["in_domain"][found["effective_draws"] < 30])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"age": np.zeros(300)}, "has none of the columns log_mass, log_size"),
        ({"log_mass": np.full(30, 10.0)}, "has 30 galaxies, too few.*give 200 or more"),
        ({"log_mass": np.linspace(20, 21, 300)}, "has 100% galaxies unlike all that the model learned from"),
        ({"log_mass": np.full(900, 11.2)}, r"leaves 0\.\d+% of the training galaxies.*--given log_mass"),
        ({"log_mass": ["a"] * 300}, "column log_mass: expected a number, found 'a'"),
    ],
)
def test_priors_that_cannot_be_used_are_refused(spots, trained, columns, message):
    with pytest.raises(NebuliumError, match=message):
        posterior_file(spots, "out.ecsv", model=trained, prior=written("p.csv", **columns))
    assert not Path("out.ecsv").exists()


def test_negative_draws_are_refused(spots, trained):
    with pytest.raises(NebuliumError, match="draws: is -1, expected a whole number, 0 or more"):
        posterior_file(spots, "out.ecsv", model=trained, draws=-1)
