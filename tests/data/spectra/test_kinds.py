"""Spectra as people have them: every kind of id, unit, layout and warning is read right, or refused."""

import os
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nebulium.data.flags import flag_faults
from nebulium.data.rejects import Rejects
from nebulium.data.spectra.desi import read_redshifts
from nebulium.data.spectra.parts import NAMES
from nebulium.data.spectra.reading import Spectra, iter_spectra, read_spectra, spectrum_files
from nebulium.data.spectra.spectrum_set import vacuum_from_air
from nebulium.data.spectra.writing import write_spectra
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import write_table
from nebulium.errors import NebuliumError, SpectrumError, TableError

#: More in `python -m benchmarks inputs`.
INPUTS = int(os.environ.get("NEBULIUM_INPUTS", "50"))

KIND = settings(
    max_examples=INPUTS, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
WAVE = np.linspace(3800.0, 9000.0, 30)
BIG = 39627658622272345


def write_rows(path, ids, name="TARGETID", **more):
    """Two or more spectra with a column of ids, in FITS or Parquet."""
    n = len(ids)
    if path.suffix == ".parquet":
        lists = {key: [row.tolist()] * n for key, row in (("flux", np.ones(30)), ("lambda", WAVE))}
        pyarrow.parquet.write_table(pa.table({name: ids, **lists, **more}), path)
        return path
    columns = [fits.Column("WAVE", "30D", array=np.tile(WAVE, (n, 1)))]
    columns += [fits.Column("FLUX", "30E", array=np.ones((n, 30)))]
    columns += [
        fits.Column(key, fits_form(values), array=values) for key, values in ({name: ids} | more).items()
    ]
    fits.BinTableHDU.from_columns(columns).writeto(path, overwrite=True)
    return path


def fits_form(values):
    values = np.asarray(values)
    return {"f": "D", "i": "K", "u": "K", "b": "L"}.get(
        values.dtype.kind
    ) or f"{max(values.dtype.itemsize // 4, 1)}A"


# --- ids ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [".fits", ".parquet"])
def test_ids_beyond_the_digits_of_a_float_are_refused(tmp_path, ending):
    path = write_rows(tmp_path / f"a{ending}", np.array([BIG, BIG + 2], float))
    with pytest.raises(NebuliumError, match=r"column TARGETID: expected an id .* in rows 0, 1"):
        read_spectra(path)
    assert read_spectra(write_rows(path, np.array([7.0, 8.0]))).ids.tolist() == [7, 8]


def test_an_id_that_is_missing_is_named(tmp_path):
    path = write_rows(tmp_path / "a.fits", np.array([BIG, BIG + 1, 0]))
    with fits.open(path, mode="update") as hdus:
        hdus[1].columns["TARGETID"].null = 0
        hdus[1].header["TNULL3"] = 0
    with pytest.raises(SpectrumError, match="column TARGETID: has no id in row 2"):
        read_spectra(path)
    for ids, row in ((pa.array([BIG, None]), 1), (pa.array([7, None]), 1), (pa.array(["a", "", "b"]), 1)):
        with pytest.raises(NebuliumError, match=f"row {row}"):
            read_spectra(write_rows(tmp_path / "a.parquet", ids))


IDS = {
    "int64": st.integers(-(2**63), 2**63 - 1),
    "uint64": st.integers(0, 2**64 - 1),
    "float64": st.integers(0, 2**60).map(float),
    "text": st.from_regex(r"[A-Za-z0-9+_.-]{1,12}", fullmatch=True),
    "digits": st.integers(0, 2**65).map(str),
}


@KIND
@given(
    data=st.data(),
    kind=st.sampled_from(sorted(IDS)),
    name=st.sampled_from(NAMES["id"]),
    upper=st.booleans(),
    ending=st.sampled_from([".fits", ".parquet"]),
)
def test_ids_are_exact_or_refused(tmp_path, data, kind, name, upper, ending):
    given = data.draw(st.lists(IDS[kind], min_size=2, max_size=3, unique=True))
    ids = np.array(given, {"text": np.str_, "digits": np.str_}.get(kind, kind))
    named = name.upper() if upper else name
    if kind == "uint64" and ending == ".fits":
        path = write_rows(tmp_path / f"a{ending}", ids.astype(np.str_), named)
    else:
        path = write_rows(
            tmp_path / f"a{ending}", ids if ending == ".fits" else pa.array(given, pa_kind(kind)), named
        )
    try:
        spectra = read_spectra(path)
    except NebuliumError as error:
        # What a float cannot hold.
        assert (kind, named in str(error), max(given) >= 2**53) == ("float64", True, True)  # noqa: PT017
        return
    assert spectra.id_column == named
    assert [str(one) for one in spectra.ids.tolist()] == [
        str(int(one)) if kind == "float64" else str(one) for one in given
    ]


def pa_kind(kind):
    return {"text": pa.string(), "digits": pa.string()}.get(kind) or getattr(pa, kind)()


@pytest.mark.parametrize("ending", [".fits", ".parquet"])
def test_ids_under_another_name_are_named_or_refused(tmp_path, ending):
    path = write_rows(tmp_path / f"a{ending}", np.array([BIG, BIG + 1]), "MYNAME")
    with pytest.raises(SpectrumError, match=r"2 spectra and no column of ids .*MYNAME.*--id COLUMN"):
        read_spectra(path)
    assert read_spectra(path, id_column="myname").ids.tolist() == [BIG, BIG + 1]
    with pytest.raises(SpectrumError, match="no column 'MYNAM' of ids .the nearest is 'MYNAME'"):
        read_spectra(path, id_column="MYNAM")
    alone = write_rows(tmp_path / f"alone{ending}", np.array([BIG]), "MYNAME")
    assert read_spectra(alone).ids.tolist() == ["alone"]
    assert read_spectra(alone, id_column="MYNAME").id_column == "MYNAME"


def test_the_ids_of_a_fibre_map_and_of_a_header_can_be_named(nebulium_data, tmp_path):
    path = nebulium_data / "desi" / "spectra" / "coadd-sv3-dark-26065.fits"
    spectra = read_spectra(path, id_column="BRICK_OBJID")
    assert spectra.id_column == "BRICK_OBJID"
    assert len(set(spectra.ids.tolist())) == 2
    hdu = fits.PrimaryHDU(np.ones(30, np.float32))
    hdu.header.update({"CRVAL1": 4000.0, "CDELT1": 2.0, "OBJECT": "NGC 1", "MYID": 8})
    hdu.writeto(tmp_path / "a.fits")
    assert read_spectra(tmp_path / "a.fits").ids.tolist() == ["NGC 1"]
    assert read_spectra(tmp_path / "a.fits", id_column="MYID").ids.tolist() == [8]


def test_ids_keep_their_name_in_fits(tmp_path):
    spectra = read_spectra(write_rows(tmp_path / "a.fits", np.array([BIG, BIG + 1]), "specid"))
    write_spectra(spectra, tmp_path / "b.fits")
    assert read_spectra(tmp_path / "b.fits").id_column == "specid"


# --- images whose rows are the parts of one spectrum --------------------------------------------------------


def spspec(path, *, rows=5, **more):
    """The layout of classic.sdss.org/dr7/dm/flatFiles/spSpec.html."""
    flux, error, mask = np.linspace(1, 2, 30), np.full(30, 0.5), np.zeros(30)
    error[4], mask[5], mask[6] = 0.0, 2**19, 2**30
    hdu = fits.PrimaryHDU(np.stack([flux, flux - 1, error, mask, 0 * flux][:rows]).astype(np.float32))
    header = {"COEFF0": 3.58, "COEFF1": 1e-3, "VACUUM": True, "Z": 0.1, "SPEC_CLN": 2, "Z_WARNIN": 0}
    header |= {"PLATEID": 300, "MJD": 51943, "FIBERID": 5, "BUNIT": "1.0E-17 erg/cm/cm/s/Ang"}
    hdu.header.update(header | more)
    hdu.writeto(path, overwrite=True)
    return path


@pytest.mark.parametrize("rows", [4, 5])
def test_a_spspec_file_is_one_galaxy(tmp_path, rows):
    spectra = read_spectra(spspec(tmp_path / "spSpec-51943-0300-005.fit", rows=rows))
    assert (spectra.ids.tolist(), spectra.redshift.tolist()) == (["51943-0300-005"], [0.1])
    np.testing.assert_allclose(spectra.wave_aa[0], 10 ** (3.58 + 1e-3 * np.arange(30)), rtol=1e-6)
    np.testing.assert_allclose(spectra.flux_lambda[0], np.linspace(1, 2, 30), rtol=1e-6)
    assert np.flatnonzero(spectra.ivar[0] != 4.0).tolist() == [4, 5]
    assert spectra.columns["spectype"].tolist() == ["GALAXY"]
    assert spectra.metadata["wavelengths"] == "vacuum"


@KIND
@given(
    plate=st.integers(1, 9999), mjd=st.integers(51000, 55000), fibre=st.integers(1, 640),
    redshift=st.floats(0.001, 0.5), first=st.floats(3.57, 3.6), vacuum=st.booleans(), rows=st.integers(4, 5),
)  # fmt: skip
def test_any_spspec_file_is_one_galaxy(tmp_path, plate, mjd, fibre, redshift, first, vacuum, rows):
    told = {"PLATEID": plate, "MJD": mjd, "FIBERID": fibre, "Z": redshift, "COEFF0": first, "VACUUM": vacuum}
    spectra = read_spectra(spspec(tmp_path / "spSpec.fit", rows=rows, **told))
    assert spectra.ids.tolist() == [f"{mjd}-{plate:04d}-{fibre:03d}"]
    # A header holds sixteen digits.
    np.testing.assert_allclose(spectra.redshift, [redshift], rtol=1e-14)
    in_air = 10 ** (first + 1e-3 * np.arange(30))
    wave_aa = in_air if vacuum else vacuum_from_air(in_air)
    np.testing.assert_allclose(spectra.wave_aa[0], wave_aa, rtol=1e-6)
    assert spectra.flux_lambda.shape == (1, 30)


def test_rows_that_the_header_names_are_taken(tmp_path):
    flux, error = np.linspace(1, 2, 30), np.full(30, 0.5)
    grid = {"CRVAL1": 4000.0, "CD1_1": 2.0}
    names = ("spectrum - background median, weights variance", "raw", "background", "sigma - background")
    iraf = {f"BANDID{place}": name for place, name in enumerate(names, 1)}
    gama = {"ROW1": "Spectrum", "ROW2": "Error", "ROW3": "Spectrum_nocalib", "ROW4": "Error_nocalib"}
    for header, image in (
        (iraf, np.stack([flux, flux + 1, 0 * flux, error])[:, None]),
        (gama, np.stack([flux, error, 9 * flux, 9 * error])),
    ):
        hdu = fits.PrimaryHDU(image)
        hdu.header.update(grid | header)
        hdu.writeto(tmp_path / "a.fits", overwrite=True)
        spectra = read_spectra(tmp_path / "a.fits")
        np.testing.assert_allclose(spectra.flux_lambda, flux[None], rtol=1e-6)
        np.testing.assert_allclose(spectra.ivar, 4.0)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (
            {"CRVAL1": 4000.0, "CD1_1": 2.0},
            "3 spectra and no column of ids .*no table in which one could stand",
        ),
        ({"CRVAL1": 1.0, "CD1_1": 1.0, "CTYPE1": "MULTISPE"}, "IRAF's multispec format"),
        (
            {"CRVAL1": 4000.0, "CD1_1": 2.0, **{f"ARRAY{n}": f"SKY{n}" for n in (1, 2, 3)}},
            "rows SKY1, SKY2, SKY3",
        ),
    ],
)
def test_rows_of_an_image_are_never_taken_for_galaxies(tmp_path, header, message):
    hdu = fits.PrimaryHDU(np.ones((3, 30)))
    hdu.header.update(header)
    hdu.writeto(tmp_path / "a.fits")
    with pytest.raises(SpectrumError, match=message):
        read_spectra(tmp_path / "a.fits")


