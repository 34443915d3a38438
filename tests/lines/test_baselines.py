"""Baselines: laws they share, answers known in closed form, and the real table."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from nebulium.errors import MissingExtraError, TableError
from nebulium.lines.continuum.line_list import LINES
from nebulium.lines.scores.baselines import (
    PcaLocalLinear,
    PcaNearestNeighbours,
    TrainingMedian,
    baseline_features,
)
from nebulium.metrics.point import spearman

pytest.importorskip("sklearn")

FITS = {
    "median": TrainingMedian.fit,
    "knn": lambda *data: PcaNearestNeighbours.fit(*data, neighbours=20),
    "llr": lambda *data: PcaLocalLinear.fit(*data, neighbours=60),
}


def galaxies(count=400, seed=0):
    """Continua, redshifts, and widths that are powers of ratios of bins, different for each line."""
    random = np.random.default_rng(seed)
    flux = 10 ** random.normal(0, 0.15, (count, 12)).cumsum(axis=1)
    redshift = random.uniform(0.06, 0.3, count)
    slopes = 1 + 0.2 * np.arange(10)
    ew = (flux[:, 4] / flux[:, 2])[:, None] ** slopes
    return flux, redshift, ew


@pytest.fixture(scope="module")
def fitted():
    data = galaxies()
    return {name: fit(*data) for name, fit in FITS.items()}


@pytest.mark.parametrize("name", FITS)
def test_one_equals_batch(fitted, name):
    flux, redshift, _ = galaxies(7, seed=1)
    batch = fitted[name].predict(flux, redshift)
    assert batch.shape == (7, len(LINES))
    for row in range(7):
        one = fitted[name].predict(flux[row : row + 1], redshift[row : row + 1])
        np.testing.assert_allclose(one[0], batch[row], rtol=1e-6)


@pytest.mark.parametrize("name", FITS)
def test_no_galaxy_gives_no_row(fitted, name):
    assert fitted[name].predict(np.ones((0, 12)), np.ones(0)).shape == (0, 10)


@pytest.mark.parametrize("name", FITS)
def test_missing_lines_do_not_touch_the_others(fitted, name):
    flux, redshift, ew = galaxies()
    spoilt = ew.copy()
    spoilt[::3, 2] = np.nan
    query = galaxies(5, seed=2)[:2]
    before, after = fitted[name].predict(*query), FITS[name](flux, redshift, spoilt).predict(*query)
    np.testing.assert_array_equal(np.delete(before, 2, axis=1), np.delete(after, 2, axis=1))
    assert np.isfinite(after).all()
    assert not np.array_equal(before[:, 2], after[:, 2])


@pytest.mark.parametrize("name", ["knn", "llr"])
def test_a_missing_bin_gives_no_prediction(fitted, name):
    flux, redshift, _ = galaxies(4, seed=1)
    flux[1, 0] = np.nan
    found = fitted[name].predict(flux, redshift)
    assert np.isnan(found[1]).all()
    assert np.isfinite(np.delete(found, 1, axis=0)).all()


def test_median_is_the_median():
    ew = np.tile([[1.0], [np.nan], [5.0], [3.0]], (1, 10))
    assert TrainingMedian.fit(np.ones((4, 12)), np.ones(4), ew).median_ew_aa.tolist() == 10 * [3.0]


def test_knn_is_brute_force():
    """All 12 components: distances in PCA space are distances between standardised features."""
    flux, redshift, ew = galaxies(200)
    query = galaxies(6, seed=3)[:2]
    found = PcaNearestNeighbours.fit(flux, redshift, ew, components=12, neighbours=15).predict(*query)
    features, asked = (baseline_features(*data, luminosity=True) for data in ((flux, redshift), query))
    mean, scale = features.mean(axis=0), features.std(axis=0)
    distance = cdist((asked - mean) / scale, (features - mean) / scale)
    nearest = np.argsort(distance, axis=1)[:, :15]
    weights = 1 / np.take_along_axis(distance, nearest, axis=1)
    expected = 10 ** np.average(np.log10(ew[:, 5])[nearest], axis=1, weights=weights)
    np.testing.assert_allclose(found[:, 5], expected, rtol=1e-6)


def test_llr_is_exact_where_the_law_is_linear(fitted):
    """log10 of these widths is linear in the colours."""
    flux, redshift, ew = galaxies(30, seed=4)
    llr = PcaLocalLinear.fit(*galaxies(), components=12, neighbours=60)
    np.testing.assert_allclose(llr.predict(flux, redshift), ew, rtol=1e-3)


def test_llr_is_weighted_least_squares():
    flux, redshift, ew = galaxies(200)
    random = np.random.default_rng(5)
    ew = ew * 10 ** random.normal(0, 0.2, ew.shape)
    query = galaxies(3, seed=3)[:2]
    llr = PcaLocalLinear.fit(flux, redshift, ew, components=4, neighbours=200)
    line = llr.lines[0]
    place = line.project(baseline_features(*query, luminosity=True))
    for row, found in enumerate(llr.predict(*query)[:, 0]):
        offset = line.coordinates - place[row]
        root = np.sqrt(1 / np.linalg.norm(offset, axis=1))[:, None]
        design = np.column_stack([np.ones(200), offset])
        answer = np.linalg.lstsq(design * root, line.log_ew * root[:, 0], rcond=None)[0]
        assert found == pytest.approx(10 ** answer[0], rel=1e-4)


@pytest.mark.parametrize("method", [PcaNearestNeighbours, PcaLocalLinear])
def test_a_galaxy_at_distance_zero(method):
    flux, redshift, ew = galaxies()
    found = method.fit(flux, redshift, ew, neighbours=60).predict(flux[:20], redshift[:20])
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, ew[:20], rtol=0.15)


@pytest.mark.parametrize("method", [PcaNearestNeighbours, PcaLocalLinear])
def test_all_neighbours_at_one_place(method):
    """No plane goes through identical galaxies; the answer is their mean."""
    flux, redshift, ew = galaxies(120)
    flux[:60], redshift[:60] = flux[0], redshift[0]
    ew[:60] = 10.0 ** np.repeat([0.0, 2.0], 30)[:, None]
    found = method.fit(flux, redshift, ew, neighbours=60).predict(flux[:2], redshift[:2])
    np.testing.assert_allclose(found, 10.0, rtol=1e-3)


def test_without_luminosity_brightness_does_not_matter():
    flux, redshift, ew = galaxies()
    blind = PcaNearestNeighbours.fit(flux, redshift, ew, neighbours=20, luminosity=False)
    bright = PcaNearestNeighbours.fit(flux, redshift, ew, neighbours=20)
    query, z = flux[:5] * 1.001, redshift[:5]
    np.testing.assert_allclose(blind.predict(9 * query, z), blind.predict(query, z), rtol=1e-3)
    assert not np.allclose(bright.predict(9 * query, z), bright.predict(query, z), rtol=0.01)


def test_too_few_galaxies_with_a_line_are_refused():
    flux, redshift, ew = galaxies(50)
    ew[10:, 3] = np.nan
    with pytest.raises(TableError, match="10 training galaxies have OIII_4959, and it takes 20"):
        PcaNearestNeighbours.fit(flux, redshift, ew, neighbours=20)


def test_without_scikit_learn_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sklearn.decomposition", None)
    with pytest.raises(MissingExtraError, match=r"nebulium\[bench\]"):
        PcaNearestNeighbours.fit(*galaxies(), neighbours=20)


def test_the_faint_components_tell_the_lines():
    flux, redshift, ew = galaxies(100, seed=9)
    rho = {}
    for components in (1, 11):
        found = PcaLocalLinear.fit(*galaxies(), components=components, neighbours=80).predict(flux, redshift)
        rho[components] = np.mean([spearman(*pair) for pair in zip(ew.T, found.T, strict=True)])
    assert rho[11] > 0.9 > rho[1]


def test_on_the_table_they_beat_the_median_and_follow_the_lines(nebulium_data):
    import pyarrow.parquet as pq

    table = pq.read_table(nebulium_data / "desi" / "desi_edr_emission_lines.parquet").slice(0, 6000)
    flux = np.stack([table[f"continuum_flux_{place}"].to_numpy() for place in range(12)], axis=1)
    redshift = table["redshift"].to_numpy()
    ew = np.stack([table[f"ew_{line}"].to_numpy() for line in LINES], axis=1)
    train, test = slice(0, 5700), slice(5700, 6000)
    for fit in (FITS["knn"], FITS["llr"]):
        found = fit(flux[train], redshift[train], ew[train]).predict(flux[test], redshift[test])
        for place in (0, 6, 7):
            there = np.isfinite(ew[test, place])
            assert spearman(ew[test, place], found[:, place], mask=there) > 0.6
