"""Spectra of every layout: real files, made-up ones, and nasty ones."""

import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from astropy.io import fits
from astropy.table import Table as AstropyTable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nebulium.data.extinction import deredden, extinction_per_ebv
from nebulium.data.ids import ids_from_text
from nebulium.data.spectra.checks import RawSpectra, checked_spectra
from nebulium.data.spectra.desi import Arm, coadd_arms, join_redshifts, lsf_variance
from nebulium.data.spectra.reading import Spectra, is_spectrum_file, read_sdss_lines, read_spectra
from nebulium.data.spectra.spectrum_set import air_from_vacuum, not_rising, vacuum_from_air
from nebulium.data.spectra.writing import write_spectra
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import write_table
from nebulium.errors import NebuliumError, SpectrumError, TableError

QUICK = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
FLUX_UNIT = "1e-17 erg / (s cm2 Angstrom)"
WAVE = np.linspace(3800.0, 9000.0, 40)


def some_spectra(n=3, pixels=20, *, lsf=True):
    rng = np.random.default_rng(3)
    wave = np.broadcast_to(np.linspace(3800, 9000, pixels, dtype=np.float32), (n, pixels))
    ivar = rng.random((n, pixels)).astype(np.float32)
    ivar[:, 3] = 0.0
    return Spectra(
        ids=np.arange(n) + 10**16,
        wave_aa=wave,
        flux_lambda=rng.normal(size=(n, pixels)).astype(np.float32),
        ivar=ivar,
        redshift=rng.random(n),
        lsf_sigma_aa=np.full((n, pixels), 1.5, np.float32) if lsf else None,
        metadata={"made": "up"},
    )


def fits_table(path, columns, units=None, header=None):
    hdu = fits.BinTableHDU(AstropyTable(columns, units=units or {}), name="SPEC")
    hdu.header.update(header or {})
    hdu.writeto(path, overwrite=True)
    return path


# --- real files ---------------------------------------------------------------------------------------------


def test_a_desi_coadd_with_its_redrock_file(nebulium_data):
    folder = nebulium_data / "desi" / "spectra"
    spectra = read_spectra(folder / "coadd-4-80613-thru20210324.fits")
    assert spectra.ids.tolist() == [39633345008634465]
    assert spectra.wave_aa.shape == (1, 7781)
    np.testing.assert_allclose(np.diff(spectra.wave_aa[0]), 0.8, atol=1e-3)
    np.testing.assert_allclose(spectra.redshift, [0.36874355], atol=1e-8)
    assert spectra.columns["zwarn"].tolist() == [0.0]
    # DESI Collaboration (2022, AJ 164, 207): resolving power 2000 at 3600 to 5500 at 9800 Angstrom.
    resolving_power = spectra.wave_aa[0] / (2.3548 * spectra.lsf_sigma_aa[0])
    assert 1800 < np.median(resolving_power[:500]) < 2600
    assert 4000 < np.median(resolving_power[-500:]) < 6000
    with fits.open(folder / "coadd-4-80613-thru20210324.fits") as hdus:
        np.testing.assert_allclose(spectra.flux_lambda[0, :100], hdus["B_FLUX"].data[0, :100], rtol=1e-6)
        np.testing.assert_allclose(spectra.ivar[0, -100:], hdus["Z_IVAR"].data[0, -100:], rtol=1e-6)
        blue, red = hdus["B_IVAR"].data[0, 2700:], hdus["R_IVAR"].data[0, :51]
        np.testing.assert_allclose(spectra.ivar[0, 2700:2751], blue + red, rtol=1e-5)


def test_sky_fibres_and_dead_ones_are_named(nebulium_data):
    spectra = read_spectra(nebulium_data / "desi" / "spectra" / "coadd-sv3-dark-26065.fits")
    assert spectra.ids.tolist() == [39627866878511337, 39627866878514741]
    assert spectra.row_numbers().tolist() == [2, 4]
    assert np.all(np.isnan(spectra.redshift))
    assert spectra.rejects.rows().tolist() == [0, 1, 3]
    assert "sky fibre" in spectra.rejects.summary()
    # 16 + 19 pixels are masked in two arms, none of them in an overlap.
    assert int((spectra.ivar[0] == 0).sum()) == 35


