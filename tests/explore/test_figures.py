"""Figures without a server: what they say, what they leave out, and how heavy they are."""

import json

import numpy as np
import pytest

from nebulium.explore.draw.colours import MISSING, NOTHING, colour_scale
from nebulium.explore.draw.diagram_figures import bpt_figure, predicted_against_observed_figure
from nebulium.explore.draw.frame import empty_figure, graph_config
from nebulium.explore.draw.map_figures import Marks, Points, map_figure
from nebulium.explore.draw.raster import raster
from nebulium.explore.draw.redshift_figures import redshift_density_figure
from nebulium.explore.draw.spectrum_figures import photometry_figure, spectrum_figure
from nebulium.explore.draw.theme import DARK, LIGHT
from nebulium.explore.page.explored import Explored
from nebulium.explore.sample.galaxies import Galaxies
from nebulium.lines.continuum.line_list import LINE_WAVES_AA, LINES
from nebulium.lines.scores.bpt import BptRatios

WINDOW = (0.0, 1.0, 0.0, 1.0)
NAN = float("nan")
EWS = {line: 10.0 + place for place, line in enumerate(LINES)}
QUANTILES = {line: (5.0, 10.0, 20.0) for line in LINES}


def words(figure) -> str:
    return " ".join(annotation.text for annotation in figure.layout.annotations)


def axis_titles(figure) -> list[str]:
    layout = figure.layout.to_plotly_json()
    return [axis.get("title", {}).get("text", "") for name, axis in layout.items() if name[1:5] == "axis"]


def one_map(drawn, scale, theme=LIGHT, **options):
    return map_figure({"": drawn}, scale, theme, window=WINDOW, **options)


def cloud_of(n: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 1, (n, 2)).astype(np.float32)


def some_figures(theme):
    """One of each, with something in it."""
    xy, values = cloud_of(500), np.linspace(1, 1000, 500)
    scale = colour_scale("ew_HALPHA", values, unit="Angstrom")
    marks = Marks((0.5, 0.5), xy[:5], xy[:4], xy[:9], (0.1, 0.2))
    edges = np.linspace(0, 2, 41)
    ratios = BptRatios(np.linspace(-1, 0, 500), np.linspace(-1, 1, 500))
    rows = np.arange(30)
    return {
        "raster": one_map(raster(xy, values, WINDOW, (20, 30)), scale, theme, marks=marks),
        "points": one_map(Points(xy, values, np.arange(500)), scale, theme, marks=marks),
        "spectrum": spectrum_figure(np.ones(12), EWS, QUANTILES, redshift=0.1, theme=theme),
        "photometry": photometry_figure(["g", "r"], np.array([1.0, 50.0]), np.array([0.1, NAN]), theme),
        "bpt": bpt_figure(ratios, theme, selected=rows, pinned=(0.0, 0.0), pinned_predicted=(0.1, 0.1)),
        "predicted": predicted_against_observed_figure(
            values,
            values * 1.1,
            ("EW / Å", "predicted EW / Å"),
            theme,
            logarithmic=True,
            selected=rows,
            pinned=3,
        ),
        "density": redshift_density_figure(edges, np.ones(40) / 40, theme, known=0.5),
    }


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_every_figure_is_labelled_described_transparent_and_keeps_its_zoom(theme):
    for name, figure in some_figures(theme).items():
        assert any(axis_titles(figure)), name
        assert all(axis_titles(figure)), name
        assert figure.layout.meta["description"], name
        assert figure.layout.uirevision, name
        assert figure.layout.template.layout.paper_bgcolor == "rgba(0,0,0,0)", name
        assert "hovertemplate" not in figure.to_json(), name


def test_arrays_travel_as_bytes_and_plotlys_own_template_does_not():
    content = json.loads(some_figures(LIGHT)["points"].to_json())
    points = content["data"][0]
    assert points["marker"]["color"]["dtype"] == "u1"
    assert {points["x"]["dtype"], points["y"]["dtype"], points["customdata"]["dtype"]} == {"f4", "i4"}
    assert len(json.dumps(content["layout"]["template"])) < 3000


