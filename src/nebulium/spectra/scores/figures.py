"""Figures of spectra from images: pure functions from arrays to a matplotlib `Figure`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nebulium.generate.scores.figures import WHITE, picture
from nebulium.metrics.figure_style import BLACK, BLUE, FULL_WIDTH, SMALL
from nebulium.metrics.panels import draw_pit_histogram, finish
from nebulium.spectra.continuum.basis import ContinuumBasis
from nebulium.spectra.draws import SpectrumDraw, render
from nebulium.spectra.model import SpectrumModel
from nebulium.spectra.scores.galaxies import Drawn, SpectralGalaxies
from nebulium.verbs.score import Columns

#: Galaxies shown, a row each.
SHOWN = 5
#: Wavelengths that are shown, AA at rest.
WAVES_AA = np.arange(3600.0, 6900.0, 3.0, dtype=np.float32)
#: The median, and the ends of what holds 68 and 95 %.
LEVELS = (0.025, 0.16, 0.5, 0.84, 0.975)

Shown = Float[np.ndarray, " wave"]


@dataclass(frozen=True, eq=False)
class GalaxyRow:
    """A galaxy as a row of a figure.

    Attributes
    ----------
    image : ndarray of shape (side, side, 3)
        A picture.
    levels : ndarray of shape (5, wave)
        Quantiles of drawn spectra at `WAVES_AA`, in units of the continuum from 5400 to 5600 AA.
    observed : ndarray of shape (wave,), optional
        The spectrum of the galaxy itself; NaN where it is not known.
    text : str
    """

    image: np.ndarray
    levels: Float[np.ndarray, "5 wave"]
    observed: Shown | None
    text: str


def example_figures(model: SpectrumModel, galaxies: SpectralGalaxies, drawn: Drawn) -> dict[str, Figure]:
    """Images beside their spectra: as observed, and as predicted with the bands that hold 68 and 95 %."""
    places = np.linspace(0, len(galaxies) - 1, SHOWN).astype(int)
    spectra, rows = galaxies.spectra, []
    for row in np.argsort(galaxies.spectra.coefficients[:, 0])[places]:
        own = SpectrumDraw(
            *(spectra.coefficients[row], spectra.log_flux[row], spectra.redshift[row]),
            np.nan_to_num(spectra.ew_aa[row]),
        )
        observed = spectra_at_rest(model.basis, jax.tree.map(lambda one: one[None], own))[0]
        levels = levels_of(model.basis, jax.tree.map(lambda values, row=row: values[row], drawn.draws))
        image = picture_of(model, galaxies.images.images[np.array([row])][0])
        rows.append(GalaxyRow(image, levels, observed, f"z = {spectra.redshift[row]:.3f}"))
    return {"spectra": rows_figure(rows)}


def rows_figure(rows: Sequence[GalaxyRow]) -> Figure:
    """Galaxies below each other, each with its picture and its spectrum."""
    figure = Figure(figsize=(FULL_WIDTH, 1.35 * len(rows) + 0.2), layout="constrained")
    panels = figure.subplots(len(rows), 2, squeeze=False, width_ratios=(1, 6))
    for (left, right), row in zip(panels, rows, strict=True):
        left.imshow(row.image, interpolation="nearest")
        left.set(xticks=[], yticks=[])
        _draw_spectrum(right, row)
        last = row is rows[-1]
        finish(right, "rest wavelength / Å" if last else "", "relative flux" if last else "")
    return figure


def _draw_spectrum(axes: Axes, row: GalaxyRow) -> None:
    """Bands and median of what is predicted in blue, what is observed in black."""
    lows, low, middle, high, highs = row.levels
    axes.fill_between(WAVES_AA, lows, highs, color=BLUE, alpha=0.2, linewidth=0)
    axes.fill_between(WAVES_AA, low, high, color=BLUE, alpha=0.4, linewidth=0)
    axes.plot(WAVES_AA, middle, color=BLUE, linewidth=0.8)
    top = float(np.nanquantile(highs, 0.995))
    if row.observed is not None:
        axes.plot(WAVES_AA, row.observed, color=BLACK, linewidth=0.6)
        top = max(top, float(np.nanquantile(row.observed, 0.99)))
    axes.set(xlim=(WAVES_AA[0], WAVES_AA[-1]), ylim=(0, 1.25 * top))
    axes.text(0.5, 0.95, row.text, transform=axes.transAxes, ha="center", va="top", fontsize=SMALL)


def picture_of(model: SpectrumModel, image: Float[np.ndarray, "side side band"]) -> np.ndarray:
    """A prepared image to look at: pictures as they are, fluxes with the brightest pixels white."""
    stretch = model.form.preparation.stretch
    flux = stretch.invert(image)
    if stretch.kind == "display":
        return np.clip(flux, 0, 255).astype(np.uint8)
    return picture(flux, np.percentile(flux, 100 - WHITE, axis=(0, 1)))


def levels_of(basis: ContinuumBasis, draws: SpectrumDraw) -> Float[np.ndarray, "5 wave"]:
    """Quantiles of draws of one galaxy, in arrays (draw, ...)."""
    found: Float[np.ndarray, "5 wave"] = np.quantile(spectra_at_rest(basis, draws), LEVELS, axis=0)
    return found


def spectra_at_rest(basis: ContinuumBasis, draws: SpectrumDraw) -> Float[np.ndarray, "draw wave"]:
    """Draws in arrays (draw, ...) as spectra at `WAVES_AA`."""
    return np.asarray(_rendered(basis, jax.tree.map(jnp.asarray, draws)))


@eqx.filter_jit
def _rendered(basis: ContinuumBasis, draws: Any) -> Float[Array, "draw wave"]:
    waves = jnp.asarray(WAVES_AA)
    return jax.vmap(lambda one: render(basis, one, waves, at_rest=True, normalised=True))(draws)


def calibration_figure(columns: Mapping[str, Columns]) -> Figure:
    """Where the truth lies among the draws: even if these are right."""
    names = [name for name in columns if "pit" in columns[name]][:12]
    figure = Figure(figsize=(FULL_WIDTH, 4.2), layout="constrained")
    panels = figure.subplots(3, 4, squeeze=False).ravel()
    for axes, name in zip(panels, names, strict=False):
        pit = columns[name]["pit"]
        draw_pit_histogram(axes, pit[np.isfinite(pit)])
        finish(axes, name, "")
    for axes in panels[len(names) :]:
        axes.set_axis_off()
    return figure
