"""Measure how real galaxies differ from the library's templates, and write `templates/correction.csv`.

    python -m benchmarks.weights.make_template_correction

Galaxies of zCOSMOS with secure redshifts, of the training part of the split by id, are fitted with templates
at their redshifts. Zero points of the bands (residuals of a band, whatever the redshift) and the correction
(residuals at a wavelength at rest, whatever the band) are fitted in turns. Each band passes over each
wavelength at another redshift, so that the two are told apart.
"""

from dataclasses import replace

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from benchmarks.photoz.catalogues import zcosmos
from nebulium.data.splits import Split
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import write_table
from nebulium.photometry.galaxies import PhotometricGalaxies
from nebulium.photoz.density.grid import RedshiftGrid
from nebulium.photoz.templates.adjustment import MAG_PER_E, Adjustment, adjusted, log_ratios, middle
from nebulium.photoz.templates.grid import CORRECTION, TemplateConfig, template_errors
from nebulium.photoz.templates.model import TemplateModel, make_template_model
from nebulium.sed.filters import load_filters

#: Knots in AA at rest; between them the logarithm is linear, beyond the ends there is no correction.
KNOTS_AA = np.array([
    1500, 1900, 2200, 2500, 2800, 3100, 3300, 3500, 3700, 3900, 4100, 4350, 4600, 4850, 5150, 5500, 5900,
    6300, 6900, 7600, 8500, 9500, 11000, 13000, 16000, 19000, 25000,
])  # fmt: skip
GALAXIES, ITERATIONS, ZERO_POINTS_FIRST = 2_000, 12, 2
#: What is kept of the correction each time, lest it and the zero points run off together at the ends.
KEPT = 0.85
#: Residuals around a knot that count half; those of so many galaxies count for nothing.
HALF_WIDTH, DOUBT = 0.05, 100
LARGEST = 0.5


def main() -> None:
    """Fit, print, write."""
    catalogue = zcosmos()
    known = catalogue.galaxies
    chosen = Split().rows(known.ids)["train"][:GALAXIES]
    filters, grid = load_filters(*catalogue.filters), RedshiftGrid()
    config = TemplateConfig(corrected=False)
    bare = make_template_model(known.bands, filters, grid, config)
    errors = template_errors(filters, grid, replace(config, systematic_error=0.0))
    at_bins = np.asarray(filters.pivot_aa, np.float64)[None, :] / (1.0 + grid.centres[:, None])
    zero_point, correction = _fit(bare, known.select(chosen), errors, at_bins)
    print("zero points / mag:", dict(zip(known.bands, zero_point.round(3).tolist(), strict=True)))
    print("factors:", dict(zip(KNOTS_AA.tolist(), np.exp(correction).round(3).tolist(), strict=True)))
    columns = {"rest_wave_aa": KNOTS_AA.astype(np.float64), "factor": np.exp(correction).round(4)}
    write_table(Table(columns), CORRECTION)


def _fit(
    bare: TemplateModel,
    galaxies: PhotometricGalaxies,
    errors: Float[np.ndarray, "bin band"],
    at_bins: Float[np.ndarray, "bin band"],
) -> tuple[Float[np.ndarray, " band"], Float[np.ndarray, " knot"]]:
    """Zero points, mag, and the logarithm of the correction at the knots."""
    place = np.searchsorted(bare.grid.edges[1:-1], galaxies.redshift)
    zero_point, correction = np.zeros(len(galaxies.bands)), np.zeros(len(KNOTS_AA))
    for iteration in range(ITERATIONS):
        factor = np.exp(np.interp(np.log(at_bins), np.log(KNOTS_AA), correction))
        flux = bare.flux * jnp.asarray(factor, jnp.float32)[:, :, None]
        model = eqx.tree_at(lambda one: one.flux, bare, flux)
        ratio = log_ratios(adjusted(model, Adjustment(tuple(zero_point)), errors), galaxies)
        step = np.array([middle(ratio[:, band]) for band in range(ratio.shape[1])])
        step -= step.mean()
        zero_point += MAG_PER_E * step
        if iteration >= ZERO_POINTS_FIRST:
            correction = KEPT * (correction + _residual_at_knots(np.log(at_bins[place]), ratio - step))
    return zero_point, correction


def _residual_at_knots(
    log_wave: Float[np.ndarray, "n band"], ratio: Float[np.ndarray, "n band"]
) -> Float[np.ndarray, " knot"]:
    """Medians around the knots, less where galaxies are few, and none at the ends."""
    found = np.zeros(len(KNOTS_AA))
    for place, centre in enumerate(np.log(KNOTS_AA)[1:-1], start=1):
        near = (np.abs(log_wave - centre) < HALF_WIDTH) & (np.abs(ratio) < LARGEST)
        count = int(near.sum())
        found[place] = np.median(ratio[near]) * count / (count + DOUBT) if count else 0.0
    found[1:-1] -= found[1:-1].mean()
    return found


if __name__ == "__main__":
    main()