def test_a_map_is_light():
    xy, values = cloud_of(100_000), np.random.default_rng(1).lognormal(size=100_000)
    cells, scale = raster(xy, values, WINDOW, (200, 200)), colour_scale("x", values)
    assert len(one_map(cells, scale).to_json()) < 100_000


def test_three_panels_share_one_scale_and_one_zoom():
    xy, values = cloud_of(50), np.linspace(1, 2, 50)
    panels = {
        name: Points(xy, values * k, np.arange(50)) for k, name in enumerate(("one", "two", "three"), 1)
    }
    figure = map_figure(panels, colour_scale("z", values, 3 * values), LIGHT, window=WINDOW)
    assert {trace.marker.coloraxis for trace in figure.data if trace.type == "scattergl"} == {"coloraxis"}
    assert [figure.layout.xaxis3.matches, figure.layout.yaxis2.matches] == ["x", "y"]
    assert all(name in words(figure) for name in panels)


def test_cells_without_galaxies_are_clear_and_without_values_grey():
    xy = np.array([[0.1, 0.1], [0.9, 0.9]])
    cells = raster(xy, np.array([1.0, NAN]), WINDOW, (2, 2))
    z = one_map(cells, colour_scale("x", np.array([0.0, 1.0]))).data[0].z
    assert z.tolist() == [[255, NOTHING], [NOTHING, MISSING]]


@pytest.mark.parametrize("n", [0, 1])
def test_maps_of_no_galaxy_and_of_one(n):
    xy, values = np.full((n, 2), 0.5, np.float32), np.full(n, NAN)
    scale = colour_scale("x", values)
    for drawn in (Points(xy, values, np.arange(n)), raster(xy, values, WINDOW, (3, 3))):
        assert ("no galaxies here" in words(one_map(drawn, scale))) == (n == 0)


def test_an_outline_of_the_browser_gives_way_to_the_one_of_the_state():
    drawn, scale = Points(cloud_of(5), np.ones(5), np.arange(5)), colour_scale("x", np.ones(5))
    names = [
        one_map(drawn, scale, marks=Marks(selection=outline)).layout.selectionrevision
        for outline in (None, np.zeros((3, 2)), np.ones((3, 2)))
    ]
    assert len(set(names)) == 3


def test_lines_stand_where_they_are_in_either_frame():
    at_rest = spectrum_figure(np.ones(12), {"HALPHA": 30.0}, {}, redshift=0.5, theme=LIGHT).data[1]
    away = spectrum_figure(
        np.ones(12), {"HALPHA": 30.0}, {}, redshift=0.5, frame="observed", theme=LIGHT
    ).data[1]
    assert float(at_rest.x[np.nanargmax(at_rest.y)]) == pytest.approx(LINE_WAVES_AA["HALPHA"], abs=1)
    assert float(away.x[np.nanargmax(away.y)]) == pytest.approx(1.5 * LINE_WAVES_AA["HALPHA"], abs=1)


def test_a_drawn_line_has_its_equivalent_width():
    line = spectrum_figure(np.full(12, 2.0), {"HBETA": 30.0}, {}, theme=LIGHT).data[1]
    assert np.trapezoid(line.y - 2.0, line.x) / 2.0 == pytest.approx(30.0, rel=1e-3)


def test_the_observed_frame_needs_a_redshift():
    for known in ({}, {"redshift": NAN}):
        figure = spectrum_figure(np.ones(12), EWS, {}, **known, frame="observed", theme=LIGHT)
        assert figure.layout.xaxis.title.text.startswith("Rest")


