"""Tables as they come: what becomes numbers, what text, and what is an error."""

import os
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from io import BytesIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from nebulium.data.images.mmu import Images, write_images
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import write_table
from nebulium.errors import TableError
from nebulium.explore.sample import example
from nebulium.explore.sample.galaxies import Galaxies, read_galaxies
from nebulium.explore.sample.pictures import Pictures

#: More in `python -m benchmarks inputs`.
INPUTS = int(os.environ.get("NEBULIUM_INPUTS", "50"))

HOSTILE = (
    "<script>alert(1)</script>",
    "=1+1",
    "../../etc/passwd",
    "a & b",
    '"quoted"',
    "naïve ✨",
    " spaced ",
)


def written(folder, columns, name="galaxies.parquet"):
    path = folder / name
    pyarrow.parquet.write_table(pa.table(columns), path)
    return path


def test_columns_are_sorted_by_what_they_hold(tmp_path):
    columns = {
        "target_id": [7, 8],
        "redshift": [0.1, None],
        "count": [1, None],
        "flag": [True, False],
        "small": np.array([1, 2], np.int16),
        "half": np.array([1, 2], np.float16),
        "kind": ["spiral", None],
        "seen": np.array(["2020-01-01", "NaT"], "datetime64[s]"),
        "image": [[1.0], [2.0]],
    }
    galaxies = read_galaxies(written(tmp_path, columns))
    assert list(galaxies.values) == ["redshift", "count", "flag", "small", "half"]
    assert {values.dtype.name for values in galaxies.values.values()} == {"float32", "float64"}
    np.testing.assert_array_equal(galaxies.values["redshift"], [0.1, np.nan])
    assert galaxies.values["flag"].tolist() == [1.0, 0.0]
    assert galaxies.texts["kind"].tolist() == ["spiral", ""]
    assert galaxies.texts["seen"].tolist() == ["2020-01-01T00:00:00.000", ""]
    assert "image" not in galaxies.texts
    assert (galaxies.ids.tolist(), galaxies.id_column, galaxies.name) == (
        ["7", "8"],
        "target_id",
        "galaxies.parquet",
    )


@pytest.mark.parametrize("ending", ["parquet", "fits", "ecsv", "csv"])
def test_any_table(tmp_path, ending):
    path = tmp_path / f"galaxies.{ending}"
    if ending == "csv":
        path.write_text("target_id,z,kind\n7,0.5,a\n8,,b\n", encoding="utf-8")
    else:
        columns = {"target_id": np.array([7, 8]), "z": np.array([0.5, np.nan]), "kind": np.array(["a", "b"])}
        write_table(Table(columns), path)
    galaxies = read_galaxies(path)
    assert galaxies.ids.tolist() == ["7", "8"]
    np.testing.assert_array_equal(galaxies.values["z"], [0.5, np.nan])
    assert galaxies.texts["kind"].tolist() == ["a", "b"]


#: Types of columns that are looked at, and of those that are left out, with a value.
LOOKED_AT = (
    (pa.bool_(), True), (pa.uint64(), 2**63), (pa.float16(), 0.5), (pa.decimal128(5, 2), Decimal("1.25")),
    (pa.decimal256(50, 2), Decimal("1.25")), (pa.null(), None), (pa.string_view(), "é"),
    (pa.large_string(), "é"),
    (pa.binary(), b"text"), (pa.binary(4), b"text"), (pa.dictionary(pa.int8(), pa.string()), "é"),
    (pa.timestamp("us", "UTC"), datetime(2026, 1, 1)), (pa.date32(), date(2026, 1, 1)),
    (pa.time64("us"), time(1)),
    (pa.duration("s"), timedelta(1)),
)  # fmt: skip
PNG = b"\x89PNG"
LEFT_OUT = (
    (pa.binary(), PNG), (pa.large_binary(), PNG), (pa.binary(4), PNG), (pa.binary_view(), PNG),
    (pa.dictionary(pa.int8(), pa.binary()), PNG), (pa.list_(pa.float32()), [1.0]),
    (pa.list_(pa.binary()), [PNG]),
    (pa.struct({"bytes": pa.binary(), "path": pa.string()}), {"bytes": PNG}),
    (pa.large_list(pa.int8()), []),
    (pa.map_(pa.string(), pa.int8()), {"a": 1}), (pa.list_(pa.float32(), 2), [1.0, 2.0]),
)  # fmt: skip


