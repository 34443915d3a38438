"""Figures: they draw what they are given, are legible, bear missing values, and change no setting."""

import sys

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from nebulium.metrics.panels import range_of, running_quantiles
from nebulium.properties.scores import figures, galleries, mass_figures
from nebulium.properties.scores.mass_metallicity import TREMONTI_2004, more_than_mass
from nebulium.properties.scores.scores import Intervals

RANDOM = np.random.default_rng(0)
MASS = RANDOM.uniform(9, 11, 3000)
TRUE = TREMONTI_2004.at(MASS) + RANDOM.normal(0, 0.1, 3000)
HOLES = np.where(RANDOM.random(3000) < 0.2, np.nan, TRUE)
SAID = TRUE + RANDOM.normal(0, 0.05, 3000)
BARS = Intervals.of_sigma(SAID, np.full(3000, 0.05))
PICTURES = RANDOM.random((3, 12, 12, 3))
LABEL = "12 + log(O/H)"

FIGURES = {
    "predicted_against_true": lambda: figures.predicted_against_true(HOLES, SAID, label=LABEL, title="All"),
    "residuals_against": lambda: figures.residuals_against(
        HOLES, SAID, {f"True {LABEL}": TRUE, "log M★ / M☉": MASS}, label=LABEL
    ),
    "calibration_figure": lambda: figures.calibration_figure(HOLES, SAID, BARS, label=LABEL),
    "mass_metallicity_figure": lambda: mass_figures.mass_metallicity_figure(MASS, HOLES, SAID),
    "more_than_mass_figure": lambda: mass_figures.more_than_mass_figure(
        MASS, HOLES, SAID, more_than_mass(HOLES, SAID, MASS, resamples=2)
    ),
    "gallery": lambda: galleries.gallery(
        {"random": PICTURES}, {"random": galleries.captions_of(TRUE[:3], SAID[:3])}, title=LABEL
    ),
    "saliency_figure": lambda: galleries.saliency_figure(
        PICTURES, {"Integrated gradients": PICTURES[..., 0] - 0.5}, ["a", "b", "c"], unit="dex"
    ),
}
NO_FIGURES = {"as_pictures", "captions_of", "class_gallery_rows", "gallery_rows"}


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_draws_and_saves(name, tmp_path):
    figure = FIGURES[name]()
    assert isinstance(figure, Figure)
    figure.savefig(tmp_path / "figure.png", dpi=60)
    assert (tmp_path / "figure.png").stat().st_size > 3000


def test_every_figure_function_is_drawn_here():
    public = {*figures.__all__, *mass_figures.__all__, *galleries.__all__}
    assert set(FIGURES) == public - NO_FIGURES


@pytest.mark.parametrize("name", FIGURES)
def test_settings_are_left_alone(name):
    before = dict(mpl.rcParams)
    FIGURES[name]()
    assert dict(mpl.rcParams) == before
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


@pytest.mark.parametrize("count", [0, 1, 5, 30])
def test_hardly_any_galaxy(count, tmp_path):
    few = [values[:count] for values in (MASS, TRUE, SAID)]
    drawn = [
        figures.predicted_against_true(few[1], few[2], label=LABEL),
        figures.residuals_against(few[1], few[2], {"Mass": few[0]}, label=LABEL),
        figures.calibration_figure(
            few[1], few[2], Intervals(BARS.q16[:count], BARS.q84[:count]), label=LABEL
        ),
        mass_figures.mass_metallicity_figure(*few),
    ]
    for figure in drawn:
        figure.savefig(tmp_path / "figure.png", dpi=30)


def test_nothing_to_compare_with_and_nothing_to_show():
    assert figures.residuals_against(TRUE, SAID, {}, label=LABEL).axes == []
    for empty in (galleries.gallery({}, {}), galleries.saliency_figure(PICTURES[:0], {}, [])):
        assert empty.axes[0].texts[0].get_text() == "no galaxies"


def test_the_panel_says_what_it_shows():
    panel = FIGURES["predicted_against_true"]().axes[0]
    written = panel.texts[0].get_text()
    assert f"{np.isfinite(HOLES).sum():,} galaxies" in written
    assert f"RMSE {np.sqrt(np.nanmean((SAID - HOLES) ** 2)):.3g}" in written
    assert panel.get_ylabel() == f"Predicted {LABEL}"
    assert panel.get_xlim() == panel.get_ylim()


