"""The synthetic galaxy whose star formation is changed by hand."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.errors import MissingExtraError
from nebulium.explore.sample.synthetic import REDSHIFT, Synthetic, galaxy_maker, tau_of
from nebulium.lines.continuum.line_list import LINES
from nebulium.lines.model import LineModel
from nebulium.modelfile import load_model


@pytest.fixture(scope="module")
def make():
    return galaxy_maker(load_model("desi-lines", of=LineModel))


def test_lines_grow_with_star_formation(make):
    made = [make(tau_of(place)) for place in (0.0, 0.25, 0.5, 0.75, 1.0)]
    halpha = [galaxy.ew_aa["HALPHA"][1] for galaxy in made]
    assert np.all(np.diff([galaxy.log_sfr for galaxy in made]) > 0)
    assert halpha[-1] > 10 * halpha[0]
    # The young are bluer.
    assert made[-1].continuum[0] / made[-1].continuum[-1] > made[0].continuum[0] / made[0].continuum[-1]


def test_quantiles_are_in_order_and_of_all_lines(make):
    widths = make(3.0).ew_aa
    assert tuple(widths) == LINES
    assert all(0 < q16 < q50 < q84 for q16, q50, q84 in widths.values())


def test_medians_are_those_of_the_model(make):
    galaxy = make(3.0)
    model = load_model("desi-lines", of=LineModel)
    expected = np.asarray(model.median_ew(jnp.asarray(galaxy.continuum), jnp.float32(REDSHIFT)))
    assert [q[1] for q in galaxy.ew_aa.values()] == pytest.approx(expected.tolist(), rel=1e-3)


def test_a_step_of_the_slider_compiles_nothing(make, caplog):
    make(3.0)
    with jax.log_compiles():
        for place in np.linspace(0, 1, 5):
            make(tau_of(float(place)))
        assert "Compiling" not in caplog.text
        jax.jit(lambda x: x + 1)(1.0)
    assert "Compiling" in caplog.text


def test_the_slider_stays_within_its_ends():
    assert tau_of(-1.0) == tau_of(0.0) < tau_of(0.5) < tau_of(2.0)


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "dsps", None)
    assert "nebulium[sed]" in Synthetic(None).lacks
    with pytest.raises(MissingExtraError, match="dsps"):
        galaxy_maker(load_model("desi-lines", of=LineModel))
