import numpy as np
import pytest

from nebulium.data.images.opening import open_images
from nebulium.data.images.source import ImageSource
from nebulium.data.rejects import Rejects
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import write_table
from nebulium.errors import TableError
from nebulium.verbs.labels.joining import join_labels, read_labels
from nebulium.verbs.predict import ID


@pytest.fixture
def source(tmp_path) -> ImageSource:
    """Six images with the ids 0 to 5."""
    np.save(tmp_path / "a.npy", np.ones((6, 8, 8, 2), np.float32))
    return open_images(tmp_path / "a.npy")


def labels(ids=range(6), **columns) -> Table:
    return Table({ID: np.array(list(ids))} | {name: np.array(value) for name, value in columns.items()})


def test_rows_follow_the_images_whatever_the_order_of_the_labels(source):
    ids = [5, 3, 99, 0]
    joined = join_labels(source, labels(ids, oh12=[8.5, 8.3, 7.0, 8.0]), ["oh12"], Rejects())
    assert joined.rows.tolist() == joined.ids.tolist() == [0, 3, 5]
    np.testing.assert_allclose(joined.values[:, 0], [8.0, 8.3, 8.5], rtol=1e-6)
    assert joined.label_rows.tolist() == [3, 1, 0]
    assert joined.unseen.tolist() == [99]


def test_numbers_and_text_are_compared_as_they_are_written(source):
    joined = join_labels(source, labels(["2", "03", "4"], oh12=[8.0, 8.1, 8.2]), ["oh12"], Rejects())
    assert joined.ids.tolist() == [2, 4]


def test_a_galaxy_needs_one_label_not_all(source):
    rejects = Rejects()
    table = labels(oh12=[8, np.nan, 9, np.nan, 9, 9], log_mstar=[9, 10, np.nan, np.nan, 11, 12.0])
    joined = join_labels(source, table, ["oh12", "log_mstar"], rejects)
    assert joined.rows.tolist() == [0, 1, 2, 4, 5]
    assert np.isnan(joined.values).sum() == 2
    assert rejects.rows().tolist() == [3]


@pytest.mark.parametrize("ending", ["_sigma", "_err"])
def test_errors_of_labels_are_found_by_their_name(source, ending):
    table = labels(oh12=np.arange(6) + 8.0).with_columns(
        {f"oh12{ending}": np.array([0.1, np.nan, 0, 1, 1, 1])}
    )
    joined = join_labels(source, table, ["oh12"], Rejects())
    np.testing.assert_allclose(joined.sigma[:, 0], [0.1, 0, 0, 1, 1, 1], rtol=1e-6)


def test_labels_that_make_no_sense_are_set_aside(source):
    rejects = Rejects()
    table = labels(oh12=[np.inf, 1, 2, 3, 4, np.nan], oh12_err=[0.1, -1.0, np.inf, 0.1, 0.1, -9999.0])
    joined = join_labels(source, table, ["oh12"], rejects)
    assert joined.rows.tolist() == [3, 4]
    said = rejects.summary()
    assert "1 has an infinite oh12" in said
    assert "2 has an error of oh12 that is negative or infinite" in said
    assert "1 has no label" in said


@pytest.mark.parametrize(
    ("table", "targets", "message"),
    [
        (labels(oh12=["8.1", "8.2", "n/a", "8", "8", "8"]), ["oh12"], "column oh12: .* found 'n/a' in row 2"),
        (labels(oh12=[3.0] * 6), ["oh12"], "oh12: is 3 for every image"),
        (labels(oh12=[np.nan] * 5 + [np.inf]), ["oh12"], "oh12: is missing for every image"),
        (labels([7, 8, 9], oh12=[1.0, 2, 3]), ["oh12"], "begin with 7, 8, 9, those of .* with 0, 1, 2"),
        (labels([1, 2, 1], oh12=[1.0, 2, 3]), ["oh12"], "every id once, found 1 in rows 0 and 2"),
        (labels(oh12=np.arange(6.0)), ["oh12", "oh12"], "two predicted columns would be called oh12"),
        (labels(oh12=np.arange(6.0)), ["oh21"], "the nearest is 'oh12'"),
        (labels(oh12=np.arange(6.0)), [], "none is given"),
        (
            labels(oh12=[8.0, -9999, 8.5, -9999, 9, 8.1]),
            ["oh12"],
            r"oh12: .*found -9999 in rows 1, 3, .*--missing=-9999",
        ),
    ],
    ids=["text", "constant", "missing", "other ids", "duplicate", "twice", "misspelt", "none", "sentinel"],
)
def test_bad_labels_are_refused(source, table, targets, message):
    with pytest.raises(TableError, match=message):
        join_labels(source, table, targets, Rejects())


def test_labels_are_read_with_what_stands_beside_them(source, tmp_path):
    table = labels(oh12=[8.0, -9999, 8, 8, 8, 8], oh12_err=[0.1] * 6, redshift=[0.1] * 6, other=[1] * 6)
    renamed = Table({"objid" if name == ID else name: one for name, one in table.columns.items()})
    write_table(renamed, tmp_path / "labels.ecsv")
    path = tmp_path / "labels.ecsv"
    read = read_labels(path, source, ["oh12"], id_column="objid", beside=["redshift", "none"], missing=-9999)
    assert set(read.columns) == {ID, "oh12", "oh12_err", "redshift"}
    assert np.isnan(read["oh12"][1])
    with pytest.raises(TableError, match="has no column 'target_id'.*name the column of ids: --id COLUMN"):
        read_labels(path, source, ["oh12"])
    with pytest.raises(TableError, match="has no columns beside the images"):
        read_labels(None, source, ["oh12"])


def test_columns_beside_the_images_can_be_labels(source):
    from dataclasses import replace

    beside = Table({"object_id": np.arange(6), "oh12": np.array([8, 9, -99, 8, 8, 8.0])}, {"oh12": "dex"})
    whole = replace(source, beside=lambda: beside)
    read = read_labels(None, whole, ["oh12"], missing=-99)
    assert read.units == {"oh12": "dex"}
    joined = join_labels(whole, read, ["oh12"], Rejects())
    assert joined.rows.tolist() == [0, 1, 3, 4, 5]
    assert joined.units == {"oh12": "dex"}


def test_galaxies_without_labels_are_kept_if_they_are_wanted(source):
    rejects = Rejects()
    table = labels([0, 1, 2, 4], oh12=[8.0, np.nan, 8.2, np.nan])
    joined = join_labels(source, table, ["oh12"], rejects, unlabelled=True)
    # An image that the table does not know may be there by a mistake in the ids.
    assert joined.rows.tolist() == [0, 1, 2, 4]
    assert np.isnan(joined.values[:, 0]).tolist() == [False, True, False, True]
    assert rejects.rows().tolist() == [3, 5]
