"""The ten lines and what is known of them."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nebulium.data.tables.reading import iter_table
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import write_table
from nebulium.errors import TableError
from nebulium.lines.continuum.line_list import (
    COMPONENTS,
    DISPLAY_NAMES,
    LINE_WAVES_AA,
    LINES,
    TIED,
    line_index,
)
from nebulium.lines.measured_galaxies import EW_COLUMNS, check_sign, read_measured

# Air wavelengths that give the lines their names, and the index of refraction of air (Morton 1991) to vacuum.
AIR_AA = {
    "HGAMMA": 4340.46, "HBETA": 4861.33, "OIII_4959": 4958.91, "OIII_5007": 5006.84, "NII_6548": 6548.05,
    "HALPHA": 6562.80, "NII_6584": 6583.45, "SII_6716": 6716.44, "SII_6731": 6730.82,
}  # fmt: skip


def to_vacuum(air_aa):
    """IAU standard conversion, Morton 1991, ApJS 77, 119."""
    squared = (1e4 / air_aa) ** 2
    return air_aa * (1 + 6.4328e-5 + 2.94981e-2 / (146 - squared) + 2.5540e-4 / (41 - squared))


def test_the_order_is_that_of_the_table(nebulium_data):
    import pyarrow.parquet as pq

    names = pq.read_schema(nebulium_data / "desi" / "desi_edr_emission_lines.parquet").names
    assert tuple(name[3:] for name in names if name.startswith("ew_") and "ivar" not in name) == LINES


@pytest.mark.parametrize("line", AIR_AA)
def test_wavelengths_are_in_vacuum(line):
    assert LINE_WAVES_AA[line] == pytest.approx(to_vacuum(AIR_AA[line]), abs=0.05)


def test_the_oii_doublet_is_two_lines():
    blue, red = COMPONENTS["OII_DOUBLET"]
    assert (blue.wave_rest_aa, red.wave_rest_aa) == pytest.approx((3727.09, 3729.88), abs=0.01)
    assert blue.wave_rest_aa < LINE_WAVES_AA["OII_DOUBLET"] < red.wave_rest_aa
    assert [len(parts) for parts in COMPONENTS.values()] == [2] + 9 * [1]


def test_flux_fractions_sum_to_one():
    for parts in COMPONENTS.values():
        assert sum(part.flux_fraction for part in parts) == pytest.approx(1.0)


def test_tied_ratios_agree_with_the_table(nebulium_data):
    """Ratios of equivalent widths are the flux ratios to a few per cent: the continuum hardly changes."""
    import pyarrow.parquet as pq

    table = pq.read_table(nebulium_data / "desi" / "desi_edr_emission_lines.parquet")
    for weak, (strong, ratio) in TIED.items():
        bright = table[f"ew_{strong}"].to_numpy()
        good = bright * np.sqrt(table[f"ew_ivar_{strong}"].to_numpy()) > 30
        assert np.nanmedian((bright / table[f"ew_{weak}"].to_numpy())[good]) == pytest.approx(ratio, rel=0.04)


def test_every_line_has_a_name_for_plots():
    assert tuple(DISPLAY_NAMES) == LINES
    assert DISPLAY_NAMES["OIII_5007"] == "[O III] 5007"


def test_unknown_lines_are_named():
    assert [line_index(line) for line in LINES] == list(range(10))
    with pytest.raises(KeyError, match="LYA.*OII_DOUBLET"):
        line_index("LYA")


@pytest.mark.parametrize("ending", ["parquet", "csv", "fits"])
def test_emission_of_either_sign_is_known(tmp_path, nebulium_data, ending):
    """MPA-JHU's galSpecLine has emission negative; nebulium has it positive."""
    desi = nebulium_data / "desi" / "desi_edr_emission_lines.parquet"
    table = next(iter_table(desi, rows_per_chunk=400))
    turned = table.with_columns({name: -table[name] for name in EW_COLUMNS})
    ours, theirs = tmp_path / f"ours.{ending}", tmp_path / f"theirs.{ending}"
    write_table(table, ours)
    write_table(turned, theirs)
    with pytest.raises(
        TableError, match="emission is negative, as in the catalogues of MPA-JHU.*--emission-neg"
    ):
        read_measured(theirs)
    with pytest.raises(TableError, match="emission is positive: so are .* leave out --emission-negative"):
        read_measured(ours, emission_negative=True)
    read = read_measured(theirs, emission_negative=True)
    for name in EW_COLUMNS:
        np.testing.assert_array_equal(read[name], read_measured(ours)[name])


@settings(max_examples=int(os.environ.get("NEBULIUM_INPUTS", "50")))
@given(
    st.floats(0.0, 0.3), st.floats(0.1, 100.0), st.booleans(), st.booleans(), st.integers(30, 200),
    st.sampled_from(["f4", "f8"]),
)  # fmt: skip
def test_a_few_lines_of_the_other_sign_change_nothing(share, size, negative, with_ivar, n, dtype):
    draw = np.random.default_rng(n)
    widths = (
        size * draw.uniform(0.5, 1.5, (n, len(LINES))) * np.where(draw.random((n, len(LINES))) < share, -1, 1)
    )
    columns = dict(zip(EW_COLUMNS, (-widths if negative else widths).T.astype(dtype), strict=True))
    if with_ivar:
        columns |= {f"ew_ivar_{line}": np.full(n, 100.0 / size**2, dtype) for line in LINES}
    table = Table(columns)
    check_sign(table, emission_negative=negative)
    with pytest.raises(TableError, match="emission is"):
        check_sign(table, emission_negative=not negative)
