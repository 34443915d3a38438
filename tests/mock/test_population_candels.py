import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from benchmarks.weights.candels_recipe import (
    cuts,
    dequantise,
    negative_log_density,
    requantise,
    rows_of,
    split,
    train,
)

from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table
from nebulium.errors import MissingExtraError
from nebulium.metrics.two_sample import classifier_auc
from nebulium.mock.populations.candels import candels_population
from nebulium.mock.populations.candels_flow import BoundedSpline, CandelsFlow, CellSpline
from nebulium.mock.populations.candels_grid import AGE, AV, REDSHIFT, TAU
from nebulium.modelfile import describe_model
from nebulium.sed import age_gyr
from nebulium.training import FitConfig

N = 20_000


@pytest.fixture(scope="module")
def population():
    return candels_population()


@pytest.fixture(scope="module")
def sample(population):
    """Draws rows (n, 5) of the packaged flow; compiled once."""
    draw = jax.jit(jax.vmap(population.flow.sample))
    pool = np.asarray(draw(jax.random.split(jax.random.key(4), N)), float)
    return lambda n: pool[:n]


@pytest.fixture(scope="module")
def drawn(population):
    galaxies = jax.jit(jax.vmap(population.draw))(jax.random.split(jax.random.key(0), N))
    return {name: np.asarray(value, float) for name, value in vars(galaxies).items()}


@pytest.fixture(scope="module")
def catalogue(nebulium_data):
    return read_table(nebulium_data / "hst" / "3dhst_fast_eazy.parquet")


@pytest.fixture
def table(sample):
    """Made rows on the grids of the catalogue."""
    rows = requantise(sample(600))
    columns = dict(zip(("z", "lage", "ltau", "av", "lmass"), rows.T, strict=True))
    return Table(columns | {"chi2": np.ones(600), "field": np.full(600, "uds"), "id": np.arange(600)})


def test_values_lie_where_they_may(drawn):
    assert np.all(np.isfinite(np.stack(list(drawn.values()))))
    assert REDSHIFT.lowest <= drawn["redshift"].min() <= drawn["redshift"].max() <= REDSHIFT.edges()[-1]
    assert 6.0 <= drawn["log_mstar"].min() <= drawn["log_mstar"].max() <= 12.5
    assert drawn["av_mag"].min() >= 0.0
    oldest = jax.vmap(age_gyr)(jnp.asarray(drawn["redshift"], jnp.float32))
    assert np.all(drawn["age_gyr"] <= np.asarray(oldest) * (1 + 1e-5))


def test_metallicity_falls_with_redshift_and_rises_with_mass(drawn):
    z, mass, oh12 = drawn["redshift"], drawn["log_mstar"], drawn["oh12"]
    massive, light = (np.median(oh12[np.abs(mass - m) < 0.2]) for m in (10.5, 9.0))
    near, far = (np.median(oh12[(np.abs(mass - 9.5) < 0.3) & (np.abs(z - at) < 0.4)]) for at in (0.6, 2.5))
    assert massive > light + 0.2
    assert near > far + 0.1


def test_draws_follow_from_the_key(population):
    draw = eqx.filter_jit(population.draw)
    one, other = draw(jax.random.key(1)), draw(jax.random.key(2))
    assert float(one.redshift) == float(draw(jax.random.key(1)).redshift)
    assert float(one.redshift) != float(other.redshift)


def test_density_is_that_of_the_samples():
    """The slopes of the variables, each by its own level, multiply to one over the density."""
    conditionals = CandelsFlow(8, 1, 5, key=jax.random.key(3)).conditionals

    def log_densities(levels):
        slopes = jnp.diag(jax.jacfwd(conditionals.values)(levels))
        return -jnp.log(slopes).sum(), conditionals.log_density(conditionals.values(levels))

    levels = jax.random.uniform(jax.random.key(0), (50, 5), minval=0.02, maxval=0.98)
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        by_slopes, found = jax.jit(jax.vmap(log_densities))(levels)
    np.testing.assert_allclose(found, by_slopes, atol=1e-2)


def test_mass_spline_has_all_its_probability_between_the_bounds():
    from flowjax.bijections import Identity

    spline = BoundedSpline(jnp.asarray(6.2), jnp.asarray(0.3), Identity(), (6.0, 12.5))
    grid = jnp.linspace(6.0, 12.5, 4001)
    density = jnp.exp(jax.vmap(spline.log_density)(grid))
    assert float(jnp.trapezoid(density, grid)) == pytest.approx(1.0, abs=1e-3)


