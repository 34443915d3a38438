"""What would spoil redshifts without a sound is refused, with an option that mends it."""

from pathlib import Path

import numpy as np
import pytest

from nebulium.data.column_checks import ColumnPlace
from nebulium.errors import TableError
from nebulium.photometry.catalogue import table_of
from nebulium.photometry.checks import (
    check_are_fluxes,
    check_are_magnitudes,
    check_redshift_errors,
    check_redshifts,
)
from nebulium.photometry.dereddening import check_extinction, dust_notes
from nebulium.photometry.fluxes import nanojansky
from nebulium.photometry.layout import BandColumns, CatalogueLayout, layout_from

PLACE = ColumnPlace("a.csv", "z{1}", first_row=5)


def test_magnitudes_are_no_fluxes():
    magnitudes = np.array([[22.1], [25.3]])
    with pytest.raises(TableError, match="a.csv, columns r: expected fluxes, found values from 22.1 to 25.3"):
        check_are_fluxes(magnitudes, 0.01 * magnitudes, where="a.csv", columns=["r"])
    check_are_fluxes(magnitudes, magnitudes, where="a.csv", columns=["r"])


@pytest.mark.parametrize(
    ("check", "good", "bad", "message"),
    [
        (check_are_magnitudes, 22.0, 350.0, "expected magnitudes, found 350 in row 6. .*--nondetection 350"),
        (check_redshifts, 0.1, -1.0, r"expected redshifts of 0 or more, found -1 .*--missing=z\{1\}=-1 if"),
        (check_redshifts, 12.0, 85.0, "redshifts below 20, found 85 in row 6: these may be percentages, or"),
        (check_redshift_errors, 1e-4, 30.0, "expected errors of redshifts from 0 to 1, found 30 in row 6"),
    ],
)
def test_numbers_that_make_no_sense(check, good, bad, message):
    check(np.array([good, np.nan]), PLACE)
    with pytest.raises(TableError, match=message):
        check(np.array([good, bad]), PLACE)


def test_extinction_of_a_band_that_is_not_there():
    check_extinction(["r"], ["r", "i"])
    with pytest.raises(TableError, match="extinction of j: there is no such band; there are r, i"):
        check_extinction(["r", "j"], ["r", "i"])


def test_what_should_be_known_of_the_dust():
    one = dust_notes(CatalogueLayout(ebv=0.5, dereddened=False))
    assert one == ("E(B-V) is taken to be 0.5 mag for all galaxies",)
    none = dust_notes(CatalogueLayout(dereddened=False))
    assert none == (
        "the fluxes are not corrected for Galactic extinction, and no E(B-V) is given: used as they are",
    )


def test_units_of_fluxes():
    columns = BandColumns("r", "f", "e")
    assert nanojansky("uJy", "", columns, "a.csv") == 1000.0
    assert nanojansky("23.9", "uJy", columns, "a.csv") == pytest.approx(1000.0)
    assert nanojansky(None, "", BandColumns("r", "flux_njy_obs_r", "e"), "a.csv") == 1.0
    with pytest.raises(TableError, match="has the unit 'parrot', which is not understood. .*--flux-unit"):
        nanojansky("parrot", "", columns, "a.csv")


def test_a_layout_goes_through_json():
    layout = CatalogueLayout(bands=(BandColumns("r", "flux_r", "err_r"),), missing=("-99",))
    assert layout_from(layout.as_dict()) == layout
    assert table_of(Path("galaxies.fits")) == Path("galaxies.fits")
