"""Point metrics: values by hand, against scipy, and laws that hold for all data."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from nebulium.metrics import point

OBSERVED = np.array([1.0, 2.0, 4.0, 5.0, 10.0])
PREDICTED = np.array([1.5, 2.0, 3.0, 7.0, 30.0])
# Residuals 0.5, 0, -1, 2, 20: median 0.5, absolute deviations from it 0, 0.5, 1.5, 1.5, 19.5.
BY_HAND = {
    "nmad": 1.4826 * 1.5,
    "nmad_uncentred": 1.48 * 1.0,
    "bias_median_ratio": 1.4,
    "bias_mean": 4.3,
    "bias_median": 0.5,
    "sigma_iqr": 2.0 / 1.349,
    "outlier_fraction": 4 / 5,
    "outlier_fraction_rail": 1 / 5,
}
METRICS = {name: getattr(point, name) for name in (*BY_HAND, "spearman")}
SHIFT_LEAVES = ("nmad", "sigma_iqr", "spearman")

values = arrays(np.float64, st.integers(5, 40), elements=st.floats(0.01, 100.0))


@pytest.mark.parametrize("name", BY_HAND)
def test_value_by_hand(name):
    assert METRICS[name](OBSERVED, PREDICTED) == pytest.approx(BY_HAND[name])


def test_spearman_is_scipys_with_ties():
    random = np.random.default_rng(0)
    observed = random.integers(0, 20, 300).astype(float)
    predicted = observed + random.integers(-9, 9, 300)
    expected = stats.spearmanr(observed, predicted).statistic
    assert point.spearman(observed, predicted) == pytest.approx(expected, abs=1e-12)


def test_nmad_is_scipys():
    residual = np.random.default_rng(1).standard_t(2, 500)
    expected = 1.4826 * stats.median_abs_deviation(residual)
    assert point.nmad(np.zeros(500), residual) == pytest.approx(expected)


def test_a_constant_has_no_rank_correlation():
    assert np.isnan(point.spearman(OBSERVED, np.ones(5)))


def test_photometric_redshifts_are_divided_by_one_plus_z():
    redshift, predicted = np.array([0.0, 1.0, 3.0]), np.array([0.2, 1.2, 3.2])
    scaled = {"scale": 1 + redshift}
    assert point.bias_mean(redshift, predicted, **scaled) == pytest.approx((0.2 + 0.1 + 0.05) / 3)
    assert point.bias_median(redshift, predicted, **scaled) == pytest.approx(0.1)
    assert point.outlier_fraction(redshift, predicted, **scaled) == pytest.approx(1 / 3)


def test_rails_outliers_follow_the_scatter():
    residual = np.concatenate([np.random.default_rng(0).normal(0, 1, 1000), [2.5, 9.0]])
    assert (
        point.outlier_fraction_rail(np.zeros(1002), residual)
        < 0.01
        < point.outlier_fraction(np.zeros(1002), residual)
    )


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_missing_values_are_refused_unless_masked(name, wrong):
    spoilt = np.append(PREDICTED, wrong)
    observed = np.append(OBSERVED, 3.0)
    with pytest.raises(ValueError, match="1 values are NaN or infinite; give mask="):
        METRICS[name](observed, spoilt)
    assert METRICS[name](observed, spoilt, mask=np.isfinite(spoilt)) == METRICS[name](OBSERVED, PREDICTED)


@pytest.mark.parametrize("name", METRICS)
def test_nothing_to_measure_is_refused(name):
    with pytest.raises(ValueError, match="no row"):
        METRICS[name](OBSERVED, PREDICTED, mask=np.zeros(5, bool))


@pytest.mark.parametrize("name", METRICS)
def test_unequal_lengths_are_refused(name):
    with pytest.raises(ValueError, match=r"lengths \[4, 5\]"):
        METRICS[name](OBSERVED, PREDICTED[:4])


def test_a_ratio_to_zero_is_refused():
    with pytest.raises(ValueError, match="other than 0"):
        point.bias_median_ratio(np.array([0.0, 1.0]), np.ones(2))


@given(values)
def test_perfect_predictions(observed):
    for name, metric in METRICS.items():
        expected = 1.0 if name in ("bias_median_ratio", "spearman") else 0.0
        found = metric(observed, observed)
        assert found == pytest.approx(expected, abs=1e-9) or (name == "spearman" and np.isnan(found))


@given(values, st.floats(-50, 50))
def test_a_shift_leaves_the_centred_spreads(observed, shift):
    predicted = observed[::-1].copy()
    for name in SHIFT_LEAVES:
        before, after = METRICS[name](observed, predicted), METRICS[name](observed, predicted + shift)
        assert after == pytest.approx(before, abs=1e-6, nan_ok=True) or name == "spearman"


@given(values, st.floats(0.1, 50))
def test_spreads_scale_with_the_unit(observed, factor):
    predicted = observed[::-1] + 1.0
    for name in ("nmad", "nmad_uncentred", "sigma_iqr", "bias_mean", "bias_median"):
        scaled = METRICS[name](factor * observed, factor * predicted)
        assert scaled == pytest.approx(factor * METRICS[name](observed, predicted), abs=1e-6)


@given(values)
def test_row_order_does_not_matter(observed):
    predicted = np.sqrt(observed) + 0.1
    order = np.random.default_rng(0).permutation(len(observed))
    for metric in METRICS.values():
        before = metric(observed, predicted)
        assert metric(observed[order], predicted[order]) == pytest.approx(before, nan_ok=True)


def test_published_network_on_the_published_table(nebulium_data):
    """The figures of the data's own README, measured there on all 108,486 galaxies."""
    import pyarrow.parquet as pq

    table = pq.read_table(nebulium_data / "desi" / "desi_edr_emission_lines.parquet")
    golden = ("OII_DOUBLET", 0.754, 4.99), ("HALPHA", 0.913, 4.50), ("SII_6731", 0.866, 0.808)
    for line, rho, spread in golden:
        observed, predicted = (table[f"{kind}_{line}"].to_numpy() for kind in ("ew", "published_ew"))
        both = np.isfinite(observed) & np.isfinite(predicted)
        assert point.spearman(observed, predicted, mask=both) == pytest.approx(rho, abs=0.01)
        assert point.nmad_uncentred(observed, predicted, mask=both) == pytest.approx(spread, rel=0.03)
