from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.errors import NebuliumError
from nebulium.lines.continuum.bins import continuum_bins
from nebulium.lines.continuum.line_list import line_index
from nebulium.lines.injection.profiles import line_spectrum
from nebulium.mock.components import COMPONENTS
from nebulium.mock.light import make_light_model
from nebulium.mock.populations.properties import GalaxyProperties
from nebulium.mock.structure import draw_structure
from nebulium.sed import (
    CalzettiDust,
    Galaxy,
    igm_transmission,
    load_filters,
    load_ssp,
    observe,
    photometry,
    resolve_lyman_steps,
    rest_spectrum,
)

BANDS = ("acs_wfc_f606w", "acs_wfc_f814w", "wfc3_ir_f125w", "wfc3_ir_f160w", "roman_wfi_f213")
light_of = eqx.filter_jit(lambda model, p, s, k: jax.vmap(model)(p, s, k))
spectra_of = eqx.filter_jit(lambda model, p, s: model.spectra(p, s))
seen_through = eqx.filter_jit(photometry)
bins_of = jax.jit(continuum_bins)
COLUMNS = ("redshift", "log_mstar", "age_gyr", "tau_gyr", "av_mag", "oh12", "lgmet")


def properties_of(rows) -> GalaxyProperties:
    return GalaxyProperties(*np.asarray(rows, np.float32).T)


