"""The packaged model draws galaxies, and knows those of another mock."""

import numpy as np
import pytest

from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import write_table
from nebulium.generate import posterior_file, sample_file, score_file
from nebulium.mock import make_survey
from nebulium.mock.survey import making

MODEL = "mock-sdss-images"


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    """Galaxies that the model has never seen."""
    folder = tmp_path_factory.mktemp("packaged") / "survey"
    with pytest.MonkeyPatch.context() as patch:
        # Of its pictures nothing is asked here.
        patch.setattr(making, "show_survey", lambda folder: [])
        make_survey("sdss", folder, n=48, seed=977)
    return folder


def test_galaxies_are_drawn_by_name(tmp_path):
    run = sample_file(tmp_path / "drawn.parquet", model=MODEL, given={"log_mstar": 10.5}, n=2, steps=8)
    assert (run.images, run.out_of_domain) == (2, 0)


def test_galaxies_of_candels_are_drawn_by_name(tmp_path):
    given = {"redshift": 1.2, "log_mstar": 10.0}
    run = sample_file(tmp_path / "drawn.parquet", model="mock-candels-images", given=given, n=2, steps=8)
    assert (run.images, run.out_of_domain) == (2, 0)


def test_it_knows_galaxies_that_it_has_never_seen(survey, tmp_path):
    true = read_table(survey / "catalogue.parquet")
    found = read_table(posterior_file(survey, tmp_path / "p.parquet", model=MODEL).output)
    for name, truth in (("log_redshift", np.log10(true["redshift"])), ("log_mstar", true["log_mstar"])):
        deviation = (found[name] - truth) / found[f"{name}_sigma"]
        assert np.std(found[name] - truth) < 0.75 * np.std(truth)
        assert 0.5 < np.std(deviation) < 1.6
    assert np.mean(found["in_domain"]) > 0.8


def test_galaxies_of_the_survey_are_typical_and_likelier_with_their_properties(survey, tmp_path):
    true = read_table(survey / "catalogue.parquet")
    ids = {name: true[name] for name in ("target_id", "log_mstar", "log_sfr", "oh12", "av_mag")}
    ids["log_o32"] = np.full(len(true), np.nan)
    write_table(Table(ids | {"log_redshift": np.log10(true["redshift"])}), tmp_path / "true.parquet")
    options = {"model": MODEL, "table": tmp_path / "true.parquet"}
    scores = read_table(score_file(survey, tmp_path / "s.parquet", **options).output)
    assert np.mean(scores["typicality_p"] > 0.05) > 0.8
    assert np.mean(scores["log_ratio"]) > 0.5