def test_redshifts_of_another_file_are_joined_by_id(nebulium_data, tmp_path):
    path = nebulium_data / "desi" / "spectra" / "coadd-sv3-dark-26065.fits"
    table = Table({"target_id": np.array([39627866878514741, 5]), "redshift": np.array([0.25, 9.0])})
    write_table(table, tmp_path / "z.ecsv")
    joined = read_spectra(path, redshifts=tmp_path / "z.ecsv")
    np.testing.assert_array_equal(joined.redshift, [np.nan, 0.25])
    redrock = path.with_name("redrock-4-80613-thru20210324.fits")
    with pytest.raises(SpectrumError, match="redrock-4-80613.*has none of the ids"):
        read_spectra(path, redshifts=redrock)
    np.testing.assert_array_equal(read_spectra(path, redshifts=0.1).redshift, [0.1, 0.1])
    np.testing.assert_array_equal(read_spectra(path, redshifts=np.arange(5.0)).redshift, [2.0, 4.0])
    with pytest.raises(SpectrumError, match="5 spectra, but 2 redshifts"):
        read_spectra(path, redshifts=np.arange(2.0))
    ids = [39627866878514741] * 2
    write_table(
        Table({"target_id": np.array(ids), "redshift": np.array([0.25, 9.0])}), tmp_path / "twice.ecsv"
    )
    with pytest.raises(TableError, match=f"every id once, found {ids[0]} in rows 0 and 1"):
        read_spectra(path, redshifts=tmp_path / "twice.ecsv")


def test_a_stack_is_at_rest(nebulium_data):
    spectra = read_spectra(nebulium_data / "desi" / "spectra" / "stack-LRG.fits")
    assert spectra.redshift.tolist() == [0.0]
    assert spectra.metadata["wavelengths"] == "vacuum"
    assert "not declared" in spectra.metadata["flux_unit"]


@pytest.mark.parametrize(("name", "redshift"), [("NGC3073", 0.003763), ("NGC3522", 0.004018)])
def test_sdss_spec_files(nebulium_data, name, redshift):
    path = nebulium_data / "sdss" / "spectra" / f"{name}_SDSS_DR18.fits"
    spectra = read_spectra(path)
    np.testing.assert_allclose(spectra.redshift, [redshift], atol=1e-6)
    assert spectra.ids.dtype == np.int64
    assert spectra.metadata["wavelengths"] == "vacuum"
    # York et al. (2000): resolving power 1850 to 2200.
    assert 1500 < np.median(spectra.wave_aa / (2.3548 * spectra.lsf_sigma_aa)) < 2500
    with fits.open(path) as hdus:
        good = (hdus[1].data["and_mask"] == 0) & (hdus[1].data["ivar"] > 0)
    np.testing.assert_array_equal(spectra.ivar[0] > 0, good)


def test_sdss_line_fits(nebulium_data):
    table = read_sdss_lines(nebulium_data / "sdss" / "spectra" / "NGC3073_SDSS_DR18.fits")
    # The file says 5.5536475 +- 0.0991570 in the observed frame.
    assert table["ew_HALPHA"][0] == pytest.approx(5.5536475 / 1.00376266)
    assert table["ew_ivar_HALPHA"][0] == pytest.approx((1.00376266 / 0.09915704) ** 2)
    # The doublet lies beyond the blue end.
    assert np.isnan(table["ew_OII_DOUBLET"][0])
    assert table["ew_ivar_OII_DOUBLET"][0] == 0.0


def test_real_spectra_survive_a_round_trip(nebulium_data, tmp_path):
    for source in ("desi/spectra/coadd-sv3-dark-26065.fits", "sdss/spectra/NGC3073_SDSS_DR18.fits"):
        spectra = read_spectra(nebulium_data / source)
        for ending in (".parquet", ".fits"):
            write_spectra(spectra, tmp_path / f"a{ending}")
            assert_same_spectra(read_spectra(tmp_path / f"a{ending}"), spectra)


