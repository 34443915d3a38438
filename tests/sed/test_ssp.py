import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nebulium.errors import SpectrumError
from nebulium.sed.ssp import decode_log_flux, encode_log_flux, load_ssp


def write_grid(path, **changes):
    """A small valid grid in the layout of DSPS, with datasets changed, or left out where None."""
    datasets = {
        "ssp_lgmet": np.array([-3.0, -2.0, -1.5]),
        "ssp_lg_age_gyr": np.linspace(-3, 1.1, 10),
        "ssp_wave": np.linspace(1000.0, 10000.0, 50),
        "ssp_flux": np.full((3, 10, 50), 1e-13),
    } | changes
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            if values is not None:
                file[name] = values
    return path


def test_shipped_grid_is_the_full_one_within_its_rounding(nebulium_data):
    full, shipped = load_ssp(nebulium_data / "ssp" / "ssp_bc03_lowres.h5"), load_ssp()
    kept = np.asarray(full.lg_age_gyr) < np.log10(14.5)
    reference = np.asarray(full.flux)[:, kept]
    np.testing.assert_allclose(shipped.lg_age_gyr, full.lg_age_gyr[kept], rtol=1e-6)
    np.testing.assert_array_equal(shipped.wave_aa, full.wave_aa)
    np.testing.assert_array_equal(shipped.lgmet, full.lgmet)
    bright = reference > 1e-10 * reference.max(axis=-1, keepdims=True)
    np.testing.assert_allclose(np.asarray(shipped.flux)[bright], reference[bright], rtol=2.5e-4)


def test_a_file_of_ones_own(tmp_path):
    grid = load_ssp(write_grid(tmp_path / "own.h5"))
    assert grid.flux.shape == (3, 10, 50)
    assert grid.flux.dtype == np.float32


FAULTS = {
    "lacks ssp_flux": {"ssp_flux": None},
    "transpose it": {"ssp_flux": np.full((50, 10, 3), 1e-13)},
    "log10 Z/Zsun": {"ssp_lgmet": np.array([-1.0, 0.0, 0.3])},
    "log10 of years": {"ssp_lg_age_gyr": np.linspace(6, 10.1, 10)},
    "take log10": {"ssp_lg_age_gyr": np.linspace(0.001, 13.0, 10)},
    "microns": {"ssp_wave": np.linspace(0.1, 1.0, 50)},
    "nanometres": {"ssp_wave": np.linspace(100.0, 1000.0, 50)},
    "does not increase": {"ssp_wave": np.linspace(10000.0, 1000.0, 50)},
    "Lsun/AA": {"ssp_flux": np.full((3, 10, 50), 1e-4)},
    "negative": {"ssp_flux": np.full((3, 10, 50), -1e-13)},
}


@pytest.mark.parametrize("message", FAULTS)
def test_faulty_files_are_explained(tmp_path, message):
    path = write_grid(tmp_path / "faulty.h5", **FAULTS[message])
    with pytest.raises(SpectrumError, match=message) as caught:
        load_ssp(path)
    assert "faulty.h5" in str(caught.value)


def test_a_file_that_is_missing_or_not_hdf5(tmp_path):
    with pytest.raises(SpectrumError, match="does not exist"):
        load_ssp(tmp_path / "none.h5")
    (tmp_path / "text.h5").write_text("not HDF5")
    with pytest.raises(SpectrumError, match="truncated, damaged, or not HDF5"):
        load_ssp(tmp_path / "text.h5")


@given(arrays(np.float64, (3, 7), elements=st.floats(1e-25, 1e-12)))
def test_encoding_keeps_flux_within_a_quarter_of_a_per_mille(flux):
    decoded = decode_log_flux(*encode_log_flux(flux)).astype(np.float64)
    deep = flux < 10**-13.1 * flux.max(axis=-1, keepdims=True)
    np.testing.assert_allclose(decoded[~deep], flux[~deep], rtol=2.5e-4)
    assert np.all(decoded[deep] <= 1.001 * flux[deep])
