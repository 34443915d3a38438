"""A model of embeddings alone, looked at in the page: its predictions and the map of its space."""

import numpy as np
import pytest

from nebulium.errors import NebuliumError
from nebulium.explore.maps.latent import map_features
from nebulium.explore.sample.galaxies import read_galaxies
from nebulium.explore.sample.predictions import with_predictions
from nebulium.properties.config import PropertiesConfig
from nebulium.properties.training_file import train_file


@pytest.fixture(scope="module")
def model(sample):
    config, arrays = PropertiesConfig(head="gaussian-process"), sample.folder / "arrays.fits"
    given = {"embeddings": arrays, "targets": ["oh12"], "id_column": "objid", "config": config}
    return train_file(None, None, sample.folder / "explored", **given).model


def test_galaxies_are_predicted_and_placed_by_their_embeddings(model, sample, tmp_path):
    galaxies = read_galaxies(sample.folder / "arrays.fits", id_column="objid")
    seen = with_predictions(galaxies, model, tmp_path)
    true, predicted = seen.values["oh12"], seen.values["predicted_oh12"]
    known = np.isfinite(true) & np.isfinite(predicted)
    assert known.sum() == len(galaxies) - 2
    assert np.corrcoef(predicted[known], true[known])[0, 1] > 0.9
    features = map_features(galaxies, "latent", folder=tmp_path, model=model)
    assert features.values.shape == (len(galaxies), 16)
    assert np.sum(~features.usable) == 1


def test_a_table_without_embeddings_is_refused(model, sample, tmp_path):
    galaxies = read_galaxies(sample.folder / "labels.fits", id_column="objid")
    with pytest.raises(NebuliumError, match="lacks the column embedding of the embedding that the model"):
        with_predictions(galaxies, model, tmp_path)