def test_truncated_real_files(nebulium_data, tmp_path):
    for source in ("desi/spectra/coadd-4-80613-thru20210324.fits", "sdss/spectra/NGC3522_SDSS_DR18.fits"):
        whole = (nebulium_data / source).read_bytes()
        for length in (0, 10, 2879, 2880, 5760, 50_000, len(whole) // 2, len(whole) - 2880, len(whole) - 1):
            (tmp_path / "cut.fits").write_bytes(whole[:length])
            with pytest.raises(SpectrumError, match=r"cut\.fits"):
                read_spectra(tmp_path / "cut.fits")


def test_which_files_hold_spectra(nebulium_data, tmp_path):
    assert is_spectrum_file(nebulium_data / "desi" / "spectra" / "stack-LRG.fits")
    assert is_spectrum_file(nebulium_data / "desi" / "spectra" / "coadd-4-80613-thru20210324.fits")
    assert is_spectrum_file(nebulium_data / "sdss" / "spectra" / "NGC3073_SDSS_DR18.fits")
    assert not is_spectrum_file(nebulium_data / "desi" / "desi_edr_emission_lines.parquet")
    write_spectra(some_spectra(), tmp_path / "a.parquet")
    assert is_spectrum_file(tmp_path / "a.parquet")
    (tmp_path / "a.csv").write_text("redshift\n1\n")
    assert not is_spectrum_file(tmp_path / "a.csv")


# --- round trips and layouts --------------------------------------------------------------------------------


def assert_same_spectra(read, spectra):
    np.testing.assert_array_equal(read.ids, spectra.ids)
    np.testing.assert_array_equal(read.redshift, spectra.redshift)
    for name in ("wave_aa", "flux_lambda", "ivar"):
        np.testing.assert_array_equal(getattr(read, name), getattr(spectra, name), err_msg=name)
        assert getattr(read, name).dtype == np.float32
    if spectra.lsf_sigma_aa is None:
        assert read.lsf_sigma_aa is None
    else:
        np.testing.assert_allclose(read.lsf_sigma_aa, spectra.lsf_sigma_aa, rtol=1e-4)


@pytest.mark.parametrize("ending", [".parquet", ".fits", ".fits.gz"])
@pytest.mark.parametrize("lsf", [True, False])
def test_what_is_written_is_read(tmp_path, ending, lsf):
    spectra = some_spectra(lsf=lsf)
    write_spectra(spectra, tmp_path / f"a{ending}")
    assert_same_spectra(read_spectra(tmp_path / f"a{ending}"), spectra)


def mmu_columns(flux, wave, **more):
    spectrum = {"flux": flux, "lambda": wave, **more}
    names = list(spectrum)
    rows = [dict(zip(names, values, strict=True)) for values in zip(*spectrum.values(), strict=True)]
    return {"object_id": ["7", "8"], "Z": [0.1, 0.2], "ZWARN": [True, False], "spectrum": rows}


def test_the_multimodal_universe_layouts(tmp_path):
    wave = [[4000.0, 4001.0, 4003.0], [4000.0, 4002.0, -1.0]]
    flux, ivar = [[1.0, 2.0, 3.0], [4.0, 5.0, 5.0]], [[1.0, 1.0, 4.0], [1.0, 1.0, 0.0]]
    mask, lsf = [[False, True, False], [False, False, True]], [[2.0] * 3, [3.0] * 3]
    columns = mmu_columns(flux, wave, ivar=ivar, mask=mask, lsf_sigma=lsf)
    pyarrow.parquet.write_table(pa.table(columns), tmp_path / "struct.parquet")
    pixels = [[dict(zip(("flux", "lambda", "ivar", "mask"), p, strict=True)) for p in zip(*r, strict=True)]
              for r in zip(flux, wave, ivar, mask, strict=True)]  # fmt: skip
    pyarrow.parquet.write_table(pa.table({**columns, "spectrum": pixels}), tmp_path / "list.parquet")
    flat = {"spectrum_flux": flux, "spectrum_lambda": wave, "spectrum_ivar": ivar, "spectrum_mask": mask}
    flat |= {"object_id": ["7", "8"], "z": [0.1, 0.2], "spectrum_lsf_sigma": [2.0, 3.0]}
    pyarrow.parquet.write_table(pa.table(flat), tmp_path / "flat.parquet")
    for name in ("struct", "list", "flat"):
        spectra = read_spectra(tmp_path / f"{name}.parquet")
        assert spectra.ids.tolist() == [7, 8]
        assert spectra.redshift.tolist() == [0.1, 0.2]
        np.testing.assert_array_equal(spectra.ivar, [[1.0, 0.0, 4.0], [1.0, 1.0, 0.0]])
        np.testing.assert_array_equal(spectra.wave_aa, [[4000, 4001, 4003], [4000, 4002, 4004]])
    # In pixels there, Angstrom here.
    np.testing.assert_allclose(read_spectra(tmp_path / "struct.parquet").lsf_sigma_aa[0], [2.0, 3.0, 4.0])
    # The layout's flag is true where the redshift is good.
    assert read_spectra(tmp_path / "struct.parquet").columns["zwarn"].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"redshift": [0.1]}, "no spectra in the Multimodal Universe layout .wave|lambda is missing"),
        ({"flux": [[1.0, 2.0]], "lambda": [[4000.0]]}, "row 0: has 1 values of wave for 2 of flux"),
        ({"flux": [["a", "b"]], "lambda": [[4000.0, 4001.0]]}, "expected numbers"),
        ({"flux": [[1.0]], "lambda": [[4000.0]], "object_id": ["x"], "Z": ["high"]}, "column Z"),
    ],
)
def test_parquet_that_is_not_of_that_layout(tmp_path, columns, message):
    pyarrow.parquet.write_table(pa.table(columns), tmp_path / "a.parquet")
    with pytest.raises(SpectrumError, match=message):
        read_spectra(tmp_path / "a.parquet")