def random_rows(n: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    low, high = np.array(
        [[0.01, 6.0], [7.5, 11.7], [0.03, 12.0], [0.03, 30.0], [0, 4], [8, 9], [-3.2, -1.3]]
    ).T
    rows = rng.uniform(low, high, (n, 7))
    # The corners: nearest, farthest, oldest with the shortest decline, youngest.
    rows[0, 0], rows[1, 0], rows[2, 2:4], rows[3, 2:4] = 0.01, 6.0, (13.0, 0.03), (0.03, 30.0)
    return rows.astype(np.float32)


def structures_of(properties: GalaxyProperties):
    keys = jax.random.split(jax.random.key(0), properties.redshift.size)
    return jax.jit(jax.vmap(draw_structure))(properties, keys)


@dataclass(frozen=True)
class Sample:
    """Sixty-four galaxies and their light."""

    properties: GalaxyProperties
    structures: Any
    keys: jax.Array
    light: Any


@pytest.fixture(scope="module")
def model():
    return make_light_model(load_filters(*BANDS))


@pytest.fixture(scope="module")
def sample(model):
    properties, keys = properties_of(random_rows(64)), jax.random.split(jax.random.key(1), 64)
    structures = structures_of(properties)
    return Sample(properties, structures, keys, light_of(model, properties, structures, keys))


def row(tree, i):
    return jax.tree.map(lambda leaf: leaf[i], tree)


def test_every_galaxy_has_light_from_redshift_a_hundredth_to_six(sample):
    covered = np.asarray(sample.light.covered)
    flux = np.asarray(sample.light.flux_njy)
    assert covered[:, :4].all()
    np.testing.assert_array_equal(np.isfinite(sample.light.mag_ab), covered)
    np.testing.assert_array_equal(np.isnan(flux), np.repeat(~covered[:, None], 3, axis=1))
    assert np.nanmin(flux) >= 0.0
    assert np.all(np.isfinite(sample.light.log_sfr))
    assert np.all(sample.light.ew_aa > 0)


def test_a_band_redwards_of_the_templates_is_flagged_and_missing(model, sample):
    """F213 ends at 2.32 micron: the templates, 1.995 micron long, cover it from redshift 0.163 on."""
    spans = 19950.0 * (1.0 + np.asarray(sample.properties.redshift)) > float(model.filters.reach_aa[4, 1])
    np.testing.assert_array_equal(sample.light.covered[:, 4], spans)
    assert not spans.all()
    assert spans.any()


def test_magnitudes_are_those_of_the_components_together(sample):
    total = np.asarray(sample.light.flux_njy).sum(axis=1)
    np.testing.assert_allclose(sample.light.mag_ab, 31.4 - 2.5 * np.log10(total), rtol=1e-6)


transmission = jax.jit(igm_transmission)


@jax.jit
def whole_of(galaxy, ssp):
    """Spectrum of the whole history, at rest and as it arrives, without hydrogen."""
    dust = CalzettiDust(galaxy.av_mag)
    whole = Galaxy(galaxy.history(), galaxy.log_mstar, galaxy.redshift, lgmet=galaxy.lgmet, dust=dust)
    rest = rest_spectrum(whole, ssp)
    return rest, observe(rest.wave_rest_aa, rest.lum_lsun_hz, galaxy.redshift)


@pytest.mark.parametrize("i", [0, 2, 5, 6, 7])
def test_the_starlight_of_the_components_adds_up_to_that_of_the_history(model, sample, i):
    galaxy, finer = row(sample.properties, i), resolve_lyman_steps(load_ssp())
    spectra = spectra_of(model, galaxy, row(sample.structures, i))
    rest, seen = whole_of(galaxy, finer)
    expected = np.asarray(seen.flux_lambda * transmission(seen.wave_aa, galaxy.redshift))
    leaves = np.asarray(rest.wave_rest_aa) > 911.8
    total = np.asarray(spectra.flux_lambda.sum(axis=0))
    np.testing.assert_allclose(total[leaves], expected[leaves], rtol=1e-4)
    assert total[~leaves].max() == 0.0
    np.testing.assert_allclose(spectra.log_mformed, rest.log_mformed, atol=1e-5)
    if np.isfinite(rest.log_sfr):
        np.testing.assert_allclose(sample.light.log_sfr[i], rest.log_sfr, atol=2e-3)


def nearby(**changes) -> GalaxyProperties:
    values = {
        "redshift": 0.05, "log_mstar": 10.5, "age_gyr": 9.0, "tau_gyr": 4.0,
        "av_mag": 0.4, "oh12": 8.9, "lgmet": -1.8,
    }  # fmt: skip
    return GalaxyProperties(**(values | changes))


@pytest.fixture(scope="module")
def structure_with(sample):
    """Gives a structure with this bulge; the rest of it has no part in the light."""
    drawn = row(sample.structures, 0)
    return lambda bulge_share: eqx.tree_at(lambda s: s.bulge_share, drawn, jnp.float32(bulge_share))


one_light = eqx.filter_jit(lambda model, galaxy, structure, key: model(galaxy, structure, key))


@pytest.fixture(scope="module")
def light(model, structure_with):
    """Gives the light of a galaxy nearby, or of one that differs from it."""

    def light(bulge_share=0.3, key=0, **changes):
        galaxy = nearby(**changes)
        return one_light(model, galaxy, structure_with(bulge_share), jax.random.key(key))

    return light


def test_lines_are_drawn_given_the_continuum_and_are_a_part_of_the_young_component(
    model, light, structure_with
):
    galaxy, seen = nearby(), light()
    spectra = spectra_of(model, galaxy, structure_with(0.3))
    total = spectra.flux_lambda.sum(axis=0)
    bins = bins_of(spectra.wave_aa, total, jnp.ones_like(total), galaxy.redshift)
    np.testing.assert_allclose(seen.continuum_flux, bins.continuum_flux, rtol=2e-3)
    draw = eqx.filter_jit(lambda model, flux, z: model.density(flux, z).sample(jax.random.key(0), 1)[0])
    expected = draw(model.line_model, seen.continuum_flux, galaxy.redshift)
    np.testing.assert_allclose(seen.ew_aa, expected, rtol=1e-3)
    halpha = line_index("HALPHA")
    at_line = np.interp(6564.61 * 1.05, spectra.wave_aa, total)
    np.testing.assert_allclose(seen.line_flux[halpha], seen.ew_aa[halpha] * 1.05 * at_line, rtol=1e-3)

    stars = jnp.stack([seen_through(spectra.wave_aa, f, model.filters).flux_njy for f in spectra.flux_lambda])
    fine = jnp.asarray(np.arange(4500.0, 18000.0, 0.5), jnp.float32)
    emission = line_spectrum(fine, seen.line_flux, galaxy.redshift)
    lines = seen_through(fine, emission, model.filters).flux_njy[:4]
    added = np.asarray(seen.flux_njy - stars)[:, :4]
    np.testing.assert_allclose(added[:2], 0.0, atol=1e-3 * float(lines.max()))
    np.testing.assert_allclose(
        added[COMPONENTS.index("young")], lines, rtol=0.02, atol=1e-2 * float(lines.max())
    )


def test_the_lines_follow_the_key_and_nothing_else_does(light):
    first, again, other = light(key=1), light(key=1), light(key=2)
    for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.any(np.asarray(first.ew_aa == other.ew_aa))
    np.testing.assert_array_equal(first.flux_njy[:2], other.flux_njy[:2])


def test_continua_unlike_those_of_the_training_set_are_flagged(light):
    assert bool(light().lines_in_domain)
    assert not bool(light(age_gyr=0.03, tau_gyr=30.0, av_mag=9.0, lgmet=-3.5).lines_in_domain)
    assert not bool(light(redshift=0.4).lines_in_domain)


def test_a_bulge_is_redder_than_the_disc_and_young_stars_are_bluest(light):
    flux = np.asarray(light(redshift=0.3).flux_njy)
    colour = -2.5 * np.log10(flux[:, 0] / flux[:, 3])
    assert colour[COMPONENTS.index("bulge")] > colour[COMPONENTS.index("disc")] + 0.1
    assert colour[COMPONENTS.index("disc")] > colour[COMPONENTS.index("young")] + 0.5


def test_the_bulge_share_moves_light_between_components_only(light):
    small, large = light(bulge_share=0.1), light(bulge_share=0.6)
    np.testing.assert_allclose(small.mag_ab[:4], large.mag_ab[:4], atol=2e-5)
    assert np.all(large.flux_njy[0, :4] > 4.0 * small.flux_njy[0, :4])
    np.testing.assert_allclose(small.flux_njy[2, :4], large.flux_njy[2, :4], rtol=1e-4)


def test_hydrogen_dims_the_bluest_band_of_a_distant_galaxy(model, light, structure_with):
    wave = model.ssp.wave_aa
    distant = {"age_gyr": 1.0, "tau_gyr": 1.0, "redshift": 4.5}
    colour = np.diff(np.asarray(light(**distant).mag_ab[:2]))
    galaxy = nearby(**distant)
    spectra = spectra_of(model, galaxy, structure_with(0.3))
    unabsorbed = spectra.flux_lambda.sum(axis=0) / transmission(spectra.wave_aa, jnp.float32(4.5))
    bare = np.diff(np.asarray(seen_through(wave * 5.5, unabsorbed, model.filters).mag_ab[:2]))
    # Transmission at 1216 to 1026 AA is about 0.4 at this redshift.
    assert colour < bare - 0.4


def test_one_equals_batch_whatever_its_place(model, sample):
    turned = jax.tree.map(lambda leaf: leaf[::-1], (sample.properties, sample.structures, sample.keys))
    single = one_light(model, row(sample.properties, 9), row(sample.structures, 9), sample.keys[9])
    for other, i in ((light_of(model, *turned), 54), (sample.light, 9)):
        np.testing.assert_allclose(other.flux_njy[i], single.flux_njy, rtol=2e-4)
        np.testing.assert_allclose(other.ew_aa[i], single.ew_aa, rtol=1e-3)


def test_gradients_are_finite_everywhere(model, sample):
    def bright(properties, structure, key):
        seen = model(properties, structure, key)
        covered = jnp.where(seen.covered, seen.mag_ab, 0.0).sum()
        components = jnp.where(seen.covered[None, :], seen.flux_njy, 0.0).sum()
        return covered + 1e-3 * components + seen.log_sfr + seen.log_mformed + jnp.log(seen.line_flux).sum()

    shares = sample.structures.bulge_share
    share_of = lambda s, share: eqx.tree_at(lambda t: t.bulge_share, s, share)  # noqa: E731
    gradient = jax.jit(
        jax.vmap(jax.grad(lambda p, share, s, k: bright(p, share_of(s, share), k), argnums=(0, 1)))
    )(sample.properties, shares, sample.structures, sample.keys)
    for name, leaf in zip((*COLUMNS, "bulge_share"), jax.tree.leaves(gradient), strict=True):
        assert np.all(np.isfinite(leaf)), name


def test_templates_too_short_for_the_line_model_are_refused(model):
    ssp = load_ssp()
    narrow = eqx.tree_at(lambda s: (s.wave_aa, s.flux), ssp, (ssp.wave_aa[340:500], ssp.flux[..., 340:500]))
    with pytest.raises(NebuliumError, match="continuum bins need 3400 to 7000"):
        make_light_model(model.filters, ssp=narrow)
