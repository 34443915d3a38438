"""Tables in every format: what is written is read, what is wrong is named."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from astropy.io import fits
from astropy.table import Table as AstropyTable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nebulium.data.column_checks import ColumnPlace, checked_column
from nebulium.data.tables.astropy_tables import plain_column
from nebulium.data.tables.reading import FASTSPECFIT, column_mapping, column_names, iter_table, read_table
from nebulium.data.tables.table import Table, concatenate, ending_of, in_memory, missing_column, stem_of
from nebulium.data.tables.writer import TableWriter, write_table
from nebulium.errors import MissingColumnError, NebuliumError, OutputError, TableError

WRITTEN = (".parquet", ".fits", ".fits.gz", ".ecsv")
QUICK = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


def galaxies(n=5):
    rng = np.random.default_rng(1)
    return Table(
        {
            "target_id": np.arange(n) + 39_627_646_512_693_250,
            "redshift": rng.random(n),
            "ew_HALPHA": rng.normal(size=n).astype(np.float32),
            "in_domain": np.arange(n) % 2 == 0,
            "split": np.array(["train", "validation", "test"])[np.arange(n) % 3],
        },
        {"ew_HALPHA": "Angstrom"},
        "galaxies",
        {"model": "desi-lines", "seed": 7},
    )


def assert_same(read, table):
    assert list(read.columns) == list(table.columns)
    for name, values in table.columns.items():
        np.testing.assert_array_equal(read[name], values)


@pytest.mark.parametrize("ending", WRITTEN)
def test_what_is_written_is_read(tmp_path, ending):
    path = tmp_path / f"galaxies{ending}"
    write_table(galaxies(), path)
    read = read_table(path)
    assert_same(read, galaxies())
    assert read.units["ew_HALPHA"] == "Angstrom"
    assert read.metadata == {"model": "desi-lines", "seed": 7}
    assert [read[name].dtype.kind for name in read.columns] == ["i", "f", "f", "b", "U"]
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("ending", WRITTEN)
@pytest.mark.parametrize("rows", [1, 2, 4, 100])
def test_chunks_together_are_the_table(tmp_path, ending, rows):
    path = tmp_path / f"galaxies{ending}"
    write_table(galaxies(7), path)
    chunks = list(iter_table(path, rows_per_chunk=rows))
    assert [len(chunk) for chunk in chunks[:-1]] == [rows] * (len(chunks) - 1)
    assert_same(concatenate(chunks), galaxies(7))


@pytest.mark.parametrize("ending", WRITTEN)
def test_chunks_are_written_as_one_table(tmp_path, ending):
    path = tmp_path / f"galaxies{ending}"
    with TableWriter(path, metadata={"a": 1}) as writer:
        for first in (0, 2, 4):
            writer.append(galaxies(5).select(slice(first, first + 2)))
    assert_same(read_table(path), galaxies(5))
    assert writer.rows == 5
    assert read_table(path).metadata == {"a": 1}


def test_units_stand_in_the_files(tmp_path):
    table = Table({"continuum_flux_9": np.ones(1), "ew_HALPHA": np.ones(1)}, {})
    units = {"continuum_flux_9": "1e-17 erg / (s cm2 Angstrom)", "ew_HALPHA": "Angstrom"}
    table = table.with_columns({}, units)
    for ending in (".parquet", ".fits", ".ecsv"):
        write_table(table, tmp_path / f"a{ending}")
        assert read_table(tmp_path / f"a{ending}").units == units
    schema = pyarrow.parquet.read_schema(tmp_path / "a.parquet")
    assert schema.field("ew_HALPHA").metadata[b"unit"] == b"Angstrom"
    assert json.loads(schema.metadata[b"nebulium"])["columns"]["ew_HALPHA"]["unit"] == "Angstrom"
    header = fits.getheader(tmp_path / "a.fits", 1)
    assert header["TUNIT2"] == "Angstrom"
    # The order of the factors is astropy's.
    assert sorted(header["TUNIT1"].split()) == ["10**-17", "Angstrom-1", "cm-2", "erg", "s-1"]
    assert str(AstropyTable.read(tmp_path / "a.ecsv")["ew_HALPHA"].unit) == "Angstrom"


def test_declared_units_are_converted(tmp_path):
    columns = {"ew_HALPHA": np.array([0.5, 1.0], np.float32), "continuum_flux_0": np.array([2e-17, 3e-17])}
    units = {"ew_HALPHA": "nm", "continuum_flux_0": "erg / (s cm2 Angstrom)"}
    for ending in (".parquet", ".fits", ".ecsv"):
        write_table(Table(columns, units), tmp_path / f"a{ending}")
        read = read_table(tmp_path / f"a{ending}")
        np.testing.assert_array_equal(read["ew_HALPHA"], [5.0, 10.0])
        np.testing.assert_allclose(read["continuum_flux_0"], [2.0, 3.0], rtol=1e-14)
        assert read.units["continuum_flux_0"] == "1e-17 erg / (s cm2 Angstrom)"


def test_units_that_do_not_convert_are_refused(tmp_path):
    write_table(Table({"ew_HALPHA": np.ones(1)}, {"ew_HALPHA": "Jy"}), tmp_path / "a.parquet")
    with pytest.raises(TableError, match=r"a\.parquet, column ew_HALPHA.*'Jy'.*'Angstrom'"):
        read_table(tmp_path / "a.parquet")
    assert read_table(tmp_path / "a.parquet", units={"ew_HALPHA": "nm"})["ew_HALPHA"][0] == 10.0


def test_ecsv_and_csv_and_hdf5(tmp_path):
    h5py = pytest.importorskip("h5py")
    (tmp_path / "a.csv").write_text("# from somewhere\ntarget_id,redshift,name\n7,0.1,x\n8,,y\n")
    table = read_table(tmp_path / "a.csv")
    assert table["target_id"].tolist() == [7, 8]
    np.testing.assert_array_equal(table["redshift"], [0.1, np.nan])
    AstropyTable({"redshift": [0.1]}).write(tmp_path / "b.csv", format="ascii.ecsv")
    assert read_table(tmp_path / "b.csv")["redshift"].tolist() == [0.1]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["other/x"] = np.zeros(9)
        file["fits/ew_HALPHA"] = np.array([0.5, 0.6])
        file["fits/ew_HALPHA"].attrs["unit"] = "nm"
        file["fits/name"] = np.array([b"x", b"y"])
        file["compound"] = np.array([(1, 0.1)], dtype=[("target_id", "i8"), ("redshift", "f4")])
    assert read_table(tmp_path / "a.h5", columns={"ew_HALPHA": "ew_HALPHA"})["ew_HALPHA"].tolist() == [
        5.0,
        6.0,
    ]
    assert read_table(tmp_path / "a.h5", columns=["name=name"])["name"].tolist() == ["x", "y"]
    assert read_table(tmp_path / "a.h5", columns=["redshift=redshift"])["redshift"].dtype == np.float32
    with pytest.raises(TableError, match="no column 'nothing'"):
        read_table(tmp_path / "a.h5", columns={"redshift": "nothing"})


def test_sentinels_become_nan_only_when_told(tmp_path):
    columns = {
        "redshift": np.array([0.1, -99.9], np.float32),
        "zwarn": np.array([-1, 4]),
        "target_id": np.array([-1, 2]),
    }
    write_table(Table(columns), tmp_path / "a.parquet")
    assert read_table(tmp_path / "a.parquet")["redshift"][1] == np.float32(-99.9)
    table = read_table(tmp_path / "a.parquet", missing=[-99.9, -1])
    np.testing.assert_array_equal(table["redshift"], np.array([0.1, np.nan], np.float32))
    np.testing.assert_array_equal(table["zwarn"], [np.nan, 4])
    assert table["target_id"].tolist() == [-1, 2]
    told = read_table(tmp_path / "a.parquet", missing={"zwarn": 4})
    np.testing.assert_array_equal(told["zwarn"], [-1, np.nan])
    assert told["redshift"][1] == np.float32(-99.9)


def fastspecfit(path, *, shuffled=False, ids_in_metadata=True):
    """A file as FastSpecFit writes it: METADATA first, then FASTSPEC, rows in the same order."""
    ids = np.array([30, 10, 20])
    columns = {"TARGETID": ids, "COEFF": np.zeros((3, 4))}
    units = {}
    for line in ("OII_3726", "OII_3729", "HGAMMA", "HBETA", "OIII_4959", "OIII_5007", "NII_6548", "HALPHA",
                 "NII_6584", "SII_6716", "SII_6731"):  # fmt: skip
        columns |= {f"{line}_EW": ids / 10.0, f"{line}_EW_IVAR": np.array([4.0, 0.0, 1.0], np.float32)}
        units |= {f"{line}_EW": "Angstrom", f"{line}_EW_IVAR": "1 / Angstrom2"}
    order = np.array([2, 0, 1]) if shuffled else np.arange(3)
    metadata = AstropyTable({"Z": (ids / 100.0)[order]})
    if ids_in_metadata:
        metadata["TARGETID"] = ids[order]
    hdus = [fits.PrimaryHDU(), fits.BinTableHDU(metadata, name="METADATA")]
    hdus.append(fits.BinTableHDU(AstropyTable(columns, units=units), name="FASTSPEC"))
    fits.HDUList(hdus).writeto(path)


@pytest.mark.parametrize("shuffled", [False, True])
def test_fastspecfit_is_read_by_mapping_alone(tmp_path, shuffled):
    path = tmp_path / "fastspec.fits.gz"
    fastspecfit(path, shuffled=shuffled)
    table = read_table(path, columns="fastspecfit")
    assert set(table.columns) == set(FASTSPECFIT)
    np.testing.assert_array_equal(table["target_id"], [30, 10, 20])
    np.testing.assert_array_equal(table["redshift"], [0.3, 0.1, 0.2])
    np.testing.assert_array_equal(table["ew_HALPHA"], [3.0, 1.0, 2.0])
    np.testing.assert_array_equal(table["ew_OII_DOUBLET"], [6.0, 2.0, 4.0])
    # Variances of the two lines add up: 1 / (1/4 + 1/4) = 2; one that was not measured leaves no sum.
    np.testing.assert_array_equal(table["ew_ivar_OII_DOUBLET"], [2.0, 0.0, 0.5])
    assert table.units["ew_ivar_OII_DOUBLET"] == "1 / Angstrom2"


def test_extensions_are_never_joined_by_row_order(tmp_path):
    fastspecfit(tmp_path / "a.fits", ids_in_metadata=False)
    with pytest.raises(TableError, match="without a common id column: FASTSPEC"):
        read_table(tmp_path / "a.fits", columns="fastspecfit")


def test_mappings_in_all_forms(tmp_path):
    (tmp_path / "m.json").write_text('{"redshift": "Z"}')
    AstropyTable({"name": ["redshift"], "column": ["Z"]}).write(tmp_path / "m.ecsv", format="ascii.ecsv")
    (tmp_path / "m.csv").write_text("name,column\nredshift,Z\n")
    forms = [
        {"redshift": "Z"},
        "redshift=Z",
        ["redshift=Z"],
        *(str(tmp_path / f"m.{e}") for e in ("json", "ecsv", "csv")),
    ]
    assert [column_mapping(form) for form in forms] == [{"redshift": "Z"}] * len(forms)
    assert column_mapping(["fastspecfit", "redshift=Z_RR"])["redshift"] == "Z_RR"
    for wrong in ("redshift", "=Z", "redshift="):
        with pytest.raises(TableError, match="expected name=column"):
            column_mapping(wrong)
    (tmp_path / "bad.json").write_text("[1]")
    with pytest.raises(TableError, match=r"bad\.json.*JSON object"):
        column_mapping(str(tmp_path / "bad.json"))


def test_optional_columns_may_be_absent(tmp_path):
    write_table(galaxies(), tmp_path / "a.fits")
    mapping = {"redshift": "redshift", "ew_ivar_HALPHA": "ew_ivar_HALPHA"}
    assert list(read_table(tmp_path / "a.fits", columns=mapping, optional=["ew_ivar_HALPHA"]).columns) == [
        "redshift"
    ]
    with pytest.raises(TableError, match="has no column 'ew_ivar_HALPHA' .the nearest is 'ew_HALPHA'"):
        read_table(tmp_path / "a.fits", columns=mapping)


@pytest.mark.parametrize("ending", [".parquet", ".fits", ".ecsv"])
def test_a_misnamed_column_is_named_with_its_neighbour(tmp_path, ending):
    write_table(galaxies(), tmp_path / f"a{ending}")
    with pytest.raises(
        TableError, match=rf"a{ending}: has no column 'redshft' .the nearest is 'redshift'.*columns="
    ):
        read_table(tmp_path / f"a{ending}", columns={"redshift": "redshft"})


def test_two_columns_of_one_name_are_refused(tmp_path):
    twice = pa.table([pa.array([1.0]), pa.array([2.0])], names=["redshift", "redshift"])
    pyarrow.parquet.write_table(twice, tmp_path / "a.parquet")
    (tmp_path / "a.csv").write_text("redshift,redshift\n1,2\n")
    columns = [fits.Column(name, "D", array=[1.0]) for name in ("redshift", "redshifu")]
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "b.fits")
    (tmp_path / "a.fits").write_bytes((tmp_path / "b.fits").read_bytes().replace(b"redshifu", b"redshift"))
    for name in ("a.parquet", "a.csv", "a.fits"):
        with pytest.raises(TableError, match=f"{name}: has more than one column named 'redshift'"):
            read_table(tmp_path / name)


def test_empty_tables_are_refused(tmp_path):
    pyarrow.parquet.write_table(pa.table({"redshift": pa.array([], pa.float64())}), tmp_path / "a.parquet")
    (tmp_path / "a.csv").write_text("redshift\n")
    (tmp_path / "a.ecsv").write_text("")
    AstropyTable({"redshift": np.zeros(0)}).write(tmp_path / "a.fits")
    for name in ("a.parquet", "a.csv", "a.fits"):
        with pytest.raises(TableError, match=f"{name}: has no rows"):
            read_table(tmp_path / name)
    with pytest.raises(TableError, match="empty file"):
        read_table(tmp_path / "a.ecsv")
    with pytest.raises(OutputError, match="no rows"), TableWriter(tmp_path / "out.parquet"):
        pass
    assert not (tmp_path / "out.parquet").exists()


def test_columns_of_the_wrong_type_are_refused(tmp_path):
    cases = {
        "redshift": pa.array(["0.1", "n/a"]),
        "ew_HALPHA": pa.array([True, False]),
        "target_id": pa.array([0.5, 1.0]),
        "in_domain": pa.array([0.0, 2.0]),
    }
    found = {
        "redshift": "found 'n/a' in row 1",
        "ew_HALPHA": "found True in rows 0, 1",
        "target_id": "found 0.5 in row 0",
        "in_domain": "found 2 in row 1",
    }
    for name, values in cases.items():
        pyarrow.parquet.write_table(pa.table({name: values}), tmp_path / f"{name}.parquet")
        with pytest.raises(TableError, match=rf"{name}\.parquet, column {name}: .*{found[name]}"):
            read_table(tmp_path / f"{name}.parquet")
    pyarrow.parquet.write_table(pa.table({"redshift": [[0.1]]}), tmp_path / "list.parquet")
    with pytest.raises(TableError, match="no columns|no column"):
        read_table(tmp_path / "list.parquet")


def test_the_row_at_fault_is_that_of_the_file(tmp_path):
    ids = np.arange(10.0)
    ids[7] = np.nan
    write_table(Table({"target_id": ids}), tmp_path / "a.parquet")
    with pytest.raises(TableError, match="column target_id: expected an id .* in row 7"):
        list(iter_table(tmp_path / "a.parquet", rows_per_chunk=3))


def test_ids_are_exact_or_refused(tmp_path):
    big = 2**62 + 1
    pyarrow.parquet.write_table(pa.table({"target_id": [big, 7]}), tmp_path / "a.parquet")
    assert read_table(tmp_path / "a.parquet")["target_id"].tolist() == [big, 7]
    pyarrow.parquet.write_table(pa.table({"target_id": [big, None]}), tmp_path / "b.parquet")
    with pytest.raises(TableError, match="column target_id: .* in row 1"):
        read_table(tmp_path / "b.parquet")
    unsigned = pa.array([2**63 + 5], pa.uint64())
    pyarrow.parquet.write_table(pa.table({"target_id": unsigned}), tmp_path / "c.parquet")
    assert read_table(tmp_path / "c.parquet")["target_id"].tolist() == [str(2**63 + 5)]
    AstropyTable({"target_id": np.array([2**63 + 5], np.uint64)}).write(tmp_path / "c.fits")
    assert read_table(tmp_path / "c.fits")["target_id"].tolist() == [str(2**63 + 5)]


def test_an_id_that_is_masked_in_fits_is_named(tmp_path):
    ids = 39627658622272345 + np.arange(6)
    column = fits.Column("target_id", "K", null=-999, array=np.where(np.arange(6) == 5, -999, ids))
    fits.BinTableHDU.from_columns([column]).writeto(tmp_path / "a.fits")
    for rows in (2, 10):
        with pytest.raises(TableError, match="column target_id: expected an id, found none in row 5"):
            list(iter_table(tmp_path / "a.fits", rows_per_chunk=rows))


def test_masked_integers_of_fits_are_missing(tmp_path):
    column = fits.Column("zwarn", "K", null=-999, array=np.array([4, -999]))
    fits.BinTableHDU.from_columns([column]).writeto(tmp_path / "a.fits")
    np.testing.assert_array_equal(read_table(tmp_path / "a.fits")["zwarn"], [4, np.nan])


@pytest.mark.parametrize("name", ["a.doc", "a.parquet.bak", "a"])
def test_unknown_endings_are_refused(tmp_path, name):
    (tmp_path / name).write_text("x")
    with pytest.raises(TableError, match=r"unknown ending.*\.parquet"):
        read_table(tmp_path / name)
    with pytest.raises(OutputError, match=r"ending.*\.parquet"):
        write_table(galaxies(), tmp_path / name)


def test_files_that_are_not_there_or_folders(tmp_path):
    with pytest.raises(TableError, match="is not there"):
        read_table(tmp_path / "none.parquet")
    (tmp_path / "folder.parquet").mkdir()
    with pytest.raises(TableError, match="is a folder"):
        read_table(tmp_path / "folder.parquet")


@pytest.mark.parametrize("ending", [".parquet", ".fits", ".fits.gz", ".ecsv", ".h5"])
def test_truncated_files_are_refused_at_any_length(tmp_path, ending):
    path = tmp_path / f"a{ending}"
    if ending == ".h5":
        h5py = pytest.importorskip("h5py")
        with h5py.File(path, "w") as file:
            file["redshift"] = galaxies(500)["redshift"]
    else:
        write_table(galaxies(500), path)
    whole = path.read_bytes()
    cut = tmp_path / f"cut{ending}"
    for fraction in (0.001, 0.01, 0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95):
        cut.write_bytes(whole[: int(len(whole) * fraction)])
        if ending == ".ecsv" and fraction > 0.01:
            # A text cut in its rows is a table of fewer rows, unless the cut goes through a row.
            cut.write_bytes(cut.read_bytes()[: cut.read_bytes().rindex(b" ")])
        with pytest.raises(TableError, match=rf"cut{ending}"):
            read_table(cut)


def refusal(path):
    """The error that a file is refused with; any other exception fails the test."""
    try:
        read_table(path)
    except NebuliumError as error:
        return error
    return None


@settings(QUICK, max_examples=150)
@given(
    content=st.binary(max_size=200),
    ending=st.sampled_from([".parquet", ".fits", ".fits.gz", ".ecsv", ".csv", ".h5"]),
)
def test_any_bytes_are_read_or_refused(tmp_path, content, ending):
    path = tmp_path / f"any{ending}"
    path.write_bytes(content)
    error = refusal(path)
    assert error is None or f"any{ending}" in str(error)


@settings(QUICK, max_examples=100)
@given(data=st.data())
def test_damaged_files_are_read_or_refused(tmp_path, data):
    ending = data.draw(st.sampled_from([".parquet", ".fits", ".ecsv"]))
    path = tmp_path / f"damaged{ending}"
    write_table(galaxies(4), path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content))
    error = refusal(path)
    assert error is None or error.mend


numbers = hnp.arrays(np.float64, 6, elements=st.floats(allow_nan=True, allow_infinity=True, width=64))
texts = st.lists(
    st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=12),
    min_size=6,
    max_size=6,
)


@QUICK
@given(
    redshift=numbers,
    ids=hnp.arrays(np.int64, 6),
    names=texts,
    ending=st.sampled_from([".parquet", ".fits", ".ecsv"]),
)
def test_any_values_come_back(tmp_path, redshift, ids, names, ending):
    # FITS cannot tell trailing blanks from padding.
    names = np.array([name.strip() or "x" for name in names])
    table = Table({"target_id": ids, "redshift": redshift, "note": names})
    write_table(table, tmp_path / f"any{ending}")
    read = read_table(tmp_path / f"any{ending}", units={"redshift": "1"})
    np.testing.assert_array_equal(read["redshift"], redshift)
    assert read["target_id"].tolist() == ids.tolist()
    assert read["note"].tolist() == names.tolist()


@QUICK
@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=8), rows=st.integers(1, 12))
def test_row_groups_do_not_show(tmp_path, sizes, rows):
    path = tmp_path / "groups.parquet"
    whole = galaxies(sum(sizes))
    starts = np.cumsum([0, *sizes])
    with TableWriter(path) as writer:
        for first, last in zip(starts[:-1], starts[1:], strict=True):
            writer.append(whole.select(slice(first, last)))
    chunks = list(iter_table(path, rows_per_chunk=rows))
    assert all(len(chunk) == rows for chunk in chunks[:-1])
    assert_same(concatenate(chunks), whole)


PEAK = """
import resource, sys
from nebulium.data.tables.reading import iter_table
rows = sum(len(chunk) for chunk in iter_table(sys.argv[1]))
print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_rows(tmp_path):
    rng = np.random.default_rng(0)
    peaks = {}
    for rows in (200_000, 4_000_000):
        path = tmp_path / f"{rows}.parquet"
        with TableWriter(path) as writer:
            for first in range(0, rows, 200_000):
                ids = np.arange(first, first + 200_000)
                writer.append(Table({"target_id": ids, "redshift": rng.random(200_000)}))
        done = subprocess.run([sys.executable, "-c", PEAK, path], capture_output=True, text=True, check=True)
        read, peak_kb = map(int, done.stdout.split())
        assert read == rows
        peaks[rows] = peak_kb
        path.unlink()
    # Held whole, the longer table would take 64 MB.
    assert peaks[4_000_000] - peaks[200_000] < 25_000, peaks


