"""``nebulium properties`` on embeddings from elsewhere, alone and beside images, from end to end."""

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table as AstropyTable
from typer.testing import CliRunner

from nebulium.cli import app
from nebulium.data.embeddings.columns import EmbeddingTable
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import write_table
from nebulium.errors import NebuliumError, TableError
from nebulium.modelfile import describe_model, load_model
from nebulium.properties import evaluate_file, explain_file, predict_file, train_file
from nebulium.properties.config import PropertiesConfig
from nebulium.verbs import find_predictor, predict_all

GP = PropertiesConfig(head="gaussian-process")


def succeeds(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["properties", *map(str, arguments)])
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def fails(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["properties", *map(str, arguments)])
    assert result.exit_code == 2, (result.output, result.exception)
    return " ".join(result.stderr.split())


@pytest.fixture
def work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def by_id(path, ids):
    """The predictions of some galaxies, in their order."""
    table = read_table(path)
    name = next(iter(table.columns))
    row_of = {int(one): row for row, one in enumerate(table[name].tolist())}
    return table.select([row_of[int(one)] for one in ids])


@pytest.fixture(scope="module")
def alone(sample) -> tuple[Path, str]:
    """A network on columns of numbers, of a property and a class."""
    said = succeeds(
        "train", "--embeddings", sample.folder / "columns.csv", "--embedding-columns", "feat_*",
        "--embedding-id", "id_str", "--labels", sample.folder / "labels.fits", "--id", "objid",
        "--target", "oh12", "--target", "kind", "--epochs", 40, "--batch-size", 16,
        "-o", sample.folder / "alone",
    )  # fmt: skip
    return sample.folder / "alone", said


@pytest.fixture(scope="module")
def process(sample) -> Path:
    """A Gaussian process on arrays, whose labels stand beside them."""
    arrays = EmbeddingTable(sample.folder / "arrays.fits", id_column="objid")
    run = train_file(None, None, sample.folder / "process", embeddings=arrays, targets=["oh12"], config=GP)
    assert "has no label" in run.rejects.summary()
    return run.model


@pytest.fixture(scope="module")
def beside(sample) -> tuple[Path, str]:
    """A network on images and arrays."""
    said = succeeds(
        "train", sample.folder / "images.npz", "--embeddings", sample.folder / "arrays.fits",
        "--labels", sample.folder / "labels.fits", "--id", "objid", "--target", "oh12", "--target", "hidden",
        "--encoder", "resnet-tiny", "--epochs", 12, "--batch-size", 16, "-o", sample.folder / "beside",
    )  # fmt: skip
    return sample.folder / "beside", said


def test_a_network_learns_from_embeddings_alone(alone, sample, work):
    model, said = alone
    assert "2 rows set aside: 1 has no label, 1 has an embedding with numbers that are NaN" in said
    assert f"1 labels without an embedding: {sample.ids[9]}" in said
    out = succeeds("predict", "--embeddings", sample.folder / "columns.csv", "--model", model, "-o", "a.csv")
    assert f"{len(sample.ids) - 1} galaxies" in out
    known = np.delete(np.arange(len(sample.ids)), [4, 9])
    predicted = by_id("a.csv", sample.ids[known])
    assert next(iter(predicted.columns)) == "id_str"
    assert np.std(predicted["oh12"] - sample.oh12[known]) < 0.4 * np.std(sample.oh12)
    assert np.mean(predicted["kind"] == sample.kind[known]) > 0.9
    assert np.mean(predicted["in_domain"].astype(bool)) > 0.85


def test_the_folder_tells_the_table_and_its_columns(alone):
    about = describe_model(alone[0])
    embedding = about.config["preprocessing"]["embedding"]
    assert embedding["file"] == "columns.csv"
    assert embedding["columns"] == [f"feat_{place}" for place in range(16)]
    assert (embedding["width"], embedding["pattern"], embedding["id_column"]) == (16, "feat_*", "id_str")
    assert about.config["split"]["id_column"] == "objid"
    assert "16 numbers, feat_* of columns.csv. Which version of which network" in about.card
    assert "oh12, kind from embeddings of galaxies" in about.card


def test_evaluation_of_embeddings_alone(alone, sample, work):
    given = ("--embeddings", sample.folder / "columns.csv", "--labels", sample.folder / "labels.fits")
    succeeds("evaluate", *given, "--id", "objid", "--model", alone[0], "-o", "scores")
    scores = json.loads((work / "scores" / "scores.json").read_text())["scores"]
    methods = [one["method"] for one in scores if one["target"] == "oh12"]
    assert methods == ["training mean", "ridge on the embedding", "alone"]
    assert scores[0]["galaxies"] == describe_model(alone[0]).config["split"]["galaxies"]["test"]
    assert not list((work / "scores").glob("*gallery*"))


