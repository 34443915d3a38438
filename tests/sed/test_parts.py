"""Small parts that spectra are made with."""

import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.sed.band_fluxes import photometry_of_flux
from nebulium.sed.cosmology import as_float
from nebulium.sed.dsps_adapter import calzetti_k, noll_k, salim_k
from nebulium.sed.piecewise import PiecewiseLinear


def test_curves_of_dust():
    at_v, bump = jnp.array([0.55]), jnp.array([0.15])
    assert float(calzetti_k(at_v)[0]) == pytest.approx(4.05, abs=0.01)
    assert float(salim_k(at_v, jnp.array(0.0), jnp.array(-0.4))[0]) == pytest.approx(4.05, abs=0.01)
    assert float(noll_k(bump, jnp.array(1.0), jnp.array(-0.4))[0]) > 10


def test_a_jansky_is_of_magnitude_8p9():
    assert float(photometry_of_flux(jnp.array([1e9]), jnp.array([True])).mag_ab[0]) == pytest.approx(
        8.9, abs=1e-3
    )


def test_the_integral_of_a_piecewise_line():
    line = PiecewiseLinear(jnp.array([0.0, 1.0, 3.0]), jnp.array([0.0, 1.0, 1.0]))
    np.testing.assert_allclose(line.integral_to(jnp.array([-1.0, 0.5, 3.0, 9.0])), [0.0, 0.125, 2.5, 2.5])


def test_numbers_are_single_precision():
    assert as_float(1).dtype == jnp.float32