def test_the_desi_table_is_read(nebulium_data):
    path = nebulium_data / "desi" / "desi_edr_emission_lines.parquet"
    table = read_table(path)
    assert len(table) == 86_617
    assert table["target_id"].dtype == np.int64
    assert 0.05 < np.median(table["redshift"]) < 0.3
    assert set(column_names(path)) == set(table.columns)
    missing = np.isnan(table["ew_HALPHA"])
    assert 0 < missing.mean() < 0.5
    assert np.nanmin(table["ew_HALPHA"]) > 0


def test_a_column_is_of_the_kind_that_its_name_calls_for():
    place = ColumnPlace("a.fits", "Z")
    read = checked_column(np.array([0, -99]), "redshift", place, missing=[-99.0])
    np.testing.assert_array_equal(read, [0.0, np.nan])
    with pytest.raises(TableError, match="column Z: expected a number for redshift, found 'n/a' in row 1"):
        checked_column(np.array(["0.1", "n/a"]), "redshift", place)
    with pytest.raises(TableError, match="found '0.1' in rows 0, 1"):
        checked_column(np.array(["0.1", "0.2"]), "redshift", place)


def test_masked_columns_of_astropy_stay_exact():
    big = 2**62 + 1
    masked = AstropyTable({"n": [big, 2], "s": ["a", "b"]}, masked=True)
    masked["n"].mask = masked["s"].mask = [False, True]
    assert plain_column(masked["n"]).tolist() == [big, None]
    place = ColumnPlace("a.ecsv", "s")
    assert checked_column(plain_column(masked["s"]), "split", place).tolist() == ["a", ""]


def test_endings_and_stems():
    assert ending_of(Path("fastspec.v1.FITS.gz")) == ".fits.gz"
    assert ending_of(Path("notes.doc")) is None
    assert stem_of(Path("out/lines.fits.gz")) == "lines"
    assert stem_of(Path("runs/run.1")) == "run.1"


def test_a_table_in_memory_comes_in_chunks():
    chunks = in_memory({"redshift": np.array([0.1, 0.2, 0.3])})
    assert [chunk["redshift"].tolist() for chunk in chunks(["redshift"], 2)] == [[0.1, 0.2], [0.3]]


def test_a_missing_column_is_an_error_of_its_own():
    error = missing_column("a.fits", "ew_HALPHA", ["TARGETID", "HALPHA_EW"])
    assert isinstance(error, MissingColumnError)
    assert error.column == "ew_HALPHA"
    assert "the nearest is 'HALPHA_EW'; it has TARGETID, HALPHA_EW" in error.problem
    assert "columns={'ew_HALPHA': 'HALPHA_EW'}" in error.mend
