"""Properties that are classes: learned, drawn, and inferred from images."""

from dataclasses import replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from typer.testing import CliRunner

from nebulium.cli import app
from nebulium.data.images.mmu import read_images, write_images
from nebulium.data.splits import Split
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table
from nebulium.errors import NebuliumError
from nebulium.generate import LatentConfig, posterior_file, sample_file, sample_images, score_file, train_file
from nebulium.modelfile import describe_model, load_model

SMALL = LatentConfig(components=16, width=32, depth=1, epochs=60, reader_epochs=100, batch_size=64)
NAMES = ("large", "medium", "small")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def sized(spots, tmp_path_factory) -> Path:
    """The spots, with their size as a class, which a fifth of them lack, and an odd one out."""
    images = read_images(spots)
    size = images.table["log_size"]
    edges = np.nanquantile(size, [0.35, 0.75])
    names = np.array(NAMES)[2 - np.searchsorted(edges, np.nan_to_num(size))]
    columns = {"kind": np.where(np.isnan(size), "", names), "log_mass": images.table["log_mass"]}
    path = tmp_path_factory.mktemp("sized") / "sized.parquet"
    write_images(replace(images, table=Table(columns)), path)
    return path


@pytest.fixture(scope="module")
def with_classes(sized, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "sized"
    train_file(sized, folder, properties=["kind", "log_mass"], config=SMALL)
    return folder


def test_the_folder_names_the_classes(with_classes, trained):
    config = describe_model(with_classes).config
    assert config["hyperparameters"]["conditions"] == ["log_mass", "kind"]
    assert config["hyperparameters"]["classes"] == {"kind": list(NAMES)}
    counts = config["training_domain"]["classes"]["kind"]
    assert counts["medium"] > counts["large"] > 100
    assert f"| kind | small | {counts['small']} |" in (with_classes / "README.md").read_text()
    # Without classes nothing is said of any.
    assert "classes" not in describe_model(trained).config["hyperparameters"]


def test_images_tell_the_class(sized, with_classes):
    found = read_table(posterior_file(sized, "posterior.ecsv", model=with_classes).output)
    truth = read_images(sized).table["kind"]
    test = (Split().parts(np.arange(len(truth))) == "test") & (truth != "")
    probability = np.stack([found[f"kind_p_{name}"] for name in NAMES], axis=1)
    np.testing.assert_allclose(probability.sum(axis=1), 1.0, atol=1e-5)
    assert np.all(found["kind"] == np.array(NAMES)[np.argmax(probability, axis=1)])
    # Sizes are read to half of their scatter: classes mingle at their edges.
    assert np.mean((found["kind"] == truth)[test]) > 0.7
    own = probability[np.arange(len(truth)), np.searchsorted(NAMES, np.where(truth == "", "large", truth))]
    # The log loss is well below that of the shares of the classes, 1.08.
    assert np.mean(-np.log(own[test])) < 0.65
    given = read_table(posterior_file(sized, "given.ecsv", model=with_classes, given="log_mass").output)
    assert np.mean((given["kind"] == truth)[test]) > 0.7


def test_the_own_class_is_likelier(sized, with_classes):
    truth = read_images(sized).table
    there = np.flatnonzero(truth["kind"] != "")[:200]

    def scores(kinds: np.ndarray) -> np.ndarray:
        rows = zip(there, kinds, truth["log_mass"][there], strict=True)
        Path("t.csv").write_text("target_id,kind,log_mass\n" + "".join(f"{i},{k},{m}\n" for i, k, m in rows))
        return read_table(score_file(sized, "s.ecsv", model=with_classes, table="t.csv").output)["log_ratio"]

    own = truth["kind"][there]
    other = np.where(own == "small", "large", "small")
    assert np.mean(scores(own) > scores(other)) > 0.85


def test_what_is_drawn_is_of_the_class_asked_for(with_classes):
    model = load_model(with_classes)
    places = np.array([NAMES.index("large"), NAMES.index("small"), np.nan])
    given = np.array([[10.0, place] for place in np.repeat(places, 60)], np.float32)
    drawn = sample_images(model, given, steps=12)[..., 0]
    peak = drawn[:, 5:7, 5:7].sum(axis=(1, 2)) / drawn.sum(axis=(1, 2))
    large, small, free = np.split(peak, 3)
    assert np.quantile(large, 0.9) < np.quantile(small, 0.1)
    assert np.std(free) > np.std(large)


def test_classes_are_drawn_from_tables_and_options_by_their_names(with_classes):
    Path("wanted.csv").write_text("target_id,kind,log_mass\n1,large,10\n2,,10.2\n3,small,nan\n")
    sample_file("drawn.parquet", model=with_classes, table="wanted.csv", steps=2)
    assert read_images("drawn.parquet").table["kind"].tolist() == ["large", "", "small"]
    said = CliRunner().invoke(
        app,
        f"generate sample --model {with_classes} --given kind=medium --n 2 --steps 2 -o one.parquet".split(),
    )
    assert said.exit_code == 0, said.output
    images = read_images("one.parquet")
    assert images.table["kind"].tolist() == ["medium", "medium"]
    found = sample_file("two.parquet", model=with_classes, given={"kind": "medium"}, n=2, steps=2)
    np.testing.assert_allclose(read_images(found.output).flux, images.flux, atol=1e-5)


def test_the_domain_knows_classes(with_classes):
    model = load_model(with_classes)
    inside = lambda *values: bool(model.in_domain(jnp.array(values, jnp.float32)))  # noqa: E731
    assert inside(10.0, 0)
    assert inside(np.nan, 1)
    assert inside(11.0, np.nan)
    assert not inside(13.0, 1)
    assert not inside(13.0, np.nan)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kind": "huge"}, "kind is huge, expected one of large, medium, small"),
        ({"kind": 1}, "kind is 1, expected one of large"),
        ({"log_mass": "large"}, "log_mass is large, expected a number"),
    ],
)
def test_classes_that_there_are_not_are_refused(with_classes, given, message):
    with pytest.raises(NebuliumError, match=message):
        sample_file("drawn.parquet", model=with_classes, given=given)