def test_an_image_with_a_table_of_ids(tmp_path):
    flux = fits.ImageHDU(np.ones((3, 30)), name="FLUX")
    about = fits.BinTableHDU.from_columns([fits.Column("FIBERID", "K", array=np.array([5, 6, 7]))])
    wave = fits.ImageHDU(WAVE, name="WAVELENGTH")
    fits.HDUList([fits.PrimaryHDU(), flux, wave, about]).writeto(tmp_path / "a.fits")
    with pytest.raises(SpectrumError, match="FIBERID"):
        read_spectra(tmp_path / "a.fits")
    assert read_spectra(tmp_path / "a.fits", id_column="FIBERID").ids.tolist() == [5, 6, 7]


# --- arrays of variable length ------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["PD()", "QD()", "PE()"])
@pytest.mark.parametrize("shorter", [0, 10])
def test_arrays_of_variable_length(tmp_path, form, shorter):
    rows = lambda values: np.array([values, values[: 30 - shorter]], dtype=object)  # noqa: E731
    arrays = {"wave": WAVE, "flux": np.linspace(1, 2, 30), "ivar": np.full(30, 4.0)}
    columns = [fits.Column("targetid", "K", array=[1, 2]), fits.Column("z", "D", array=[0.1, 0.2])]
    for name, values in arrays.items():
        array = rows(values)
        if not shorter:
            array = np.empty(2, dtype=object)
            array[:] = [values, values]
        columns.append(fits.Column(name, form, array=array))
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "a.fits")
    spectra = read_spectra(tmp_path / "a.fits")
    assert (spectra.ids.tolist(), spectra.redshift.tolist()) == ([1, 2], [0.1, 0.2])
    assert (spectra.ivar > 0).sum(axis=1).tolist() == [30, 30 - shorter]
    np.testing.assert_allclose(spectra.wave_aa[1, : 30 - shorter], WAVE[: 30 - shorter], rtol=1e-6)
    np.testing.assert_allclose(spectra.flux_lambda[0], arrays["flux"], rtol=1e-6)