def test_generic_tables(tmp_path):
    path = tmp_path / "a.fits"
    flux = np.linspace(1, 2, 40)
    columns = {"WAVELENGTH": WAVE / 10, "FLUX": flux * 1e-17, "ERR": np.full(40, 2e-17)}
    units = {"WAVELENGTH": "nm", "FLUX": "erg / (s cm2 Angstrom)"}
    fits_table(path, columns, units, {"OBJECT": "NGC 1", "REDSHIFT": 0.1})
    spectra = read_spectra(path)
    np.testing.assert_allclose(spectra.wave_aa[0], WAVE, rtol=1e-6)
    np.testing.assert_allclose(spectra.flux_lambda[0], flux, rtol=1e-6)
    np.testing.assert_allclose(spectra.ivar[0], 0.25, rtol=1e-6)
    assert (spectra.ids.tolist(), spectra.redshift.tolist()) == (["NGC 1"], [0.1])
    fits_table(path, {"loglam": np.log10(WAVE), "flux": flux, "var": np.full(40, 4.0)})
    np.testing.assert_allclose(read_spectra(path).wave_aa[0], WAVE, rtol=1e-6)
    assert read_spectra(path).ids.tolist() == ["a"]
    fits_table(path, {"wave_air": air_from_vacuum(WAVE), "flux": flux})
    np.testing.assert_allclose(read_spectra(path).wave_aa[0], WAVE, rtol=1e-7)
    assert read_spectra(path).metadata["wavelengths"] == "air, converted"
    # A row a spectrum.
    two = {"wave": np.array([WAVE, WAVE]), "flux": np.array([flux, flux])}
    fits_table(path, {"TARGETID": [5, 6], **two, "z": [0.1, 0.2]})
    assert read_spectra(path).ids.tolist() == [5, 6]
    assert read_spectra(path).redshift.tolist() == [0.1, 0.2]