def test_spectra_with_gaps_without_continuum_and_without_anything():
    some = np.ones(12)
    some[[3, 10]] = NAN
    assert len(spectrum_figure(some, EWS, QUANTILES, theme=LIGHT).data) > 3
    alone = spectrum_figure(None, EWS, {}, theme=LIGHT)
    assert alone.layout.yaxis.title.text == "Flux density / continuum"
    nothing = spectrum_figure(np.full(12, NAN), {"HALPHA": NAN}, {"HBETA": (NAN, NAN, NAN)}, theme=LIGHT)
    assert "neither a continuum" in words(nothing)


@pytest.mark.parametrize("flux", [np.zeros(12), -np.ones(12), np.full(12, 1e-30), np.full(12, 1e30)])
def test_strange_continua_have_a_range(flux):
    low, high = spectrum_figure(flux, EWS, QUANTILES, theme=LIGHT).layout.yaxis.range
    assert np.isfinite([low, high]).all()
    assert low < high


def test_names_of_filters_are_not_tags():
    content = photometry_figure(["<b>g</b>", "r"], np.array([1.0, NAN]), None, LIGHT).to_json()
    assert "<b>" not in content.replace("\\u003c", "<")
    assert "no flux through any" in words(photometry_figure(["g"], np.array([NAN]), None, LIGHT))


def test_bpt_needs_its_four_lines():
    values = {f"ew_{line}": np.array([1.0, 0.0, NAN, -2.0]) for line in LINES}
    ids = np.arange(4).astype(np.str_)
    assert Explored(Galaxies("a", ids, {"ew_HALPHA": np.ones(4)}), None).ratios is None
    ratios = Explored(Galaxies("a", ids, values), None).ratios
    assert np.isfinite(ratios.x).tolist() == [True, False, False, False]
    assert "all four lines" in words(bpt_figure(BptRatios(np.full(3, NAN), np.zeros(3)), LIGHT))


def test_many_galaxies_are_cells_and_large_selections_thinned():
    x = np.random.default_rng(0).normal(0, 0.3, (2, 50_000))
    figure = bpt_figure(BptRatios(x[0], x[1]), LIGHT, selected=np.arange(40_000))
    assert figure.data[0].type == "heatmap"
    assert figure.data[2].name == "selected, 40,000"
    assert len(figure.data[2].x) <= 1500
    assert len(figure.to_json()) < 120_000


def test_predictions_say_how_many_were_left_out():
    observed, predicted = np.array([1.0, 0.0, -1.0, NAN, 2.0]), np.ones(5)
    labels = ("EW / Å", "predicted EW / Å")
    figure = predicted_against_observed_figure(observed, predicted, labels, LIGHT, logarithmic=True)
    assert "2 galaxies" in words(figure)
    assert "2 not positive" in words(figure)
    nothing = predicted_against_observed_figure(np.full(2, NAN), np.ones(2), labels, LIGHT)
    assert "No galaxy has both" in words(nothing)
    one = predicted_against_observed_figure(np.ones(1), np.ones(1), labels, LIGHT, pinned=0)
    assert "1 galaxies" in words(one)


def test_density_is_normalised_and_may_be_missing():
    edges = np.expm1(np.linspace(0, 1, 101))
    mass = np.exp(-0.5 * ((edges[1:] - 0.6) / 0.05) ** 2)
    figure = redshift_density_figure(edges, mass, LIGHT, known=3.0)
    curve = figure.data[0]
    assert np.trapezoid(curve.y, curve.x) == pytest.approx(1.0, rel=1e-4)
    assert figure.layout.xaxis.range[1] > 3.0
    for bad in (np.zeros(100), np.full(100, NAN)):
        assert "no redshift density" in words(redshift_density_figure(edges, bad, LIGHT))


def test_empty_figures_break_long_lines():
    assert "<br>" in words(empty_figure("word " * 30, DARK))


def test_the_bar_sends_nothing_anywhere():
    config = graph_config("../<x>")
    assert config["showSendToCloud"] is False
    assert config["plotlyServerURL"] == ""
    assert config["displaylogo"] is False
    assert config["toImageButtonOptions"]["filename"] == "nebulium--x-"
