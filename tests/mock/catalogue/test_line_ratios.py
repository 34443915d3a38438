"""Ratios of lines: as published definitions have them, with and without dust, missing where a line is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nebulium.data.glossary import lookup
from nebulium.lines.continuum.line_list import LINES, line_index
from nebulium.mock.line_ratios import RATIOS, gas_attenuation_mag, line_ratio_columns

FLUXES = arrays(np.float32, (3, 10), elements=st.floats(0.5, 8192.0, width=32))
NO_DUST = np.zeros(3, np.float32)


@given(FLUXES)
def test_ratios_are_the_usual_ones(flux):
    f = dict(zip(LINES, flux.T.astype(float), strict=True))
    expected = {
        "log_o32": f["OIII_5007"] / f["OII_DOUBLET"],
        "log_r23": (f["OII_DOUBLET"] + f["OIII_4959"] + f["OIII_5007"]) / f["HBETA"],
        "log_o3n2": f["OIII_5007"] / f["HBETA"] * f["HALPHA"] / f["NII_6584"],
        "log_n2": f["NII_6584"] / f["HALPHA"],
        "log_s2": (f["SII_6716"] + f["SII_6731"]) / f["HALPHA"],
    }
    found = line_ratio_columns(flux, NO_DUST)
    for name, ratio in expected.items():
        for column in (name, f"{name}_attenuated"):
            np.testing.assert_allclose(found[column], np.log10(ratio), atol=1e-5)
            assert lookup(column).name == column
    assert set(found) == {*expected, *(f"{name}_attenuated" for name in expected)}


@given(FLUXES, st.floats(0.0625, 3.0, width=32))
def test_dust_hides_oxygen_in_the_blue_and_hardly_changes_ratios_of_neighbours(flux, av_mag):
    found = line_ratio_columns(flux, np.full(3, av_mag, np.float32))
    assert np.all(found["log_o32"] < found["log_o32_attenuated"])
    for name in ("log_n2", "log_s2", "log_o3n2"):
        assert np.all(np.abs(found[name] - found[f"{name}_attenuated"]) < 0.05 * av_mag)


def test_gas_is_attenuated_by_the_curve_of_calzetti():
    """k(H alpha) = 3.33 of the gas's colour excess, that of the stars over 0.44: Calzetti et al. 2000."""
    excess = 1.0 / 4.05 / 0.44
    found = gas_attenuation_mag(np.array([1.0, 2.0], np.float32))[:, line_index("HALPHA")]
    np.testing.assert_allclose(found, [3.33 * excess, 6.66 * excess], rtol=5e-3)


@pytest.mark.parametrize("missing", [0.0, -1.0, np.nan])
@pytest.mark.parametrize("line", LINES)
def test_a_line_that_is_not_positive_has_no_ratio(line, missing):
    flux = np.ones((2, 10), np.float32)
    flux[1, line_index(line)] = missing
    found = line_ratio_columns(flux, NO_DUST[:2])
    for name, parts in RATIOS.items():
        used = line in [one for side in parts for lines in side for one in lines]
        for column in (name, f"{name}_attenuated"):
            assert np.isfinite(found[column]).tolist() == [True, not used]