def image(path, header, shape=(40,), extra=()):
    hdu = fits.PrimaryHDU(np.ones(shape, np.float32))
    hdu.header.update(header)
    fits.HDUList([hdu, *extra]).writeto(path, overwrite=True)
    return path


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"CRVAL1": 4000.0, "CDELT1": 2.0}, 4000 + 2 * np.arange(40)),
        ({"CRVAL1": 4000.0, "CD1_1": 2.0, "CRPIX1": 3.0}, 3996 + 2 * np.arange(40)),
        ({"CRVAL1": 400.0, "CDELT1": 0.2, "CUNIT1": "nm", "CTYPE1": "WAVE"}, 4000 + 2 * np.arange(40)),
        ({"CRVAL1": 3.6, "CDELT1": 1e-4, "DC-FLAG": 1}, 10 ** (3.6 + 1e-4 * np.arange(40))),
        ({"CRVAL1": 3.6, "CDELT1": 1e-4, "CTYPE1": "LOG-LIN"}, 10 ** (3.6 + 1e-4 * np.arange(40))),
        ({"CRVAL1": 4000.0, "CDELT1": 2.0, "CTYPE1": "WAVE-LOG"}, 4000 * np.exp(np.arange(40) / 2000)),
        ({"CRVAL1": 4000.0, "CDELT1": 2.0, "CTYPE1": "AWAV"}, vacuum_from_air(4000 + 2.0 * np.arange(40))),
        ({"CRVAL1": 4000.0, "CDELT1": 2.0, "AIRORVAC": "air"}, vacuum_from_air(4000 + 2.0 * np.arange(40))),
    ],
)
def test_generic_images(tmp_path, header, expected):
    ivar = fits.ImageHDU(np.full(40, 4.0, np.float32), name="IVAR")
    spectra = read_spectra(image(tmp_path / "a.fits", header, extra=[ivar]))
    np.testing.assert_allclose(spectra.wave_aa[0], expected, rtol=1e-6)
    np.testing.assert_array_equal(spectra.ivar, 4.0)


def test_air_by_argument_overrules_the_file(tmp_path):
    path = image(tmp_path / "a.fits", {"CRVAL1": 4000.0, "CDELT1": 2.0, "CTYPE1": "AWAV"})
    assert read_spectra(path).ids.tolist() == ["a"]
    assert read_spectra(path, air=False).wave_aa[0, 0] == 4000.0
    assert read_spectra(path, air=True).wave_aa[0, 0] == pytest.approx(4001.13, abs=0.01)


# --- what is implausible ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wave", "unit", "message"),
    [
        (WAVE / 10, None, "looks like nm.*wave_unit='nm'"),
        (WAVE / 1e4, None, "looks like um.*wave_unit='um'"),
        (np.log10(WAVE), None, r"looks like log10\(Angstrom\).*wave_unit='log10\(Angstrom\)'"),
        (WAVE / 10, "Angstrom", "looks like nm"),
        (3e18 / WAVE, None, "looks like Hz"),
        (WAVE[::-1], None, "unsorted wavelengths"),
        (np.sort(np.append(WAVE[1:], WAVE[5])), None, "a wavelength twice"),
        (np.where(np.arange(40) == 4, np.nan, WAVE), None, "not finite"),
        (WAVE, "Jy", "has the unit 'Jy', which does not convert to 'Angstrom'"),
        (WAVE, "parrot", "'parrot', which is not understood"),
    ],
)
def test_implausible_wavelengths(tmp_path, wave, unit, message):
    path = fits_table(tmp_path / "a.fits", {"wave": wave, "flux": np.ones(40)})
    if unit:
        with fits.open(path, mode="update") as hdus:
            hdus[1].header["TUNIT1"] = unit
    with pytest.raises(SpectrumError, match=rf"a\.fits.*: .*{message}") as refused:
        read_spectra(path)
    assert refused.value.mend


def test_a_unit_told_settles_the_question(tmp_path):
    path = fits_table(tmp_path / "a.fits", {"wave": WAVE / 10, "flux": np.full(40, 3e-17)})
    spectra = read_spectra(path, wave_unit="nm", flux_unit="erg/s/cm2/AA")
    np.testing.assert_allclose(spectra.wave_aa[0], WAVE, rtol=1e-6)
    np.testing.assert_allclose(spectra.flux_lambda, 3.0, rtol=1e-6)
    with pytest.raises(SpectrumError, match="fluxes of about 3e-17.*flux_unit"):
        read_spectra(path, wave_unit="nm")
    fits_table(path, {"wave": np.log10(WAVE), "flux": np.ones(40)})
    np.testing.assert_allclose(read_spectra(path, wave_unit="log10(Angstrom)").wave_aa[0], WAVE, rtol=1e-6)


