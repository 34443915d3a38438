"""Names and units."""

import pytest

from nebulium.data.glossary import COLUMNS, conversion_factor, lookup, parse_unit, unit_of
from nebulium.errors import TableError

FLUX = "1e-17 erg / (s cm2 Angstrom)"


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("target_id", "target_id"),
        ("ew_HALPHA", "ew_LINE"),
        ("ew_OII_DOUBLET_q025", "ew_LINE_q025"),
        ("ew_SII_6731_q50", "ew_LINE_q50"),
        ("ew_ivar_NII_6548", "ew_ivar_LINE"),
        ("published_ew_HBETA", "published_ew_LINE"),
        ("continuum_flux_11", "continuum_flux_N"),
        ("continuum_flux_x", None),
        ("ew_halpha", None),
        ("Redshift", None),
    ],
)
def test_names_find_their_entry(name, entry):
    found = lookup(name)
    assert (found and found.name) == entry


def test_every_unit_is_one_and_every_name_finds_itself():
    for column in COLUMNS:
        parse_unit(column.unit)
        assert column.meaning
        example = column.name.replace("LINE", "HALPHA").replace("BAND", "sdss_r")
        example = example[:-1] + "3" if example.endswith("_N") else example
        assert lookup(example) is column


@pytest.mark.parametrize(
    "spelling",
    [
        "1E-17 erg/cm^2/s/Ang",  # SDSS
        "10**-17 erg/(s cm2 Angstrom)",  # DESI
        "1e-17 erg / (Angstrom cm2 s)",  # FastSpecFit
        "10**-17 Angstrom-1 erg s-1 cm-2",  # astropy's FITS
        "1e-17 erg/s/cm2/AA",
        "1e-17 erg s-1 cm-2 A-1",
        "1e-17 FLAM",
        "1e-17 erg/s/cm^2/\u00c5",
    ],
)
def test_one_unit_in_many_spellings(spelling):
    assert conversion_factor(spelling, FLUX, where="a") == 1.0


def test_factors():
    assert conversion_factor("nm", "Angstrom", where="a") == 10.0
    assert conversion_factor("1 / nm2", unit_of("ew_ivar_HALPHA"), where="a") == 0.01
    assert conversion_factor("W / (m2 um)", FLUX, where="a") == 1e16
    assert conversion_factor("dex", "", where="a") == 1.0
    for wrong in ("Jy", "furlong", "s"):
        with pytest.raises(TableError, match=f"a: .*{wrong}.*units="):
            conversion_factor(wrong, "Angstrom", where="a")
