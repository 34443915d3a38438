"""Pictures of the demonstration: pure functions from arrays to a matplotlib `Figure`."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from nebulium.lines.continuum.line_list import LINES, line_index
from nebulium.lines.scores.figures import label_axes, line_panels, name_panel
from nebulium.metrics.figure_style import BLUE, FULL_WIDTH, SMALL, STYLES, TEXT, VERMILION
from nebulium.metrics.panels import shared_legend


def spectra_with_lines(
    wave_rest_aa: Float[np.ndarray, " wave"],
    continua: Float[np.ndarray, "n wave"],
    with_lines: Float[np.ndarray, "n wave"],
    titles: Sequence[str],
) -> Figure:
    """Spectra without and with lines, one below the other."""
    figure = Figure(figsize=(FULL_WIDTH, 1.5 * len(titles) + 0.4), layout="constrained")
    rows = figure.subplots(len(titles), 1, sharex=True, squeeze=False)[:, 0]
    for axes, stars, both, title in zip(rows, continua, with_lines, titles, strict=True):
        axes.plot(wave_rest_aa, both, color=VERMILION, linewidth=0.8, label="with lines")
        axes.plot(wave_rest_aa, stars, color=BLUE, linewidth=1.0, label="stars alone")
        top = min(float(both.max()), 4.0 * float(stars.max()))
        axes.set(xlim=(wave_rest_aa[0], wave_rest_aa[-1]), ylim=(0.0, 1.15 * top))
        axes.set_title(title, fontsize=SMALL, loc="left", pad=2)
        axes.tick_params(labelsize=SMALL)
    shared_legend(figure)
    label_axes(figure, "Rest wavelength / Å (vacuum)", "Flux density / 10⁻¹⁷ erg s⁻¹ cm⁻² Å⁻¹")
    return figure


def magnitude_changes(
    redshift: Float[np.ndarray, " n"], change_mag: Mapping[str, Float[np.ndarray, " n"]]
) -> Figure:
    """How much the lines brighten each band, against redshift."""
    figure = Figure(figsize=(FULL_WIDTH, 2.4), layout="constrained")
    panels = figure.subplots(1, len(change_mag), sharey=True, squeeze=False)[0]
    lowest = min(float(np.percentile(change, 0.5)) for change in change_mag.values())
    for axes, (band, change) in zip(panels, change_mag.items(), strict=True):
        axes.plot(redshift, change, ".", color=BLUE, markersize=2, alpha=0.3, rasterized=True)
        axes.axhline(0.0, color="0.5", linewidth=0.6)
        axes.set_title(band, fontsize=TEXT)
        axes.set_ylim(1.05 * lowest, -0.08 * lowest)
        axes.tick_params(labelsize=SMALL)
    label_axes(figure, "Redshift", "Magnitude with lines − without")
    return figure


def width_histograms(populations: Mapping[str, Float[np.ndarray, "n 10"]]) -> Figure:
    """Histograms of the equivalent widths, a panel a line."""
    figure, panels = line_panels(LINES, "")
    for axes, line in zip(panels, LINES, strict=True):
        values = {name: widths[:, line_index(line)] for name, widths in populations.items()}
        pooled = np.log10(np.concatenate(list(values.values())))
        low, high = (float(np.percentile(pooled, share)) for share in (0.5, 99.8))
        edges = np.logspace(low, high, 41)
        for (name, widths), (colour, style) in zip(values.items(), STYLES, strict=False):
            heights = np.histogram(widths, edges)[0] / widths.size
            axes.stairs(heights, edges, color=colour, linestyle=style, linewidth=1.1, label=name)
        name_panel(axes, line)
        axes.set(xscale="log", yticks=[])
    shared_legend(figure)
    label_axes(figure, "EW / Å (rest frame)", "Fraction of galaxies")
    return figure
