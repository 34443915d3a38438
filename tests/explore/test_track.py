"""The synthetic galaxy whose star formation is changed by hand."""

from importlib.machinery import ModuleSpec

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.errors import MissingExtraError
from nebulium.explore.sample import track
from nebulium.explore.sample.track import (
    History,
    SyntheticGalaxies,
    slider_histories,
    tau_of,
)
from nebulium.lines.continuum.line_list import LINES
from nebulium.lines.model import LineModel
from nebulium.modelfile import load_model


@pytest.fixture(scope="module")
def make():
    return SyntheticGalaxies(load_model("desi-lines", of=LineModel))


def test_lines_grow_with_star_formation(make):
    made = [make(history) for history in slider_histories(History(), 5)]
    halpha = [galaxy.ew_aa["HALPHA"][1] for galaxy in made]
    assert np.all(np.diff([galaxy.log_sfr for galaxy in made]) > 0)
    assert halpha[-1] > 10 * halpha[0]
    # The young are bluer.
    assert made[-1].continuum[0] / made[-1].continuum[-1] > made[0].continuum[0] / made[0].continuum[-1]


def test_quantiles_are_in_order_and_of_all_lines(make):
    widths = make(History()).ew_aa
    assert tuple(widths) == LINES
    assert all(0 < q16 < q50 < q84 for q16, q50, q84 in widths.values())


def test_medians_are_those_of_the_model(make):
    galaxy = make(History())
    model = load_model("desi-lines", of=LineModel)
    expected = np.asarray(
        model.median_ew(jnp.asarray(galaxy.continuum), jnp.float32(galaxy.history.redshift))
    )
    assert [q[1] for q in galaxy.ew_aa.values()] == pytest.approx(expected.tolist(), rel=1e-3)


def test_a_burst_and_dust_show(make):
    plain, burst, dusty = make(History()), make(History(burst_share=0.01)), make(History(av_mag=1.5))
    assert burst.ew_aa["HALPHA"][1] > plain.ew_aa["HALPHA"][1]
    assert dusty.continuum[0] < plain.continuum[0]


def test_a_step_of_the_slider_compiles_nothing(make, caplog):
    make(History())
    with jax.log_compiles():
        for place in np.linspace(0, 1, 5):
            make(History(tau_gyr=tau_of(float(place))))
        assert "Compiling" not in caplog.text
        jax.jit(lambda x: x + 1)(1.0)
    assert "Compiling" in caplog.text


def test_the_slider_stays_within_its_ends():
    assert tau_of(-1.0) == tau_of(0.0) < tau_of(0.5) < tau_of(2.0)


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    found = {"dsps": None, "sedpy": ModuleSpec("sedpy", None)}
    monkeypatch.setattr(track, "find_spec", lambda name: found[name])
    assert "nebulium[sed]" in str(track.missing_extra())
    with pytest.raises(MissingExtraError, match="dsps"):
        SyntheticGalaxies(load_model("desi-lines", of=LineModel))