def test_files_without_spectra(tmp_path):
    fits_table(tmp_path / "a.fits", {"redshift": [0.1]})
    with pytest.raises(SpectrumError, match=r"no flux with wavelengths.*SPEC \(redshift\)"):
        read_spectra(tmp_path / "a.fits")
    image(tmp_path / "cube.fits", {"CRVAL1": 4000.0, "CDELT1": 1.0}, shape=(2, 3, 40))
    with pytest.raises(SpectrumError, match="flux of shape"):
        read_spectra(tmp_path / "cube.fits")
    image(tmp_path / "f.fits", {"CRVAL1": 1e14, "CDELT1": 1e10, "CTYPE1": "FREQ"})
    with pytest.raises(SpectrumError, match="FREQ"):
        read_spectra(tmp_path / "f.fits")
    for name, message in (("none.fits", "is not there"), ("a.txt", "ending")):
        (tmp_path / "a.txt").write_text("x")
        with pytest.raises(SpectrumError, match=message):
            read_spectra(tmp_path / name)


def test_bad_pixels_are_masked_and_bad_spectra_set_aside():
    flux, ivar = np.ones((5, 40)), np.ones((5, 40))
    flux[0, :3] = [np.nan, np.inf, -np.inf]
    ivar[0, 3] = np.nan
    ivar[1, 2] = -1.0
    ivar[2] = 0.0
    flux[3] = np.nan
    values = {"id": np.arange(5), "wave": WAVE, "flux": flux, "ivar": ivar}
    raw = RawSpectra("a.fits", values, remarks=["", "", "sky fibre", "", ""])
    spectra = checked_spectra(raw)
    assert spectra.ids.tolist() == [0, 4]
    assert spectra.row_numbers().tolist() == [0, 4]
    assert np.flatnonzero(spectra.ivar[0] == 0).tolist() == [0, 1, 2, 3]
    assert np.all(np.isfinite(spectra.flux_lambda))
    assert spectra.metadata["pixels_not_finite"] == 4
    assert spectra.rejects.summary() == (
        "3 rows set aside: 1 has a negative inverse variance in 1 pixel, "
        "1 has inverse variance 0 everywhere (sky fibre), 1 has inverse variance 0 everywhere"
    )


def test_nothing_left_is_an_error(tmp_path):
    path = fits_table(tmp_path / "a.fits", {"wave": WAVE, "flux": np.ones(40), "ivar": np.zeros(40)})
    with pytest.raises(SpectrumError, match="no spectrum that can be used .1 row set aside"):
        read_spectra(path)


nasty = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True), st.sampled_from([0.0, -1.0, 1e-17, 1e30, 4000.0])
)


@settings(QUICK, max_examples=400)
@given(data=st.data(), n=st.integers(1, 3), pixels=st.integers(1, 6), shared=st.booleans())
def test_whatever_comes_in_what_goes_out_is_sound(data, n, pixels, shared):
    arrays = {
        name: data.draw(hnp.arrays(np.float64, (n, pixels), elements=nasty)) for name in ("flux", "ivar")
    }
    rising = data.draw(st.booleans())
    shape = (pixels,) if shared else (n, pixels)
    wave = data.draw(hnp.arrays(np.float64, shape, elements=nasty))
    wave = (
        4000.0 + np.cumsum(np.abs(np.nan_to_num(wave, posinf=1, neginf=1)) % 7 + 0.1, axis=-1)
        if rising
        else wave
    )
    try:
        spectra = checked_spectra(RawSpectra("a.fits", {"id": np.arange(n), "wave": wave, **arrays}))
    except SpectrumError as error:
        assert "a.fits" in str(error)  # noqa: PT017 - either outcome is allowed
        return
    assert len(spectra) + len(spectra.rejects.rows()) == n
    assert np.all(np.isfinite(spectra.flux_lambda))
    assert np.all(np.isfinite(spectra.ivar) & (spectra.ivar >= 0))
    assert np.all((spectra.ivar > 0).any(axis=1))
    assert np.all(np.isfinite(spectra.wave_aa))
    assert np.all(np.diff(spectra.wave_aa.astype(np.float64), axis=1) >= 0)


