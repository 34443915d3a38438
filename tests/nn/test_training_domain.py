"""The flag of a prediction outside the training domain."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.nn import TrainingDomain, measure_domain


def draw(n: int, seed: int) -> jax.Array:
    return jax.random.normal(jax.random.key(seed), (n, 4))


def test_domain_holds_the_share_it_was_set_to() -> None:
    features = draw(6000, 0)
    domain = measure_domain(features[:3000], features[3000:])
    share = np.mean(np.asarray(jax.vmap(domain.contains)(features[3000:])))
    assert share == pytest.approx(0.997, abs=0.001)
    assert not bool(domain.contains(jnp.full(4, 8.0)))
    assert not bool(domain.contains(jnp.full(4, jnp.nan)))


def test_contains_and_distance_agree() -> None:
    domain = measure_domain(draw(500, 0), draw(200, 1))
    features = 2.0 * draw(300, 2)
    near = np.asarray(jax.vmap(domain.distance)(features)) <= float(domain.most_distance)
    np.testing.assert_array_equal(jax.vmap(domain.contains)(features), near)
    assert 0.1 < near.mean() < 0.9


@pytest.mark.parametrize(("n", "rows"), [(320, 320), (2048, 2048), (5000, 2048)])
def test_the_reference_is_the_sample_or_an_even_part_of_it(n: int, rows: int) -> None:
    features = jnp.arange(n, dtype=jnp.float32)[:, None]
    reference = np.asarray(measure_domain(features, features).reference)[:, 0]
    assert reference.shape == (rows,)
    assert len(set(reference)) == rows
    np.testing.assert_allclose(np.diff(reference), n / rows, atol=1)


def test_a_model_may_fix_the_rows() -> None:
    assert measure_domain(draw(10, 0), draw(10, 1), n_reference=64).reference.shape == (64, 4)
    assert TrainingDomain(4, 64).reference.shape == (64, 4)
