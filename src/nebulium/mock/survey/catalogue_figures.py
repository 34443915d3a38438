"""Panels of a mock catalogue over the relations that it should follow: a table in, a `Figure` out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
from jaxtyping import Array, Bool, Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from nebulium.data.tables.table import Table
from nebulium.lines.scores.bpt import BPT_LINES, draw_demarcations, line_ratios
from nebulium.metrics.figure_style import BLUE, FULL_WIDTH, SMALL, TEXT, VERMILION
from nebulium.mock.populations.relations import main_sequence, main_sequence_speagle14, oh12_mass
from nebulium.mock.structure import is_quiescent, median_log_size
from nebulium.sed.cosmology import age_gyr

COLOURS = "viridis"
#: Redshift from which the relations of the distant Universe are drawn and not those of the local one.
DISTANT = 0.25
#: Corners of the panels that the legends take.
LEGENDS = ("best", "best", "best", "lower right", "lower left", "upper left")
Values = Float[np.ndarray, " n"]


def relation_panels(
    galaxies: Table, *, bands: Sequence[str], tracks: Mapping[str, Any], title: str
) -> Figure:
    """Six panels of a catalogue: colour, size, star formation, metallicity, lines and counts."""
    figure = Figure(figsize=(FULL_WIDTH, 0.68 * FULL_WIDTH), layout="constrained")
    panels = figure.subplots(2, 3)
    redshift = galaxies["redshift"]
    norm = Normalize(*np.percentile(redshift, [1, 99]))
    curves = curve_redshifts(redshift)
    _colour_panel(panels[0, 0], galaxies, bands[:2], tracks, norm)
    _size_panel(panels[0, 1], galaxies, curves, norm)
    _sequence_panel(panels[0, 2], galaxies, curves, norm)
    _metallicity_panel(panels[1, 0], galaxies, curves, norm)
    _line_panel(panels[1, 1], galaxies, norm)
    _count_panel(panels[1, 2], galaxies, bands[2])
    for axes, where in zip(panels.flat, LEGENDS, strict=True):
        axes.tick_params(labelsize=SMALL)
        legend = axes.legend(fontsize=SMALL - 1.5, loc=where, handlelength=1.8, framealpha=0.8)
        legend.get_frame().set_edgecolor("none")
    bar = figure.colorbar(ScalarMappable(norm, COLOURS), ax=panels[:, 2], aspect=40, fraction=0.08)
    bar.set_label("Redshift", fontsize=TEXT)
    bar.ax.tick_params(labelsize=SMALL)
    figure.suptitle(f"{title} (discs: star-forming; open squares: quiescent)", fontsize=TEXT + 1)
    return figure


def curve_redshifts(redshift: Values) -> list[float]:
    """Redshifts at which the relations are drawn: one for a narrow sample, three for a deep one."""
    low, middle, high = np.percentile(redshift, [16, 50, 84])
    if high - low < 0.5:
        return [round(float(middle), 2)]
    return [round(2.0 * float(value)) / 2.0 for value in (low, middle, high)]


def _points(axes: Axes, x: Values, y: Values, galaxies: Table, norm: Normalize) -> None:
    """Star-forming galaxies as discs, quiescent ones as open squares, by redshift."""
    colours = matplotlib.colormaps[COLOURS](norm(galaxies["redshift"]))
    log_ssfr = jnp.asarray(galaxies["log_sfr"] - galaxies["log_mstar"], jnp.float32)
    redshift = jnp.asarray(galaxies["redshift"], jnp.float32)
    quiescent = np.asarray(jax.vmap(is_quiescent)(log_ssfr, redshift))
    size = float(np.clip(4000.0 / len(x), 1.5, 9.0))
    axes.scatter(x[~quiescent], y[~quiescent], size, colours[~quiescent], linewidths=0.0, rasterized=True)
    axes.scatter(
        x[quiescent],
        y[quiescent],
        1.3 * size,
        marker="s",
        facecolors="none",
        edgecolors=colours[quiescent],
        linewidths=0.6,
        rasterized=True,
    )
    _window(axes.set_xlim, x)
    _window(axes.set_ylim, y)


def _window(limits: Callable[[float, float], Any], values: Values) -> None:
    """All but the last per cent at each side."""
    good = values[np.isfinite(values)]
    if good.size:
        low, high = np.percentile(good, [0.7, 99.3])
        margin = 0.06 * max(high - low, 0.1)
        limits(low - margin, high + margin)


def _curve(axes: Axes, x: Any, y: Any, norm: Normalize, redshift: float, style: str, label: str) -> None:
    """A relation in the colour of its redshift, outlined so that it shows on points of the same colour."""
    axes.plot(x, y, color="white", linewidth=3.2, alpha=0.9)
    colour = matplotlib.colormaps[COLOURS](norm(redshift))
    axes.plot(x, y, color=colour, linestyle=style, linewidth=1.6, label=label)
    axes.plot(x, y, color="black", linestyle=style, linewidth=0.4)


def _names(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(title, fontsize=TEXT)
    axes.set_xlabel(x, fontsize=SMALL)
    axes.set_ylabel(y, fontsize=SMALL)


def _masses(galaxies: Table) -> Float[np.ndarray, " m"]:
    low, high = np.percentile(galaxies["log_mstar"], [1, 99])
    return np.linspace(low, high, 60).astype(np.float32)


def _colour_panel(
    axes: Axes, galaxies: Table, bands: Sequence[str], tracks: Mapping, norm: Normalize
) -> None:
    blue, red = (galaxies[f"mag_ab_obs_{band}"] for band in bands)
    x, y = galaxies["redshift"], blue - red
    _points(axes, x, y, galaxies, norm)
    for (name, (at, colour)), (line, style) in zip(
        tracks.items(), ((VERMILION, "--"), (BLUE, "-")), strict=False
    ):
        axes.plot(at, colour, color="white", linewidth=3.0)
        axes.plot(at, colour, color=line, linestyle=style, linewidth=1.4, label=name)
    names = " − ".join(_short(band) for band in bands)
    _names(axes, "Colour and redshift", "Redshift", f"{names} / mag (AB, measured)")


def _size_panel(axes: Axes, galaxies: Table, curves: Sequence[float], norm: Normalize) -> None:
    x, y = galaxies["log_mstar"], np.log10(galaxies["half_light_radius_kpc"])
    _points(axes, x, y, galaxies, norm)
    masses = _masses(galaxies)
    for z in curves:
        for early, style, kind in ((False, "-", "star-forming"), (True, "--", "quiescent")):
            size = _sizes(jnp.asarray(masses), jnp.float32(z), jnp.asarray(early))
            source = "Shen+ 03" if z < DISTANT else "van der Wel+ 14"
            label = f"{source}, {kind}" if len(curves) == 1 or z == curves[0] else ""
            _curve(axes, masses, size, norm, z, style, label)
    _names(axes, "Size and mass", "log₁₀ M* / M⊙", "log₁₀ half-light radius / kpc")


@jax.jit
def _sizes(masses: Float[Array, " m"], z: Float[Array, ""], early: Bool[Array, ""]) -> Float[Array, " m"]:
    return jax.vmap(lambda mass: median_log_size(mass, z, early))(masses)


def _sequence_panel(axes: Axes, galaxies: Table, curves: Sequence[float], norm: Normalize) -> None:
    x = galaxies["log_mstar"]
    y = galaxies["log_sfr"]
    _points(axes, x, y, galaxies, norm)
    # The dead ones would stretch the panel; they lie below it.
    _window(axes.set_ylim, y[y > x - 13.0])
    masses = jnp.asarray(_masses(galaxies))
    for z in curves:
        if z < DISTANT:
            sfr = jax.vmap(lambda mass, z=z: main_sequence(mass, jnp.float32(z)))(masses)
            source = "Renzini & Peng 15"
        else:
            sfr = main_sequence_speagle14(masses, jnp.full_like(masses, age_gyr(jnp.float32(z))))
            source = "Speagle+ 14"
        _curve(axes, masses, sfr, norm, z, "-", f"{source}, z = {z:g}")
    _names(axes, "Main sequence", "log₁₀ M* / M⊙", "log₁₀ SFR / M⊙ yr⁻¹ (0.1 Gyr)")


def _metallicity_panel(axes: Axes, galaxies: Table, curves: Sequence[float], norm: Normalize) -> None:
    x, y = galaxies["log_mstar"], galaxies["oh12"]
    _points(axes, x, y, galaxies, norm)
    masses = jnp.asarray(_masses(galaxies))
    for z in curves:
        source = "Curti+ 20" if z < DISTANT else "Curti+ 20, Sanders+ 21"
        oh12 = oh12_mass(masses, jnp.full_like(masses, z))
        _curve(axes, masses, oh12, norm, z, "-", f"{source}, z = {z:g}")
    _names(axes, "Mass and metallicity", "log₁₀ M* / M⊙", "12 + log₁₀ O/H (gas)")


def _line_panel(axes: Axes, galaxies: Table, norm: Normalize) -> None:
    """Only lines that the model has learnt about."""
    inside = galaxies.select(galaxies["in_domain"].astype(bool))
    ratios = line_ratios(*(inside[f"ew_{line}"] for line in BPT_LINES))
    if np.isfinite(ratios.x).any():
        _points(axes, ratios.x, ratios.y, inside, norm)
    draw_demarcations(axes, color="black", linewidth=1.2)
    axes.set(xlim=(-1.6, 0.8), ylim=(-1.3, 1.3))
    share = len(inside) / max(len(galaxies), 1)
    _names(
        axes,
        f"BPT, lines in domain ({share:.0%})",
        "log₁₀ EW([N II] 6584) / EW(Hα)",
        "log₁₀ EW([O III] 5007) / EW(Hβ)",
    )


def _count_panel(axes: Axes, galaxies: Table, band: str) -> None:
    """Counts in the band of the limit, and those with a spectroscopic redshift."""
    mag = galaxies[f"mag_ab_obs_{band}"]
    good = np.isfinite(mag)
    labelled = good & np.isfinite(galaxies["redshift_spec"])
    low, high = np.percentile(mag[good], [0.2, 100.0]) if good.any() else (0.0, 1.0)
    edges = np.linspace(low, high, 25).tolist()
    percent = 100.0 / max(good.sum(), 1)
    axes.hist(mag[good], edges, weights=np.full(good.sum(), percent), color="0.8", label="all")
    share = labelled.sum() / max(good.sum(), 1)
    axes.hist(
        mag[labelled],
        edges,
        weights=np.full(labelled.sum(), percent),
        histtype="step",
        color=VERMILION,
        linewidth=1.3,
        label=f"spectroscopic ({share:.0%})",
    )
    _names(axes, "Counts", f"{_short(band)} / mag (AB, measured)", "Galaxies / % a bin")


def _short(band: str) -> str:
    """A filter as people call it: F160W of wfc3_ir_f160w, g of sdss_g0."""
    last = band.split("_")[-1]
    return last.upper() if last[0] == "f" and last[1:2].isdigit() else last.removesuffix("0")
