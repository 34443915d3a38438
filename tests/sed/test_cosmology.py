import jax
import jax.numpy as jnp
import numpy as np
import pytest
from astropy.cosmology import WMAP9, FlatLambdaCDM, FlatwCDM, LambdaCDM, Planck15, Planck18

from nebulium.errors import NebuliumError
from nebulium.sed.cosmology import (
    Cosmology,
    age_gyr,
    from_astropy,
    luminosity_distance_mpc,
    observing_distance_mpc,
)

COSMOLOGIES = {
    "matter and Lambda": FlatLambdaCDM(H0=70, Om0=0.3),
    "massless neutrinos": FlatLambdaCDM(H0=68, Om0=0.25, Tcmb0=2.7),
    "Planck18": Planck18,
    "Planck15": Planck15,
    "WMAP9": WMAP9,
}
REDSHIFTS = np.array([0.001, 0.01, 0.1, 0.3, 1.0, 3.0, 10.0], np.float32)


@pytest.mark.parametrize("name", COSMOLOGIES)
def test_distances_and_ages_agree_with_astropy(name):
    reference, cosmology = COSMOLOGIES[name], from_astropy(COSMOLOGIES[name])
    distance = jax.vmap(lambda z: luminosity_distance_mpc(z, cosmology))(REDSHIFTS)
    age = jax.vmap(lambda z: age_gyr(z, cosmology))(REDSHIFTS)
    z = REDSHIFTS.astype(np.float64)
    np.testing.assert_allclose(distance, reference.luminosity_distance(z).value, rtol=1e-5)
    np.testing.assert_allclose(age, reference.age(z).value, rtol=1e-5)


def test_default_is_70_and_0p3():
    reference = FlatLambdaCDM(H0=70, Om0=0.3).luminosity_distance(0.15).value
    np.testing.assert_allclose(luminosity_distance_mpc(0.15), reference, rtol=1e-5)


def test_gradient_with_respect_to_redshift_and_matter():
    by_z = jax.grad(lambda z: jnp.log(luminosity_distance_mpc(z)))(0.2)
    by_matter = jax.grad(lambda om0: luminosity_distance_mpc(0.5, Cosmology(om0=om0)))(0.3)
    astropy_at = lambda z, om0: FlatLambdaCDM(H0=70, Om0=om0).luminosity_distance(z).value  # noqa: E731
    z_difference = np.log(astropy_at(0.2001, 0.3) / astropy_at(0.1999, 0.3)) / 2e-4
    matter_difference = (astropy_at(0.5, 0.3001) - astropy_at(0.5, 0.2999)) / 2e-4
    np.testing.assert_allclose(by_z, z_difference, rtol=1e-4)
    np.testing.assert_allclose(by_matter, matter_difference, rtol=1e-4)


def test_redshift_zero_is_seen_from_ten_parsecs_with_a_finite_gradient():
    assert float(luminosity_distance_mpc(0.0)) == 0.0
    np.testing.assert_allclose(observing_distance_mpc(0.0), 1e-5)
    assert float(observing_distance_mpc(0.1)) == float(luminosity_distance_mpc(0.1))
    assert np.isfinite(jax.grad(observing_distance_mpc)(0.0))


@pytest.mark.parametrize("cosmology", [LambdaCDM(70, 0.3, 0.6), FlatwCDM(70, 0.3, w0=-0.9), "Planck18"])
def test_other_cosmologies_are_refused(cosmology):
    with pytest.raises(NebuliumError, match="expected astropy's FlatLambdaCDM"):
        from_astropy(cosmology)