@KIND
@given(
    lengths=st.lists(st.integers(2, 30), min_size=1, max_size=4),
    forms=st.lists(st.sampled_from(["PD()", "QD()", "PE()", "QE()"]), min_size=3, max_size=3),
    names=st.sampled_from(
        [("wave", "flux", "ivar"), ("LAMBDA", "SPECTRUM", "INVVAR"), ("wl", "flux", "err")]
    ),
    noise=st.floats(0.1, 10.0),
)
def test_arrays_of_any_lengths(tmp_path, lengths, forms, names, noise):
    of_noise = noise if names[2] == "err" else noise**-2.0
    whole = (WAVE, np.linspace(1, 2, 30), np.full(30, of_noise))
    columns = [fits.Column("TARGETID", "K", array=BIG + np.arange(len(lengths)))]
    for name, form, values in zip(names, forms, whole, strict=True):
        array = np.empty(len(lengths), dtype=object)
        array[:] = [values[:length] for length in lengths]
        columns.append(fits.Column(name, form, array=array))
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "a.fits", overwrite=True)
    spectra = read_spectra(tmp_path / "a.fits")
    assert spectra.ids.tolist() == [BIG + place for place in range(len(lengths))]
    assert (spectra.ivar > 0).sum(axis=1).tolist() == lengths
    for row, length in enumerate(lengths):
        np.testing.assert_allclose(spectra.flux_lambda[row, :length], whole[1][:length], rtol=1e-6)
        np.testing.assert_allclose(spectra.ivar[row, :length], noise**-2.0, rtol=1e-5)