def test_unknown_classes_in_tables_are_refused_or_set_aside(sized, with_classes):
    Path("wanted.csv").write_text("target_id,kind,log_mass\n1,large,10\n2,huge,10\n")
    with pytest.raises(
        NebuliumError, match="column kind: expected one of the classes .* found 'huge' in row 1"
    ):
        sample_file("drawn.parquet", model=with_classes, table="wanted.csv")
    run = score_file(sized, "scores.ecsv", model=with_classes, table="wanted.csv")
    assert run.rows == 1
    assert "has a kind that the model does not know" in read_table(run.rejects_path)["reason"].tolist()
    with pytest.raises(NebuliumError, match="hold a kind that is no place among large, medium, small"):
        sample_images(load_model(with_classes), np.array([[10.0, 3.0]], np.float32))


def test_classes_alone_are_enough(sized):
    """No property is a number; whole numbers are classes where that is said."""
    images = read_images(sized)
    kind = np.where(images.table["kind"] == "", np.nan, 3.0 * (images.table["kind"] == "large"))
    write_images(replace(images, table=Table({"vote": kind})), "votes.parquet")
    config = replace(SMALL, epochs=2, reader_epochs=2, width=8)
    train_file("votes.parquet", "mine", properties=(), classes="vote", config=config)
    assert load_model("mine").kinds.classes == (("vote", ("0", "3")),)
    run = sample_file("drawn.parquet", model="mine", given={"vote": 3}, n=2, steps=2)
    assert read_images(run.output).table["vote"].tolist() == ["3", "3"]
    found = read_table(posterior_file(run.output, "posterior.ecsv", model="mine").output)
    assert set(found.columns) >= {"vote", "vote_p_0", "vote_p_3", "in_domain"}
    score_file(run.output, "scores.ecsv", model="mine")
