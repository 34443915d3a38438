"""Redshifts from templates."""

from functools import cache

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nebulium.data.tables.reading import read_table
from nebulium.errors import TableError
from nebulium.metrics.point import nmad, outlier_fraction
from nebulium.modelfile import REQUIRED, load_model, save_model
from nebulium.photometry.curves import band_filters
from nebulium.photoz.density.densities import RedshiftDensities
from nebulium.photoz.density.grid import RedshiftGrid
from nebulium.photoz.templates.grid import TemplateConfig, template_fluxes
from nebulium.photoz.templates.model import TemplateModel, make_template_model
from nebulium.sed.filters import FilterCurve, make_filters

EDGES = (
    (3000, 4000),
    (4200, 5400),
    (5600, 7000),
    (7100, 8900),
    (11000, 13500),
    (15000, 18000),
    (20000, 23500),
)
BANDS = tuple(f"band{place}" for place in range(len(EDGES)))
GRID = RedshiftGrid(4.0, 80)
CONFIG = TemplateConfig(
    ages_gyr=(0.05, 0.3, 1.0, 3.0, 8.0),
    ages_over_tau=(0.3, 3.0, 12.0),
    lgmet=(-2.2, -1.7),
    dust_slopes=(-0.25, 0.0),
    av_mag=(0.0, 0.5, 1.2),
    templates=60,
)


@cache
def filters():
    return make_filters(
        [
            FilterCurve(name, np.array(ends, float), np.ones(2))
            for name, ends in zip(BANDS, EDGES, strict=True)
        ]
    )


@cache
def model() -> TemplateModel:
    return make_template_model(BANDS, filters(), GRID, CONFIG)


def one(flux, err):
    return eqx.filter_jit(model())(jnp.asarray(flux, jnp.float32), jnp.asarray(err, jnp.float32))


def template(place: int, number: int, flux_i_njy: float = 1000.0) -> np.ndarray:
    return flux_i_njy * np.asarray(model().flux[place, :, number])


def allowed(place: int) -> np.ndarray:
    return np.flatnonzero(np.isfinite(np.asarray(model().log_share[place])))


@settings(max_examples=40)
@given(place=st.integers(2, 75), which=st.floats(0.0, 0.999), bright=st.floats(2.5, 5.0))
def test_a_galaxy_made_from_a_template_fits_at_its_redshift(place, which, bright):
    number = allowed(place)[int(which * len(allowed(place)))]
    flux = template(place, number, 10.0**bright)
    said = one(flux, 0.01 * np.abs(flux) + 1e-3)
    assert bool(said.in_domain)
    # Another redshift may fit as well; this one is not to be excluded.
    assert float(said.mass[max(place - 3, 0) : place + 4].sum()) > 0.02


def test_most_galaxies_made_from_templates_are_recovered():
    rng = np.random.default_rng(1)
    places = rng.integers(5, 70, 300)
    numbers = [rng.choice(allowed(place)) for place in places]
    flux = np.stack([template(place, number) for place, number in zip(places, numbers, strict=True)])
    err = 0.02 * np.abs(flux) + 1.0
    flux = flux + err * rng.normal(size=flux.shape)
    said = jax.jit(jax.vmap(model()))(jnp.asarray(flux, jnp.float32), jnp.asarray(err, jnp.float32))
    median = RedshiftDensities(GRID, np.asarray(said.mass)).median()
    true = GRID.centres[places]
    assert nmad(true, median, scale=1.0 + true) < 0.03
    assert outlier_fraction(true, median, scale=1.0 + true) < 0.1
    assert np.mean(said.in_domain) > 0.98


@given(bad=st.sampled_from([np.nan, np.inf, 0.0, -1.0]), band=st.integers(0, 6), in_err=st.booleans())
def test_a_missing_band_is_one_with_an_infinite_error(bad, band, in_err):
    flux, err = template(20, 30), np.full(7, 20.0)
    infinite = one(flux, np.where(np.arange(7) == band, np.inf, err))
    if in_err:
        missing = one(flux, np.where(np.arange(7) == band, bad, err))
    else:
        missing = one(np.where(np.arange(7) == band, np.nan, flux), err)
    huge = one(flux, np.where(np.arange(7) == band, 1e15, err))
    np.testing.assert_array_equal(missing.mass, infinite.mass)
    np.testing.assert_allclose(huge.mass, infinite.mass, atol=2e-5)


