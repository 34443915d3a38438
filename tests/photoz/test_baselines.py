"""The silly method: one density, of the training redshifts, whatever it is asked about."""

from functools import cache

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.errors import TableError
from nebulium.modelfile import REQUIRED, load_model, save_model
from nebulium.photoz.baselines import TrainDistributionModel, fit_train_distribution
from nebulium.photoz.density.densities import RedshiftDensities
from nebulium.photoz.density.grid import RedshiftGrid

GRID = RedshiftGrid(6.0, 300)
REDSHIFT = np.append(np.expm1(np.random.default_rng(0).normal(0.7, 0.2, 5000)), [np.nan, -0.1, 7.0])


@cache
def silly() -> TrainDistributionModel:
    return fit_train_distribution(REDSHIFT, GRID, bands=("g", "r"))


def test_it_is_the_distribution_of_the_training_redshifts():
    density = RedshiftDensities(GRID, np.asarray(silly().mass)[None])
    inside = REDSHIFT[(REDSHIFT >= 0) & (REDSHIFT <= 6)]
    levels = [0.05, 0.16, 0.5, 0.84, 0.95]
    np.testing.assert_allclose(density.quantile(levels)[0], np.quantile(inside, levels), atol=0.04)
    assert (silly().mass > 0).all()


def test_it_is_smooth():
    counts = np.histogram(REDSHIFT, GRID.edges)[0] / 5001
    rough = lambda mass: np.abs(np.diff(mass, 2)).sum()  # noqa: E731
    assert rough(np.asarray(silly().mass, float)) < 0.1 * rough(counts)


def test_any_galaxy_will_do():
    photometry = jax.vmap(silly())(jnp.full((3, 2), jnp.nan), jnp.ones((3, 2)))
    image = silly()(jnp.zeros((48, 48, 2)))
    np.testing.assert_allclose(photometry.mass, np.tile(silly().mass, (3, 1)), rtol=1e-5)
    np.testing.assert_allclose(image.mass, silly().mass, rtol=1e-5)
    assert photometry.in_domain.tolist() == [True] * 3


def test_equal_redshifts_are_one_bin():
    model = fit_train_distribution(np.full(1000, GRID.centres[50]), GRID, bands=())
    assert float(model.mass[50]) == pytest.approx(1.0, abs=2e-3)


@pytest.mark.parametrize("redshift", [np.full(100, np.nan), np.full(9, 0.5), np.full(100, 8.0)])
def test_without_redshifts_there_is_no_distribution(redshift):
    with pytest.raises(TableError, match="at least 10 are needed"):
        fit_train_distribution(redshift, GRID, bands=())


def test_saved_and_loaded(tmp_path):
    hyperparameters = {"grid_most": 6.0, "grid_bins": 300, "bands": ["g", "r"]}
    config = dict.fromkeys(REQUIRED, "") | {"hyperparameters": hyperparameters}
    loaded = load_model(save_model(tmp_path / "silly", silly(), config=config, card=""))
    assert isinstance(loaded, TrainDistributionModel)
    assert eqx.tree_equal(loaded, silly())
    assert loaded.grid == GRID