def test_arrays_of_variable_length_that_do_not_fit(tmp_path):
    ragged = np.empty(2, dtype=object)
    ragged[:] = [WAVE, WAVE[:20]]
    whole = np.empty(2, dtype=object)
    whole[:] = [WAVE, WAVE]
    columns = [fits.Column("id", "K", array=[1, 2]), fits.Column("wave", "PD()", array=ragged)]
    fits.BinTableHDU.from_columns([*columns, fits.Column("flux", "PD()", array=whole)]).writeto(
        tmp_path / "a.fits"
    )
    with pytest.raises(SpectrumError, match="row 1: has 20 values of wave for 30 of flux"):
        read_spectra(tmp_path / "a.fits")


# --- units --------------------------------------------------------------------------------------------------

FROM_AA = {
    "Angstrom": lambda wave: wave,
    "nm": lambda wave: wave / 10,
    "um": lambda wave: wave / 1e4,
    "m": lambda wave: wave / 1e10,
    "log10(Angstrom)": np.log10,
    "ln(Angstrom)": np.log,
    "log10(nm)": lambda wave: np.log10(wave / 10),
    "ln(um)": lambda wave: np.log(wave / 1e4),
    "log10(um)": lambda wave: np.log10(wave / 1e4),
    "log10(m)": lambda wave: np.log10(wave / 1e10),
}


