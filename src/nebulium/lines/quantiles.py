"""Quantiles of the lines of many galaxies: of the lines themselves or of measurements, gaps or none."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from nebulium.lines.continuum.features import log_luminosity
from nebulium.lines.continuum.line_list import LINES, Continua, Continuum, OfLines, Widths
from nebulium.lines.input import GalaxyRows
from nebulium.lines.model import LineModel
from nebulium.lines.observed import WeightedPoints, completions, marginalised_quantiles, measured_quantiles
from nebulium.nn.mapping import map_galaxies
from nebulium.sed.cosmology import Scalar

BATCH = 8192
#: Rows at a time where each row takes many evaluations of the model.
SMALL_BATCH = 256
#: Names of the quantiles in the tables, and their probabilities.
QUANTILES = {"q50": 0.5, "q16": 0.16, "q84": 0.84, "q025": 0.025, "q975": 0.975}

# Completions of a continuum with missing bins of which a measurement is predicted, and points for each.
LIKELIEST, N_WITHIN = 8, 65
_LEVELS = np.array(list(QUANTILES.values()), np.float32)

Quantiles = Float[Array, "5 10"]


class LineQuantiles(eqx.Module):
    """Quantiles of the ten lines, and whether they can be relied upon.

    Attributes
    ----------
    ew_aa : (5, 10) float32
        In the order of `QUANTILES` and `LINES`, rest frame, AA.
    in_domain : () bool
        Whether the continuum lies inside the training domain.
    """

    ew_aa: Float[Array, "*batch 5 10"]
    in_domain: Bool[Array, "*batch"]


def line_quantiles(model: LineModel, rows: GalaxyRows, *, observed: bool, gaps: bool) -> LineQuantiles:
    """Quantiles of galaxies of which each lacks a bin or none does: of the lines, or of measurements."""
    size = SMALL_BATCH if observed or gaps else BATCH
    function = eqx.Partial(_with_domain, observed, gaps, model)
    # Fluxes in a unit that is not one as seen from Earth give no luminosity, whatever the redshift.
    redshift = rows.redshift if rows.physical else np.full_like(rows.redshift, np.nan)
    found: LineQuantiles = map_galaxies(function, rows.continuum_flux, redshift, rows.sigma_aa, batch=size)
    return found


def _with_domain(
    observed: bool, gaps: bool, model: LineModel, flux: Continuum, redshift: Scalar, sigma: OfLines
) -> LineQuantiles:
    """The domain is that of the likeliest completion, which is the continuum itself without missing bins.

    A galaxy whose luminosity is known lies inside only if training galaxies were as luminous, also for a
    model that does not look at it: of one colour, faint galaxies have other lines than luminous ones.
    """
    ew = _quantiles(observed, gaps, model, flux, redshift, sigma)
    if gaps:
        flux = jnp.where(jnp.isnan(flux), completions(model, flux, redshift).continuum_flux[0], flux)
    low, high = model.log_luminosity_range
    luminosity = log_luminosity(flux, redshift)
    beyond = (luminosity < low) | (luminosity > high)
    return LineQuantiles(ew, model.domain.contains(model.features(flux, redshift)) & ~beyond)


def _quantiles(
    observed: bool, gaps: bool, model: LineModel, flux: Continuum, redshift: Scalar, sigma: OfLines
) -> Quantiles:
    """Of measurements or of the lines themselves, where every bin is known or some are missing."""
    levels = jnp.asarray(_LEVELS)
    if observed:
        of_measurements = _of_gappy_measurement if gaps else measured_quantiles
        return of_measurements(model, flux, redshift, sigma, levels)
    if gaps:
        return marginalised_quantiles(model, flux, redshift, levels)
    others = model.density(flux, redshift).quantile(levels[1:])
    return jnp.concatenate([model.median_ew(flux, redshift)[None], others])


def _of_gappy_measurement(
    model: LineModel, flux: Continuum, redshift: Scalar, sigma: OfLines, levels: Float[Array, "5"]
) -> Quantiles:
    """Measurements of the lines, missing bins marginalised over the likeliest completions."""
    within = (jnp.arange(N_WITHIN, dtype=jnp.float32) + 0.5) / N_WITHIN
    filled = completions(model, flux, redshift)
    continua = jnp.where(jnp.isnan(flux)[None], filled.continuum_flux[:LIKELIEST], flux[None])
    ew = jax.vmap(lambda each: measured_quantiles(model, each, redshift, sigma, within))(continua)
    weight = jnp.broadcast_to(filled.weight[:LIKELIEST, None, None], ew.shape)
    points = WeightedPoints(ew.reshape(-1, len(LINES)), weight.reshape(-1, len(LINES)))
    return points.quantiles(levels)


def median_ews(model: LineModel, continuum_flux: Continua, redshift: Float[np.ndarray, " n"]) -> Widths:
    """Medians of the intrinsic equivalent widths of many galaxies, and nothing else.

    Parameters
    ----------
    model : LineModel
    continuum_flux : ndarray of shape (n, 12)
        No bin missing.
    redshift : ndarray of shape (n,)
        Not used by a model without luminosity.

    Returns
    -------
    ndarray of float32 of shape (n, 10)
        AA, in the order of `LINES`: the columns `ew_LINE_q50` of `predict_table`.

    Examples
    --------
    >>> model = LineModel(with_luminosity=False, key=jax.random.key(0))
    >>> median_ews(model, np.ones((3, 12), np.float32), np.zeros(3, np.float32)).shape
    (3, 10)
    """
    medians = eqx.Partial(LineModel.median_ew, model)
    widths: Widths = map_galaxies(medians, continuum_flux, redshift, batch=BATCH)
    return widths
