"""What a map is made of: laws of the features, and galaxies that lack them."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nebulium.errors import NebuliumError
from nebulium.explore.maps.features import (
    colour_features,
    continuum_features,
    continuum_map_features,
    latent_map_features,
    photometric_features,
    photometric_map_features,
)
from nebulium.explore.maps.latent import map_features, usual_kind
from nebulium.explore.sample.galaxies import Galaxies
from nebulium.lines.input import FLUX_COLUMNS

CONTINUA = arrays(np.float32, (3, 12), elements=st.floats(0.125, 8.0, width=32))
IDS = np.array(["7", "8", "9"])


def with_continua(flux: np.ndarray) -> Galaxies:
    return Galaxies("a.parquet", IDS, dict(zip(FLUX_COLUMNS, flux.T.astype(np.float64), strict=True)))


@given(CONTINUA, st.floats(1e-3, 1e3))
def test_how_bright_a_galaxy_is_does_not_matter(flux, factor):
    for features in (continuum_features, colour_features):
        np.testing.assert_allclose(
            features(factor * flux.astype(float)), features(flux), rtol=1e-4, atol=1e-5
        )


@given(CONTINUA)
def test_bins_over_their_mean_have_a_mean_of_one(flux):
    np.testing.assert_allclose(continuum_features(flux).mean(axis=1), 1.0, rtol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39])
def test_a_galaxy_without_a_bin_is_left_out_whole(bad):
    flux = np.ones((3, 12))
    flux[1, 4] = bad
    features = continuum_map_features(with_continua(flux), "continuum")
    assert features.usable.tolist() == [True, False, True]
    assert np.isnan(features.values[1]).all()
    assert features.sentence.endswith("2 of 3 galaxies have all of them")


def test_a_negative_bin_has_a_shape_and_no_colour():
    flux = np.ones((3, 12))
    flux[0, 0], flux[1] = -0.5, -1.0
    assert continuum_map_features(with_continua(flux), "continuum").usable.tolist() == [True, False, True]
    assert continuum_map_features(with_continua(flux), "colours").usable.tolist() == [False, False, True]


@given(arrays(np.float32, (4, 3), elements=st.floats(-100, 100, width=32)))
def test_asinh_colours_are_finite_and_turn_with_the_bands(flux):
    error = np.ones_like(flux)
    features = photometric_features(flux, error)
    assert np.isfinite(features).all()
    np.testing.assert_allclose(photometric_features(flux[:, ::-1], error), -features[:, ::-1], atol=1e-5)


def test_photometry_with_errors_and_without():
    values = {f"flux_njy_{band}": np.array([10.0, 20.0, np.nan]) for band in "gri"}
    features = photometric_map_features(Galaxies("a", IDS, values))
    assert features.usable.tolist() == [True, True, False]
    assert "g, r, i" in features.sentence
    with_errors = values | {f"flux_njy_err_{band}": np.ones(3) for band in "gri"}
    assert photometric_map_features(Galaxies("a", IDS, with_errors)).usable.sum() == 2
    nothing = {name: np.full(3, np.nan) for name in values}
    assert not photometric_map_features(Galaxies("a", IDS, nothing)).usable.any()


@given(CONTINUA, st.integers(0, 2), st.integers(0, 11))
def test_a_hash_changes_with_its_galaxy_alone(flux, row, place):
    before = continuum_map_features(with_continua(flux), "colours").hashes()
    changed = flux.copy()
    changed[row, place] += 1.0
    after = continuum_map_features(with_continua(changed), "colours").hashes()
    assert (before != after).tolist() == [one == row for one in range(3)]


def test_the_order_of_numbers_matters_to_a_hash():
    vectors = np.array([[1.0, 2.0], [2.0, 1.0], [1.0, 2.0]], np.float32)
    hashes = latent_map_features(vectors, "mine").hashes()
    assert hashes[0] == hashes[2] != hashes[1]


@pytest.mark.parametrize(
    ("kind", "model", "message"),
    [
        ("continuum", None, "lacks the columns continuum_flux_0 to 11.*--embedding photometry"),
        ("colours", None, "which the map of kind colours needs"),
        ("photometry", None, "at least 3 bands.*--embedding continuum"),
        ("latent", None, "needs a model"),
        ("latent", "desi-lines", "puts galaxies into no space"),
        ("latent", "no-such-model", "neither a folder nor a packaged model"),
    ],
)
def test_what_a_map_cannot_be_made_of(tmp_path, kind, model, message):
    galaxies = Galaxies("a.parquet", IDS, {"z": np.ones(3)})
    with pytest.raises(NebuliumError, match=message):
        map_features(galaxies, kind, folder=tmp_path, model=model)


def test_a_model_of_lines_has_no_latent_space(tmp_path):
    galaxies = Galaxies("a.parquet", IDS, {"z": np.ones(3)}, path=Path("a.parquet"))
    with pytest.raises(NebuliumError, match="puts galaxies into no space"):
        map_features(galaxies, "latent", folder=tmp_path, model="desi-lines")


def test_the_usual_map():
    assert usual_kind(with_continua(np.ones((3, 12)))) == "continuum"
    with pytest.raises(NebuliumError, match="neither"):
        usual_kind(Galaxies("a.parquet", IDS, {"flux_njy_r": np.ones(3)}))
