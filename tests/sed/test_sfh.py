import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

from nebulium.sed import Burst, DelayedExponential, Exponential, Lognormal, Tabulated, TwoComponents, load_ssp
from nebulium.sed.sfh import age_weights, mass_fraction_since

T_OBS = 12.0
TABLE_T, TABLE_SFR = np.array([0.5, 2.0, 5.0, 9.0, 14.0]), np.array([0.0, 4.0, 1.0, 2.0, 0.5])


def lognormal_sfr(t, peak, width):
    return np.exp(-0.5 * ((np.log(t) - np.log(peak) - width**2) / width) ** 2) / t


def burst_sfr(lookback, age, width):
    return np.exp(-0.5 * (np.log10(lookback / age) / width) ** 2) / lookback


# Each history with the same in double precision, as a function of the lookback time.
HISTORIES = {
    "exponential": (Exponential(8.0, 2.0), lambda x: np.exp(-(8.0 - x) / 2.0) * (x < 8.0)),
    "quiescent": (Exponential(10.0, 0.5), lambda x: np.exp(-(10.0 - x) / 0.5) * (x < 10.0)),
    "delayed": (DelayedExponential(10.0, 1.0), lambda x: (10.0 - x) * np.exp(-(10.0 - x)) * (x < 10.0)),
    "rising": (DelayedExponential(3.0, 20.0), lambda x: (3.0 - x) * np.exp(-(3.0 - x) / 20.0) * (x < 3.0)),
    "lognormal": (Lognormal(4.0, 0.5), lambda x: lognormal_sfr(T_OBS - x, 4.0, 0.5)),
    "burst": (Burst(0.3, 0.2), lambda x: burst_sfr(x, 0.3, 0.2)),
    "table": (Tabulated(TABLE_T, TABLE_SFR), lambda x: np.interp(T_OBS - x, TABLE_T, TABLE_SFR, left=0.0)),
}
LOOKBACKS = np.array([1e-4, 1e-3, 0.01, 0.1, 0.5, 2.0, 6.0, 11.0])
KINKS = [0.5, 1e-3, 0.3, 1.0, 3.0, 7.0, 8.0, 10.0, 11.5]
BY_NAME = {name: history for name, (history, _) in HISTORIES.items()} | {
    "two": TwoComponents(Exponential(10.0, 0.5), Burst(0.01), 0.01)
}


def integral(sfr, low, high):
    inside = [low, *sorted(k for k in KINKS if low < k < high), high]
    return sum(
        quad(sfr, a, b, epsrel=1e-9, epsabs=0.0)[0] for a, b in zip(inside[:-1], inside[1:], strict=True)
    )


@pytest.mark.parametrize("name", HISTORIES)
def test_mass_fractions_agree_with_integrals_in_double_precision(name):
    history, sfr = HISTORIES[name]
    found = mass_fraction_since(history, jnp.asarray(LOOKBACKS, jnp.float32), jnp.float32(T_OBS))
    total = integral(sfr, 1e-9, T_OBS - 1e-6)
    expected = np.array([integral(sfr, 1e-9, x) for x in LOOKBACKS]) / total
    # Also the first of them, a millionth of the whole: relative, not absolute.
    np.testing.assert_allclose(found, expected, rtol=3e-4, atol=1e-12)


@pytest.mark.parametrize("name", BY_NAME)
def test_weights_are_shares(name):
    ages = load_ssp().lg_age_gyr
    weights = age_weights(BY_NAME[name], ages, jnp.float32(T_OBS))
    assert np.all(np.asarray(weights) >= -1e-7)
    np.testing.assert_allclose(weights.sum(), 1.0, rtol=1e-6)
    # Nothing older than the Universe.
    assert float(weights[np.asarray(ages) > np.log10(T_OBS) + 0.05].sum()) < 1e-6


@pytest.mark.parametrize("name", BY_NAME)
def test_gradients_are_finite_for_every_parameter(name):
    ages, wanted = load_ssp().lg_age_gyr, jnp.linspace(0.0, 1.0, 197, dtype=jnp.float32)
    gradient = jax.grad(lambda h: jnp.sum(wanted * age_weights(h, ages, jnp.float32(T_OBS))))(BY_NAME[name])
    for leaf in jax.tree.leaves(gradient):
        assert np.all(np.isfinite(leaf))
    assert any(np.any(leaf != 0) for leaf in jax.tree.leaves(gradient))


def test_onset_before_the_big_bang_counts_from_the_big_bang():
    ages = load_ssp().lg_age_gyr
    first, second = (age_weights(Exponential(a, 2.0), ages, jnp.float32(T_OBS)) for a in (12.0, 99.0))
    np.testing.assert_array_equal(first, second)


def test_a_table_of_an_analytic_history_gives_its_weights():
    t = np.concatenate([np.linspace(2.0, 11.0, 2000), 12.0 - np.geomspace(1.0, 1e-4, 500)[1:], [12.0]])
    table = Tabulated(t, (t - 2.0) * np.exp(-(t - 2.0) / 2.0))
    ages = load_ssp().lg_age_gyr
    found = age_weights(table, ages, jnp.float32(T_OBS))
    expected = age_weights(DelayedExponential(10.0, 2.0), ages, jnp.float32(T_OBS))
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-6)


def test_one_equals_batch():
    ages = load_ssp().lg_age_gyr
    tau = jnp.array([0.3, 1.0, 5.0])
    batch = jax.vmap(lambda h: age_weights(h, ages, jnp.float32(T_OBS)))(Exponential(jnp.full(3, 9.0), tau))
    for row, one in zip(batch, tau, strict=True):
        np.testing.assert_allclose(
            row, age_weights(Exponential(9.0, one), ages, jnp.float32(T_OBS)), atol=1e-7
        )