@settings(QUICK, max_examples=120)
@given(data=st.data(), ending=st.sampled_from([".fits", ".parquet"]))
def test_damaged_files_are_read_or_refused(tmp_path, data, ending):
    path = tmp_path / f"a{ending}"
    write_spectra(some_spectra(2, 5), path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content[: data.draw(st.integers(1, len(content)))]))
    try:
        read_spectra(path)
    except NebuliumError as error:
        assert error.mend  # noqa: PT017 - either outcome is allowed


# --- arms, air, extinction ----------------------------------------------------------------------------------


@QUICK
@given(
    fluxes=hnp.arrays(np.float64, (2, 6), elements=st.floats(-10, 10)),
    ivars=hnp.arrays(np.float64, (2, 6), elements=st.one_of(st.just(0.0), st.floats(0.01, 10))),
    overlap=st.integers(0, 4),
)
def test_the_coadd_is_the_weighted_mean(fluxes, ivars, overlap):
    starts = (0, 6 - overlap)
    arms = [
        Arm(4000 + 0.8 * (start + np.arange(6)), flux[None], ivar[None], np.full((1, 6), 0.5))
        for start, flux, ivar in zip(starts, fluxes, ivars, strict=True)
    ]
    whole = coadd_arms("a.fits", arms)
    assert whole.flux.shape == (1, 12 - overlap)
    np.testing.assert_allclose(whole.ivar.sum(), ivars.sum(), rtol=1e-12)
    np.testing.assert_allclose((whole.flux * whole.ivar).sum(), (fluxes * ivars).sum(), atol=1e-9)
    np.testing.assert_allclose(whole.variance, 0.5, rtol=1e-12)
    swapped = coadd_arms("a.fits", arms[::-1])
    np.testing.assert_allclose(swapped.flux, whole.flux, rtol=1e-12, atol=1e-12)


def test_arms_that_do_not_fit():
    one = Arm(np.arange(4000.0, 4005.0), np.ones((1, 5)), np.ones((1, 5)), None)
    for shift, message in ((4.5, "not pieces of one grid"), (9.0, "gap between its arms at 4005.0")):
        with pytest.raises(SpectrumError, match=message):
            coadd_arms("a.fits", [one, Arm(one.wave + shift, one.flux, one.ivar, None)])


def test_a_masked_pixel_of_an_arm_does_not_count(nebulium_data, tmp_path):
    path = tmp_path / "coadd-x.fits"
    shutil.copyfile(nebulium_data / "desi" / "spectra" / "coadd-4-80613-thru20210324.fits", path)
    with fits.open(path, mode="update") as hdus:
        hdus["B_MASK"].data[0, [10, 2740]] = 1
        hdus["B_FLUX"].data[0, 20] = np.nan
        red = float(hdus["R_FLUX"].data[0, 40])
    spectra = read_spectra(path)
    assert spectra.ivar[0, 10] == 0
    assert spectra.ivar[0, 20] == 0
    assert spectra.metadata["pixels_not_finite"] == 1
    assert spectra.flux_lambda[0, 2740] == pytest.approx(red, rel=1e-5)
    with fits.open(path, mode="update") as hdus:
        hdus["Z_IVAR"].data[0, 1000] = -1.0
    with pytest.raises(SpectrumError, match="negative inverse variance in 1 pixel"):
        read_spectra(path)


def test_the_width_of_a_gaussian_resolution():
    offsets = np.arange(5, -6, -1)
    for sigma in (0.8, 1.0, 1.3):
        diagonals = np.exp(-0.5 * (offsets / sigma) ** 2)[None, :, None]
        assert lsf_variance(diagonals, np.array([0.8]))[0, 0] == pytest.approx((0.8 * sigma) ** 2, rel=2e-3)


def test_air_and_vacuum():
    # NIST's vacuum wavelengths of H-alpha, [O III] and [O II], and the same in air (Ritz values).
    vacuum = np.array([6564.61, 5008.24, 3729.875, 4862.68])
    air = np.array([6562.80, 5006.843, 3728.815, 4861.32])
    np.testing.assert_allclose(vacuum_from_air(air), vacuum, atol=0.015)
    wave = np.linspace(2100.0, 20000.0, 1000)
    np.testing.assert_allclose(vacuum_from_air(air_from_vacuum(wave)), wave, rtol=1e-10)
    assert vacuum_from_air(np.array([1500.0]))[0] == 1500.0


