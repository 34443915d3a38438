"""Tables as astronomers have them: every format says the same, or is refused with a mend."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import MaskedColumn, QTable
from astropy.table import Table as AstropyTable
from hypothesis import given, settings
from hypothesis import strategies as st

from nebulium.data.glossary import conversion_factor
from nebulium.data.tables.reading import open_table, read_table
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import write_table
from nebulium.errors import TableError

#: More in `python -m benchmarks inputs`.
INPUTS = settings(max_examples=int(os.environ.get("NEBULIUM_INPUTS", "50")))
BIG = 39_627_658_622_272_345

#: How astropy writes each format.
ASTROPY = {
    "fits": {}, "ecsv": {}, "parquet": {}, "hdf5": {"path": "data", "serialize_meta": True},
    "vot": {"format": "votable"},
}  # fmt: skip
TEXT = {
    "cat": "ascii.commented_header", "dat": "ascii.basic", "txt": "ascii.tab", "tsv": "ascii.tab",
    "csv": "ascii.csv",
}  # fmt: skip


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def catalogue(n: int = 4) -> AstropyTable:
    return AstropyTable(
        {"id": BIG + np.arange(n), "z": np.linspace(0.1, 0.9, n), "f_r": np.linspace(-3.0, 60.0, n)}
    )


def ascii_fits(table: AstropyTable, path: str) -> None:
    forms = {"i": "I20", "f": "E16.8"}
    columns = [
        fits.Column(name, forms[table[name].dtype.kind], array=table[name], ascii=True)
        for name in table.colnames
    ]
    fits.TableHDU.from_columns(columns).writeto(path)


def written(table: AstropyTable, name: str) -> str:
    """A table in the format of a name, as the programs of the field write it."""
    ending = name.rpartition(".")[2]
    if name == "ascii.fits":
        ascii_fits(table, name)
    elif name == "semicolon.csv":
        table.write(name, format="ascii.csv", delimiter=";")
    elif name == "bars.txt":
        table.write(name, format="ascii.basic", delimiter="|")
    else:
        table.write(name, **(ASTROPY[ending] if ending in ASTROPY else {"format": TEXT[ending]}))
    return name


FORMATS = [
    *(f"a.{ending}" for ending in (*ASTROPY, *TEXT)), "ascii.fits", "semicolon.csv", "bars.txt"
]  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_says_the_same(name):
    table = catalogue()
    read = read_table(written(table, name), columns={"target_id": "id", "redshift": "z", "f": "f_r"})
    assert read["target_id"].tolist() == table["id"].tolist()
    np.testing.assert_allclose(read["redshift"], table["z"], rtol=1e-7)
    np.testing.assert_allclose(read["f"], table["f_r"], rtol=1e-7)


@pytest.mark.parametrize("ending", ASTROPY)
def test_units_of_astropy_count_in_every_format(ending):
    table = QTable(
        {"target_id": np.arange(3), "redshift": [0.1, 0.2, 0.3], "ew_HALPHA": [1.0, 2.0, 3.0] * u.nm}
    )
    table.write(f"a.{ending}", **ASTROPY[ending])
    read = read_table(f"a.{ending}")
    assert read["ew_HALPHA"].tolist() == [10.0, 20.0, 30.0]
    assert read.units == {"ew_HALPHA": "Angstrom"}


@pytest.mark.parametrize("ending", ASTROPY)
def test_a_masked_id_is_named(ending):
    ids = MaskedColumn(BIG + np.arange(6), mask=np.arange(6) == 5)
    AstropyTable({"target_id": ids, "redshift": np.ones(6)}).write(f"a.{ending}", **ASTROPY[ending])
    with pytest.raises(
        TableError, match=rf"a\.{ending}, column target_id: expected an id, found none in row 5"
    ):
        read_table(f"a.{ending}")


def test_a_null_id_of_arrow_is_named():
    pyarrow.parquet.write_table(pa.table({"target_id": [BIG, None, 7]}), "a.parquet")
    with pytest.raises(TableError, match="column target_id: expected an id, found none in row 1"):
        read_table("a.parquet")


@pytest.mark.parametrize("ending", ASTROPY)
def test_a_masked_number_is_missing(ending):
    values = MaskedColumn([0.5, 1e20, 0.7], mask=[False, True, False])
    counts = MaskedColumn([0, 4, 0], mask=[False, True, False])
    AstropyTable({"redshift": values, "zwarn": counts}).write(f"a.{ending}", **ASTROPY[ending])
    read = read_table(f"a.{ending}")
    np.testing.assert_array_equal(read["redshift"], [0.5, np.nan, 0.7])
    np.testing.assert_array_equal(read["zwarn"], [0.0, np.nan, 0.0])


def test_headers_of_text():
    Path("sextractor.cat").write_text(
        "#   1 NUMBER   Running object number\n#   2 MAG_APER  Magnitudes  [mag]\n#   4 Z  Redshift\n"
        " 1 20.1 21.2 0.3\n 2 22 23 0.4\n"
    )
    read = read_table("sextractor.cat")
    assert list(read.columns) == ["NUMBER", "MAG_APER", "MAG_APER_1", "Z"]
    assert read.units == {"MAG_APER": "mag"}
    Path("eazy.cat").write_text(
        "# made by hand, twice\n# id z\n# a remark\n 1   0.5\n\n# more\n 2  0.75 # far\n"
    )
    assert read_table("eazy.cat", columns={"redshift": "z"})["redshift"].tolist() == [0.5, 0.75]
    Path("vizier.tsv").write_text("#RESOURCE\n\nid;RA;m\n ;deg;mag\n---;---;---\n1;10.5;20\n2;11.0;21\n")
    read = read_table("vizier.tsv")
    assert read["RA"].tolist() == [10.5, 11.0]
    assert read.units == {"RA": "deg", "m": "mag"}
    Path("comma.csv").write_text("id;z\n1;0,5\n2;0,75\n")
    assert read_table("comma.csv")["z"].tolist() == [0.5, 0.75]
    Path("latin.csv").write_bytes("id,name\n1,Méchain\n".encode("latin-1"))
    assert read_table("latin.csv")["name"].tolist() == ["Méchain"]
    Path("bom.csv").write_bytes(b"\xef\xbb\xbfid,z\r\n1,0.5\r\n")
    assert read_table("bom.csv")["id"].tolist() == [1]
    Path("pandas.csv").write_text(",id,z\n0,1,0.5\n")
    assert list(read_table("pandas.csv").columns) == ["", "id", "z"]
    Path("class.csv").write_text("id,kind\na,spiral\nb,odd\n")
    assert read_table("class.csv")["kind"].tolist() == ["spiral", "odd"]


def test_text_without_names_or_with_ragged_rows_is_refused():
    Path("bare.dat").write_text("1 0.5 20.1\n2 0.6 20.2\n")
    with pytest.raises(
        TableError, match=r"bare\.dat: has no line that names its 3 columns .*# id z flux err"
    ):
        read_table("bare.dat")
    Path("ragged.cat").write_text("# id z\n1 0.5\n2\n")
    with pytest.raises(TableError, match=r"ragged\.cat: has rows that are not 2 values"):
        read_table("ragged.cat")
    Path("ragged.csv").write_text("id,z\n1,0.5\n2,0.5,7\n")
    with pytest.raises(TableError, match=r"ragged\.csv: has rows that are not 2 values"):
        read_table("ragged.csv")
    Path("empty.cat").write_text("# id z\n")
    with pytest.raises(TableError, match=r"empty\.cat: has no rows"):
        read_table("empty.cat")


def test_ids_in_text_stay_as_they_are_written():
    for texts, kind in ((["007", "8"], "U"), (["18446744073709551610", "3"], "U"), ([str(BIG), "3"], "i")):
        Path("a.csv").write_text(
            "".join(f"{line}\n" for line in ("ID,z", *(f"{text},0.1" for text in texts)))
        )
        read = read_table("a.csv", columns={"target_id": "ID"})["target_id"]
        assert (read.dtype.kind, [str(one) for one in read]) == (kind, texts)
    Path("a.csv").write_text("ID,z\n3.9627658622272345e+16,0.1\n3.0,0.1\n")
    with pytest.raises(TableError, match=r"column ID: expected an id .*found 3\.96277e\+16 in row 0"):
        read_table("a.csv", columns={"target_id": "ID"})
    Path("a.csv").write_text("ID,z\n12.0,0.1\n3.0,0.1\n")
    assert read_table("a.csv", columns={"target_id": "ID"})["target_id"].tolist() == [12, 3]


def test_rows_may_be_the_ids_where_that_is_said():
    written(catalogue(), "a.csv")
    assert read_table("a.csv", columns={"target_id": "ROW", "z": "z"})["target_id"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("ending", ASTROPY)
def test_a_number_of_an_array(ending):
    AstropyTable({"id": [1, 2], "FLUX": [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]}).write(
        f"a.{ending}", **ASTROPY[ending]
    )
    read = read_table(f"a.{ending}", columns={"g": "FLUX[0]", "i": "FLUX[2]", "sum": "FLUX[0] + FLUX[1]"})
    assert [read[name].tolist() for name in ("g", "i", "sum")] == [[1.0, 4.0], [3.0, 6.0], [3.0, 9.0]]
    with pytest.raises(
        TableError, match=r"column FLUX\[3\]: has 3 numbers a row, the last of them FLUX\[2\]"
    ):
        read_table(f"a.{ending}", columns={"g": "FLUX[3]"})
    with pytest.raises(TableError, match=r"column FLUX: holds several numbers a row.*as FLUX\[0\]"):
        read_table(f"a.{ending}", columns={"g": "FLUX"})
    assert list(read_table(f"a.{ending}").columns) == ["id"]


def test_lists_of_arrow_that_lack_numbers():
    pyarrow.parquet.write_table(pa.table({"FLUX": [[1.0, 2.0], None]}), "gap.parquet")
    np.testing.assert_array_equal(read_table("gap.parquet", columns={"g": "FLUX[1]"})["g"], [2.0, np.nan])
    pyarrow.parquet.write_table(pa.table({"FLUX": [[1.0, 2.0], [1.0]]}), "uneven.parquet")
    with pytest.raises(TableError, match="row 1, column FLUX: has 1 values, where another row has 2"):
        read_table("uneven.parquet", columns={"g": "FLUX[1]"})


def test_columns_that_are_not_needed_never_stop_a_reader():
    kinds = (pa.binary(), pa.large_binary(), pa.binary(4))
    columns = {f"picture {number}": pa.array([b"\x89PNG"] * 2, kind) for number, kind in enumerate(kinds)}
    columns |= {"z": [0.1, 0.2], "list": [[1], [2, 3]], "struct": [{"a": 1}] * 2, "null": pa.nulls(2)}
    pyarrow.parquet.write_table(pa.table(columns), "a.parquet")
    assert read_table("a.parquet", columns={"redshift": "z"})["redshift"].tolist() == [0.1, 0.2]
    assert {"list", "struct"}.isdisjoint(read_table("a.parquet").columns)
    with pytest.raises(TableError, match="column picture 0: expected a number for redshift"):
        read_table("a.parquet", columns={"redshift": "picture 0"})


def test_errors_in_place_of_inverse_variances_are_converted():
    for name, values, unit, expected in (
        ("HALPHA_EW_ERR", [0.5, 0.0, -1.0], None, [4.0, 0.0, 0.0]),
        ("HALPHA_EW_IVAR", [4.0, 0.0, 1.0], None, [4.0, 0.0, 1.0]),
        ("HALPHA_EW_VAR", [0.25, 1.0, 4.0], None, [4.0, 1.0, 0.25]),
        ("noise", [0.05, 0.1, 0.2], "nm", [4.0, 1.0, 0.25]),
    ):
        table = AstropyTable({name: values})
        table[name].unit = unit
        table.write("a.fits", overwrite=True)
        read = read_table("a.fits", columns={"ew_ivar_HALPHA": name})
        np.testing.assert_allclose(read["ew_ivar_HALPHA"], expected)
    AstropyTable({"EW_IVAR": [1.0]}, units={"EW_IVAR": "Angstrom"}).write("a.fits", overwrite=True)
    with pytest.raises(TableError, match="column EW_IVAR: is called ivar and declared in 'Angstrom'"):
        read_table("a.fits", columns={"ew_ivar_HALPHA": "EW_IVAR"})


@pytest.mark.parametrize(
    ("name", "values", "unit"),
    [
        ("continuum_flux_0", [1e-17, 2e-17], "erg/(s cm2 Angstrom)"),
        ("redshift", [12.0, 30.0], "percent"),
        ("redshift", [3000.0, 30000.0], "percent"),
        ("age_gyr", [1e9, 2e9], "yr"),
        ("log_mstar", [1e10, 3e10], None),
    ],
)
def test_implausible_numbers_without_a_unit_are_asked_about(name, values, unit):
    AstropyTable({name: values}).write("a.fits")
    with pytest.raises(
        TableError, match=rf"column {name}: declares no unit and holds numbers of about .*--unit"
    ):
        read_table("a.fits")
    assert read_table("a.fits", check_units=False)[name].tolist() == values
    own = {"continuum_flux_0": "1e-17 erg / (s cm2 Angstrom)", "age_gyr": "Gyr"}.get(name, "1")
    assert read_table("a.fits", units={name: own})[name].tolist() == values
    if unit is not None:
        np.testing.assert_allclose(
            read_table("a.fits", units={name: unit})[name],
            np.array(values) * conversion_factor(unit, own, where="here"),
        )


def test_what_nebulium_wrote_is_in_its_units():
    for name in ("a.parquet", "a.fits", "a.ecsv"):
        write_table(Table({"log_mstar": np.array([0.003, 0.004])}), name, metadata={"models": {}})
        assert read_table(name)["log_mstar"].tolist() == [0.003, 0.004]


def test_csv_comes_back():
    table = Table(
        {"target_id": np.array([BIG, 7]), "redshift": np.array([0.1, np.nan]), "model": np.array(["a", "b"])}
    )
    write_table(table, "a.csv")
    assert Path("a.csv").read_text().splitlines()[2] == '7,,"b"'
    read = read_table("a.csv")
    assert {name: read[name].tolist()[0] for name in read.columns} == {
        "target_id": BIG,
        "redshift": 0.1,
        "model": "a",
    }
    assert np.isnan(read["redshift"][1])


#: Spellings of units of flux, and what one of them is in nJy.
FLUX_UNITS = {
    "nanomaggy": 3631.0, "nanomaggies": 3631.0, "nmgy": 3631.0, "maggy": 3.631e12, "uJy": 1e3,
    "microJy": 1e3, "mJy": 1e6, "Jy": 1e9, "nJy": 1.0, "MJy": 1e15, "1e-6 Jy": 1e3, "erg/s/cm2/Hz": 1e32,
    "erg s-1 cm-2 Hz-1": 1e32, "W/m2/Hz": 1e35, "10^-29 erg/s/cm^2/Hz": 1e3, "1E-26 W m-2 Hz-1": 1e9,
    "nanoJansky": 1.0, "ujy": 1e3,
}  # fmt: skip
LAMBDA_UNITS = {
    "erg/s/cm2/A": 1e17, "10^-17 ergs/s/cm^2/A": 1.0, "1E-17 erg/cm^2/s/Ang": 1.0, "erg cm-2 s-1 AA-1": 1e17,
    "W/m2/um": 1e16, "W m-2 micron-1": 1e16, "10**(-17) erg/Angstrom/s/cm**2": 1.0, "1e-17 flam": 1.0,
    "erg/s/cm2/um": 1e13, "W/m^2/nm": 1e19, "10-17erg/cm2/s/A": 1.0,
}  # fmt: skip


@INPUTS
@given(st.sampled_from(sorted(FLUX_UNITS)), st.booleans(), st.sampled_from(["", " ", "  "]))
def test_units_of_flux_in_any_spelling(unit, padded, blank):
    spelt = f"{blank}{unit}{blank}" if padded else unit
    np.testing.assert_allclose(conversion_factor(spelt, "nJy", where="a"), FLUX_UNITS[unit], rtol=1e-9)


@INPUTS
@given(st.sampled_from(sorted(LAMBDA_UNITS)), st.sampled_from(["fits", "ecsv", "parquet"]))
def test_units_per_wavelength_in_any_spelling_and_format(unit, ending):
    with TemporaryDirectory() as scratch:
        path = f"{scratch}/a.{ending}"
        table = AstropyTable({"continuum_flux_3": [1.0]})
        if ending in ("fits", "parquet"):
            field = pa.field("continuum_flux_3", pa.float64(), metadata={"unit": unit})
            schema = pa.schema([field])
            if ending == "parquet":
                pyarrow.parquet.write_table(pa.table([pa.array([1.0])], schema=schema), path)
            else:
                column = fits.Column("continuum_flux_3", "D", array=[1.0], unit=unit)
                fits.BinTableHDU.from_columns([column]).writeto(path)
        else:
            table["continuum_flux_3"].unit = u.Unit("1e-20 J / (s cm2 Angstrom)") * LAMBDA_UNITS[unit]
            table.write(path, **ASTROPY[ending])
        expected = LAMBDA_UNITS[unit] * (1e4 if ending == "ecsv" else 1.0)
        np.testing.assert_allclose(read_table(path)["continuum_flux_3"], expected, rtol=1e-9)


@st.composite
def id_columns(draw):
    """Ids of any dtype, and the values that are true."""
    kind = draw(
        st.sampled_from(["int64", "int32", "uint64", "float64", "float32", "text", "nullable", "bytes"])
    )
    most = {"int32": 2**31 - 1, "uint64": 2**64 - 1, "float64": 2**60, "float32": 2**30}.get(kind, 2**63 - 1)
    values = draw(st.lists(st.integers(0, most), min_size=2, max_size=5, unique=True))
    return kind, values, draw(st.booleans()) and kind == "nullable"


@INPUTS
@given(id_columns(), st.sampled_from(["parquet", "fits", "ecsv", "vot", "csv", "cat"]))
def test_ids_are_exact_or_refused_in_any_dtype_and_format(column, ending):
    kind, values, gap = column
    with TemporaryDirectory() as scratch:
        path = f"{scratch}/a.{ending}"
        if kind == "nullable":
            ids = MaskedColumn(np.array(values, np.int64), mask=[gap, *[False] * (len(values) - 1)])
        elif kind in ("text", "bytes"):
            ids = np.array([str(value) for value in values], "S" if kind == "bytes" else "U")
        else:
            ids = np.array(values, kind)
        if kind == "uint64" and ending in ("vot", "csv"):
            ids = np.array([str(value) for value in values])
        table = AstropyTable({"objid": ids, "z": np.zeros(len(values))})
        table.write(path, **(ASTROPY[ending] if ending in ASTROPY else {"format": TEXT[ending]}))
        # A text does not say that its numbers once were of single precision: they are what stands there.
        single = 2**53 if ending in TEXT else 2**24
        if gap or max(values) >= {"float64": 2**53, "float32": single}.get(kind, 2**64):
            with pytest.raises(TableError, match="column objid: expected an id"):
                read_table(path, columns={"target_id": "objid"})
        else:
            read = read_table(path, columns={"target_id": "objid"})["target_id"]
            written = values if kind != "float32" else ids.astype(np.int64).tolist()
            assert [int(one) for one in read] == written


@INPUTS
@given(
    st.sampled_from([",", ";", "\t", "|", " "]),
    st.sampled_from(["plain", "comment", "remarks"]),
    st.lists(st.floats(-1e6, 1e6, allow_nan=False, width=32), min_size=1, max_size=5),
    st.sampled_from(["csv", "tsv", "txt", "dat", "cat"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_text_of_any_layout(separator, header, values, ending, newline):
    names = separator.join(["id", "z", "flux"])
    above = {"plain": [names], "comment": [f"# {names}"], "remarks": ["# made by hand", f"# {names}", "#"]}[
        header
    ]
    rows = [separator.join([str(place), "0.5", repr(value)]) for place, value in enumerate(values)]
    with TemporaryDirectory() as scratch:
        path = Path(f"{scratch}/a.{ending}")
        path.write_bytes(newline.join([*above, *rows, ""]).encode())
        if separator == " " and ending == "csv":
            with pytest.raises(TableError):
                read_table(path, columns={"id": "id"})
            return
        read = read_table(path)
    assert list(read.columns) == ["id", "z", "flux"]
    np.testing.assert_allclose(read["flux"], values)


def test_a_quoted_name_may_hold_the_separator(tmp_path):
    (tmp_path / "said.csv").write_text('"objid","p_late, red", "p_early"\n1,0.25,0.75\n2,0.5,0.5\n')
    read = read_table(tmp_path / "said.csv")
    assert list(read.columns) == ["objid", "p_late, red", "p_early"]
    assert read["p_late, red"].tolist() == [0.25, 0.5]


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ("ascii.ipac", "a.tbl"), ("ascii.ipac", "a.dat"), ("ascii.mrt", "a.mrt"), ("ascii.mrt", "a.txt"),
        ("ascii.fixed_width", "a.txt"), ("ascii.fixed_width_two_line", "b.txt"),
    ],
)  # fmt: skip
def test_text_of_archives_and_journals(tmp_path, form, name):
    table = AstropyTable({"target_id": [7, 39627658622272345], "redshift": [0.1, 0.25], "name": ["a", "b"]})
    table["ew_HALPHA"] = np.array([1.5, 2.0]) * (u.nm if form in ("ascii.ipac", "ascii.mrt") else u.AA)
    table.write(tmp_path / name, format=form)
    read = read_table(tmp_path / name)
    assert read["target_id"].tolist() == [7, 39627658622272345]
    assert read["redshift"].tolist() == [0.1, 0.25]
    expected = np.array([1.5, 2.0]) * (10.0 if form in ("ascii.ipac", "ascii.mrt") else 1.0)
    np.testing.assert_allclose(read["ew_HALPHA"], expected)


def test_a_column_without_a_name_does_not_stop_the_others(tmp_path):
    (tmp_path / "a.csv").write_text(",target_id,,redshift\n0,7,x,0.1\n1,8,y,0.2\n")
    assert read_table(tmp_path / "a.csv")["redshift"].tolist() == [0.1, 0.2]


def test_numbers_of_arrays_are_found_when_a_file_is_opened(tmp_path):
    AstropyTable({"id": [7, 8], "A": [[1.0, 2.0], [3.0, 4.0]]}).write(tmp_path / "a.fits")
    assert open_table(tmp_path / "a.fits", ["ROW", "A[1]", "id + A[0]"]).arrays == ("A",)
