"""The unit that a model was told in training does not stand against what another catalogue declares."""

import pytest

from nebulium.errors import TableError
from nebulium.photometry.fluxes import check_remembered_unit
from nebulium.photometry.layout import BandColumns, CatalogueLayout

LAYOUT = CatalogueLayout(bands=(BandColumns("r", "F", "E"),), id_column="id", flux_unit="uJy")


@pytest.mark.parametrize(
    "units", [{}, {"F": "uJy"}, {"F": "uJy", "E": "1e3 nJy"}, {"F": "1e-6 Jy", "E": "uJy"}, {"E": "uJy"}]
)
def test_the_same_unit_or_none_is_no_question(units):
    check_remembered_unit(LAYOUT, units, "a.fits")


@pytest.mark.parametrize(
    ("units", "message"),
    [
        ({"F": "nJy"}, "column F: is declared in 'nJy', and uJy was told"),
        ({"F": "uJy", "E": "nJy"}, "column E: is declared in 'nJy', and uJy was told"),
        ({"F": "uJy", "E": "%"}, "column E"),
        ({"F": "uJy", "E": "1/uJy**2"}, "column E: is declared"),
    ],
)
def test_another_one_is(units, message):
    with pytest.raises(TableError, match=f"{message}.*--flux-unit"):
        check_remembered_unit(LAYOUT, units, "a.fits")
