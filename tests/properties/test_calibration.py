import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.properties.calibration import FEWEST, calibrated, conformal_factor
from nebulium.properties.model import PropertyModel, PropertyPrediction


def prediction(half: np.ndarray) -> PropertyPrediction:
    """Medians of 0 with the same half-width on both sides."""
    half = jnp.asarray(half, jnp.float32)
    return PropertyPrediction(
        0 * half, half, -half, half, jnp.zeros((len(half), 0)), jnp.ones(len(half), bool)
    )


def coverage(rng, n: int, *, noise: float = 0.0, narrow: float = 0.3) -> float:
    """Share of fresh galaxies whose true value lies within the scaled intervals."""
    truth = rng.normal(size=n + 2000)
    values = truth + noise * rng.normal(size=truth.size)
    zero, half = np.zeros(n), np.full(n, narrow)
    factor = conformal_factor(values[:n], zero, -half, half, sigma=np.full(n, noise))
    return float(np.mean(np.abs(truth[n:]) < factor * narrow))


@pytest.mark.parametrize("n", [24, 399])
def test_intervals_hold_68_per_cent_on_average_for_any_number_of_labels(n):
    rng = np.random.default_rng(0)
    mean = np.mean([coverage(rng, n) for _ in range(200)])
    assert mean == pytest.approx(0.68, abs=0.02)


def test_errors_of_the_labels_do_not_widen_the_intervals_of_the_truth():
    rng = np.random.default_rng(1)
    assert coverage(rng, 20000, noise=0.5) == pytest.approx(0.68, abs=0.05)


def test_sides_of_an_interval_stay_as_they_are_to_each_other():
    draw = np.random.default_rng(2).exponential(size=5000)
    median, q16, q84 = np.full(5000, 0.7), np.full(5000, 0.6), np.full(5000, 1.3)
    factor = conformal_factor(draw, median, q16, q84)
    inside = (draw > 0.7 - factor * 0.1) & (draw < 0.7 + factor * 0.6)
    assert np.mean(inside) == pytest.approx(0.68, abs=0.01)


def test_missing_labels_do_not_count_and_few_do_not_suffice():
    values, half = np.r_[np.linspace(-2, 2, FEWEST - 1), np.full(50, np.nan)], np.ones(FEWEST + 49)
    assert conformal_factor(values, 0 * half, -half, half) == 1.0


def test_perfect_predictions_leave_the_intervals():
    one = np.ones(50)
    assert conformal_factor(0 * one, 0 * one, -one, one) == 1.0


def test_a_model_gets_a_factor_for_each_target():
    model = PropertyModel(
        targets=["a", "b"],
        bands=["r"],
        unit="",
        size=8,
        stretch={"kind": "none", "softening": []},
        encoder="resnet-small",
        head="gaussian",
        domain_references=8,
    )
    values = np.random.default_rng(3).normal(size=(4000, 2)) * np.array([[1.0, 3.0]])
    one = np.ones_like(values)
    wide = calibrated(model, values, prediction(one))
    np.testing.assert_allclose(wide.interval_factor, [1.0, 3.0], rtol=0.05)
    again = calibrated(wide, values, prediction(2 * one))
    np.testing.assert_allclose(again.interval_factor, [0.5, 4.5], rtol=0.05)
