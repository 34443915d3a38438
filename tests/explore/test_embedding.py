"""The map: how galaxies are placed in it, how it is kept, and when it is drawn anew."""

import json

import numpy as np
import pytest
from benchmarks.explore.refit import laid_over, refit_error
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nebulium.data.tables.reading import read_table
from nebulium.errors import NebuliumError, OutputError
from nebulium.explore.maps import embedding as embedding_module
from nebulium.explore.maps.embedding import Embedding, fit_embedding, place_others
from nebulium.explore.maps.embedding_file import map_path, open_embedding
from nebulium.explore.maps.features import latent_map_features
from nebulium.explore.maps.map_error import left_out_error
from nebulium.explore.maps.placement import MOST_TREE_DIMENSIONS, Placement, weighted_places
from nebulium.explore.sample.cache import cache_folder, cached_table, digest
from nebulium.explore.sample.galaxies import Galaxies
from nebulium.lines.input import FLUX_COLUMNS

N = 200


def slanting_continua(n: int = N, seed: int = 0) -> np.ndarray:
    """Continua of two parameters: slope and bend."""
    rng = np.random.default_rng(seed)
    wave = np.linspace(-1.0, 1.0, 12)
    slope, bend = rng.uniform(-0.5, 0.5, (2, n, 1))
    return np.exp(slope * wave + bend * wave**2)


def galaxies_of(flux: np.ndarray, first: int = 0) -> Galaxies:
    ids = np.array([f"<b>{number}</b>" for number in range(first, first + len(flux))])
    return Galaxies("a.parquet", ids, dict(zip(FLUX_COLUMNS, flux.T, strict=True)))


@pytest.fixture
def quick(monkeypatch):
    """Principal axes in place of UMAP; counts how often a map was drawn."""
    drawn = []

    def axes(values, seed, progress):
        drawn.append(len(values))
        progress("drawing the map", 0.5)
        return embedding_module._principal_axes(values)

    monkeypatch.setattr(embedding_module, "_umap", axes)
    return drawn


def features_of(values: np.ndarray):
    return latent_map_features(values.astype(np.float32), "mine")


def test_umap_keeps_those_alike_together_and_repeats_itself():
    flux = slanting_continua(120)
    said = []
    galaxies = galaxies_of(flux)
    values = features_of(flux)
    first = fit_embedding(galaxies.ids, values, seed=1, progress=lambda *report: said.append(report))
    again = fit_embedding(galaxies.ids, values, seed=1)
    np.testing.assert_array_equal(first.xy, again.xy)
    assert first.about["method"].startswith("umap-learn 0.")
    error = left_out_error(first, values)
    assert error.median < 0.3
    assert error.neighbours_kept > 0.4
    assert {doing for doing, _ in said} == {"loading UMAP", "looking for neighbours", "drawing the map"}
    assert all(0.0 <= share <= 1.0 for _, share in said)
    assert max(share for doing, share in said if doing == "drawing the map") == 1.0


DISTANCES = arrays(np.float64, (3, 6), elements=st.floats(0, 100)).map(lambda d: np.sort(d, axis=1))
PLACES = arrays(np.float64, (3, 6, 2), elements=st.floats(-50, 50))


@given(DISTANCES, PLACES)
def test_a_place_lies_amid_the_neighbours(distance, xy):
    placed = weighted_places(distance, xy)
    assert np.all(placed >= xy.min(axis=1) - 1e-3)
    assert np.all(placed <= xy.max(axis=1) + 1e-3)


@given(DISTANCES, PLACES, st.floats(0.01, 100))
def test_the_unit_of_the_features_does_not_matter(distance, xy, unit):
    distance = distance + 1.0
    np.testing.assert_allclose(weighted_places(unit * distance, xy), weighted_places(distance, xy), atol=0.05)


@pytest.mark.parametrize("dimensions", [2, MOST_TREE_DIMENSIONS + 5])
def test_a_galaxy_of_the_map_is_placed_where_it_is(dimensions):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(300, dimensions)).astype(np.float32)
    placement = Placement(features, features[:, :2])
    np.testing.assert_array_equal(placement.place(features[:9]), features[:9, :2])
    moved = features[:9] + np.float32(1e-3)
    near = placement.place(moved)
    assert np.median(np.hypot(*(near - features[:9, :2]).T)) < 1.5
    moved[3, 1] = np.nan
    assert np.isnan(placement.place(moved)).any(axis=1).tolist() == [row == 3 for row in range(9)]