def test_a_gaussian_process_learns_from_embeddings_alone(process, sample, work):
    predict_file(None, "a.parquet", model=process, embeddings=sample.folder / "arrays.fits")
    known = np.delete(np.arange(len(sample.ids)), [4, 9])
    predicted = by_id("a.parquet", sample.ids[known])
    assert np.std(predicted["oh12"] - sample.oh12[known]) < 0.3 * np.std(sample.oh12)
    arrays = EmbeddingTable(sample.folder / "arrays.fits")
    found = evaluate_file(None, None, model=process, embeddings=arrays, resamples=2, all_rows=True)
    assert found.scores[-1]["rmse"].value < 0.5 * found.scores[0]["rmse"].value


def test_rows_in_another_order_and_pieces_are_predicted_alike(process, sample, work, monkeypatch):
    table, arrays = AstropyTable.read(sample.folder / "arrays.fits"), sample.folder / "arrays.fits"
    table[::-1].write("reversed.fits")
    monkeypatch.setattr("nebulium.data.embeddings.source.READ", 16 * 20)
    for given in (arrays, "reversed.fits"):
        predict_file(None, f"{Path(given).stem}.parquet", model=process, embeddings=given)
    one, other = (by_id(f"{name}.parquet", sample.ids[10:]) for name in ("arrays", "reversed"))
    np.testing.assert_allclose(one["oh12"], other["oh12"], atol=1e-5)


def test_beside_images_both_are_seen(beside, sample, work):
    model, said = beside
    assert "2 rows set aside" in said
    assert "1 embeddings without a labelled image: 7" in said
    rejects = model.with_name("beside.rejects.csv").read_text()
    assert f"4,{sample.ids[4]},has an embedding with numbers that are NaN or infinite\n" in rejects
    assert f"9,{sample.ids[9]},has no embedding" in rejects
    images, arrays = sample.folder / "images.npz", ("--embeddings", sample.folder / "arrays.fits")
    out = succeeds("predict", images, *arrays, "--model", model, "-o", "a.parquet")
    assert "1 embeddings without an image: 7" in out
    table = read_table("a.parquet")
    known = np.delete(np.arange(len(sample.ids)), [4, 9])
    assert table["target_id"].tolist() == sample.ids[known].tolist()
    assert np.std(table["oh12"] - sample.oh12[known]) < 0.6 * np.std(sample.oh12)
    assert np.corrcoef(table["hidden"], sample.hidden[known])[0, 1] > 0.9


def test_beside_images_the_embedding_must_be_in_the_domain_too(beside, sample, work):
    far = AstropyTable.read(sample.folder / "arrays.fits")
    far["embedding"][:, 3] += 50.0
    far.write("far.fits")
    run = predict_file(sample.folder / "images.npz", "a.parquet", model=beside[0], embeddings="far.fits")
    assert run.out_of_domain == run.rows


def test_beside_images_a_model_is_scored_and_explained(beside, sample, work):
    both = ("--embeddings", sample.folder / "arrays.fits", "--model", beside[0])
    images, labels = (
        sample.folder / "images.npz",
        ("--labels", sample.folder / "labels.fits", "--id", "objid"),
    )
    succeeds("evaluate", images, *both, *labels, "-o", "scores")
    assert (work / "scores" / "oh12_gallery.png").is_file()
    explained = explain_file(
        images,
        "seen",
        model=beside[0],
        embeddings=sample.folder / "arrays.fits",
        galaxies=[str(sample.ids[3])],
    )
    assert explained.galaxies == 1
    assert explained.largest_gap < 0.2


def test_a_process_takes_images_and_embeddings_and_classes_too(sample, work):
    given = sample.folder / "images.npz", sample.folder / "labels.fits"
    config = PropertiesConfig(head="gaussian-process", features=("profiles",))
    run = train_file(
        *given, "both", embeddings=sample.folder / "arrays.fits", targets=["oh12", "kind"], config=config,
        id_column="objid",
    )  # fmt: skip
    model = load_model(run.model)
    assert model.process_groups == (40, 40, 40, 16)
    assert model.kernel_groups == (120, 16)
    predict_file(given[0], "a.parquet", model=run.model, embeddings=sample.folder / "arrays.fits")
    table = read_table("a.parquet")
    rows = np.searchsorted(sample.ids, table["target_id"])
    assert np.mean(table["kind"] == sample.kind[rows]) > 0.9
    assert np.std(table["oh12"] - sample.oh12[rows]) < 0.3 * np.std(sample.oh12)


