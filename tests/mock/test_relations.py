import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nebulium.mock.populations import relations

MASSES = jnp.linspace(8.0, 12.0, 41)


def scalar(function, *values):
    return float(function(*(jnp.asarray(value, jnp.float32) for value in values)))


@pytest.mark.parametrize(
    ("log_mstar", "published"),
    # Baldry et al. 2012, Table 1: 1e-3 Mpc-3 dex-1 in bins of 0.2 dex, with errors of some ten per cent.
    [(8.5, 19.2), (9.1, 10.2), (9.9, 5.71), (10.5, 5.12), (11.1, 1.27)],
)
def test_mass_function_passes_through_the_published_points(log_mstar, published):
    assert scalar(relations.mass_function, log_mstar) * 1e3 == pytest.approx(published, rel=0.25)


def test_mass_density_of_the_local_universe():
    # Baldry et al. 2012, Section 5: Omega_stars 0.0017 / h70, 2.3e8 Msun Mpc-3.
    mass = np.linspace(8.0, 12.3, 4000)
    density = np.asarray(relations.mass_function(jnp.asarray(mass, jnp.float32)), float) * 10.0**mass
    assert np.trapezoid(density, mass) == pytest.approx(2.3e8, rel=0.05)


def test_quiescent_fraction_rises_from_few_to_nearly_all():
    fraction = np.asarray(relations.quiescent_fraction(MASSES))
    assert np.all(np.diff(fraction) >= 0)
    # Without mass quenching what is left is exp(-(1 / p1)^p2), and at p3 the mass leaves 1 / e of that.
    by_density = np.exp(-(10.0 ** (-1.84 * 0.6)))
    assert scalar(relations.quiescent_fraction, 2.0) == pytest.approx(1 - by_density, abs=1e-4)
    assert 1 - scalar(relations.quiescent_fraction, 10.56) == pytest.approx(by_density / np.e, abs=1e-4)


def test_main_sequence_is_the_local_one_at_its_redshift_and_rises():
    assert scalar(relations.main_sequence, 10.5, 0.05) == pytest.approx(0.76 * 10.5 - 7.64, abs=1e-5)
    rates = [scalar(relations.main_sequence, 10.0, z) for z in (0.0, 0.05, 0.1, 0.2)]
    assert np.all(np.diff(rates) > 0)


def test_main_sequence_over_cosmic_time():
    # Speagle et al. 2014, Equation 28, by hand: t = 5 Gyr, log M* = 10.
    assert scalar(relations.main_sequence_speagle14, 10.0, 5.0) == pytest.approx(0.71 * 10 - 5.96, abs=1e-5)


def test_gas_metallicities():
    # Curti et al. 2020: bent at the turnover, the plateau far above it, 0.28 a dex far below.
    assert scalar(relations.oh12_mass_local, 10.02) == pytest.approx(
        8.793 - 0.28 / 1.2 * np.log10(2), abs=1e-5
    )
    assert scalar(relations.oh12_mass_local, 13.0) == pytest.approx(8.793, abs=1e-3)
    slope = scalar(relations.oh12_mass_local, 7.0) - scalar(relations.oh12_mass_local, 6.0)
    assert slope == pytest.approx(0.28, abs=1e-3)
    assert scalar(relations.oh12_fundamental, 10.11, 0.0) == pytest.approx(
        8.779 - 0.31 / 2.1 * np.log10(2), abs=1e-5
    )
    assert scalar(relations.oh12_fundamental, 10.11 - 0.28, -0.5) == pytest.approx(
        scalar(relations.oh12_fundamental, 10.11, 0.0), abs=1e-5
    )


@given(st.floats(8.5, 11.5), st.floats(-1.5, 1.5), st.floats(0.01, 1.0))
def test_more_star_formation_never_means_more_metals(log_mstar, log_sfr, more):
    low = scalar(relations.oh12_fundamental, log_mstar, log_sfr + more)
    assert low <= scalar(relations.oh12_fundamental, log_mstar, log_sfr) + 1e-5


def test_gas_metallicity_falls_with_redshift_through_the_published_ones():
    assert scalar(relations.oh12_mass, 9.6, 2.3) == pytest.approx(8.51 - 0.12, abs=1e-5)
    assert scalar(relations.oh12_mass, 10.4, 3.3) == pytest.approx(8.41 + 0.116, abs=1e-5)
    redshifts = (0.0, 0.5, 1.5, 2.3, 3.0, 5.0)
    by_redshift = np.array([relations.oh12_mass(MASSES, jnp.full(41, z)) for z in redshifts])
    assert np.all(np.diff(by_redshift, axis=0) <= 1e-6)
    # Sanders et al. 2021: d log(O/H) / dz = -0.11 +- 0.02 at fixed mass.
    assert (by_redshift[3, 20] - by_redshift[0, 20]) / 2.3 == pytest.approx(-0.11, abs=0.03)


@pytest.mark.parametrize(
    ("log_mstar", "probability", "published"),
    [(9.91, 0.5, -0.41), (9.91, 0.1587, -0.90), (10.72, 0.8413, 0.22)],
)
def test_stellar_metallicities_at_the_published_percentiles(log_mstar, probability, published):
    found = scalar(relations.lgmet_stars_quantile, log_mstar, probability)
    assert found - np.log10(0.02) == pytest.approx(published, abs=2e-3)


def test_attenuation():
    # Garn & Best 2010: 0.91 mag of H alpha at 1e10 Msun; Calzetti: 0.44 4.05 / 3.33 of it for stars in V.
    assert scalar(relations.av_stars, 10.0) == pytest.approx(0.91 * 0.44 * 4.05 / 3.33, abs=1e-4)
    assert scalar(relations.av_stars, 7.0) == scalar(relations.av_stars, 8.66)


@pytest.mark.parametrize(
    "relation",
    [
        relations.mass_function,
        relations.quiescent_fraction,
        relations.oh12_mass_local,
        relations.av_stars,
        lambda m: relations.oh12_fundamental(m, jnp.asarray(-30.0)),
        lambda m: relations.oh12_mass(m, jnp.asarray(2.0)),
        lambda m: relations.main_sequence(m, jnp.asarray(0.1)),
    ],
)
def test_gradients_are_finite(relation):
    assert np.all(np.isfinite(jax.vmap(jax.grad(relation))(MASSES)))
