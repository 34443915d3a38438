"""What an evaluation finds, on galaxies for which the answer is known."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm
from typer.testing import CliRunner

from nebulium.cli import app
from nebulium.data.tables.reading import read_table
from nebulium.errors import ImageError, ModelFileError, TableError
from nebulium.generate import evaluate_file
from nebulium.generate.latent.diffusion import Known
from nebulium.generate.scores.drawn import GAUSSIAN, NEAREST, REAL
from nebulium.generate.scores.memorisation import nearest_training_image, training_images
from nebulium.generate.scores.posteriors import LINEAR, POPULATION, density_scores
from nebulium.generate.scores.ratios import own_wins
from nebulium.modelfile import load_model
from nebulium.properties import PropertiesConfig, train_file

pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def network(spots, tmp_path_factory):
    """A regression network, hardly trained."""
    folder = tmp_path_factory.mktemp("rivals") / "network"
    config = PropertiesConfig(encoder="resnet-tiny", head="mixture", epochs=1)
    train_file(spots, None, folder, targets=["log_mass"], config=config)
    return folder


@pytest.fixture(scope="module")
def evaluated(many_spots, trained, network, few_trees, tmp_path_factory):
    """An evaluation by the command, its folder and what it said."""
    folder = tmp_path_factory.mktemp("evaluated") / "scores"
    words = [
        "generate",
        "evaluate",
        many_spots,
        "--model",
        trained,
        "--rival",
        network,
        "--drawn",
        250,
        "-o",
        folder,
    ]
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return folder, json.loads((folder / "scores.json").read_text()), done.output


def by(rows, *names):
    return {tuple(row[name] for name in names): row for row in rows}


def test_posteriors_are_scored_beside_simpler_methods(evaluated):
    _, found, said = evaluated
    scores = by(found["scores"], "target", "method")
    for target in ("log_mass", "log_size"):
        of = {one: scores[target, one]["log_score"]["value"] for one in (POPULATION, LINEAR, "spots")}
        assert of["spots"] > of[LINEAR] > of[POPULATION]
        assert 0.5 < scores[target, "spots"]["coverage_68"]["value"] < 0.85
        assert 0.85 < scores[target, "spots"]["coverage_95"]["value"] <= 1
    # One in five sizes is not known.
    assert scores["log_size", "spots"]["galaxies"] < scores["log_mass", "spots"]["galaxies"]
    # The network knows masses alone, and was hardly trained.
    assert ("log_size", "network") not in scores
    gained = by(found["comparison"], "target", "rival")["log_mass", "network"]
    assert gained["difference"]["value"] == pytest.approx(
        scores["log_mass", "spots"]["log_score"]["value"]
        - scores["log_mass", "network"]["log_score"]["value"],
        abs=1e-5,
    )
    assert "log_mass: " in said


def test_drawn_galaxies_stand_beside_baselines_and_real_ones(evaluated):
    folder, found, _ = evaluated
    area = {key: row["auc"]["value"] for key, row in by(found["told_apart"], "images", "features").items()}
    assert len(area) == 12
    assert abs(area[REAL, "morphology"] - 0.5) < 0.15
    assert area["spots", "morphology"] < 0.75
    features = by(found["features"], "images", "feature")
    assert abs(features["spots", "log_flux"]["bias"]) < 0.3
    assert (
        features[GAUSSIAN, "log_half_light_radius"]["scatter"]
        > features[NEAREST, "log_half_light_radius"]["scatter"]
    )
    assert {path.stem for path in folder.glob("*.png")} == {
        "posteriors", "calibration", "ratios", "pictures", "told_apart", "features", "nearest_training_image"
    }  # fmt: skip


def test_training_images_are_recognised_and_drawn_ones_are_not_among_them(evaluated):
    _, found, _ = evaluated
    nearest = by(found["nearest_training_image"], "distance", "images")
    for distance in ("pixels", "features"):
        # What was taken from the training has no distance to it.
        assert nearest[distance, NEAREST]["over_held_out"]["value"] < 0.01
        assert nearest[distance, REAL]["over_held_out"]["value"] == 1
        assert nearest[distance, "spots"]["over_held_out"]["value"] > 0.9


def test_own_properties_win(evaluated):
    folder, found, _ = evaluated
    (ratios,) = found["ratios"]
    assert ratios["auroc"]["value"] > 0.9
    galaxies = read_table(folder / "galaxies.parquet")
    own, another = galaxies["log_ratio"], galaxies["log_ratio_of_another"]
    assert own_wins(own, another) == pytest.approx(ratios["auroc"]["value"], abs=1e-6)
    assert own_wins(own, own) == 0.5


def test_a_density_is_scored_as_mathematics_has_it():
    random = np.random.default_rng(0)
    truth = random.normal(0.5, 0.3, (50, 2)).astype(np.float32)
    normal = lambda at: -0.5 * ((at - 0.5) / 0.3) ** 2 - jnp.log(0.3) - 0.5 * jnp.log(2 * jnp.pi)  # noqa: E731
    scores = [density_scores(normal, Known(jnp.asarray(row), jnp.array([1.0, 0.0]))) for row in truth]
    log, pit = (np.array([getattr(one, name) for one in scores]) for name in ("log_density", "pit"))
    np.testing.assert_allclose(log[:, 0], norm.logpdf(truth[:, 0], 0.5, 0.3), atol=1e-5)
    np.testing.assert_allclose(pit[:, 0], norm.cdf(truth[:, 0], 0.5, 0.3), atol=2e-3)
    assert np.all(np.isnan(log[:, 1]) & np.isnan(pit[:, 1]))


def test_a_turned_training_image_is_recognised(trained, spots):
    model = load_model(trained)
    random = np.random.default_rng(1)
    flux = random.normal(0, 1, (40, 12, 12, 2)).astype(np.float32)
    prepared = model.form.preparation.from_disk(model.form.preparation.to_disk(list(flux)))
    training = training_images(model, prepared)
    turned = np.swapaxes(flux[:5], 1, 2)[:, ::-1]
    assert np.all(nearest_training_image(model, turned, training).pixels < 0.01)
    assert np.all(nearest_training_image(model, flux[:5] + 1, training).pixels > 0.02)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"drawn": 10}, ImageError, "drawn: is 10, expected 250 or more"),
        ({}, TableError, "galaxies to score, of 900 with properties; 250 are needed"),
        ({"rivals": ["desi-lines"]}, ModelFileError, "model desi-lines: gives no densities of properties"),
    ],
)
def test_what_cannot_be_scored_is_refused(spots, trained, options, error, message):
    with pytest.raises(error, match=message):
        evaluate_file(spots, model=trained, **options)
