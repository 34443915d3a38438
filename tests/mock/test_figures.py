"""Pictures of a mock: axes with units, every galaxy where it belongs."""

import numpy as np
import pytest

from nebulium.data.tables.table import Table
from nebulium.lines.continuum.line_list import LINES
from nebulium.mock.images.noise import sky_sigma
from nebulium.mock.images.stamp_page import stamp_colours, stamp_page
from nebulium.mock.instruments import INSTRUMENTS, instrument
from nebulium.mock.survey.catalogue_figures import curve_redshifts, relation_panels
from nebulium.mock.survey.pictures import colour_tracks

BANDS = ("sdss_g0", "sdss_i0", "sdss_r0")


def catalogue(n: int = 60, highest: float = 0.2) -> Table:
    rng = np.random.default_rng(0)
    columns = {
        "redshift": rng.uniform(0.02, highest, n),
        "log_mstar": rng.uniform(9.0, 11.0, n),
        "log_sfr": rng.uniform(-3.0, 1.0, n),
        "oh12": rng.uniform(8.3, 8.9, n),
        "half_light_radius_kpc": rng.uniform(1.0, 9.0, n),
        "in_domain": rng.random(n) > 0.3,
        "redshift_spec": np.where(rng.random(n) > 0.5, 0.1, np.nan),
        **{f"mag_ab_obs_{band}": rng.uniform(15.0, 17.7, n) for band in BANDS},
        **{f"ew_{line}": rng.lognormal(size=n) for line in LINES},
    }
    columns["mag_ab_obs_sdss_g0"][3] = np.nan
    return Table(columns)


@pytest.mark.parametrize("highest", [0.2, 3.0])
def test_panels_have_titles_units_and_curves(highest, tmp_path):
    tracks = {"old": (np.linspace(0, highest, 5), np.linspace(1, 2, 5))}
    figure = relation_panels(catalogue(highest=highest), bands=BANDS, tracks=tracks, title="Made up")
    figure.savefig(tmp_path / "a.png")
    panels = {axes.get_title(): axes for axes in figure.axes if axes.get_title()}
    assert len(panels) == 6
    assert panels["Mass and metallicity"].get_ylabel() == "12 + log₁₀ O/H (gas)"
    assert panels["Size and mass"].get_ylabel().endswith("kpc")
    assert panels["Main sequence"].get_ylabel().startswith("log₁₀ SFR / M⊙ yr⁻¹")
    assert panels["Colour and redshift"].get_ylabel() == "g − i / mag (AB, measured)"
    assert all(axes.get_xlabel() and axes.get_legend() is not None for axes in panels.values())
    source = {0.2: "Renzini & Peng 15", 3.0: "Speagle+ 14"}[highest]
    assert source in panels["Main sequence"].get_legend().get_texts()[0].get_text()


def test_a_catalogue_without_lines_in_the_domain_is_drawn(tmp_path):
    table = catalogue()
    table = table.with_columns({"in_domain": np.zeros(len(table), bool)})
    track = {"old": (np.array([0.0, 0.2]), np.array([1.0, 1.2]))}
    figure = relation_panels(table, bands=BANDS, tracks=track, title="")
    figure.savefig(tmp_path / "a.png")
    assert any("(0%)" in axes.get_title() for axes in figure.axes)


def test_quiescent_galaxies_are_open_squares():
    table = catalogue()
    expected = table["log_sfr"] - table["log_mstar"] < np.log10(0.2 / 12.4e9)
    track = {"old": (np.array([0.0, 0.2]), np.array([1.0, 1.2]))}
    size = relation_panels(table, bands=BANDS, tracks=track, title="").axes[1]
    discs, squares = size.collections
    assert len(squares.get_offsets()) == pytest.approx(expected.sum(), abs=0.05 * len(table))
    assert len(discs.get_offsets()) + len(squares.get_offsets()) == len(table)


def test_curves_are_drawn_where_the_galaxies_are():
    assert curve_redshifts(np.linspace(0.02, 0.2, 50)) == [0.11]
    assert curve_redshifts(np.linspace(0.0, 3.0, 50)) == [0.5, 1.5, 2.5]


def test_old_stars_are_redder_and_redden_with_redshift():
    old, young = colour_tracks(("sdss_g0", "sdss_i0"), 0.3).values()
    assert np.all(old[1] > young[1])
    assert old[1][-1] > old[1][0] + 0.3


@pytest.mark.parametrize("name", sorted(INSTRUMENTS))
def test_a_brighter_galaxy_is_a_brighter_stamp(name):
    made = instrument(name)
    dark = np.zeros((8, 8, len(made.bands)))
    red = dark.copy()
    red[2, 2, -1] = sky_sigma(made, made.bands[-1])
    faint, bright = stamp_colours(red, made), stamp_colours(20.0 * red, made)
    assert stamp_colours(dark, made).max() == 0
    assert bright[2, 2, 0] > faint[2, 2, 0] > 0
    assert bright[2, 2, 1] == bright[2, 2, 2] == 0


def test_a_page_keeps_the_order_and_the_way_up():
    made = instrument("sdss")
    images = np.zeros((10, 8, 8, 3))
    images[9, 0, :, :] = 10.0
    figure = stamp_page(images, made, [str(place) for place in range(10)], title="Ten")
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == [str(place) for place in range(10)]
    page = axes.images[0].get_array()
    bright = np.argwhere((page > 100).all(axis=-1) & (page < 255).any(axis=-1))
    # The tenth lies in the second row, second column, and its first row of pixels is its lowest.
    assert bright[:, 0].min() == page.shape[0] - 1
    assert 8 <= bright[:, 1].min() < bright[:, 1].max() <= 17
