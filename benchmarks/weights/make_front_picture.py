"""Draw the picture of the README: galaxies from properties to light, and from light to properties.

python -m benchmarks.weights.make_front_picture
"""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.photoz.hdfn import OURS, VARIANTS, hdfn_galaxies, hdfn_model
from benchmarks.settings import REPOSITORY, data_folder, line_model
from nebulium.data import Rejects, open_images
from nebulium.lines import SampledLines, make_chain
from nebulium.mock import (
    GalaxyProperties,
    add_noise,
    find_survey,
    make_galaxy_maker,
    noiseless_image,
    stamp_colours,
)
from nebulium.modelfile import load_model
from nebulium.photoz import predict_galaxies
from nebulium.properties import predict_images
from nebulium.sed import DelayedExponential, Galaxy, load_filters, load_ssp

OUTPUT = REPOSITORY / "docs" / "figures" / "nebulium.png"
TAUS_GYR = (0.7, 2.0, 4.0, 8.0)
# Galaxies are taken at equal steps through the files, so that none is chosen by how well it does.
ZOO_ROWS, HDFN_STEP = np.arange(5) * 700, 18
NAMES = {3728.5: "[OII]", 4341.7: "Hγ", 4862.7: "Hβ", 5008.2: "[OIII]", 6564.6: "Hα", 6725.5: "[SII]"}


def main() -> None:
    """Draw the panels of both ways."""
    figure = Figure(figsize=(11.0, 4.9), layout="constrained")
    forwards, backwards = figure.subfigures(2, 1, hspace=0.03)
    forwards.suptitle("From properties to light: star-formation histories, with lines and as SDSS sees them")
    backwards.suptitle(
        "From light to properties: 12 + log(O/H) of SDSS cutouts, p(z) of galaxies with seven fluxes"
    )
    spectrum, *stamps = forwards.subplots(1, 5, width_ratios=[2.6, 1, 1, 1, 1])
    *cutouts, redshifts = backwards.subplots(1, 6, width_ratios=[1, 1, 1, 1, 1, 1.6])
    spectrum_panel(spectrum)
    mock_panels(stamps)
    metallicity_panels(cutouts)
    redshift_panel(redshifts)
    OUTPUT.parent.mkdir(exist_ok=True)
    figure.savefig(OUTPUT, dpi=110)


def spectrum_panel(axes: Axes) -> None:
    """The continuum of a star-formation history, and the lines drawn for it."""
    chain = make_chain(load_ssp(), load_filters("sdss_g0", "sdss_i0"), SampledLines(line_model("desi-lines")))
    galaxy = Galaxy(DelayedExponential(age_gyr=8.0, tau_gyr=4.0), log_mstar=10.3, redshift=0.1)
    made = chain(galaxy, log_aperture=0.0, key=jax.random.key(2))
    axes.semilogy(made.wave_aa / 1.1, made.flux_lambda, color="#d1495b", lw=1.2)
    axes.semilogy(made.stars.wave_aa / 1.1, made.stars.flux_lambda, color="0.3", lw=1.2)
    for wave, name in NAMES.items():
        near = np.abs(made.wave_aa / 1.1 - wave) < 20
        axes.text(wave + 15, made.flux_lambda[near].max(), name, va="top", fontsize=8)
    axes.set(xlim=(3500, 7000), ylim=(25, 900), xlabel="wavelength at rest / Å", ylabel="flux density")
    axes.set_yticks([], minor=True)
    axes.set_yticks([])


def mock_panels(panels: Sequence[Axes]) -> None:
    """One mass with four star-formation histories, as SDSS would see them."""
    survey = find_survey("sdss")
    make = eqx.filter_jit(make_galaxy_maker(survey))
    for axes, tau in zip(panels, TAUS_GYR, strict=True):
        properties = GalaxyProperties(
            redshift=0.04, log_mstar=10.3, age_gyr=9.0, tau_gyr=tau, av_mag=0.4, oh12=8.75, lgmet=-1.8
        )
        made = make(properties, jax.random.key(3))
        instrument = survey.instrument()
        image = noiseless_image(made.structure, np.asarray(made.light.flux_njy), 0.04, instrument)
        noisy = add_noise(image, instrument, np.random.default_rng(0))
        _picture(axes, stamp_colours(noisy, instrument), f"decline in {tau} Gyr")


def metallicity_panels(panels: Sequence[Axes]) -> None:
    """Real galaxies that the packaged model has not seen, with the metallicities that it gives them."""
    source = open_images(data_folder() / "sdss" / "galaxy_zoo" / "galaxy_zoo_jpg_128.zip")
    model = load_model("sdss-metallicity")
    (table,) = predict_images(source, model, rejects=Rejects(), rows=ZOO_ROWS)
    (chunk,) = source.chunks(ZOO_ROWS)
    for axes, image, median, sigma in zip(
        panels, chunk.pixels, table["oh_p50"], table["oh_p50_sigma"], strict=True
    ):
        _picture(axes, image, f"{median:.2f} ± {sigma:.2f}")


def _picture(axes: Axes, image: Any, title: str) -> None:
    axes.imshow(image)
    axes.set_title(title, fontsize=9)
    axes.set_axis_off()


def redshift_panel(axes: Axes) -> None:
    """Densities p(z) of real galaxies from seven fluxes, with their spectroscopic redshifts."""
    galaxies = hdfn_galaxies()
    known = np.flatnonzero(np.isfinite(galaxies.redshift))
    chosen = galaxies.select(known[np.argsort(galaxies.redshift[known])][::HDFN_STEP])
    predicted = predict_galaxies(hdfn_model(VARIANTS[OURS]), chosen)
    grid = np.linspace(0.0, 5.0, 1000)
    density = predicted.densities.on_grid(grid)
    for row, (one, redshift) in enumerate(zip(density, chosen.redshift, strict=True)):
        axes.fill_between(grid, row, row + 0.9 * one / one.max(), color=f"C{row}", alpha=0.6)
        axes.plot([redshift, redshift], [row, row + 0.95], color="black", lw=1.0)
    axes.set(xlabel="redshift (black: spectroscopic)", yticks=[])


if __name__ == "__main__":
    main()
