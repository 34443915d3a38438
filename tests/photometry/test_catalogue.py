"""Catalogues of photometry: what is read, and what is refused."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from nebulium.data.rejects import Rejects
from nebulium.data.tables.table import Table, concatenate_rows
from nebulium.data.tables.writer import write_table
from nebulium.errors import TableError
from nebulium.photometry.catalogue import open_photometry, read_photometry
from nebulium.photometry.galaxies import PhotometricGalaxies
from nebulium.photometry.layout import (
    BandColumns,
    CatalogueLayout,
    band_columns,
    band_extinction,
    changed_layout,
)

N = 40
G, R = BandColumns("g", "g", "g_err"), BandColumns("r", "r", "r_err")


def columns(**changed: object) -> dict[str, np.ndarray]:
    """A sound catalogue of fluxes over three decades, half of it with redshifts."""
    random = np.random.default_rng(1)
    flux = 10.0 ** random.uniform(0.5, 3.5, (N, 2))
    known = {
        "id": np.arange(100, 100 + N),
        "g": flux[:, 0],
        "g_err": np.full(N, 2.0),
        "r": flux[:, 1],
        "r_err": np.full(N, 3.0),
        "z": np.where(np.arange(N) % 2 == 0, random.uniform(0.1, 2.0, N), np.nan),
    }
    return known | {name: np.asarray(values) for name, values in changed.items()}


@pytest.fixture
def layout() -> CatalogueLayout:
    return CatalogueLayout(bands=(G, R), flux_unit="nJy", id_column="id", redshift_column="z")


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def written(name: str = "a.parquet", units: dict[str, str] | None = None, **changed: object) -> str:
    write_table(Table(columns(**changed), units or {}), name)
    return name


def edited(column: str, row: int, value: float) -> dict[str, np.ndarray]:
    values = columns()[column].astype(np.float64)
    values[row] = value
    return {column: values}


def magnitudes() -> dict[str, np.ndarray]:
    return {
        "g": np.linspace(20, 27, N), "r": np.linspace(19.5, 26, N),
        "g_err": np.full(N, 0.1), "r_err": np.full(N, 0.2),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["a.parquet", "a.fits", "a.ecsv"])
def test_fluxes_are_read_as_they_are(layout, name):
    galaxies = read_photometry(written(name, **edited("g", 3, -4.5)), layout)
    known = columns(**edited("g", 3, -4.5))
    np.testing.assert_allclose(galaxies.flux_njy, np.stack([known["g"], known["r"]], axis=1), rtol=1e-6)
    assert galaxies.flux_err_njy[0].tolist() == [2.0, 3.0]
    assert galaxies.bands == ("g", "r")
    assert galaxies.ids.tolist() == known["id"].tolist()
    np.testing.assert_array_equal(galaxies.redshift, known["z"].astype(np.float32))
    assert (galaxies.redshift_err == 0).all()
    assert galaxies.ebv is None
    assert galaxies.dereddened is None


def test_a_mock_survey_is_known_by_its_names(tmp_path):
    known = columns()
    write_table(
        Table({
            "target_id": known["id"],
            "flux_njy_obs_acs_wfc_f606w": known["g"], "flux_njy_err_acs_wfc_f606w": known["g_err"],
            "flux_njy_obs_acs_wfc_f814w": known["r"], "flux_njy_err_acs_wfc_f814w": known["r_err"],
            "flux_njy_acs_wfc_f606w": known["g"],
            "redshift_spec": known["z"], "redshift": np.full(N, 3.0),
        }),
        "catalogue.parquet",
    )  # fmt: skip
    galaxies = read_photometry(tmp_path)
    assert galaxies.bands == ("acs_wfc_f606w", "acs_wfc_f814w")
    assert np.isfinite(galaxies.redshift).sum() == N // 2
    truth = read_photometry(tmp_path, CatalogueLayout(redshift_column="redshift"))
    assert (truth.redshift == 3.0).all()
    for_predictions = open_photometry(tmp_path, with_redshifts=False)
    assert np.isnan(next(for_predictions.chunks()).redshift).all()


def test_ids_may_be_text(layout):
    galaxies = read_photometry(written(id=[f"J{i}" for i in range(N)]), layout)
    assert galaxies.ids[:2].tolist() == ["J0", "J1"]


def test_labels_are_not_needed():
    galaxies = read_photometry(written(), CatalogueLayout(bands=(G,), flux_unit="nJy", id_column="id"))
    assert np.isnan(galaxies.redshift).all()


@pytest.mark.parametrize(
    ("told", "declared", "factor"),
    [("uJy", "", 1e3), ("23.9", "", 1e3), (None, "uJy", 1e3), ("nJy", "uJy", 1.0), ("31.4", "", 1.0)],
)
def test_units_of_fluxes(layout, told, declared, factor):
    units = {name: declared for name in ("g", "g_err", "r", "r_err") if declared}
    galaxies = read_photometry(written("a.fits", units), replace(layout, flux_unit=told))
    np.testing.assert_allclose(galaxies.flux_njy[:, 0], factor * columns()["g"], rtol=1e-5)
    np.testing.assert_allclose(galaxies.flux_err_njy[:, 1], factor * 3.0, rtol=1e-5)


def test_magnitudes_become_fluxes(layout):
    told = replace(layout, flux_unit=None, magnitudes=True)
    galaxies = read_photometry(written(**magnitudes()), told)
    np.testing.assert_allclose(
        -2.5 * np.log10(galaxies.flux_njy[:, 0]) + 31.4, np.linspace(20, 27, N), atol=1e-5
    )
    np.testing.assert_allclose(
        galaxies.flux_err_njy / galaxies.flux_njy, [[0.0921034, 0.1842068]] * N, rtol=1e-5
    )


def test_galaxies_too_faint_are_fluxes_of_zero(layout):
    values = magnitudes()
    values["g"][2], values["g_err"][2] = 99.0, 28.9
    values["r"][3] = -99.0
    told = replace(layout, flux_unit=None, magnitudes=True, nondetection=99.0, missing=("-99",))
    galaxies = read_photometry(written(**values), told)
    assert galaxies.flux_njy[2, 0] == 0
    np.testing.assert_allclose(galaxies.flux_err_njy[2, 0], 10.0, rtol=1e-5)
    assert np.isnan(galaxies.flux_njy[3, 1])
    with pytest.raises(TableError, match=r"column g: expected measured values, found 99 in row 2"):
        read_photometry("a.parquet", replace(told, nondetection=None))


@pytest.mark.parametrize("error", [0.0, -1.0, np.nan, np.inf])
def test_a_flux_without_an_error_is_missing_and_counted(layout, error):
    counted: Counter[str] = Counter()
    galaxies = read_photometry(written(**edited("r_err", 5, error)), layout, counted=counted)
    assert np.isnan(galaxies.flux_njy[5, 1])
    assert np.isfinite(galaxies.flux_njy).sum() == 2 * N - 1
    assert counted == {"fluxes in r whose error is zero, negative, missing or infinite": 1}


def test_a_missing_flux_needs_no_error(layout):
    counted: Counter[str] = Counter()
    galaxies = read_photometry(written(**edited("r", 5, np.nan)), layout, counted=counted)
    assert np.isnan(galaxies.flux_njy[5, 1])
    assert not counted


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e39])
def test_infinite_fluxes_are_set_aside(layout, value):
    rejects = Rejects()
    galaxies = read_photometry(written(**edited("g", 7, value)), layout, rejects=rejects)
    assert len(galaxies) == N - 1
    assert rejects.rows().tolist() == [7]
    assert "infinite flux" in rejects.summary()


def test_chunks_are_the_whole_and_name_rows_of_the_file(layout):
    path = written(**edited("g", 33, np.inf))
    rejects, counted = Rejects(), Counter()
    chunks = list(open_photometry(path, layout).chunks(rejects=rejects, counted=counted, rows_per_chunk=16))
    assert [len(chunk) for chunk in chunks] == [16, 16, 7]
    assert rejects.rows().tolist() == [33]
    whole = read_photometry(path, layout)
    np.testing.assert_array_equal(concatenate_rows(chunks).flux_njy, whole.flux_njy)
    with pytest.raises(TableError, match="column z: .* -1 in row 35"):
        list(open_photometry(written(**edited("z", 35, -1.0)), layout).chunks(rows_per_chunk=16))


@pytest.mark.parametrize(
    ("changed", "told", "message"),
    [
        (edited("z", 1, -1.0), {}, r"a\.parquet, column z: .* found -1 in row 1\. .*--missing=z=-1"),
        (edited("z", 1, 85.0), {}, r"column z: expected redshifts below 20, found 85 in row 1: .*percent"),
        (edited("z", 1, np.inf), {}, r"column z: expected redshifts below 20, found inf"),
        (edited("z", 1, -99.0), {}, r"found -99 in row 1\. .*--missing=z=-99"),
        (edited("g", 4, -99.0), {}, r"column g: .*found -99 in row 4, .*--missing=-99"),
        (edited("g_err", 4, -99.0), {}, r"column g_err: .*found -99 in row 4"),
        (edited("g", 4, -999.0), {"missing": ("-99",)}, r"column g: .*found -999 in row 4"),
        ({"id": np.r_[100, 100:139]}, {}, r"every id once, found 100 in rows 0 and 1"),
        ({"id": np.linspace(0, 1, N)}, {}, r"column id: expected an id .* in rows 1, 2, 3 and "),
        ({"g": np.full(N, "bright")}, {}, r"column g: expected a number .*found 'bright' in rows 0, 1"),
        ({"z": np.full(N, "n/a")}, {}, r"column z: expected a number .* in rows 0, 1"),
        (magnitudes(), {"flux_unit": None}, r"columns g, r: .* look like magnitudes\. .*--magnitudes"),
        (magnitudes(), {}, r"columns g, r: .* look like magnitudes"),
        ({}, {"magnitudes": True, "flux_unit": None}, r"expected magnitudes, found .* row"),
        ({}, {"flux_unit": None}, r"column g: has no unit\. To mend: say --flux-unit"),
        ({}, {"flux_unit": "Angstrom"}, r"column g: .*does not convert to 'nJy'"),
        ({}, {"bands": (G, BandColumns("i", "i", "i_err"))}, r"has no column 'i'"),
        ({}, {"bands": ()}, r"has no columns flux_njy_obs_BAND.*--band"),
        ({}, {"id_column": "name"}, r"has no column 'name'.*--id"),
        ({}, {"ebv": "dust", "dereddened": False}, r"has no column 'dust'.*--ebv"),
    ],
)
def test_bad_catalogues_are_refused(layout, changed, told, message):
    path = written(**changed)
    with pytest.raises(TableError, match=message):
        read_photometry(path, replace(layout, **told))


def test_what_is_told_is_taken_at_its_word(layout):
    assert len(read_photometry(written(**magnitudes()), replace(layout, magnitudes=False))) == N
    galaxies = read_photometry(written(**edited("g", 4, -99.0)), replace(layout, missing=("none",)))
    assert galaxies.flux_njy[4, 0] == -99
    galaxies = read_photometry("a.parquet", replace(layout, missing=("-99",)))
    assert np.isnan(galaxies.flux_njy[4, 0])
    galaxies = read_photometry(written(**edited("z", 1, -1.0)), replace(layout, missing=("z=-1",)))
    assert np.isnan(galaxies.redshift[1])
    # A flux of -1 is no missing one for that.
    galaxies = read_photometry(
        written(**edited("g", 4, -1.0), **edited("z", 1, -1.0)), replace(layout, missing=("z=-1",))
    )
    assert galaxies.flux_njy[4, 0] == -1


def test_a_catalogue_without_rows(layout):
    write_table(Table({name: values[:0] for name, values in columns().items()}), "a.parquet")
    with pytest.raises(TableError, match="has no rows"):
        read_photometry("a.parquet", layout)


def test_a_folder_that_is_no_survey(tmp_path):
    with pytest.raises(TableError, match=r"folder without catalogue\.parquet"):
        read_photometry(tmp_path)


def test_nothing_that_can_be_used(layout):
    infinite = {"g": np.full(N, np.inf)}
    with pytest.raises(TableError, match="no galaxy that can be used .40 rows set aside"):
        read_photometry(written(**infinite), layout)


@pytest.mark.parametrize("value", [np.nan, -0.1, np.inf, 30.0])
def test_reddening_that_makes_no_sense_is_set_aside(layout, value):
    dust = np.full(N, 0.05)
    dust[3] = value
    rejects = Rejects()
    told = replace(layout, ebv="dust", dereddened=False)
    galaxies = read_photometry(written(dust=dust), told, rejects=rejects)
    assert rejects.rows().tolist() == [3]
    assert galaxies.ebv is not None
    np.testing.assert_allclose(galaxies.ebv, 0.05)
    assert galaxies.dereddened is False
    number = read_photometry("a.parquet", replace(layout, ebv=0.02, dereddened=True))
    assert number.ebv is not None
    np.testing.assert_allclose(number.ebv, 0.02)


def test_errors_of_redshifts(layout):
    told = replace(layout, redshift_err_column="dz")
    galaxies = read_photometry(written(dz=np.r_[np.nan, 0.0, np.full(N - 2, 0.01)]), told)
    np.testing.assert_allclose(galaxies.redshift_err[:3], [0, 0, 0.01])


@pytest.mark.parametrize("value", [-1.0, -99.0, 30.0, np.inf])
def test_errors_of_redshifts_that_make_no_sense(layout, value):
    told = replace(layout, redshift_err_column="dz")
    errors = np.full(N, 1e-3)
    errors[4] = value
    with pytest.raises(TableError, match=r"column dz: expected errors of redshifts from 0 to 1, .* row 4"):
        read_photometry(written(dz=errors, **edited("z", 4, 0.5)), told)
    # Beside a galaxy without a redshift it does not matter.
    assert len(read_photometry(written(dz=errors, **edited("z", 4, np.nan)), told)) == N


def test_sentinels_in_single_precision(layout):
    flux = columns()["g"].astype(np.float32)
    flux[4] = -99.9
    with pytest.raises(TableError, match=r"column g: .*found -99.9 in row 4"):
        read_photometry(written(g=flux), layout)
    galaxies = read_photometry("a.parquet", replace(layout, missing=("-99.9",)))
    assert np.isnan(galaxies.flux_njy[4, 0])
    mag = magnitudes()["g"].astype(np.float32)
    mag[4] = 99.9
    told = replace(layout, magnitudes=True, flux_unit=None, nondetection=99.9)
    galaxies = read_photometry(written(**{**magnitudes(), "g": mag}), told)
    assert galaxies.flux_njy[4, 0] == 0


def test_a_few_99_make_magnitudes_no_fluxes(layout):
    mag = magnitudes()
    mag["g"][3] = 99.0
    with pytest.raises(TableError, match=r"columns g, r: .* look like magnitudes"):
        read_photometry(written(**mag), layout)


def test_errors_that_single_precision_cannot_hold_are_counted(layout):
    counted = Counter()
    read_photometry(written(**edited("g_err", 3, 1e39), **edited("r_err", 4, 1e-60)), layout, counted=counted)
    assert sum(counted.values()) == 2


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"ebv": "dust"}, "--dereddened or --not-dereddened"),
        ({"bands": (G, G)}, "band g: is given twice"),
        ({"magnitudes": True, "flux_unit": "nJy"}, "give one of the two"),
        ({"nondetection": 99.0}, "faint flux counts with its error"),
        ({"missing": ("z=none at all",)}, "not a number"),
    ],
)
def test_contradictions_are_refused(told, message):
    with pytest.raises(TableError, match=message):
        CatalogueLayout(**told)


@pytest.mark.parametrize("text", ["g", "g=a", "g=a,b,c", "=a,b", "g=,b"])
def test_bands_are_written_in_one_way(text):
    with pytest.raises(TableError, match="expected BAND=COLUMN,ERROR_COLUMN"):
        band_columns(text)


def test_extinctions_are_written_in_one_way():
    with pytest.raises(TableError, match="expected BAND=NUMBER"):
        band_extinction("g=much")


def test_what_is_told_now_replaces_what_was_recorded(layout):
    assert changed_layout(layout, {"missing": ("-99",)}) == replace(layout, missing=("-99",))
    assert changed_layout(None, {}) == CatalogueLayout()
    dusty = replace(layout, extinction=(("g", 3.3),))
    # Of another catalogue only the bands are those of the model.
    assert changed_layout(dusty, {"bands": (R,)}) == CatalogueLayout(bands=(R,), extinction=(("g", 3.3),))


def galaxies_in(bands: tuple[str, ...]) -> PhotometricGalaxies:
    flux = np.arange(2.0 * len(bands), dtype=np.float32).reshape(2, len(bands))
    z = np.zeros(2, np.float32)
    return PhotometricGalaxies(np.array([1, 2]), bands, flux, flux + 10, z, z, z, "a.fits")


def test_bands_come_in_the_order_of_the_model():
    ordered = galaxies_in(("g", "r", "i")).in_bands(("i", "g"))
    assert ordered.bands == ("i", "g")
    assert ordered.flux_njy.tolist() == [[2, 0], [5, 3]]
    assert ordered.flux_err_njy.tolist() == [[12, 10], [15, 13]]
    with pytest.raises(TableError, match="has no band z: its bands are g, r, those of the model z, g"):
        galaxies_in(("g", "r")).in_bands(("z", "g"))


def test_galaxies_are_selected_together():
    one = galaxies_in(("g",)).select(np.array([False, True]))
    assert (len(one), one.ids.tolist(), one.flux_njy.tolist()) == (1, [2], [[1.0]])
    assert one.ebv is not None
    assert len(one.ebv) == 1


def test_lengths_must_agree():
    with pytest.raises(TableError, match="different lengths"):
        replace(galaxies_in(("g",)), ids=np.array([1]))


def test_hubble_deep_field(nebulium_data):
    """Real: magnitudes would not do, as half of the fluxes of the faint are negative."""
    bands = ("f300w", "f450w", "f606w", "f814w", "irimj", "irimh", "irimk")
    told = CatalogueLayout(
        bands=tuple(band_columns(f"{band}=f_{band},e_{band}") for band in bands),
        flux_unit="uJy",
        id_column="id",
        redshift_column="z_spec",
        missing=("z_spec=-1",),
    )
    path = nebulium_data / "hst" / "hdfn_fernandez_soto_1999.csv"
    galaxies = read_photometry(path, told)
    assert galaxies.flux_njy.shape == (1067, 7)
    assert np.isfinite(galaxies.redshift).sum() == 114
    assert np.isfinite(galaxies.flux_njy).all()
    assert (galaxies.flux_njy[:, 6] < 0).sum() > 200
    with pytest.raises(TableError, match=r"found -1 in rows 0, 1, 4 and 950 more"):
        read_photometry(path, replace(told, missing=()))
