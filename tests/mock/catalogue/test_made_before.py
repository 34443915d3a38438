"""What a survey has always made of a seed it makes still, whatever columns and files are added."""

import json
from pathlib import Path

import numpy as np
import pytest

from nebulium.mock.survey.blocks import BlockMaker
from nebulium.mock.survey.run_file import RunSettings
from nebulium.mock.survey.survey_list import SURVEYS

# Columns of three galaxies of seed 7 and the pixels in the middle of their images, by survey, from before
# there were line ratios, bands without images and spectra.
BEFORE = json.loads((Path(__file__).parent / "made_before.json").read_text())


@pytest.mark.usefixtures("optimised_programs")
@pytest.mark.parametrize("name", sorted(SURVEYS))
def test_galaxies_and_images_of_a_seed_are_what_they_were(name):
    images = BlockMaker(RunSettings(name, 3, 7, 16, 0.7, shards=1))(0).images
    for column, values in BEFORE[name]["columns"].items():
        expected = np.array(values, float)
        np.testing.assert_allclose(images.table[column], expected, rtol=1e-5, err_msg=column)
    middle = images.flux[:, 8, 8]
    np.testing.assert_allclose(middle, BEFORE[name]["middle_pixels"], rtol=1e-5, atol=1e-5)
