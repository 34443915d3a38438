"""Quantiles of measurements hold what they say on galaxies like those that set their levels."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.lines.calibration import calibrated
from nebulium.lines.likelihood import MeasuredLines
from nebulium.lines.model import LineModel
from nebulium.lines.scores.populations import draw_measurements, quantiles_of_measurements

# Quantiles by the thousand take longer than their compilation.
pytestmark = pytest.mark.usefixtures("optimised_programs")

N = 2400


@cache
def untrained() -> LineModel:
    return LineModel(with_luminosity=False, width=16, noise_width=16, key=jax.random.key(3))


@pytest.fixture(scope="module")
def narrow() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Measurements that scatter less than the model says."""
    rng = np.random.default_rng(0)
    flux, redshift = rng.uniform(0.8, 1.2, (N, 12)).astype(np.float32), np.full(N, 0.1, np.float32)
    sigma = np.full((N, 10), 0.5)
    lines = MeasuredLines.from_columns(np.ones((N, 10)), sigma**-2.0)
    drawn = draw_measurements(untrained(), flux, redshift, lines, seed=1).astype(np.float64)
    middle = np.median(drawn, axis=0)
    return flux, redshift, sigma, middle + 0.6 * (drawn - middle)


def test_levels_set_on_one_half_hold_on_the_other(
    narrow: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
) -> None:
    flux, redshift, sigma, ew = narrow
    lines = MeasuredLines.from_columns(ew, sigma**-2.0)
    half = jax.tree.map(lambda leaf: leaf[: N // 2], lines)
    corrected = calibrated(untrained(), jnp.asarray(flux[: N // 2]), jnp.asarray(redshift[: N // 2]), half)
    for own in (sigma[N // 2 :], None):
        before, after = (
            _coverage(model, flux[N // 2 :], redshift[N // 2 :], own, ew[N // 2 :])
            for model in (untrained(), corrected)
        )
        assert np.all(before > 0.8)
        assert np.all(np.abs(after - 0.68) < 0.05)


def test_a_line_with_few_measurements_keeps_its_levels(
    narrow: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
) -> None:
    flux, redshift, sigma, ew = (part[:1200] for part in narrow)
    ew = ew.copy()
    ew[900:, 4] = np.nan
    lines = MeasuredLines.from_columns(ew, sigma**-2.0)
    corrected = calibrated(untrained(), jnp.asarray(flux), jnp.asarray(redshift), lines)
    same = np.all(np.asarray(corrected.measured_levels == untrained().measured_levels), axis=(0, 2))
    assert same.tolist() == [place == 4 for place in range(10)]


def _coverage(
    model: LineModel, flux: np.ndarray, redshift: np.ndarray, sigma: np.ndarray | None, ew: np.ndarray
) -> np.ndarray:
    low, high = np.moveaxis(
        quantiles_of_measurements(model, flux, redshift, sigma, np.array([0.16, 0.84])), 1, 0
    )
    return np.mean((ew >= low) & (ew <= high), axis=0)