def test_tree_and_product_find_the_same_neighbours():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(400, 6)).astype(np.float32)
    padded = np.pad(features, ((0, 0), (0, MOST_TREE_DIMENSIONS)))
    asked = rng.normal(size=(50, 6)).astype(np.float32)
    xy = features[:, :2]
    tree = Placement(features, xy).neighbours(asked, 15)
    product = Placement(padded, xy).neighbours(np.pad(asked, ((0, 0), (0, MOST_TREE_DIMENSIONS))), 15)
    np.testing.assert_array_equal(tree[1], product[1])
    np.testing.assert_allclose(tree[0], product[0], rtol=1e-5)


def test_fewer_galaxies_than_neighbours():
    placement = Placement(np.zeros((1, 3), np.float32), np.array([[4.0, 5.0]], np.float32))
    assert placement.place(np.ones((2, 3), np.float32)).tolist() == [[4.0, 5.0]] * 2
    single = fit_embedding(np.array(["7"]), features_of(np.ones((1, 3))))
    assert single.xy.tolist() == [[0.0, 0.0]]
    assert np.isnan(left_out_error(single, features_of(np.ones((1, 3)))).median)


def test_galaxies_that_are_all_alike_lie_in_one_place():
    alike = fit_embedding(np.arange(N).astype(str), features_of(np.ones((N, 4))))
    assert (alike.xy == 0.0).all()


def test_beyond_the_most_galaxies_are_placed(quick):
    flux = slanting_continua()
    flux[5] = np.nan
    features = features_of(flux)
    drawn = fit_embedding(np.arange(N).astype(str), features, most=150, seed=3)
    assert quick == [150]
    assert drawn.fitted.sum() == 150
    assert drawn.placed.tolist() == [row != 5 for row in range(N)]
    radius = np.nanstd(drawn.xy)
    whole = fit_embedding(np.arange(N).astype(str), features, most=N)
    apart = np.hypot(*(laid_over(drawn.xy[drawn.placed], whole.xy[drawn.placed]) - whole.xy[drawn.placed]).T)
    assert np.median(apart) < 0.1 * radius


def test_a_map_of_nothing_is_an_error():
    with pytest.raises(NebuliumError, match="no galaxy to put into the map"):
        fit_embedding(np.array(["7"]), features_of(np.full((1, 3), np.nan)))


def test_a_map_is_kept_and_taken_up(tmp_path, quick):
    galaxies = galaxies_of(slanting_continua())
    drawn = open_embedding(galaxies, tmp_path, "colours")
    kept = open_embedding(galaxies, tmp_path, "colours")
    np.testing.assert_array_equal(kept.embedding.xy, drawn.embedding.xy)
    np.testing.assert_array_equal(kept.embedding.fitted, drawn.embedding.fitted)
    assert quick == [N]
    assert kept.notes == ()
    table = read_table(map_path(tmp_path, "colours"))
    assert table["galaxy"].tolist() == galaxies.ids.tolist()
    about = json.loads(json.dumps(table.metadata))
    assert (about["seed"], about["kind"], about["fitted"]) == (0, "colours", N)
    assert 0.0 <= about["left_out"]["median"] < 1.0
    assert kept.placement.place(drawn.features.values[:1]).tolist() == drawn.embedding.xy[:1].tolist()


def test_a_map_is_drawn_anew_when_asked_for_by_another_seed_or_when_damaged(tmp_path, quick):
    galaxies = galaxies_of(slanting_continua())
    open_embedding(galaxies, tmp_path, "colours")
    open_embedding(galaxies, tmp_path, "colours", refit=True)
    assert "another seed" in open_embedding(galaxies, tmp_path, "colours", seed=1).notes[0]
    map_path(tmp_path, "colours").write_bytes(b"PAR1 no more")
    assert "anew" in open_embedding(galaxies, tmp_path, "colours", seed=1).notes[0]
    assert len(quick) == 4
    assert open_embedding(galaxies, tmp_path, "colours", seed=1).notes == ()