@settings(max_examples=INPUTS, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    others=st.lists(st.sampled_from(LOOKED_AT + LEFT_OUT), min_size=1, max_size=5),
    gap=st.booleans(),
    before=st.booleans(),
)
def test_no_column_beside_stops_it(tmp_path, others, gap, before):
    beside = {
        f"c{place}": pa.array([None if gap and kind != pa.uint64() else value, value, value], kind)
        for place, (kind, value) in enumerate(others)
    }
    own = {"target_id": [7, 8, 9], "redshift": [0.1, 0.2, 0.3]}
    galaxies = read_galaxies(written(tmp_path, beside | own if before else own | beside))
    assert galaxies.ids.tolist() == ["7", "8", "9"]
    assert galaxies.values["redshift"].tolist() == own["redshift"]
    left = [f"c{place}" for place, other in enumerate(others) if other in LEFT_OUT]
    assert {*galaxies.values, *galaxies.texts} == {"redshift", *beside} - set(left)
    assert all(text.dtype.kind == "U" and "None" not in text for text in galaxies.texts.values())
    told = [note.removesuffix(".") for note in galaxies.notes if note.startswith("Left out")]
    noted = [name for note in told for name in note.rpartition(": ")[2].split(", ")]
    assert sorted(noted) == sorted(left)


def test_pictures_in_a_column_are_the_images(tmp_path):
    content = BytesIO()
    Image.fromarray(np.full((8, 8, 3), 90, np.uint8)).save(content, "png")
    pictures = [{"bytes": content.getvalue(), "path": None}, {"bytes": PNG, "path": None}]
    galaxies = read_galaxies(written(tmp_path, {"id": ["a", "b"], "z": [0.1, 0.2], "image": pictures}))
    assert galaxies.notes == ()
    assert galaxies.image_rows.tolist() == [0, 1]
    assert list(Pictures(galaxies.images, galaxies.image_rows).stamps(np.arange(2), 5.0)) == [0]


def test_hostile_names_ids_and_texts_are_kept_as_they_are(tmp_path):
    columns = {"id": list(HOSTILE)} | {f"{name}!": np.arange(len(HOSTILE)) for name in HOSTILE}
    columns |= {name: list(HOSTILE) for name in HOSTILE}
    galaxies = read_galaxies(written(tmp_path, columns), id_column='"quoted"')
    assert list(galaxies.values) == [f"{name}!" for name in HOSTILE]
    assert galaxies.texts["=1+1"].tolist() == list(HOSTILE)
    # An id loses the blanks around it, as in every table that the library reads.
    assert galaxies.ids.tolist() == [name.strip() for name in HOSTILE]
    assert galaxies.ids.tolist() == [name.strip() for name in HOSTILE]


@pytest.mark.parametrize("name", ["target_id", "TARGETID", "object_id", "OBJID", "Id"])
def test_ids_by_their_usual_names(tmp_path, name):
    galaxies = read_galaxies(written(tmp_path, {"z": [0.1, 0.2], name: ["b", "a"]}))
    assert (galaxies.ids.tolist(), galaxies.texts, galaxies.notes) == (["b", "a"], {}, ())


def test_without_ids_rows_are_numbered_and_it_is_said(tmp_path):
    galaxies = read_galaxies(written(tmp_path, {"z": [0.1, 0.2]}))
    assert (galaxies.ids.tolist(), galaxies.id_column) == (["0", "1"], None)
    assert "--id" in galaxies.notes[0]


def test_renamed_columns_stand_beside_the_others(tmp_path):
    path = written(
        tmp_path, {"TARGETID": [7], "Z": [0.1], "OII_3726_EW": [1.0], "OII_3729_EW": [2.0], "ra": [3.0]}
    )
    mapping = {"redshift": "Z", "ew_OII_DOUBLET": "OII_3726_EW + OII_3729_EW"}
    galaxies = read_galaxies(path, columns=mapping)
    assert galaxies.lines == ("OII_DOUBLET",)
    assert {"redshift", "ra", "ew_OII_DOUBLET"} <= galaxies.values.keys()
    assert galaxies.values["ew_OII_DOUBLET"].tolist() == [3.0]