def write_one(path, columns, units):
    """A row a pixel, in FITS."""
    made = [fits.Column(name, "D", unit=units.get(name), array=values) for name, values in columns.items()]
    hdu = fits.BinTableHDU.from_columns(made)
    hdu.header["REDSHIFT"] = 0.1
    hdu.writeto(path, overwrite=True)
    return path


@KIND
@given(unit=st.sampled_from(sorted(FROM_AA)), first=st.floats(3500, 4000), last=st.floats(6900, 10500))
def test_every_unit_of_wavelengths_is_converted_or_guessed(tmp_path, unit, first, last):
    wave = np.linspace(first, last, 30)
    columns = {"wave": FROM_AA[unit](wave), "flux": np.ones(30)}
    declared = read_spectra(write_one(tmp_path / "a.fits", columns, {"wave": unit}))
    np.testing.assert_allclose(declared.wave_aa[0], wave, rtol=1e-6)
    path = write_one(tmp_path / "a.fits", columns, {})
    np.testing.assert_allclose(read_spectra(path, wave_unit=unit).wave_aa[0], wave, rtol=1e-6)
    if unit != "Angstrom":
        with pytest.raises(SpectrumError) as refused:
            read_spectra(path)
        assert f"looks like {unit} " in refused.value.problem
        assert f"--wave-unit '{unit}'" in refused.value.mend


@pytest.mark.parametrize(
    "unit", ["log(Angstrom)", "LOG10(LAMBDA)", "dex(AA)", "log10 Angstrom", "log10(lambda/AA)"]
)
def test_spellings_of_a_logarithm(tmp_path, unit):
    path = write_one(tmp_path / "a.fits", {"wave": np.log10(WAVE), "flux": np.ones(30)}, {"wave": unit})
    np.testing.assert_allclose(read_spectra(path).wave_aa[0], WAVE, rtol=1e-6)


def test_the_other_logarithm_is_found_out(tmp_path):
    path = write_one(tmp_path / "a.fits", {"loglam": np.log(WAVE), "flux": np.ones(30)}, {})
    with pytest.raises(SpectrumError, match=r"looks like ln.Angstrom"):
        read_spectra(path)
    np.testing.assert_allclose(read_spectra(path, wave_unit="ln(Angstrom)").wave_aa[0], WAVE, rtol=1e-6)
    write_one(path, {"lnlam": np.log(WAVE), "flux": np.ones(30)}, {})
    np.testing.assert_allclose(read_spectra(path).wave_aa[0], WAVE, rtol=1e-6)
    with pytest.raises(SpectrumError, match=r"looks like ln.Angstrom"):
        read_spectra(path, wave_unit="log10(Angstrom)")


FLUXES = {"erg/s/cm2/AA": 1e-17, "1e-17 erg/s/cm2/Angstrom": 1.0, "W/m2/um": 1e-16, "erg / (s cm2 nm)": 1e-16}
POWERS = {"error": 1, "err": 1, "ivar": -2, "invvar": -2, "var": 2, "variance": 2}


