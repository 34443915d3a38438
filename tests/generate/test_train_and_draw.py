import json
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from typer.testing import CliRunner

from nebulium.cli import app
from nebulium.data.images.mmu import read_images
from nebulium.data.images.opening import open_images
from nebulium.data.splits import Split
from nebulium.data.tables.reading import read_table
from nebulium.errors import ImageError, TableError
from nebulium.generate import posterior_file, sample_file, sample_images, score_file
from nebulium.generate.finishing import edge_scatter
from nebulium.generate.predict import check_instrument
from nebulium.modelfile import load_model


@pytest.fixture(scope="module")
def model(trained):
    return load_model(trained)


@pytest.fixture(scope="module")
def held_back(spots):
    """Ids of the test galaxies, and what is true of all."""
    table = open_images(spots).table
    return Split().parts(np.arange(len(table))) == "test", table


def test_noise_and_domain_are_those_of_the_images(model):
    np.testing.assert_allclose(model.sky, 0.02, rtol=0.25)
    assert bool(model.in_domain(jnp.array([10.0, 0.3])))
    assert bool(model.in_domain(jnp.array([10.0, np.nan])))
    # Heavy galaxies of any size there are; not so heavy and as large at once.
    assert bool(model.in_domain(jnp.array([11.1, np.nan])))
    assert not bool(model.in_domain(jnp.array([11.1, 0.75])))
    assert bool(model.in_domain(jnp.array([np.nan, np.nan])))
    assert not bool(model.in_domain(jnp.array([10.0, 2.0])))


def test_what_components_leave_out_is_as_noisy_drawn_as_real(spots, model):
    source = open_images(spots)
    pixels = next(source.chunks(np.arange(300), size=300)).pixels
    stretched = model.form.preparation.stretch.apply(np.stack(pixels))
    coefficients = jax.vmap(model.coefficients)(stretched)
    clean = jax.vmap(model.rebuilt)(coefficients)
    real = jax.vmap(model.in_frame)(stretched) - clean
    sky, scatter = model.sky[None, None, :], jax.vmap(model.noise.scatter)(clean)
    noise = scatter * jax.random.normal(jax.random.key(0), clean.shape)
    drawn = jax.vmap(lambda one, of: model.basis.beyond(one / sky, of) * sky)(noise, coefficients)
    for pixels_of in (clean < 0.02, clean > 0.2):
        ratio = np.median(np.abs(drawn[pixels_of])) / np.median(np.abs(real[pixels_of]))
        # The sky leaves room for what this small model draws too wide.
        assert 0.75 < ratio < 1.15


def test_the_sky_of_drawn_galaxies_is_as_noisy_as_that_of_real_ones(spots, model):
    real = np.stack(next(open_images(spots).chunks(np.arange(256), size=256)).pixels)
    drawn = sample_images(model, np.full((256, 2), np.nan, np.float32))
    np.testing.assert_allclose(edge_scatter(drawn), edge_scatter(real), rtol=0.15)


def test_posteriors_narrow_and_hold_the_truth(spots, trained, held_back, tmp_path):
    test, truth = held_back
    run = posterior_file(spots, tmp_path / "posterior.ecsv", model=trained)
    found = read_table(run.output)
    for name, most in (("log_mass", 0.15), ("log_size", 0.08)):
        known = test & np.isfinite(truth[name])
        off = (found[name] - truth[name])[known]
        assert np.std(off) < most
        inside = (truth[name] > found[f"{name}_q16"]) & (truth[name] < found[f"{name}_q84"])
        assert 0.5 < np.mean(inside[known]) < 0.85
    assert np.mean(found["in_domain"][test]) > 0.9


def test_a_galaxy_is_likelier_with_its_own_properties(spots, trained, held_back, tmp_path):
    test, truth = held_back
    own = read_table(score_file(spots, tmp_path / "own.ecsv", model=trained).output)["log_ratio"]
    ids = np.arange(len(truth))
    other = np.roll(truth["log_mass"], 1)
    table = tmp_path / "others.csv"
    rows = zip(ids, other, np.roll(truth["log_size"], 1), strict=True)
    table.write_text("target_id,log_mass,log_size\n" + "".join(f"{i},{m},{s}\n" for i, m, s in rows))
    others = read_table(score_file(spots, tmp_path / "wrong.ecsv", model=trained, table=table).output)
    assert np.median(own[test]) > 1.0
    assert np.mean(own[test] > others["log_ratio"][test]) > 0.85