def test_new_and_changed_galaxies_are_placed_among_the_others(tmp_path, quick):
    flux = slanting_continua()
    before = open_embedding(galaxies_of(flux), tmp_path, "colours").embedding
    grown = np.concatenate([flux, flux[:20] * 2.0])
    grown[7] = flux[8]
    grown[9, 0] = np.nan
    # In another order as well: galaxies go by their ids.
    order = np.random.default_rng(0).permutation(len(grown))
    some = galaxies_of(grown)
    turned = Galaxies("a", some.ids[order], {name: values[order] for name, values in some.values.items()})
    after = open_embedding(turned, tmp_path, "colours")
    assert quick == [N]
    assert "21 galaxies were placed" in after.notes[0]
    xy = np.empty_like(after.embedding.xy)
    xy[order] = after.embedding.xy
    same = np.setdiff1d(np.arange(N), [7, 9])
    np.testing.assert_array_equal(xy[same], before.xy[same])
    np.testing.assert_allclose(xy[7], before.xy[8], atol=1e-5)
    assert np.isnan(xy[9]).all()
    assert np.isfinite(xy[N:]).all()
    assert open_embedding(turned, tmp_path, "colours").notes == ()


def test_a_map_of_other_galaxies_is_not_taken_up(tmp_path, quick):
    open_embedding(galaxies_of(slanting_continua()), tmp_path, "colours")
    others = galaxies_of(slanting_continua(seed=1), first=N)
    assert "most of its galaxies" in open_embedding(others, tmp_path, "colours").notes[0]
    assert len(quick) == 2


def test_a_map_laid_over_its_mirror_image():
    rng = np.random.default_rng(0)
    xy = rng.normal(size=(50, 2))
    turned = 2.5 * xy @ np.array([[0.6, -0.8], [-0.8, -0.6]]) + [3.0, -4.0]
    np.testing.assert_allclose(laid_over(turned, xy), xy, atol=1e-5)


def test_the_error_against_a_refit(quick):
    features = features_of(slanting_continua())
    drawn = fit_embedding(np.arange(N).astype(str), features)
    error = refit_error(drawn, features, share=0.2)
    assert quick == [N, 160]
    # Principal axes hardly change when a fifth of the galaxies is left out.
    assert error.median < 0.2
    assert 0.5 < error.neighbours_kept <= 1.0
    assert error.median <= error.q84


def test_places_by_chance_are_told_from_good_ones():
    features = features_of(slanting_continua())
    rng = np.random.default_rng(0)
    chance = Embedding(
        np.arange(N).astype(str), rng.normal(size=(N, 2)).astype(np.float32), np.ones(N, bool), {}
    )
    error = left_out_error(chance, features)
    assert error.median > 0.5
    assert error.neighbours_kept < 0.3


def test_nothing_to_place_leaves_the_map_as_it_is():
    features = features_of(np.eye(3))
    there = Embedding(np.arange(3).astype(str), np.ones((3, 2), np.float32), np.ones(3, bool), {})
    assert place_others(there, features) is there


def test_the_folder_is_beside_the_table_or_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    beside = cache_folder(tmp_path / "galaxies.fits.gz")
    assert (beside.folder, beside.notes) == (tmp_path / "galaxies.explore", ())
    survey = tmp_path / "survey"
    survey.mkdir()
    assert cache_folder(survey).folder == survey / "explore"
    (tmp_path / "other.explore").write_text("a file in its way")
    elsewhere = cache_folder(tmp_path / "other.parquet")
    assert elsewhere.folder.parent == tmp_path / "cache" / "nebulium" / "explore"
    assert "other.explore cannot be written" in elsewhere.notes[0]
    assert cache_folder(None).folder.name == "example"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other.explore"))
    with pytest.raises(OutputError, match="cannot be written"):
        cache_folder(None)


def test_a_damaged_table_in_the_folder_is_made_again(tmp_path):
    from nebulium.data.tables.table import Table

    path = tmp_path / "a.parquet"
    path.write_bytes(b"nonsense")
    made = []

    def make():
        made.append(1)
        return Table({"z": np.ones(1)}, metadata={"notes": ["said"]})

    for about in ({"seed": 0}, {"seed": 0}, {"seed": 1}):
        assert cached_table(path, about, make).metadata["notes"] == ["said"]
    assert len(made) == 2


@given(arrays(np.float32, 4, elements=st.floats(-4, 4, width=32)), st.integers(0, 3))
def test_a_digest_tells_arrays_apart(values, place):
    other = values.copy()
    other[place] += 1.0
    assert digest(values) == digest(values.copy()) != digest(other)
    assert digest(values) != digest(values[None]) != digest(values.astype(np.float64))