@KIND
@given(
    flux=st.sampled_from([None, *FLUXES]),
    name=st.sampled_from(sorted(POWERS)),
    noise=st.sampled_from([None, *FLUXES]),
    power=st.sampled_from([1, 2, -2]),
)
def test_flux_and_noise_have_each_their_unit(tmp_path, flux, name, noise, power):
    """A noise of 0.5 in our unit, written as the unit says; without a unit, as the name and the flux say."""
    power = power if noise else POWERS[name]
    scale = FLUXES[noise or flux or "1e-17 erg/s/cm2/Angstrom"]
    columns = {
        "wave": WAVE,
        "flux": np.full(30, 3 * FLUXES[flux or "1e-17 erg/s/cm2/Angstrom"]),
        name: np.full(30, (0.5 * scale) ** power),
    }
    units = {"flux": flux} if flux else {}
    if noise:
        units[name] = {1: noise, 2: f"({noise})^2", -2: f"1 / ({noise})**2"}[power]
    spectra = read_spectra(write_one(tmp_path / "a.fits", columns, units))
    np.testing.assert_allclose(spectra.flux_lambda, 3.0, rtol=1e-6)
    np.testing.assert_allclose(spectra.ivar, 4.0, rtol=1e-5)


@pytest.mark.parametrize(
    ("unit", "njy"), [("Jy", 1e9), ("mJy", 1e6), ("uJy", 1e3), ("erg / (s cm2 Hz)", 1e32)]
)
def test_fluxes_per_frequency_are_converted(tmp_path, unit, njy):
    # f_lambda = f_nu c / lambda^2: 1 uJy at 5000 Angstrom is 1.19917e-18 erg/s/cm2/Angstrom.
    expected = 0.119917 * (5000 / WAVE) ** 2
    columns = {"wave": WAVE, "flux": np.full(30, 1e3 / njy), "err": np.full(30, 1e2 / njy)}
    spectra = read_spectra(write_one(tmp_path / "a.fits", columns, {"flux": unit}))
    np.testing.assert_allclose(spectra.flux_lambda[0], expected, rtol=1e-4)
    np.testing.assert_allclose(spectra.ivar[0], 100 / expected**2, rtol=1e-3)


def test_a_flux_unit_told_holds_for_the_noise_too(tmp_path):
    columns = {"wave": WAVE, "flux": np.full(30, 3e-17), "err": np.full(30, 5e-18)}
    path = write_one(tmp_path / "a.fits", columns, {})
    with pytest.raises(SpectrumError, match=r"--flux-unit 'erg/\(s cm2 Angstrom\)'"):
        read_spectra(path)
    spectra = read_spectra(path, flux_unit="erg/(s cm2 Angstrom)")
    np.testing.assert_allclose(spectra.ivar, 4.0, rtol=1e-5)
    write_one(path, columns, {"flux": "count", "err": "count"})
    with pytest.raises(SpectrumError, match="'count'"):
        read_spectra(path)
    np.testing.assert_allclose(read_spectra(path, flux_unit="erg/s/cm2/AA").ivar, 4.0, rtol=1e-5)
    write_one(path, columns, {"flux": "erg/s/cm2/AA", "err": "count"})
    with pytest.raises(SpectrumError, match="error: has the unit 'count'"):
        read_spectra(path)


# --- redshifts and what is known of them --------------------------------------------------------------------


def redrock(path, ids, name="REDSHIFTS", **more):
    columns = {"TARGETID": np.array(ids), "Z": np.linspace(0.1, 0.2, len(ids))} | more
    made = [fits.Column(key, fits_form(values), array=np.asarray(values)) for key, values in columns.items()]
    other = fits.BinTableHDU.from_columns([fits.Column("TARGETID", "K", array=ids[:1])], name="EXP_FIBERMAP")
    fits.HDUList([fits.PrimaryHDU(), other, fits.BinTableHDU.from_columns(made, name=name)]).writeto(path)
    return path


def test_redshifts_bring_their_warnings(tmp_path):
    spectra = write_rows(tmp_path / "a.fits", np.array([BIG, BIG + 1, BIG + 2]))
    table = redrock(
        tmp_path / "redrock.fits", [BIG + 1, BIG], ZWARN=[4, 0], SPECTYPE=np.array(["GALAXY", "STAR"])
    )
    joined = read_spectra(spectra, redshifts=table)
    np.testing.assert_array_equal(joined.redshift, [0.2, 0.1, np.nan])
    np.testing.assert_array_equal(joined.columns["zwarn"], [0, 4, np.nan])
    assert joined.columns["spectype"].tolist() == ["STAR", "GALAXY", ""]