def test_numbers_that_stand_for_a_missing_value_are_nan(tmp_path):
    galaxies = read_galaxies(written(tmp_path, {"target_id": [7, 8], "z": [0.1, -99.0]}), missing=-99)
    np.testing.assert_array_equal(galaxies.values["z"], np.array([0.1, np.nan], galaxies.values["z"].dtype))


@pytest.mark.parametrize(
    ("columns", "id_column", "message"),
    [
        ({"target_id": np.array([], np.int64), "z": np.array([])}, None, "has no rows"),
        ({"target_id": [7, 8], "kind": ["a", "b"]}, None, "no column of numbers"),
        ({"target_id": [7, 8, 7], "z": [1.0, 2.0, 3.0]}, None, "found 7 in rows 0 and 2"),
        ({"name": ["a", "a"], "z": [1.0, 2.0]}, "name", "found a in rows 0 and 1"),
        ({"target_id": [7], "z": [1.0]}, "nmae", "has no column 'nmae'"),
        ({"z": [0.5]}, "z", "an id"),
    ],
)
def test_what_is_no_table_of_galaxies(tmp_path, columns, id_column, message):
    with pytest.raises(TableError, match=message):
        read_galaxies(written(tmp_path, columns), id_column=id_column)


def test_a_folder_must_be_a_survey(tmp_path):
    with pytest.raises(TableError, match="mock survey"):
        read_galaxies(tmp_path)


def test_a_survey_with_images_and_without(tmp_path):
    written(tmp_path, {"target_id": [0, 1, 2], "redshift": [0.1, 0.2, 0.3]}, "catalogue.parquet")
    assert read_galaxies(tmp_path).images is None
    (tmp_path / "data").mkdir()
    broken = read_galaxies(tmp_path)
    assert broken.images is None
    assert "No images" in broken.notes[0]
    flux = np.ones((2, 8, 8, 1), np.float32)
    images = Images(np.array([2, 0]), ("r",), flux, flux, flux < 0, *np.ones((2, 2, 1), np.float32))
    write_images(images, tmp_path / "data" / "shard.parquet")
    galaxies = read_galaxies(tmp_path)
    assert galaxies.image_rows.tolist() == [1, -1, 0]
    assert galaxies.notes == ()


def test_the_example_is_made_once(tmp_path, monkeypatch):
    monkeypatch.setattr(example, "N_GALAXIES", 40)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = read_galaxies(None)
    monkeypatch.setattr(example, "_made", lambda: pytest.fail("made again"))
    again = read_galaxies(None)
    assert (made.name, len(made), made.path) == ("example galaxies", 40, None)
    assert made.continuum.shape == (40, 12)
    assert len(made.lines) == 10
    for name, values in made.values.items():
        np.testing.assert_array_equal(again.values[name], values)


def test_bands_and_fluxes_measured_before_true():
    values = {
        "flux_njy_r": np.array([1.0]),
        "flux_njy_obs_r": np.array([2.0]),
        "flux_njy_err_r": np.array([0.1]),
    }
    values["flux_njy_u"] = np.array([5.0])
    galaxies = Galaxies("a", np.array(["7"]), values)
    assert galaxies.bands == ("r", "u")
    flux, error = galaxies.fluxes
    np.testing.assert_array_equal(flux, [[2.0, 5.0]])
    np.testing.assert_allclose(error, [[0.1, np.nan]])
    assert Galaxies("a", np.array(["7"]), {}).fluxes[0].shape == (1, 0)


def test_added_columns_take_the_place_of_others():
    galaxies = Galaxies("a", np.array(["7"]), {"z": np.array([1.0])}, {"kind": np.array(["a"])}, {"z": "mag"})
    more = galaxies.with_values({"kind": np.array([2.0]), "z": np.array([3.0])}, {}, ["said"])
    assert (list(more.values), dict(more.texts), dict(more.units)) == (["z", "kind"], {}, {})
    assert (galaxies.values["z"].tolist(), more.notes) == ([1.0], ("said",))
    assert more.values["kind"].tolist() == [2.0]


def test_medians_of_what_is_known():
    galaxies = Galaxies("a", np.array(["7", "8"]), {"z": np.array([1.0, np.nan]), "none": np.full(2, np.nan)})
    assert galaxies.median_of("z") == galaxies.median_of("z") == 1.0
    assert np.isnan(galaxies.median_of("none"))
