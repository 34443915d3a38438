import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.sed import CalzettiDust, NoDust, NollDust, SalimDust

WAVE = jnp.asarray(np.geomspace(1000.0, 19950.0, 60), jnp.float32)


def test_calzetti_against_its_formula():
    """Calzetti et al. 2000, eq. 4, by hand at 0.3 and 1 micron."""
    k_300nm = 2.659 * (-2.156 + 1.509 / 0.3 - 0.198 / 0.09 + 0.011 / 0.027) + 4.05
    k_1um = 2.659 * (-1.857 + 1.040) + 4.05
    found = CalzettiDust(av_mag=2.0).attenuation_mag(jnp.array([3000.0, 10000.0]))
    np.testing.assert_allclose(found, 2.0 * np.array([k_300nm, k_1um]) / 4.05, rtol=1e-5)


@pytest.mark.parametrize("curve", [NollDust, SalimDust])
def test_families_are_calzetti_where_slope_and_bump_are_zero(curve):
    above_0p15_micron = WAVE[np.asarray(WAVE) > 1500]
    np.testing.assert_allclose(
        curve(av_mag=1.0).attenuation_mag(above_0p15_micron),
        CalzettiDust(av_mag=1.0).attenuation_mag(above_0p15_micron),
        rtol=1e-5,
    )


@pytest.mark.parametrize("curve", [NollDust, SalimDust])
def test_slope_pivots_at_v_and_bump_stands_at_2175(curve):
    flat, steep = curve(av_mag=1.0), curve(av_mag=1.0, slope=-0.5)
    at = jnp.array([3000.0, 5500.0, 9000.0])
    ratio = np.asarray(steep.attenuation_mag(at) / flat.attenuation_mag(at))
    np.testing.assert_allclose(ratio, (np.asarray(at) / 5500.0) ** -0.5, rtol=1e-5)
    extra = curve(av_mag=1.0, bump=3.0).attenuation_mag(WAVE) - flat.attenuation_mag(WAVE)
    assert abs(float(WAVE[np.argmax(extra)]) - 2175.0) < 60.0
    np.testing.assert_allclose(extra.max(), 3.0 / 4.05, rtol=0.05)


def test_noll_tilts_the_bump_and_salim_does_not():
    at = jnp.array([2175.0])
    bump_of = lambda curve: (  # noqa: E731
        curve(av_mag=1.0, slope=-0.5, bump=3.0).attenuation_mag(at)
        - curve(av_mag=1.0, slope=-0.5).attenuation_mag(at)
    )
    np.testing.assert_allclose(bump_of(SalimDust), 3.0 / 4.05, rtol=1e-4)
    np.testing.assert_allclose(bump_of(NollDust), 3.0 / 4.05 * (2175 / 5500) ** -0.5, rtol=1e-4)


@pytest.mark.parametrize("dust", [NoDust(), CalzettiDust(0.0), NollDust(0.0), SalimDust(0.0, -1.0, 3.0)])
def test_no_dust_takes_nothing(dust):
    np.testing.assert_array_equal(dust.attenuation_mag(WAVE), 0.0)


@pytest.mark.parametrize("dust", [CalzettiDust(1.0), NollDust(1.0, -0.6, 2.0), SalimDust(1.0, 0.4, 2.0)])
def test_attenuation_is_never_negative(dust):
    infrared = jnp.asarray(np.geomspace(100.0, 1e6, 200), jnp.float32)
    assert float(dust.attenuation_mag(infrared).min()) >= 0.0