@KIND
@given(
    warned=st.lists(st.booleans(), min_size=3, max_size=3),
    kinds=st.lists(st.sampled_from(["GALAXY", "STAR", "QSO", "galaxy  ", "Star"]), min_size=3, max_size=3),
    names=st.sampled_from([("ZWARN", "SPECTYPE"), ("ZWARNING", "CLASS"), ("zwarn", "spectype")]),
    kind=st.sampled_from([np.int16, np.int64, np.int32, bool]),
)
def test_flags_of_any_spelling_and_kind(tmp_path, warned, kinds, names, kind):
    flags = {names[0]: np.array(warned, kind), names[1]: np.array(kinds)}
    spectra = read_spectra(write_rows(tmp_path / "a.fits", np.array([7, 8, 9]), Z=[0.1] * 3, **flags))
    good = np.ones(3, bool)
    for _, bad in flag_faults(spectra.columns):
        good &= ~bad
    expected = [not w and k.strip().upper() == "GALAXY" for w, k in zip(warned, kinds, strict=True)]
    assert good.tolist() == expected


def test_a_zcatalog_counts_with_its_primary_rows(tmp_path):
    ids = [BIG, BIG, BIG + 1, 5, 5]
    catalogue = redrock(tmp_path / "zall.fits", ids, "ZCATALOG", ZCAT_PRIMARY=[False, True, True, True, True])
    assert len(read_redshifts(catalogue)) == 4
    spectra = write_rows(tmp_path / "a.fits", np.array([BIG, BIG + 1]))
    np.testing.assert_allclose(read_spectra(spectra, redshifts=catalogue).redshift, [0.125, 0.15])
    twice = redrock(tmp_path / "twice.fits", ids)
    with pytest.raises(TableError, match=f"every id once, found {BIG} in rows 0 and 1"):
        read_spectra(spectra, redshifts=twice)


def test_redshifts_by_their_usual_names(tmp_path):
    spectra = write_rows(tmp_path / "a.fits", np.array([BIG, BIG + 1]))
    write_table(Table({"specid": np.array([BIG + 1]), "z": np.array([0.3])}), tmp_path / "z.parquet")
    np.testing.assert_array_equal(
        read_spectra(spectra, redshifts=tmp_path / "z.parquet").redshift, [np.nan, 0.3]
    )
    write_table(Table({"name": np.array([BIG + 1]), "z": np.array([0.3])}), tmp_path / "n.parquet")
    with pytest.raises(TableError, match=r"no columns of ids and redshifts .*it has name, z"):
        read_spectra(spectra, redshifts=tmp_path / "n.parquet")


def test_warnings_are_those_of_the_redshift_that_counts(tmp_path):
    path = write_rows(tmp_path / "a.fits", np.array([7, 8]), Z=[0.1, 0.2], ZWARN=[4, 0])
    assert read_spectra(path).columns["zwarn"].tolist() == [4, 0]
    assert "zwarn" not in read_spectra(path, redshifts=0.3).columns
    write_table(Table({"id": np.array([7, 8]), "z": np.array([0.3, 0.4])}), tmp_path / "z.parquet")
    assert "zwarn" not in read_spectra(path, redshifts=tmp_path / "z.parquet").columns


# --- many files ---------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    """Spectra of two lengths, and a file that is cut."""
    where = tmp_path / "spectra"
    where.mkdir()
    for place, pixels in enumerate((30, 20)):
        wave = np.broadcast_to(WAVE[:pixels].astype(np.float32), (2, pixels))
        ivar = np.ones_like(wave)
        ivar[0] *= place
        spectra = Spectra(np.arange(2) + 10 * place, wave, np.ones_like(wave), ivar, np.array([0.1, 0.2]))
        write_spectra(spectra, where / f"b{place}.fits")
    (where / "c.fits").write_bytes((where / "b0.fits").read_bytes()[:3000])
    (where / "notes.txt").write_text("x")
    return where


