"""The Gaussian process against scikit-learn's, its intervals, and its laws."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import approx_fprime
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from nebulium.properties import gaussian_process
from nebulium.properties.gaussian_process import MEAN_VARIANCE, GaussianProcess, fit_gaussian_process


def galaxies(n=150, seed=0, noise=0.3):
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(n, 5))
    truth = np.sin(1.5 * x[:, 0]) + 0.5 * x[:, 3]
    return x, truth, (truth + noise * draw.normal(size=n))[:, None]


intervals = eqx.filter_jit(lambda process, x: jax.vmap(process.interval)(x))


def said(process, x):
    return intervals(process, jnp.asarray(x, jnp.float32))


def test_agrees_with_scikit_learn_at_the_same_kernel():
    x, _, y = galaxies()
    process = fit_gaussian_process(x, y, np.zeros_like(y), groups=(5,))
    strength, length = np.exp(process.log_strength[0, 0]), np.exp(process.log_length[0, 0])
    noise = float(process.noise_variance[0])
    # Lengths are in root-mean-square differences, scikit-learn's in distances.
    kernel = ConstantKernel(float(strength)) * RBF(float(length) * 5**0.5)
    kernel = kernel + ConstantKernel(MEAN_VARIANCE) + WhiteKernel(noise)
    theirs = GaussianProcessRegressor(kernel, optimizer=None).fit(x, y[:, 0])
    new = galaxies(seed=1)[0]
    mean, sigma = theirs.predict(new, return_std=True)
    ours = said(process, new)
    np.testing.assert_allclose(ours.median[:, 0], mean, atol=2e-4)
    np.testing.assert_allclose(ours.sigma[:, 0], sigma, rtol=2e-3)


def test_the_gradient_of_the_posterior_is_right():
    x, _, y = galaxies(40)
    squares = gaussian_process._squares(x, (2, 3))
    known = np.full(40, 0.01)
    at = np.array([-0.5, 0.3, 0.2, 0.6, -1.0])
    value = lambda p: gaussian_process._negative_log_posterior(p, squares, y[:, 0], known)[0]  # noqa: E731
    gradient = gaussian_process._negative_log_posterior(at, squares, y[:, 0], known)[1]
    np.testing.assert_allclose(gradient, approx_fprime(at, value, 1e-6), rtol=1e-3, atol=1e-4)


def test_intervals_hold_68_per_cent_of_new_labels():
    x, _, y = galaxies(300)
    new, _, labels = galaxies(2000, seed=7)
    ours = said(fit_gaussian_process(x, y, np.zeros_like(y), groups=(5,)), new)
    inside = np.mean((labels > ours.q16) & (labels < ours.q84))
    assert abs(inside - 0.68) < 0.06


def test_far_from_all_galaxies_it_says_the_prior():
    x, _, y = galaxies()
    process = fit_gaussian_process(x, y, np.zeros_like(y), groups=(5,))
    near, far = said(process, x[:1]), said(process, x[:1] + 50.0)
    assert float(far.sigma[0, 0]) > 1.5 * float(near.sigma[0, 0])


def test_missing_labels_are_as_good_as_absent_galaxies():
    x, _, y = galaxies(80)
    y = (y - y[:60].mean()) / y[:60].std()
    missing = np.where(np.arange(80)[:, None] < 60, y, np.nan)
    with_missing = fit_gaussian_process(x, missing, np.zeros_like(y), groups=(5,))
    without = fit_gaussian_process(x[:60], y[:60], np.zeros_like(y[:60]), groups=(5,))
    new = galaxies(20, seed=2)[0]
    np.testing.assert_allclose(said(with_missing, new).median, said(without, new).median, atol=0.01)


def test_labels_with_larger_errors_count_less():
    x = np.zeros((40, 1))
    y = np.tile([[-1.0], [1.0]], (20, 1))
    sigma = np.tile([[3.0], [0.1]], (20, 1))
    process = fit_gaussian_process(x, y, sigma, groups=(1,))
    assert float(process.interval(jnp.zeros(1)).median[0]) > 0.5


def test_each_target_has_a_process_of_its_own():
    x, _, y = galaxies()
    both = np.concatenate([y, galaxies(seed=5)[2] - 0.7 * x[:, 1:2]], axis=1)
    together = fit_gaussian_process(x, both, np.zeros_like(both), groups=(2, 3))
    alone = fit_gaussian_process(x, both[:, 1:], np.zeros_like(y), groups=(2, 3))
    new = galaxies(20, seed=2)[0]
    np.testing.assert_allclose(said(together, new).median[:, 1], said(alone, new).median[:, 0], atol=1e-3)


def test_too_many_galaxies_are_refused():
    many = gaussian_process.MOST_REFERENCES + 1
    with pytest.raises(ValueError, match="use a network"):
        fit_gaussian_process(np.zeros((many, 1)), np.zeros((many, 1)), np.zeros((many, 1)), groups=(1,))


def test_an_empty_process_has_the_shape_of_its_arguments():
    process = GaussianProcess((2, 1), n_reference=4, targets=3)
    assert process.interval(jnp.zeros(3)).q84.shape == (3,)