@settings(max_examples=40)
@given(seed=st.integers(0, 2**31))
def test_whatever_comes_in_a_density_comes_out(seed):
    rng = np.random.default_rng(seed)
    flux = rng.normal(size=7) * 10.0 ** rng.uniform(-4, 9, 7)
    err = 10.0 ** rng.uniform(-4, 9, 7)
    flux[rng.random(7) < 0.3] = np.nan
    err[rng.random(7) < 0.2] = np.nan
    mass = np.asarray(one(flux, err).mass)
    assert np.all(np.isfinite(mass))
    assert np.all(mass >= 0)
    assert mass.sum() == pytest.approx(1.0, abs=1e-4)


def test_batch_and_single_agree():
    rng = np.random.default_rng(0)
    flux = jnp.asarray(np.stack([template(10 + k, 5 + 7 * k) for k in range(6)]), jnp.float32)
    flux = flux.at[0, 2].set(jnp.nan)
    err = jnp.asarray(rng.uniform(5.0, 50.0, flux.shape), jnp.float32)
    together = jax.vmap(model())(flux, err)
    for row in range(6):
        alone = one(flux[row], err[row])
        np.testing.assert_allclose(together.mass[row], alone.mass, rtol=2e-3, atol=1e-6)
        assert bool(together.in_domain[row]) == bool(alone.in_domain)


def test_the_unit_of_noise_does_not_matter_for_fluxes_far_above_it():
    flux = template(30, 40)
    np.testing.assert_allclose(one(flux, 1e-3 * flux).mass, one(flux, 1e-4 * flux).mass, atol=2e-3)


def test_a_dropout_needs_its_non_detections():
    place = int(np.searchsorted(GRID.edges, 3.6)) - 1
    young = allowed(place)[-1]
    flux, err = template(place, young), np.full(7, 20.0)
    assert flux[0] < 20.0
    high = GRID.centres > 2.8
    seen = float(one(flux, err).mass[high].sum())
    negative = one(np.where(np.arange(7) == 0, -30.0, flux), err)
    detected = one(np.where(np.arange(7) == 0, 300.0, flux), err)
    left_out = float(one(np.where(np.arange(7) == 0, np.nan, flux), err).mass[high].sum())
    assert seen > 0.9
    assert float(negative.mass[high].sum()) > 0.9
    assert float(detected.mass[high].sum()) < 0.5
    assert left_out < seen + 1e-3


def test_nothing_measured_gives_the_prior():
    nothing = one(np.full(7, np.nan), np.full(7, np.nan))
    assert not bool(nothing.in_domain)
    noise_alone = one(np.full(7, -5.0), np.full(7, 1e6))
    np.testing.assert_allclose(nothing.mass, noise_alone.mass, rtol=1e-3, atol=1e-6)
    assert float(nothing.mass.max()) < 0.1


def test_one_band_says_little_and_is_out_of_domain():
    flux, err = template(20, 30), np.full(7, 20.0)
    said = one(np.where(np.arange(7) == 3, flux, np.nan), err)
    assert not bool(said.in_domain)
    assert float(said.mass.max()) < 0.2


def test_what_no_template_fits_is_out_of_domain():
    assert not bool(one([1e3, 1.0, 1e3, 1.0, 1e3, 1.0, 1e3], np.full(7, 1.0)).in_domain)


def test_a_band_beyond_the_templates_hardly_counts():
    beyond = np.asarray(model().template_error[:, 6]) == CONFIG.uncovered_error
    # The last box ends at 23,500 AA, the templates at 19,950.
    np.testing.assert_array_equal(beyond, GRID.centres < 23500.0 / 19950.0 - 1.0)
    assert np.all(np.isfinite(np.asarray(model().flux)))
    place = 2
    flux = template(place, 50)
    said, off = one(flux, 0.02 * flux), one(np.where(np.arange(7) == 6, 1.3 * flux, flux), 0.02 * flux)
    near = slice(0, place + 3)
    assert float(off.mass[near].sum()) > 0.5 * float(said.mass[near].sum())


