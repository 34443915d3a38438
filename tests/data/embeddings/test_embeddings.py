"""Tables of embeddings: which columns they are, and their rows in pieces and from a store."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import MaskedColumn
from astropy.table import Table as AstropyTable
from hypothesis import given
from hypothesis import strategies as st

from nebulium.data.embeddings import source as reading
from nebulium.data.embeddings.columns import EmbeddingForm, EmbeddingTable, in_order_of_numbers
from nebulium.data.embeddings.source import open_embeddings
from nebulium.data.embeddings.store import EmbeddingStore, StoredEmbeddings
from nebulium.errors import TableError

N, WIDTH = 7, 12
IDS = 100 + np.arange(N)
VECTORS = np.random.default_rng(0).normal(size=(N, WIDTH)).astype(np.float32)


def as_lists(path, vectors=VECTORS, ids=IDS, **others):
    columns = {"target_id": ids, "embedding": list(vectors)} | others
    pq.write_table(pa.table(columns), path)


def as_fixed_lists(path):
    lists = pa.FixedSizeListArray.from_arrays(pa.array(VECTORS.ravel()), WIDTH)
    pq.write_table(pa.table({"target_id": IDS, "embedding": lists}), path)


def as_columns(path):
    """A column a number, in another order than that of the numbers."""
    columns = {f"feat_{place}": VECTORS[:, place] for place in reversed(range(WIDTH))}
    AstropyTable({"target_id": IDS, "feature": IDS} | columns).write(path)


def as_arrays(path):
    AstropyTable({"target_id": IDS, "embedding": VECTORS}).write(path, **path_in(path))


def path_in(path):
    return {"path": "galaxies", "serialize_meta": True} if path.suffix == ".hdf5" else {}


WRITTEN = {
    "lists.parquet": (as_lists, None),
    "fixed.parquet": (as_fixed_lists, None),
    "arrays.fits": (as_arrays, None),
    "arrays.ecsv": (as_arrays, None),
    "arrays.hdf5": (as_arrays, None),
    "columns.csv": (as_columns, "feat_*"),
    "columns.fits": (as_columns, "feat_*"),
    "columns.parquet": (as_columns, "feat_*"),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_a_table_of_any_format_gives_the_same(name, tmp_path, monkeypatch):
    write, columns = WRITTEN[name]
    write(tmp_path / name)
    monkeypatch.setattr(reading, "READ", 3 * WIDTH)
    source = open_embeddings(EmbeddingTable(tmp_path / name, columns))
    chunks = list(source.chunks())
    assert [len(chunk.ids) for chunk in chunks] == [3, 3, 1]
    np.testing.assert_array_equal(np.concatenate([chunk.ids for chunk in chunks]), IDS)
    np.testing.assert_array_equal(source.ids, IDS)
    np.testing.assert_array_equal(np.concatenate([chunk.rows for chunk in chunks]), np.arange(N))
    np.testing.assert_allclose(np.concatenate([chunk.vectors for chunk in chunks]), VECTORS, rtol=1e-6)
    # What a model remembers of it opens it again.
    learned = EmbeddingForm.of(source.form.as_dict())
    assert open_embeddings(EmbeddingTable(tmp_path / name), learned=learned).form == source.form == learned


@given(st.lists(st.integers(0, 10**12), unique=True))
def test_columns_are_in_the_order_of_their_numbers(places):
    names = [f"feat_{place}_b" for place in places]
    assert in_order_of_numbers(names) == [f"feat_{place}_b" for place in sorted(places)]


@pytest.mark.parametrize("kind", [np.float16, np.float64, np.int16])
def test_numbers_of_any_kind_are_read_in_single_precision(kind, tmp_path):
    vectors = (10 * VECTORS).astype(kind)
    as_lists(tmp_path / "a.parquet", vectors)
    (chunk,) = open_embeddings(EmbeddingTable(tmp_path / "a.parquet")).chunks()
    assert chunk.vectors.dtype == np.float32
    np.testing.assert_allclose(chunk.vectors, vectors.astype(np.float32))


def test_what_is_not_finite_in_single_precision_cannot_be_used(tmp_path):
    vectors = [row.astype(float) for row in VECTORS]
    vectors[1][3], vectors[2][0], vectors[4][5], vectors[6] = np.nan, np.inf, 1e300, None
    as_lists(tmp_path / "a.parquet", vectors)
    (chunk,) = open_embeddings(EmbeddingTable(tmp_path / "a.parquet")).chunks()
    assert np.flatnonzero(~chunk.finite).tolist() == [1, 2, 4, 6]


def test_masked_numbers_cannot_be_used(tmp_path):
    columns = {f"f{place}": MaskedColumn(10 * VECTORS[:, place].astype(int)) for place in range(3)}
    columns["f1"].mask[2] = True
    AstropyTable({"target_id": IDS} | columns).write(tmp_path / "a.ecsv")
    (chunk,) = open_embeddings(EmbeddingTable(tmp_path / "a.ecsv", "f*")).chunks()
    assert np.flatnonzero(~chunk.finite).tolist() == [2]


def test_ids_may_be_text_or_the_numbers_of_the_rows_or_have_another_name(tmp_path):
    as_lists(tmp_path / "a.parquet", ids=[f"NGC {place}" for place in range(N)], iauname=[*map(str, IDS)])
    opened = open_embeddings(EmbeddingTable(tmp_path / "a.parquet", id_column="ROW"))
    assert opened.ids.tolist() == list(range(N))
    assert open_embeddings(EmbeddingTable(tmp_path / "a.parquet")).ids[2] == "NGC 2"
    named = open_embeddings(EmbeddingTable(tmp_path / "a.parquet"), ids=["iauname"])
    assert named.id_column == "iauname"


def table_of(path, **columns):
    AstropyTable(columns).write(path)


GOOD, SCALARS = {"target_id": IDS, "embedding": VECTORS}, {"target_id": IDS, "feat_1": IDS, "feat_2": IDS}
#: Columns of the table, how it is asked for, and what is said.
FAULTS = {
    "no ids": ({"embedding": VECTORS}, {}, "of ids called target_id or object_id. .*--embedding-id"),
    "ids by another name": (GOOD, {"id_column": "objid"}, "no column 'objid'.*--embedding-id"),
    "ids twice": (GOOD | {"target_id": IDS // 2}, {}, "every id once, found 50 in rows 0 and 1"),
    "ids of no type": (GOOD | {"target_id": IDS + 0.5}, {}, "expected an id"),
    "no arrays": (SCALARS, {}, r"no column of arrays .*; 2 are called feat_\*. .*: --embedding-columns"),
    "two arrays": (GOOD | {"b": VECTORS}, {}, "arrays: embedding, b. .*--embedding-columns embedding"),
    "no such column": (GOOD, {"columns": "embedings"}, "'embedings' .the nearest is 'embedding'"),
    "one value": (SCALARS, {"columns": "feat_1"}, "column feat_1: holds one value a galaxy"),
    "nothing matches": (SCALARS, {"columns": "pred_*"}, r"no column.* that matches 'pred_\*'"),
    "one matches": (SCALARS, {"columns": "*_2"}, "only feat_2 of numbers that matches"),
    "text": (
        SCALARS | {"feat_2": ["a"] * N},
        {"columns": "feat_*"},
        "feat_2: expected numbers .*a.* in row 0",
    ),
    "matrices": (GOOD | {"embedding": np.ones((N, 3, 4))}, {}, "arrays of 3 x 4, expected a vector"),
    "empty": ({name: one[:0] for name, one in GOOD.items()}, {}, "has no rows"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_a_table_name_the_place_and_the_mend(fault, tmp_path):
    columns, asked, problem = FAULTS[fault]
    table_of(tmp_path / "a.fits", **columns)
    with pytest.raises(TableError, match=problem):
        read(EmbeddingTable(tmp_path / "a.fits", **asked))


def read(table):
    source = open_embeddings(table)
    source.check_unique()
    return list(source.chunks())


def test_a_table_that_is_not_there_is_no_table_of_embeddings(tmp_path):
    with pytest.raises(TableError, match="is not there"):
        read(EmbeddingTable(tmp_path / "a.fits"))


@pytest.mark.parametrize("long", [1, 5])
def test_lists_of_several_lengths_are_refused(long, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "READ", 3 * WIDTH)
    monkeypatch.setattr(reading, "ROWS_ASKED", 1)
    as_lists(tmp_path / "a.parquet", [row[: WIDTH - (place == long)] for place, row in enumerate(VECTORS)])
    with pytest.raises(TableError, match="has 11 (values|numbers)"):
        list(open_embeddings(EmbeddingTable(tmp_path / "a.parquet")).chunks())


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"feat_11": None}, "lacks the column feat_11 of the embedding"),
        ({"feat_11": None, "feat_3": None}, "lacks the column feat_3 and 1 more"),
        ({"feat_12": IDS}, r"embeddings of 13 numbers \(feat_\*\), the model learned from 12"),
    ],
)
def test_other_columns_than_the_model_learned_from_are_refused(change, problem, tmp_path):
    learned = EmbeddingForm(tuple(f"feat_{place}" for place in range(WIDTH)), WIDTH, "feat_*", "target_id")
    columns = {"target_id": IDS} | {f"feat_{place}": VECTORS[:, place] for place in range(WIDTH)} | change
    table_of(tmp_path / "a.fits", **{name: one for name, one in columns.items() if one is not None})
    with pytest.raises(TableError, match=problem):
        open_embeddings(EmbeddingTable(tmp_path / "a.fits"), learned=learned)


def test_another_width_is_refused_and_another_name_is_not(tmp_path):
    as_arrays(tmp_path / "a.fits")
    table, form = EmbeddingTable(tmp_path / "a.fits", "embedding"), EmbeddingForm
    with pytest.raises(TableError, match="embeddings of 12 numbers .vector., the model learned from 9"):
        open_embeddings(table, learned=form(("vector",), 9, "", "target_id"))
    with pytest.raises(TableError, match="lacks the column vector"):
        open_embeddings(EmbeddingTable(table.path), learned=form(("vector",), 12, "", "target_id"))
    assert open_embeddings(table, learned=form(("vector",), 12, "", "id")).form.columns == ("embedding",)


@given(st.permutations(range(N)), st.integers(1, N), st.data())
def test_a_store_gives_the_rows_that_were_asked_for(tmp_path_factory, order, count, data):
    folder = tmp_path_factory.mktemp("store")
    vectors = VECTORS.copy()
    vectors[5, 1] = np.nan
    as_lists(folder / "a.parquet", vectors)
    wanted = np.array([*IDS[order[:count]], 7])
    store = EmbeddingStore(folder / "store", open_embeddings(EmbeddingTable(folder / "a.parquet")), wanted)
    assert set(store.ids.tolist()) == set(wanted.tolist()) - {IDS[5], 7}
    assert store.faulty.tolist() == [IDS[5]] * (IDS[5] in wanted)
    assert store.others == N - count
    if len(store):
        rows = np.array(data.draw(st.lists(st.integers(0, len(store) - 1), min_size=1)))
        np.testing.assert_array_equal(
            StoredEmbeddings(store, rows)[np.arange(len(rows))], vectors[store.ids[rows] - IDS[0]]
        )
