import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nebulium.nn.small_matrices import whitened


@pytest.fixture(scope="module")
def compiled():
    return jax.jit(whitened)


@given(seed=st.integers(0, 2**16))
def test_whitened_is_the_solution_by_the_cholesky_root(compiled, seed):
    random = np.random.default_rng(seed)
    root = np.tril(random.normal(size=(4, 4))) + 2 * np.eye(4)
    covariance, columns = root @ root.T, random.normal(size=(4, 3))
    white, half = compiled(covariance.astype(np.float32), columns.astype(np.float32))
    cholesky = np.linalg.cholesky(covariance)
    np.testing.assert_allclose(white, np.linalg.solve(cholesky, columns), rtol=2e-3, atol=2e-3)
    np.testing.assert_allclose(half, 0.5 * np.linalg.slogdet(covariance)[1], rtol=1e-3, atol=1e-3)
