"""Steps of the chain on a grid that never changes: the same as those made anew for each galaxy."""

import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.lines.continuum.line_list import LINES
from nebulium.lines.fixed_grid import bin_means, interpolation, windows_of_lines
from nebulium.lines.injection.profiles import line_spectrum

WAVE = np.linspace(3400.0, 7000.0, 3601, dtype=np.float32)


def test_interpolation_between_uneven_nodes():
    between = interpolation(np.array([0.0, 1.0, 3.0]), np.array([0.5, 2.0]))
    assert between(jnp.array([0.0, 10.0, 20.0])).tolist() == [5.0, 15.0]
    assert interpolation(np.array([0.0, 1.0]), np.array([0.25])).share.tolist() == [0.25]


def test_lines_in_windows_are_those_of_the_whole_grid():
    windows = windows_of_lines(WAVE)
    assert windows.n_pixels == len(WAVE)
    assert windows.pixels.shape[0] == len(LINES) + 1  # [OII] is two
    flux, redshift = jnp.arange(1.0, 11.0), jnp.float32(0.2)
    whole = line_spectrum(WAVE * np.float32(1.2), flux, redshift, velocity_dispersion_km_s=150.0)
    found = windows.spectrum(flux, redshift, jnp.float32(150.0))
    np.testing.assert_allclose(found, whole, atol=1e-3 * float(whole.max()))


def test_means_of_a_slope_are_its_middles():
    wave = np.linspace(3400.0, 7000.0, 181, dtype=np.float32)
    assert (wave @ bin_means(wave)).tolist() == pytest.approx(
        np.arange(3550.0, 7000.0, 300.0).tolist(), rel=1e-5
    )
