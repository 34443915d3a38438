"""Figures: they draw what they are given, are legible, bear missing values, and change no setting."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from nebulium.photoz.density.densities import RedshiftDensities
from nebulium.photoz.density.grid import RedshiftGrid
from nebulium.photoz.scores import calibration_figures as score_figures
from nebulium.photoz.scores import figures
from nebulium.photoz.scores.scores import METRICS
from nebulium.verbs.score import Bootstrap, equal_samples, score_method

RANDOM = np.random.default_rng(0)
N = 2500
GRID = RedshiftGrid(4.0, 100)
TRUE = RANDOM.uniform(0.1, 3.0, N)
PREDICTED = TRUE + RANDOM.normal(0, 0.03, N) * (1 + TRUE)
HOLES = np.where(RANDOM.random(N) < 0.2, np.nan, TRUE)
PIT = RANDOM.uniform(size=N)
DENSITIES = RedshiftDensities(GRID, RANDOM.dirichlet(np.ones(100), N).astype(np.float32))
GALAXIES = {
    name: {"true": TRUE, "predicted": PREDICTED + shift, "delta": (PREDICTED + shift - TRUE) / (1 + TRUE)}
    for name, shift in (("pita", 0), ("photometry", 0.1))
}
FEW = Bootstrap(resamples=2)
ALONG = [
    score_method(name, those, METRICS, sample=part, bootstrap=FEW)
    for name, those in GALAXIES.items()
    for part in equal_samples("redshift", TRUE, 4)
]
WHOLE = {name: [score_method(name, those, METRICS, bootstrap=FEW)] * 3 for name, those in GALAXIES.items()}

FIGURES = {
    "predicted": lambda: figures.predicted_against_spectroscopic(HOLES, PREDICTED, title="pita"),
    "predicted_few": lambda: figures.predicted_against_spectroscopic(HOLES[:60], PREDICTED[:60]),
    "densities": lambda: figures.density_panels(
        DENSITIES.select(slice(0, 5)), HOLES[:5], names=list("abcde"), title="pita"
    ),
    "distribution": lambda: figures.redshift_distribution(HOLES, {"pita": DENSITIES}),
    "calibration": lambda: score_figures.calibration_figure(
        {"pita": np.where(RANDOM.random(N) < 0.1, np.nan, PIT), "photometry": PIT**2}
    ),
    "scores": lambda: score_figures.scores_against(ALONG, "Redshift"),
    "fractions": lambda: score_figures.label_fraction_figure(dict.fromkeys(WHOLE, [0.05, 0.2, 1.0]), WHOLE),
}


def texts(figure):
    return [text for text in figure.findobj(mpl.text.Text) if text.get_visible() and text.get_text().strip()]


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_legible_and_change_nothing(name, tmp_path):
    before = dict(mpl.rcParams)
    figure = FIGURES[name]()
    assert isinstance(figure, Figure)
    figure.savefig(tmp_path / "figure.png", dpi=80)
    assert dict(mpl.rcParams) == before
    assert min(text.get_fontsize() for text in texts(figure)) >= 6
    assert figure.get_size_inches()[0] <= 7.4
    labelled = [axes for axes in figure.axes if axes.get_xlabel()]
    assert labelled


@pytest.mark.parametrize("name", ["densities", "calibration", "scores", "fractions"])
def test_legends_and_titles_do_not_lie_on_labels(name):
    figure = FIGURES[name]()
    figure.draw_without_rendering()
    boxes = [legend.get_window_extent() for legend in figure.legends]
    others = [axes.get_tightbbox() for axes in figure.axes]
    others += [text.get_window_extent() for text in figure.texts]
    others += [figure._suptitle.get_window_extent()] if figure._suptitle else []
    assert not any(box.overlaps(other) for box in boxes for other in others)


def test_numbers_in_the_panel_are_those_of_the_arrays():
    figure = figures.predicted_against_spectroscopic(TRUE, TRUE + 0.2 * (1 + TRUE))
    text = figure.axes[0].texts[0].get_text()
    assert "2,500 galaxies" in text
    assert "bias +0.2000" in text
    assert "100.00 %" in text


@pytest.mark.parametrize("draw", [
    lambda: figures.predicted_against_spectroscopic(np.full(3, np.nan), np.ones(3)),
    lambda: figures.density_panels(DENSITIES.select(slice(0, 0))),
    lambda: figures.redshift_distribution(np.full(N, np.nan), {"pita": DENSITIES}),
    lambda: score_figures.calibration_figure({"pita": np.full(3, np.nan)}),
    lambda: score_figures.scores_against([], "Redshift"),
    lambda: score_figures.label_fraction_figure({}, {}),
])  # fmt: skip
def test_nothing_to_draw_is_drawn_as_nothing(draw, tmp_path):
    draw().savefig(tmp_path / "empty.png", dpi=50)


def test_summed_densities_are_normalised():
    figure = figures.redshift_distribution(TRUE, {"pita": DENSITIES})
    line = figure.axes[0].lines[0]
    assert np.sum(line.get_ydata() * np.diff(GRID.edges)) == pytest.approx(1.0)


def test_methods_in_one_panel_stand_side_by_side():
    figure = score_figures.scores_against(ALONG, "Redshift")
    first, second = (container.lines[0].get_xdata() for container in figure.axes[0].containers)
    assert np.all(first < second)
    assert np.all(second[:-1] < first[1:])
