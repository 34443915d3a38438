"""Parts of the fit loop by themselves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.training.config import FitConfig, learning_rates
from nebulium.training.epoch import Examples, mean_loss
from nebulium.training.state import FitState, keep_best


def test_the_learning_rate_rises_and_falls():
    rate = learning_rates(FitConfig(learning_rate=0.1, warm_up=0.5), 100)
    np.testing.assert_allclose(
        [rate(step) for step in (0, 25, 50, 75, 100)], [0, 0.05, 0.1, 0.05, 0], atol=1e-6
    )


def test_the_mean_loss_counts_every_row_once():
    def squared_error(weight, batch, key):
        return (weight - batch) ** 2

    examples = Examples(None, jnp.arange(3.0), squared_error, batch_size=2)
    loss = mean_loss(jnp.ones(()), examples, jax.random.key(0))
    assert loss == pytest.approx(2 / 3)


@pytest.mark.parametrize(("loss", "best"), [(0.4, 3), (0.6, 2)])
def test_the_best_epoch_is_kept(loss, best):
    of_epoch_3 = (jnp.asarray(3), jnp.asarray(2), jnp.asarray(0.5))
    state = FitState(jnp.ones(1), jnp.ones(1), jnp.zeros(1), None, *of_epoch_3)
    assert int(keep_best(state, jnp.asarray(loss)).best_epoch) == best