def test_the_extinction_law_is_that_of_the_paper():
    # Fitzpatrick (1999, PASP 111, 63), table 3: A(wave)/E(B-V) for R = 3.1.
    wave = np.array([26500.0, 12200.0, 6000.0, 5470.0, 4670.0, 4110.0, 2700.0, 2600.0])
    published = [0.265, 0.829, 2.688, 3.055, 3.806, 4.315, 6.265, 6.591]
    np.testing.assert_allclose(extinction_per_ebv(wave), published, atol=1e-3)
    fine = np.linspace(3000.0, 25000.0, 2000)
    assert np.all(np.diff(extinction_per_ebv(fine)) < 0)


def test_dereddening_is_recorded_and_done_once():
    spectra = some_spectra()
    corrected = deredden(spectra, np.array([0.0, 0.1, 0.2]))
    np.testing.assert_array_equal(corrected.flux_lambda[0], spectra.flux_lambda[0])
    factor = 10 ** (0.04 * extinction_per_ebv(spectra.wave_aa[1]))
    np.testing.assert_allclose(corrected.flux_lambda[1], spectra.flux_lambda[1] * factor, rtol=1e-5)
    # The signal-to-noise ratio of a pixel does not change.
    snr = [one.flux_lambda * np.sqrt(one.ivar) for one in (spectra, corrected)]
    np.testing.assert_allclose(snr[1], snr[0], rtol=1e-4)
    assert corrected.metadata["galactic_extinction"] == {
        "law": "Fitzpatrick (1999)",
        "r_v": 3.1,
        "ebv": "given",
    }
    with pytest.raises(SpectrumError, match="corrected.*already"):
        deredden(corrected, 0.1)
    with pytest.raises(SpectrumError, match="no column ebv"):
        deredden(spectra)
    for wrong in (-0.1, np.nan):
        with pytest.raises(SpectrumError, match=r"spectrum 10000000000000000: has E\(B-V\)"):
            deredden(spectra, wrong)


def test_the_fibre_map_s_reddening_is_rescaled(nebulium_data):
    path = nebulium_data / "desi" / "spectra" / "coadd-4-80613-thru20210324.fits"
    spectra = read_spectra(path, correct_extinction=True)
    np.testing.assert_allclose(spectra.columns["ebv_corrected"], 0.86 * 0.0514118, rtol=1e-5)
    assert "SFD" in spectra.metadata["galactic_extinction"]["ebv"]
    assert np.median(spectra.flux_lambda / read_spectra(path).flux_lambda) > 1.05


def test_redshifts_are_joined_by_id_whatever_its_type():
    wave = np.linspace(4000, 5000, 6, dtype=np.float32).reshape(2, 3)
    spectra = Spectra(np.array([7, 8]), wave, wave, wave, np.full(2, np.nan))
    table = Table({"target_id": np.array(["8", "9"]), "redshift": np.array([0.1, 0.2])})
    np.testing.assert_array_equal(join_redshifts(spectra, table).redshift, [np.nan, 0.1])


def test_ids_are_numbers_only_if_all_are():
    assert ids_from_text(np.array(["7", "8"])).tolist() == [7, 8]
    assert ids_from_text(np.array(["7", "NGC 1"])).tolist() == ["7", "NGC 1"]
    assert ids_from_text(np.array(["007"])).tolist() == ["007"]


@pytest.mark.parametrize(
    ("wave", "fault"),
    [
        ([4000.0, 4001.0], None),
        ([4000.0, 3999.0], "has unsorted wavelengths (4000 at pixel 0, then 3999)"),
        ([4000.0, 4001.0, 4001.0], "has a wavelength twice (4001 at pixels 1 and 2)"),
        ([4000.0, np.nan], "has a wavelength that is not finite (pixel 1)"),
        ([0.0, 4000.0], "has a wavelength that is not positive (0 at pixel 0)"),
    ],
)
def test_wavelengths_rise(wave, fault):
    assert not_rising(np.array(wave)) == fault
