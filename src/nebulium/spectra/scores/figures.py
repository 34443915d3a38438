"""Figures of spectra from images: pure functions from arrays to a matplotlib `Figure`."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from nebulium.generate.scores.figures import WHITE, picture
from nebulium.metrics.figure_style import BLACK, BLUE, FULL_WIDTH, SMALL
from nebulium.metrics.panels import draw_pit_histogram, finish
from nebulium.spectra.draws import SpectrumDraw, render
from nebulium.spectra.model import SpectrumModel
from nebulium.spectra.scores.galaxies import Drawn, SpectralGalaxies
from nebulium.verbs.score import Columns

#: Galaxies shown, a row each.
SHOWN = 5
#: Wavelengths that are shown, AA at rest.
WAVES_AA = np.arange(3600.0, 6900.0, 3.0, dtype=np.float32)


def example_figures(model: SpectrumModel, galaxies: SpectralGalaxies, drawn: Drawn) -> dict[str, Figure]:
    """Images beside their spectra: as observed, and as predicted with the bands that hold 68 and 95 %."""
    rows = np.linspace(0, len(galaxies) - 1, SHOWN).astype(int)
    order = np.argsort(galaxies.spectra.coefficients[:, 0])[rows]
    figure = Figure(figsize=(FULL_WIDTH, 1.35 * SHOWN), layout="constrained")
    panels = figure.subplots(SHOWN, 2, squeeze=False, width_ratios=(1, 6))
    own = jax.jit(
        lambda draw: render(model.basis, draw, jnp.asarray(WAVES_AA), at_rest=True, normalised=True)
    )
    many = jax.jit(jax.vmap(own))
    stretch = model.form.preparation.stretch
    spectra = galaxies.spectra
    for place, ((left, right), row) in enumerate(zip(panels, order, strict=True)):
        flux = stretch.invert(galaxies.images.images[np.array([row])])[0]
        white = np.percentile(flux, 100 - WHITE, axis=(0, 1))
        left.imshow(picture(flux, white), interpolation="nearest")
        left.set(xticks=[], yticks=[])
        true = SpectrumDraw(
            jnp.asarray(spectra.coefficients[row]),
            jnp.asarray(spectra.log_flux[row]),
            jnp.asarray(spectra.redshift[row]),
            jnp.asarray(np.nan_to_num(spectra.ew_aa[row])),
        )
        of_galaxy = jax.tree.map(lambda values, row=row: jnp.asarray(values[row]), drawn.draws)
        lows, low, middle, high, highs = np.nanquantile(
            np.asarray(many(of_galaxy)), [0.025, 0.16, 0.5, 0.84, 0.975], axis=0
        )
        right.fill_between(WAVES_AA, lows, highs, color=BLUE, alpha=0.2, linewidth=0)
        right.fill_between(WAVES_AA, low, high, color=BLUE, alpha=0.4, linewidth=0)
        right.plot(WAVES_AA, middle, color=BLUE, linewidth=0.8)
        right.plot(WAVES_AA, np.asarray(own(true)), color=BLACK, linewidth=0.6)
        top = float(np.nanquantile(highs, 0.995))
        right.set(xlim=(WAVES_AA[0], WAVES_AA[-1]), ylim=(0, 1.15 * top))
        right.text(
            0.5,
            0.93,
            f"z = {spectra.redshift[row]:.3f}",
            transform=right.transAxes,
            ha="center",
            va="top",
            fontsize=SMALL,
        )
        last = place == SHOWN - 1
        finish(right, "rest wavelength / Å" if last else "", "relative flux" if last else "")
    return {"spectra": figure}


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