def test_many_files_are_one_set(folder):
    sources = (folder, folder / "*.fits", [folder / f"{name}.fits" for name in ("b0", "b1", "c")])
    for source in (*sources, str(folder / "*.fit[s]")):
        spectra = read_spectra(source)
        assert spectra.ids.tolist() == [1, 10, 11]
        assert spectra.row_numbers().tolist() == [1, 2, 3]
        assert [name.rpartition("/")[2] for name in spectra.columns["file"]] == [
            "b0.fits",
            "b1.fits",
            "b1.fits",
        ]
        assert spectra.rejects.rows().tolist() == [0, 4]
        assert "cannot be read: is truncated" in spectra.rejects.summary()
        assert (spectra.ivar > 0).sum(axis=1).tolist() == [30, 20, 20]
        assert np.all(np.diff(spectra.wave_aa, axis=1) > 0)


def test_many_files_come_in_chunks(folder):
    rejects = Rejects()
    chunks = list(iter_spectra(spectrum_files(folder), rejects, spectra_per_chunk=1, redshifts=0.3))
    assert [chunk.ids.tolist() for chunk in chunks] == [[1], [10, 11]]
    assert all(np.all(chunk.redshift == 0.3) for chunk in chunks)
    assert rejects.rows().tolist() == [0, 4]


def test_an_id_in_two_files_is_refused(folder):
    shutil.copyfile(folder / "b1.fits", folder / "d.fits")
    with pytest.raises(SpectrumError, match=r"d\.fits: holds the id 10, which .*b1\.fits holds as well"):
        read_spectra(folder)


def test_an_id_twice_in_one_of_many_files_is_refused(folder):
    write_rows(folder / "d.fits", np.array([5, 6, 5]), Z=[0.1, 0.2, 0.3])
    with pytest.raises(TableError, match=r"d\.fits: expected every id once, found 5 in rows 0 and 2"):
        read_spectra(folder)


def test_nothing_to_read_is_an_error(folder, tmp_path):
    with pytest.raises(SpectrumError, match=r"c\.fits: is truncated"):
        read_spectra([folder / "c.fits", folder / "c.fits"])
    with pytest.raises(SpectrumError, match="pattern that no file has"):
        read_spectra(folder / "z*.fits")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SpectrumError, match="holds no file of spectra"):
        read_spectra(tmp_path / "empty")


@pytest.mark.parametrize("noise", ["IVAR", "ERR"])
@pytest.mark.parametrize(
    ("unit", "njy"), [("nanomaggy", 3631.0), ("nJy", 1.0), ("Jy", 1e9), ("maggy", 3631e9)]
)
def test_fluxes_per_frequency_of_a_file(tmp_path, unit, njy, noise):
    wave = np.linspace(4000.0, 9000.0, 50)
    # One nJy is 1e-32 erg/s/cm2/Hz.
    per_njy = 1e-32 * 2.99792458e18 / wave**2 / 1e-17
    flux, error = np.linspace(5.0, 9.0, 50), np.full(50, 0.5)
    own, own_error = flux / per_njy / njy, error / per_njy / njy
    powers = {"IVAR": (own_error**-2.0, f"1/{unit}^2"), "ERR": (own_error, unit)}
    values, noise_unit = powers[noise]
    for name, declared in (("told.fits", (unit, noise_unit)), ("untold.fits", ("", ""))):
        columns = [("WAVE", wave, "Angstrom"), ("FLUX", own, declared[0]), (noise, values, declared[1])]
        table = [fits.Column(key, "D", array=array, unit=one) for key, array, one in columns]
        fits.BinTableHDU.from_columns(table).writeto(tmp_path / name)
    for name, options in (
        ("told.fits", {}),
        ("told.fits", {"flux_unit": unit}),
        ("untold.fits", {"flux_unit": unit}),
    ):
        spectra = read_spectra(tmp_path / name, **options)
        np.testing.assert_allclose(spectra.flux_lambda[0], flux, rtol=1e-5)
        np.testing.assert_allclose(spectra.ivar[0], 4.0, rtol=1e-5)
