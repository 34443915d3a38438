"""Networks and templates in one density."""

import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.nn.mapping import map_galaxies
from nebulium.photometry.galaxies import PhotometricGalaxies
from nebulium.photoz.combined import WRONG_SHARE, CombinedModel, best_powers, pooled
from nebulium.photoz.density.grid import RedshiftGrid

BINS = 20
GRID = RedshiftGrid(2.0, BINS)
SHAPE = {
    "photometry": {"bands": ["g", "r"], "grid_most": 2.0, "grid_bins": BINS, "members": 1, "width": 8},
    "template": {"bands": ["g", "r"], "grid_most": 2.0, "grid_bins": BINS, "templates_of_kind": [2, 0, 0, 0]},
}


def peak(place: int):
    mass = np.exp(-0.5 * (np.arange(BINS) - place) ** 2)
    return jnp.asarray(mass / mass.sum(), jnp.float32)


def galaxies(n: int = 40) -> PhotometricGalaxies:
    bins = 2 + np.arange(n) % 12
    flux = np.stack([bins, np.ones(n)], axis=1).astype(np.float32)
    redshift = GRID.centres[bins].astype(np.float32)
    return PhotometricGalaxies(
        np.arange(n), ("g", "r"), flux, np.ones_like(flux), redshift, 0 * redshift, None, "made"
    )


def powers_of(first_off: int, second_off: int) -> tuple[float, float]:
    """Of two that take all galaxies to be so many bins off."""
    place = 2 + np.arange(40) % 9
    first, second = (np.stack([peak(one + off) for one in place]) for off in (first_off, second_off))
    return best_powers(first, second, place)


def test_powers_of_nought_leave_one_out():
    one = pooled(peak(4), peak(9), jnp.array([1.0, 0.0]))
    expected = (1 - WRONG_SHARE) * peak(4) + WRONG_SHARE / BINS
    np.testing.assert_allclose(one, expected, rtol=1e-5)
    np.testing.assert_allclose(pooled(peak(4), peak(9), jnp.zeros(2)), 1.0 / BINS, rtol=1e-5)


def test_two_that_agree_are_surer_than_one_and_neither_has_a_veto():
    one = pooled(peak(4), peak(4), jnp.array([1.0, 0.0]))
    both = pooled(peak(4), peak(4), jnp.ones(2))
    assert float(both[4]) > float(one[4])
    apart = np.asarray(pooled(peak(3), peak(15), jnp.ones(2)))
    assert apart[3] > 0.1
    assert apart[15] > 0.1


def test_the_one_that_is_wrong_is_left_out():
    assert powers_of(0, 8)[1] == 0.0
    assert powers_of(8, 0)[0] == 0.0
    assert min(powers_of(0, 0)) > 0.0


def test_one_galaxy_is_as_in_a_batch():
    model, some = CombinedModel(**SHAPE), galaxies(3)
    together = map_galaxies(model, some.flux_njy, some.flux_err_njy)
    alone = model(jnp.asarray(some.flux_njy[1]), jnp.asarray(some.flux_err_njy[1]))
    np.testing.assert_allclose(together.mass[1], alone.mass, rtol=1e-4)
    assert float(alone.mass.sum()) == pytest.approx(1.0, abs=1e-5)
    assert (model.bands, model.grid) == (("g", "r"), GRID)
