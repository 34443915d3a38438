"""Photometric errors, magnitude limits, spectroscopic labels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nebulium.mock.instruments import INSTRUMENTS, instrument
from nebulium.mock.survey.selection import (
    MagnitudeLimit,
    PhotometricNoise,
    SpectroscopicSample,
    photometric_noise,
)
from nebulium.mock.survey.survey_list import find_survey

POINT = jnp.float32(0.0)


def measured(noise: PhotometricNoise, flux_njy: float, radius: float, n: int = 4000):
    flux = jnp.full(noise.point_source_njy.shape, flux_njy, jnp.float32)
    keys = jax.random.split(jax.random.key(0), n)
    return jax.vmap(lambda key: noise(flux, jnp.float32(radius), key))(keys)


@pytest.mark.parametrize("name", sorted(INSTRUMENTS))
def test_a_point_source_at_the_depth_has_five_sigma(name):
    noise = photometric_noise(instrument(name))
    for place, band in enumerate(instrument(name).bands):
        flux_njy = 10.0 ** (0.4 * (31.4 - band.depth_5sigma_ab))
        one = noise(jnp.full(len(instrument(name).bands), flux_njy, jnp.float32), POINT, jax.random.key(1))
        np.testing.assert_allclose(flux_njy / one.flux_err_njy[place], 5.0, rtol=0.01)


def test_measurements_scatter_by_their_error():
    many = measured(photometric_noise(instrument("candels")), 50.0, 0.3)
    pull = (many.flux_njy - 50.0) / many.flux_err_njy
    np.testing.assert_allclose(pull.mean(axis=0), 0.0, atol=0.08)
    np.testing.assert_allclose(pull.std(axis=0), 1.0, atol=0.05)


def test_magnitudes_and_their_errors_are_those_of_the_flux():
    many = measured(photometric_noise(instrument("sdss")), 1e5, 2.0, n=50)
    np.testing.assert_allclose(many.mag_ab, 31.4 - 2.5 * np.log10(many.flux_njy), atol=1e-4)
    np.testing.assert_allclose(many.mag_err, 1.0857 * many.flux_err_njy / many.flux_njy, rtol=1e-3)


def test_what_is_not_detected_has_a_flux_and_no_magnitude():
    many = measured(photometric_noise(instrument("sdss")), 0.0, 0.0, n=50)
    negative = np.asarray(many.flux_njy) <= 0
    assert negative.any()
    np.testing.assert_array_equal(np.isnan(many.mag_ab), negative)
    assert np.all(np.isfinite(many.flux_njy))


def test_bright_galaxies_keep_an_error_of_one_per_cent():
    one = photometric_noise(instrument("sdss"))(jnp.full(3, 1e9, jnp.float32), POINT, jax.random.key(0))
    np.testing.assert_allclose(one.mag_err, 0.01, rtol=0.05)


@given(small=st.floats(0.0, 5.0), more=st.floats(0.01, 5.0))
def test_larger_galaxies_have_larger_errors(small, more):
    noise, flux = photometric_noise(instrument("sdss")), jnp.full(3, 1e4, jnp.float32)
    one, other = (
        noise(flux, jnp.float32(radius), jax.random.key(0)).flux_err_njy for radius in (small, small + more)
    )
    assert np.all(np.asarray(one) < np.asarray(other))


def test_the_limit_lets_bright_ones_pass():
    limit = MagnitudeLimit("r", 17.77)
    assert limit.passes(jnp.array([17.7, 17.8, jnp.nan])).tolist() == [True, False, False]


@given(
    mag=st.floats(18.0, 26.0), ssfr=st.floats(-13.0, -7.0), fainter=st.floats(0.0, 2.0), more=st.floats(0, 2)
)
def test_labels_favour_the_bright_and_the_star_forming(mag, ssfr, fainter, more):
    labels = find_survey("candels").labels
    p = labels.probability(jnp.array([mag, mag + fainter, mag]), jnp.array([ssfr, ssfr, ssfr + more]))
    assert 0.0 <= p[1] <= p[0] <= p[2] <= labels.most


def test_labels_are_redshifts_with_a_small_error():
    labels = SpectroscopicSample(0.5, 30.0, 1.0, favour=0.0, error=1e-3)
    keys = jax.random.split(jax.random.key(0), 4000)
    redshift = np.asarray(
        jax.vmap(lambda key: labels.redshift(jnp.float32(1.0), jnp.float32(20.0), jnp.float32(-9.0), key))(
            keys
        )
    )
    there = np.isfinite(redshift)
    assert 0.47 < there.mean() < 0.53
    assert 1.8e-3 < (redshift[there] - 1.0).std() < 2.2e-3


def test_what_has_no_magnitude_has_no_label():
    labels = find_survey("candels").labels
    assert labels.probability(jnp.array(jnp.nan), jnp.array(-9.0)) == 0.0