def test_drawn_images_have_the_properties_and_the_noise_asked_for(model):
    given = np.repeat(np.array([[9.6, 0.3], [10.4, 0.3]], np.float32), 150, axis=0)
    drawn = sample_images(model, given, steps=16)
    flux = drawn.sum(axis=(1, 2))
    for rows, log_mass in ((flux[:150], -0.4), (flux[150:], 0.4)):
        expected = 2 * np.pi * 10**log_mass
        np.testing.assert_allclose(np.median(rows[:, 0]), expected, rtol=0.3)
        np.testing.assert_allclose(np.median(rows[:, 1] / rows[:, 0]), 10 ** (0.2 * log_mass), rtol=0.1)
    corners = drawn[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    np.testing.assert_allclose(np.std(corners[:150]), 0.02, rtol=0.25)


def test_an_image_of_a_seed_does_not_depend_on_how_many_are_drawn(model):
    given = np.full((70, 2), np.nan, np.float32)
    np.testing.assert_allclose(
        sample_images(model, given[:2], first=2, steps=2),
        sample_images(model, given, steps=2)[2:4],
        atol=1e-4,
    )


def test_ratios_are_differentiable_in_the_properties(model, spots):
    source = open_images(spots)
    pixels = next(iter(source.chunks(np.arange(1)))).pixels[0]
    image = jnp.asarray(model.form.preparation.from_disk(model.form.preparation.to_disk([pixels]))[0])
    ratio = jax.jit(lambda value: model.log_ratios(image, value[None, :])[0])
    at, step = jnp.array([10.1, 0.31]), 0.004
    slope = jax.grad(ratio)(at)
    for place in range(2):
        aside = step * jax.nn.one_hot(place, 2, dtype=jnp.float32)
        np.testing.assert_allclose(
            slope[place], (ratio(at + aside) - ratio(at - aside)) / (2 * step), rtol=0.02
        )


def test_commands_say_the_same_as_the_calls(spots, trained, tmp_path):
    def run(*arguments):
        found = CliRunner().invoke(app, ["generate", *map(str, arguments)])
        assert found.exit_code == 0, found.output
        return found.output

    drawn = tmp_path / "drawn.parquet"
    said = run("sample", "--model", trained, "--given", "log_mass=10.2", "--n", 2, "--steps", 2, "-o", drawn)
    assert "2 images; 0 outside the training domain" in said
    images = read_images(drawn)
    assert images.bands == ("g", "r")
    assert images.flux.shape == (2, 12, 12, 2)
    assert images.table["log_mass"].tolist() == [np.float32(10.2)] * 2
    assert np.all(np.isnan(images.table["log_size"]))
    # What is drawn opens as a set of images, and the model takes it.
    run("posterior", drawn, "--model", trained, "--given", "log_mass", "-o", tmp_path / "posterior.csv")
    found = read_table(tmp_path / "posterior.csv")
    assert len(found) == 2
    assert "log_size_q16" in found
    run("score", spots, "--model", trained, "-o", tmp_path / "scores.parquet")


def test_values_of_a_range_are_drawn_evenly_and_the_same_however_many(trained, tmp_path):
    def drawn(name, *options):
        where = ["generate", "sample", "--model", str(trained), "--steps", "2", "-o", str(tmp_path / name)]
        done = CliRunner().invoke(app, [*where, *options])
        assert done.exit_code == 0, done.output
        return read_images(tmp_path / name).table

    ranges = ("--given=log_mass=9.8:10.2", "--given=log_size=0.2:0.4")
    many = drawn("many.parquet", *ranges, "--n=300")
    fewer = drawn("fewer.parquet", *ranges, "--n=70")
    other = drawn("other.parquet", *ranges, "--n=70", "--seed=1")
    for name, low, high in (("log_mass", 9.8, 10.2), ("log_size", 0.2, 0.4)):
        # 1.63 / sqrt(n) is the 1 % level of Kolmogorov and Smirnov's test.
        assert scipy.stats.kstest(many[name], "uniform", (low, high - low)).statistic < 1.63 / np.sqrt(300)
        assert fewer[name].tolist() == many[name][:70].tolist()
        assert not np.any(fewer[name] == other[name])
    assert abs(np.corrcoef(many["log_mass"], many["log_size"])[0, 1]) < 0.2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"given": {"log_mas": 10.0}}, "log_mas is no property of the model; these are log_mass, log_size"),
        ({"given": {"log_mass": np.inf}}, "log_mass is inf, expected a number"),
        ({"given": {"log_mass": (10.0, np.nan)}}, r"log_mass is nan, expected a number"),
        ({"given": {"log_mass": (10.5, 9.5)}}, "log_mass goes from 10.5 to 9.5, expected the lower end"),
        ({"given": {"log_mass": 13.0}}, "the first log_mass 13: their images would be guesses"),
    ],
)
def test_what_cannot_be_drawn_is_refused(trained, tmp_path, options, message):
    with pytest.raises(TableError, match=message):
        sample_file(tmp_path / "drawn.parquet", model=trained, **options)
    assert not list(tmp_path.iterdir())
    if "13" in message:
        run = sample_file(tmp_path / "drawn.parquet", model=trained, n=2, steps=2, outside=True, **options)
        assert run.out_of_domain == 2


def test_images_of_another_instrument_are_refused(spots, model):
    source = open_images(spots)
    for name, what in (("pixel_scale_arcsec", "pixels"), ("psf_fwhm_arcsec", "a point-spread function")):
        other = replace(source, **{name: (1.0, 1.3)})
        with pytest.raises(ImageError, match=f"has {what} of 1.3 arcsec in r, the model learned from 1"):
            check_instrument(other, model)


def test_the_folder_says_what_the_model_is(trained):
    config = json.loads((trained / "config.json").read_text())
    assert config["hyperparameters"]["pixel_scale_arcsec"] == [1.0, 1.0]
    assert config["training_domain"]["conditions"]["log_mass"]["mean"] == pytest.approx(10, abs=0.1)
    assert "Images of galaxies from log_mass, log_size" in (trained / "README.md").read_text()
