"""A page of spectra: arrays in, a `Figure` out."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from nebulium.metrics.figure_style import BLUE, FULL_WIDTH, SMALL, TEXT, VERMILION

OnPixels = Float[np.ndarray, "n wave"]


def spectra_page(
    wave_aa: OnPixels, flux_lambda: OnPixels, ivar: OnPixels, captions: Sequence[str], *, title: str
) -> Figure:
    """Spectra one below the other, each over its noise."""
    figure = Figure(figsize=(FULL_WIDTH, 1.25 * len(captions) + 0.5), layout="constrained")
    rows = figure.subplots(len(captions), 1, sharex=True, squeeze=False)[:, 0]
    for axes, wave, flux, weight, caption in zip(rows, wave_aa, flux_lambda, ivar, captions, strict=True):
        good = weight > 0
        sigma = weight[good] ** -0.5
        axes.plot(wave[good], flux[good], color=BLUE, linewidth=0.5, label="flux density")
        axes.plot(wave[good], sigma, color=VERMILION, linewidth=0.5, label="noise")
        # Lines may be cut off, and the noisy end too, but not the continuum.
        axes.set(ylim=(0.0, 2.2 * max(float(np.percentile(flux[good], 90)), float(np.median(sigma)))))
        axes.set_title(caption, fontsize=SMALL, loc="left", pad=2)
        axes.tick_params(labelsize=SMALL)
    rows[0].legend(fontsize=SMALL - 1, loc="upper right", ncols=2, frameon=False)
    figure.supxlabel("Observed wavelength / Å (vacuum)", fontsize=TEXT)
    figure.supylabel("Flux density / 10⁻¹⁷ erg s⁻¹ cm⁻² Å⁻¹", fontsize=TEXT)
    figure.suptitle(title, fontsize=TEXT + 1)
    return figure