def test_cells_without_probability_are_never_drawn():
    spline = CellSpline(jnp.arange(5.0), jnp.array([0.0, 0.5, 0.0, 0.5]))
    values = jax.vmap(spline.value)(jnp.linspace(0.0, 1.0, 101))
    assert set(np.floor(np.asarray(values)[:-1]).tolist()) == {1.0, 3.0}


@pytest.mark.parametrize("grid", [REDSHIFT, AGE, TAU, AV], ids=lambda grid: grid.name)
def test_rounding_undoes_the_cells(grid):
    low, high = grid.edges()[:-1], grid.edges()[1:]
    for share in (0.01, 0.5, 0.99):
        np.testing.assert_array_equal(grid.cell(low + share * (high - low)), np.arange(grid.size))


def test_dequantised_rows_come_back_and_no_age_exceeds_that_of_the_universe(table):
    rows = rows_of(table)
    smooth = dequantise(rows, np.random.default_rng(0))
    np.testing.assert_allclose(requantise(smooth), rows, atol=1e-9)
    oldest = np.log10(np.asarray(jax.vmap(age_gyr)(jnp.asarray(smooth[:, 0], jnp.float32)))) + 9
    assert np.all(smooth[:, 1] <= oldest + 1e-6)


@pytest.mark.parametrize(
    ("cut", "column", "value"),
    [
        ("measured", "lmass", -99.0),
        ("good_fit", "chi2", 10.1),
        ("redshift", "z", 0.01),
        ("mass", "lmass", 5.9),
        ("on_grid", "ltau", 8.1),
        ("on_grid", "lage", 10.1),
    ],
)
def test_each_cut_drops_what_it_names(table, cut, column, value):
    assert np.all(list(cuts(table).values()))
    spoilt = table[column].copy()
    spoilt[np.argmax(table["z"])] = value
    passed = cuts(table.with_columns({column: spoilt}))
    assert (~passed[cut]).sum() == 1


def test_rows_of_one_id_in_two_fields_are_split_apart():
    ids = np.arange(500)
    parts = [split(Table({"field": np.full(500, field), "id": ids})) for field in ("uds", "aegis")]
    assert 0.5 < np.mean(parts[0] == parts[1]) < 0.8  # 0.8^2 + 2 * 0.1^2 = 0.66 by chance


def test_training_lowers_the_loss_and_leaves_the_counted_redshifts(table):
    result = train(
        table,
        config=FitConfig(epochs=4, batch_size=128, learning_rate=3e-3),
        flow={"width": 16, "depth": 1, "knots": 4},
    )
    assert result.history[-1].loss < result.history[0].loss - 0.3
    shares = jax.nn.softmax(result.model.conditionals.log_share_z)
    counts = np.bincount(REDSHIFT.cell(table["z"][split(table) == "train"]), minlength=REDSHIFT.size) + 0.5
    np.testing.assert_allclose(shares, counts / counts.sum(), rtol=1e-4)


def test_packaged_weights_are_small_and_say_what_they_are():
    folder = describe_model("candels")
    assert (folder.path / "model.safetensors").stat().st_size < 500_000
    assert set(folder.config["preprocessing"]["cuts"]) == {
        "measured",
        "good_fit",
        "redshift",
        "mass",
        "on_grid",
    }
    assert "Cite" in folder.card


def test_without_flowjax_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "flowjax", None)
    with pytest.raises(MissingExtraError, match=r"nebulium\[mock\]"):
        candels_population()


def test_validation_rows_of_the_catalogue_look_like_samples(catalogue, sample):
    kept = np.all(list(cuts(catalogue).values()), axis=0) & (split(catalogue) == "validation")
    rows = rows_of(catalogue)[kept][:6000]
    samples = requantise(sample(len(rows)))
    assert classifier_auc(requantise(rows), samples, seed=0, folds=3).value < 0.56


def test_packaged_flow_gives_validation_rows_the_likelihood_of_its_card(catalogue, population):
    kept = np.all(list(cuts(catalogue).values()), axis=0) & (split(catalogue) == "validation")
    smooth = dequantise(rows_of(catalogue)[kept], np.random.default_rng(0)).astype(np.float32)
    loss = jax.jit(lambda rows: negative_log_density(population.flow, {"rows": rows}, jax.random.key(0)))(
        smooth
    )
    written = describe_model("candels").config["metrics"]["validation_negative_log_density"]
    assert float(jnp.mean(loss)) == pytest.approx(written, abs=0.02)
