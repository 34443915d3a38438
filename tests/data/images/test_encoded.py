"""Pictures in a column of Parquet, in each form that Hugging Face's data sets have."""

import io
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from nebulium.data.images.encoded import picture_column
from nebulium.data.images.opening import open_images
from nebulium.errors import TableError

#: More in `python -m benchmarks inputs`.
INPUTS = int(os.environ.get("NEBULIUM_INPUTS", "50"))

STRUCT = pa.struct({"bytes": pa.binary(), "path": pa.string()})


def pixels(seed):
    return np.random.default_rng(seed).integers(1, 255, (6, 6, 3)).astype(np.uint8)


def png(seed):
    content = io.BytesIO()
    Image.fromarray(pixels(seed)).save(content, "png")
    return content.getvalue()


def in_structs(contents):
    return pa.array(
        [{"bytes": one, "path": f"cutouts/{row + 40}.png"} for row, one in enumerate(contents)], STRUCT
    )


#: Columns of pictures, by form.
FORMS = {
    "structs": in_structs,
    "lists of structs": lambda contents: pa.array(
        [[one] for one in in_structs(contents).to_pylist()], pa.list_(STRUCT)
    ),
    "bytes": lambda contents: pa.array(contents, pa.binary()),
    "large bytes": lambda contents: pa.array(contents, pa.large_binary()),
}


def written(path, columns, **options):
    pyarrow.parquet.write_table(pa.table(columns), path, **options)
    return path


@settings(max_examples=INPUTS, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    form=st.sampled_from(list(FORMS)),
    ids=st.sampled_from([None, "object_id", "TARGETID", "dr7objid", "id_str"]),
    bad=st.sampled_from([None, b"", png(9)[:60], b"<html>"]),
    group=st.integers(1, 5),
    data=st.data(),
)
def test_pictures_come_out_as_they_went_in(tmp_path, form, ids, bad, group, data):
    contents = [png(seed) for seed in range(4)] + [bad]
    columns = {"label": np.arange(5.0), "image": FORMS[form](contents)}
    numbers = 1237648704043942146 + np.arange(5)
    columns |= {} if ids is None else {ids: numbers}
    source = open_images(written(tmp_path / "a.parquet", columns, row_group_size=group))
    names = np.arange(40, 45) if "struct" in form else np.arange(5)
    np.testing.assert_array_equal(source.ids, names if ids is None else numbers)
    assert source.table["label"].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    rows = np.array(data.draw(st.permutations(range(5))))
    (chunk,) = source.chunks(rows)
    assert list(chunk.problems) == [4]
    np.testing.assert_array_equal(chunk.pixels, [pixels(seed) for seed in rows if seed != 4])


def test_several_files_are_one_set(tmp_path):
    for first in (0, 2):
        written(
            tmp_path / f"{first}.parquet", {"img": in_structs([png(first), png(first + 1)]), "id": ["a", "b"]}
        )
    with pytest.raises(TableError, match="expected every id once, found a in rows 0 and 2"):
        open_images(tmp_path)


def test_several_pictures_of_one_galaxy_are_set_aside(tmp_path):
    lists = pa.array([[{"bytes": png(0)}], [{"bytes": png(1)}] * 2], pa.list_(STRUCT))
    (chunk,) = open_images(written(tmp_path / "a.parquet", {"images": lists})).chunks()
    assert chunk.problems == {1: "has 2 pictures, expected one"}


@pytest.mark.parametrize(
    ("kind", "name", "found"),
    [
        (STRUCT, "anything", True),
        (pa.binary(), "PNG", True),
        (pa.binary(), "checksum", False),
        (pa.string(), "image", False),
        (pa.struct({"path": pa.string()}), "image", False),
        (pa.dictionary(pa.int8(), pa.binary()), "image", True),
    ],
)
def test_what_is_taken_for_pictures(kind, name, found):
    assert picture_column(pa.schema({"id": pa.int64(), name: kind})) == (name if found else None)


@pytest.mark.parametrize(
    ("ids", "found"), [(pa.array([1, None]), "nan in row 1"), (pa.array([1.0, 3.9e16 + 8]), "3.9")]
)
def test_ids_of_pictures_are_exact_or_refused(tmp_path, ids, found):
    content = io.BytesIO()
    Image.new("RGB", (8, 8)).save(content, "PNG")
    pictures = [{"bytes": content.getvalue(), "path": None}] * 2
    pyarrow.parquet.write_table(pa.table({"objid": ids, "image": pictures}), tmp_path / "a.parquet")
    with pytest.raises(TableError, match=f"a.parquet, column objid: expected an id.*found {found}"):
        open_images(tmp_path / "a.parquet")