def test_the_magnitude_tells_near_from_far():
    rng = np.random.default_rng(3)
    colours = template(25, 45) * (1.0 + 0.02 * rng.normal(size=7))
    err = 0.3 * colours
    mean = [float(one(k * colours, k * err).mass @ GRID.centres) for k in (1e4, 1e2, 1e0)]
    assert mean[0] < mean[1] < mean[2]


def test_older_templates_than_the_universe_do_not_count():
    fluxes = template_fluxes(filters(), GRID, CONFIG)
    counted = np.isfinite(fluxes.log_share).sum(axis=1)
    assert counted[0] == CONFIG.templates
    assert counted[-1] < counted[0]
    for place in (0, 40, 79):
        for kind in np.unique(fluxes.kind):
            share = np.exp(fluxes.log_share[place, fluxes.kind == kind]).sum()
            assert share == pytest.approx(1.0, abs=1e-3) or share == 0.0


def test_bands_and_filters_must_match():
    with pytest.raises(TableError, match="6 bands"):
        make_template_model(BANDS[:6], filters(), GRID, CONFIG)


def test_round_trip(tmp_path):
    config = dict.fromkeys(REQUIRED, "") | {"hyperparameters": model().hyperparameters}
    folder = save_model(tmp_path / "template", model(), config=config, card="")
    loaded = load_model(folder, of=TemplateModel)
    assert eqx.tree_equal(model(), loaded)
    assert loaded.grid == GRID


def test_hubble_deep_field(nebulium_data):
    """Nothing was fitted to these redshifts; the benchmark holds the method to closer bounds.

    Here one galaxy, 0.9 %, may fall otherwise on another machine.
    """
    folder = nebulium_data / "hst"
    table = read_table(folder / "hdfn_fernandez_soto_1999.csv")
    redshift = np.asarray(table["z_spec"], np.float64)
    rows = redshift > 0
    bands = ("f300w", "f450w", "f606w", "f814w", "irimj", "irimh", "irimk")
    flux, err = (
        jnp.asarray(np.stack([table[f"{kind}_{band}"][rows] for band in bands], axis=1) * 1e3, jnp.float32)
        for kind in "fe"
    )
    made = make_template_model(bands, band_filters(bands, folder / "hdfn_filters.csv"))
    said = jax.jit(jax.vmap(made))(flux, err)
    median, true = RedshiftDensities(made.grid, np.asarray(said.mass)).median(), redshift[rows]
    assert len(true) == 114
    assert nmad(true, median, scale=1.0 + true) <= 0.045
    assert outlier_fraction(true, median, scale=1.0 + true) <= 0.079
    below = RedshiftDensities(made.grid, np.asarray(said.mass)).cdf(true)
    assert 0.59 <= np.mean(np.abs(below - 0.5) < 0.34) <= 0.77


@pytest.mark.parametrize("factor", [1e-32, 1e-20, 1e12, 1e25])
def test_fluxes_in_another_unit_are_out_of_domain(factor):
    flux, err = template(20, 30), np.full(7, 20.0)
    right, wrong = one(flux, err), one(factor * flux, factor * err)
    assert right.in_domain
    assert not wrong.in_domain
    np.testing.assert_allclose(np.sum(wrong.mass), 1.0, rtol=1e-5)


@pytest.mark.parametrize(
    ("flux", "err"), [(0.0, 20.0), (1e25, 20.0), (-1e25, 1.0), (1e30, 1e30), (100.0, 1e-30), (0.0, 1e-30)]
)
def test_nonsense_has_a_density_and_is_out_of_domain(flux, err):
    said = one(np.where(np.arange(7) == 2, flux, 0.0), np.full(7, err))
    assert np.all(np.isfinite(said.mass))
    np.testing.assert_allclose(np.sum(said.mass), 1.0, rtol=1e-5)
    assert not said.in_domain
