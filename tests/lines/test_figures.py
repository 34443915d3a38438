"""Figures: they draw what they are given, are legible, and leave matplotlib as it was."""

import sys

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from nebulium.lines.continuum.line_list import DISPLAY_NAMES, LINES
from nebulium.lines.scores import bpt, figures

RANDOM = np.random.default_rng(0)
WIDTHS = RANDOM.lognormal(1.0, 1.0, (800, 10))
PREDICTED = WIDTHS * RANDOM.lognormal(0.0, 0.3, (800, 10))
HOLES = np.where(RANDOM.random((800, 10)) < 0.2, np.nan, WIDTHS)

FIGURES = {
    "predicted_against_observed": lambda: figures.predicted_against_observed(HOLES, PREDICTED, title="All"),
    "ew_distributions": lambda: figures.ew_distributions(HOLES, {"median": PREDICTED, "sample": HOLES}),
    "bpt_diagram": lambda: figures.bpt_diagram({"observed": HOLES, "samples": PREDICTED}),
    "pit_histograms": lambda: figures.pit_histograms({line: RANDOM.random(300) for line in LINES}),
    "coverage_against_flux": lambda: figures.coverage_against_flux(
        np.geomspace(1, 30, 5),
        {"68 %": np.full((10, 5), 0.67), "95 %": np.full((10, 5), 0.94)},
        {"68 %": 0.68, "95 %": 0.95},
    ),
    "score_table": lambda: figures.score_table(
        {"median": np.ones(10), "model": np.zeros(10)}, quantity="CRPS / Å"
    ),
}


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_draws_and_saves(name, tmp_path):
    figure = FIGURES[name]()
    assert isinstance(figure, Figure)
    figure.savefig(tmp_path / "figure.png", dpi=60)
    assert (tmp_path / "figure.png").stat().st_size > 3000


def test_every_figure_function_is_drawn_here():
    assert set(FIGURES) == set(figures.__all__)


@pytest.mark.parametrize("name", FIGURES)
def test_settings_are_left_alone(name):
    before = dict(mpl.rcParams)
    FIGURES[name]()
    assert dict(mpl.rcParams) == before
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


@pytest.mark.parametrize("name", FIGURES)
def test_axes_are_labelled_with_units(name):
    figure = FIGURES[name]()
    text = " ".join(
        [
            figure.get_supxlabel(),
            figure.get_supylabel(),
            figure.axes[0].get_xlabel(),
            figure.axes[0].get_ylabel(),
        ]
    )
    assert any(word in text for word in ("Å", "log EW", "transform"))


def test_panels_carry_names_and_numbers():
    panel = figures.predicted_against_observed(WIDTHS, WIDTHS).axes[6]
    assert panel.get_title() == DISPLAY_NAMES["HALPHA"]
    written = " ".join(text.get_text() for text in panel.texts)
    assert "ρ 1.000" in written
    assert "NMAD 0 Å" in written
    assert "800" in written
    assert panel.get_xscale() == panel.get_yscale() == "log"


def test_missing_and_negative_values_leave_a_panel_not_the_figure():
    observed, predicted = WIDTHS.copy(), PREDICTED.copy()
    observed[:, 0], predicted[:400, 1] = np.nan, -1.0
    panels = figures.predicted_against_observed(observed, predicted).axes
    assert panels[0].texts[0].get_text() == "no galaxies"
    assert "400" in panels[1].texts[1].get_text()


def test_distributions_are_fractions_of_all():
    panel = figures.ew_distributions(WIDTHS, {"same": WIDTHS}).axes[0]
    heights = [patch.get_data().values for patch in panel.patches]
    np.testing.assert_array_equal(heights[0], heights[1])
    assert heights[0].sum() == pytest.approx(0.975, abs=0.005)


def test_what_excites_the_gas_by_hand():
    # [N II] / Halpha and [O III] / Hbeta of each kind; the last ones have weak lines, and none.
    kinds = {"star-forming": (0.2, 1.0), "composite": (0.7, 1.0), "AGN": (1.0, 10.0), "passive": (1.0, 10.0)}
    widths = np.full((6, len(LINES)), np.nan, np.float32)
    for row, (nii, oiii) in enumerate([*kinds.values(), (4.0, 0.1), (np.nan, 1.0)]):
        halpha = 1.0 if row == 3 else 20.0
        for line, width in zip(bpt.BPT_LINES, (nii * halpha, halpha, oiii * 5.0, 5.0), strict=True):
            widths[row, LINES.index(line)] = width
    assert bpt.bpt_classes(widths).tolist() == [*kinds, "AGN", ""]


def test_bpt_ratios_by_hand():
    widths = np.ones((3, 10))
    widths[0, [LINES.index("NII_6584"), LINES.index("OIII_5007")]] = 10.0, 0.1
    widths[1, LINES.index("HBETA")] = np.nan
    widths[2, LINES.index("HALPHA")] = -1.0
    ratios = bpt.bpt_ratios(widths)
    assert ratios.x == pytest.approx([1.0])
    assert ratios.y == pytest.approx([-1.0])


@pytest.mark.parametrize(("curve", "x", "y"), [
    (bpt.KAUFFMANN_2003, -0.25, 1.3 - 0.61 / 0.3),
    (bpt.KEWLEY_2001, -0.53, 1.19 - 0.61),
])  # fmt: skip
def test_curves_stop_at_their_asymptotes(curve, x, y):
    assert curve.height(np.array([x])) == pytest.approx([y])
    assert np.isnan(curve.height(np.array([curve.asymptote, curve.asymptote + 0.5]))).all()
    (line,) = [line for line in FIGURES["bpt_diagram"]().axes[0].lines if line.get_label() == curve.name]
    assert line.get_xdata().max() < curve.asymptote


def test_contours_hold_the_stated_share():
    """Of a Gaussian cloud: 68 % lies within 1.51 sigma, 95 % within 2.45."""
    cloud = bpt.BptRatios(*np.random.default_rng(1).normal(0, 0.2, (2, 20_000)))
    density = bpt._smooth_density(cloud)
    cells = [bpt._middles(limits, density.shape[0]) for limits in bpt.GRID]
    radius = np.hypot(*np.meshgrid(*cells, indexing="ij"))
    for share, sigmas in ((0.68, 1.51), (0.95, 2.45)):
        edge = radius[density >= bpt._level_holding(density, share)].max()
        assert edge == pytest.approx(0.2 * sigmas, rel=0.15)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_bpt_with_hardly_any_galaxy(count):
    figures.bpt_diagram({"observed": WIDTHS, "few": WIDTHS[:count]})


def test_real_table(nebulium_data):
    import pyarrow.parquet as pq

    table = pq.read_table(nebulium_data / "desi" / "desi_edr_emission_lines.parquet").slice(0, 3000)
    observed, published = (
        np.stack([table[f"{kind}_{line}"].to_numpy() for line in LINES], axis=1)
        for kind in ("ew", "published_ew")
    )
    assert len(figures.predicted_against_observed(observed, published).axes) == 10
    assert len(figures.bpt_diagram({"observed": observed, "published": published}).axes) == 1