def test_marginals_hold_the_same_galaxies():
    figure = FIGURES["predicted_against_true"]()
    heights = [patch.get_data().values.sum() for axes in figure.axes[1:3] for patch in axes.patches]
    assert heights[0] == heights[1]
    assert max(heights) - min(heights) < 0.02 * max(heights)


def test_constant_values_have_a_range():
    assert range_of(np.full(5, 3.0)) == (2.5, 3.5)
    figures.predicted_against_true(np.full(50, 3.0), np.full(50, 3.0), label=LABEL)


def test_running_quantiles_of_a_gaussian():
    running = running_quantiles(RANDOM.random(20_000), RANDOM.normal(size=20_000))
    assert running.median.size == 12
    np.testing.assert_allclose(running.median, 0, atol=0.15)
    np.testing.assert_allclose(running.q84 - running.q16, 1.99, atol=0.2)


def test_gallery_rows_are_the_ends():
    rows = galleries.gallery_rows(HOLES, each=5, seed=1)
    low, high = np.nanpercentile(HOLES, [2, 98])
    assert (HOLES[rows["lowest 2 %"]] <= low).all()
    assert (HOLES[rows["highest 2 %"]] >= high).all()
    assert np.isfinite(HOLES[rows["random"]]).all()
    assert all(len(set(places)) == 5 for places in rows.values())


def test_gallery_rows_of_fewer_galaxies_than_places():
    rows = galleries.gallery_rows(np.array([1.0, np.nan, 0.0]), each=6)
    assert {kind: sorted(places.tolist()) for kind, places in rows.items()} == dict.fromkeys(rows, [0, 2])


def test_ends_that_are_more_than_2_per_cent_are_not_called_so():
    rows = galleries.gallery_rows(np.arange(40.0), each=6)
    assert list(rows) == ["the 6 lowest", "the 6 highest", "random"]
    assert rows["the 6 highest"].tolist() == [34, 35, 36, 37, 38, 39]


@pytest.mark.parametrize(("count", "legend", "size"), [(60, False, 4), (79, False, 4), (150, True, 2)])
def test_the_legend_names_what_is_drawn_and_few_points_are_large(count, legend, size):
    panel = figures.predicted_against_true(TRUE[:count], SAID[:count], label=LABEL).axes[0]
    assert (panel.get_legend() is not None) == legend
    assert panel.lines[0].get_markersize() == size


@pytest.mark.parametrize(("strengths", "written"), [([1, 1, 2], []), ([1, 10, 100], ["±", "±", "±"])])
def test_maps_of_unlike_strength_have_a_scale_each(strengths, written):
    maps = np.array(strengths)[:, None, None] * np.linspace(-1, 1, 144).reshape(12, 12)
    figure = galleries.saliency_figure(PICTURES, {"Grad-CAM": maps}, ["a", "b", "c"], unit="dex")
    *panels, bar = figure.axes
    assert [text.get_text()[0] for axes in panels for text in axes.texts] == written
    assert bar.get_xlabel() == "Share of the prediction / dex\norange lowers it, purple raises it"


def test_galaxies_without_a_prediction_are_shown():
    captions = galleries.captions_of(
        np.array([8.5, 8.6, 8.7]), np.array([np.nan, 8.6, 8.7]), np.array([np.nan, np.nan, 0.1])
    )
    assert captions == ["8.50 → no prediction", "8.60 → 8.60", "8.70 → 8.70 ± 0.10"]
    titles = [axes.get_title() for axes in galleries.gallery({"r": PICTURES}, {"r": captions}).axes]
    assert titles == captions


@pytest.mark.parametrize("bands", [1, 2, 3, 4, 5])
def test_any_bands_make_a_picture(bands):
    images = RANDOM.normal(0, 1, (2, 8, 8, bands))
    images[:, 3:5, 3:5] += 50
    images[1] *= 1e6
    shown = galleries.as_pictures(images)
    assert shown.shape == (2, 8, 8, 3)
    assert shown.min() == 0
    assert shown.max() == 1
    np.testing.assert_array_equal(galleries.as_pictures(np.zeros((1, 4, 4, bands))), 0)


def test_the_reddest_band_is_red():
    images = np.zeros((1, 8, 8, 4))
    images[0, 3, 3, 3] = 5.0
    assert galleries.as_pictures(images)[0, 3, 3].tolist() == [1.0, 0.0, 0.0]
    assert galleries.as_pictures(images, bands=(0, 1, 3))[0, 3, 3].tolist() == [0.0, 0.0, 1.0]