def test_the_space_of_a_model_of_embeddings_is_theirs(process, sample):
    embedder = find_predictor(process, verb="embed")
    # As the page in the browser opens it: a table, without a word of its columns.
    placed = predict_all(embedder, embedder.open(sample.folder / "arrays.fits"))
    vectors = sample.vectors[placed.ids[placed.ids > 7] - sample.ids[0]]
    distances = np.linalg.norm(placed.detail.vectors[placed.ids > 7], axis=1)
    assert placed.detail.vectors.shape == (len(sample.ids) - 1, 16)
    assert (
        np.corrcoef(distances, np.linalg.norm(vectors[:, :-1] - vectors[:, :-1].mean(axis=0), axis=1))[0, 1]
        > 0.8
    )
    with pytest.raises(NebuliumError, match="sees embeddings alone, and what is explained are images"):
        explain_file(sample.folder / "images.npz", "none", model=process)


def test_what_a_model_does_not_see_is_refused(alone, beside, process, sample, work):
    images, arrays = sample.folder / "images.npz", sample.folder / "arrays.fits"
    out = ("-o", "a.parquet")
    assert "model beside: sees images, and none are given" in fails(
        "predict", "--embeddings", arrays, "--model", beside[0], *out
    )
    assert "sees embeddings beside the images (embedding), and none are given" in fails(
        "predict", images, "--model", beside[0], *out
    )
    assert "sees embeddings alone, and no images. To mend: leave out" in fails(
        "predict", images, "--embeddings", arrays, "--model", process, *out
    )
    assert "sees images alone, and no embeddings. To mend: leave out --embeddings" in fails(
        "predict", images, "--embeddings", arrays, "--model", "sdss-metallicity", *out
    )
    assert "lacks the column feat_0 and 15 more" in fails(
        "predict", "--embeddings", arrays, "--model", alone[0], "--embedding-id", "objid", *out
    )
    assert "sees embeddings alone, and no table of them is given" in fails(
        "predict", images, "--model", process, *out
    )
    assert "--embedding-id: is given without a table" in fails(
        "predict", images, "--embedding-id", "objid", "--model", process, *out
    )
    assert "is the input" in fails("predict", "--embeddings", arrays, "--model", process, "-o", arrays)
    assert list(work.iterdir()) == []


@pytest.mark.parametrize(
    ("setting", "named"), [({"size": 8}, "--size"), ({"features": ("profiles",)}, "--features"),
                           ({"init": "sdss-metallicity"}, "--init"), ({"most_shift_px": 1}, "most_shift_px")]
)  # fmt: skip
def test_settings_of_images_are_refused_without_any(sample, work, setting, named):
    arrays, config = (
        EmbeddingTable(sample.folder / "arrays.fits", id_column="objid"),
        PropertiesConfig(**setting),
    )
    with pytest.raises(TableError, match=f"{named}.* is of images, and there are none"):
        train_file(None, None, "mine", embeddings=arrays, targets=["oh12"], config=config)
    assert list(work.iterdir()) == []


def test_neither_images_nor_embeddings_are_a_fault(work):
    assert "DATA: is missing. To mend: name the images" in fails("train", "--target", "oh12", "-o", "mine")


def test_a_table_without_the_galaxies_of_the_images_is_refused(beside, sample, work):
    write_table(Table({"target_id": np.arange(3) + 1, "a0": np.arange(3.0), "a1": np.arange(3.0)}), "a.csv")
    with pytest.raises(TableError, match="has no id of the images: its ids begin with 1, 2, 3, those of"):
        train_file(
            sample.folder / "images.npz", sample.folder / "labels.fits", "mine", id_column="objid",
            embeddings=EmbeddingTable("a.csv", "a*"), targets=["oh12"],
        )  # fmt: skip


def test_a_label_among_the_numbers_of_the_embedding_is_refused(sample, work):
    columns = {"target_id": sample.ids, "f1": sample.hidden, "f_oh12": sample.oh12}
    AstropyTable(columns).write("a.fits")
    with pytest.raises(TableError, match="column f_oh12: is to be learned, and is among the 2 columns"):
        train_file(
            None, None, "mine", embeddings=EmbeddingTable("a.fits", "f*"), targets=["f_oh12"], config=GP
        )


def test_embeddings_that_are_all_alike_teach_nothing(sample, work):
    columns = {"target_id": sample.ids, "embedding": np.ones((len(sample.ids), 4)), "oh12": sample.oh12}
    AstropyTable(columns).write("a.fits")
    with pytest.raises(TableError, match="has the same embedding for every training galaxy"):
        train_file(None, None, "mine", embeddings="a.fits", targets=["oh12"], config=GP)


def test_images_can_start_from_a_network_of_images_and_not_of_embeddings(beside, sample, work):
    given = sample.folder / "images.npz", sample.folder / "labels.fits"
    with pytest.raises(TableError, match="has no networks that see images alone"):
        train_file(
            *given, "mine", id_column="objid", targets=["oh12"], config=PropertiesConfig(init=str(beside[0]))
        )
