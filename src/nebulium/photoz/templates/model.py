"""Redshifts from templates of galaxies: chi-square of every template at every redshift, and a prior."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key
from scipy import stats

from nebulium.errors import TableError
from nebulium.modelfile import register
from nebulium.photoz.density.grid import RedshiftGrid
from nebulium.photoz.density.prediction import RedshiftPrediction
from nebulium.photoz.density.recalibration import Recalibration
from nebulium.photoz.fluxes.model import is_present
from nebulium.photoz.templates.grid import TemplateConfig, template_fluxes
from nebulium.photoz.templates.magnitude_prior import KINDS, log_counts, log_prior
from nebulium.sed.band_fluxes import AB_ZERO_NJY
from nebulium.sed.filters import Filters

#: A galaxy is out of domain if noise and the errors of templates alone would fit worse less often than this.
LEAST_PROBABILITY = 1e-3
FEWEST_BANDS = 2
#: I magnitudes beyond which no galaxy is measured: its fluxes may be in another unit.
ANY_MAG = (8.0, 34.0)
#: No flux is known better than to this share of the brightest; below, single precision would overflow.
LEAST_RELATIVE_ERR = 1e-9

Bands = Float[Array, " band"]
Cells = Float[Array, "bin template"]


@register
class TemplateModel(eqx.Module):
    """Template fitting of one galaxy; make one with `make_template_model`.

    Each template at each redshift is scaled to the fluxes by least squares, not below zero. Its probability
    is the likelihood at that scale times the prior of its kind and redshift, given the I magnitude of the
    template of that kind that fits best there; the probability of a redshift is the sum over templates.
    Fluxes are used as they are, also if they are negative. The errors of the templates are relative to the
    fluxes and depend on rest wavelength, so that the likelihood carries their normalisation: a band beyond
    the templates has so large an error there that it hardly counts, without an advantage for redshifts at
    which fewer bands are compared.

    In domain is a galaxy with two bands or more whose best chi-square noise would exceed with a probability
    of at least 0.001, counting a degree of freedom for each band, and which then has an I magnitude between
    8 and 34.

    For many galaxies use `jax.vmap`, and hand the model to the jitted function as an argument.

    Parameters
    ----------
    bands : sequence of str
        Names of the bands, in order.
    grid_most : float
    grid_bins : int
        The `RedshiftGrid`.
    templates_of_kind : sequence of int
        Number of templates of each of `nebulium.photoz.templates.magnitude_prior.KINDS`.
    even_share : float
        Of the prior that knows nothing; the default is that of models which do not say.
    key : key, optional
        Not used: nothing is random.

    Examples
    --------
    See `make_template_model`.
    """

    flux: Float[Array, "bin band template"]
    template_error: Float[Array, "bin band"]
    log_share: Cells
    recalibration: Recalibration
    bands: tuple[str, ...] = eqx.field(static=True)
    grid: RedshiftGrid = eqx.field(static=True)
    templates_of_kind: tuple[int, ...] = eqx.field(static=True)
    even_share: float = eqx.field(static=True)

    def __init__(
        self,
        *,
        bands: Any,
        grid_most: float,
        grid_bins: int,
        templates_of_kind: Any,
        even_share: float = 0.05,
        key: Key[Array, ""] | None = None,
    ):
        self.bands, self.templates_of_kind = tuple(bands), tuple(templates_of_kind)
        self.grid, self.even_share = RedshiftGrid(grid_most, grid_bins), even_share
        templates = sum(self.templates_of_kind)
        self.flux = jnp.ones((grid_bins, len(self.bands), templates), jnp.float32)
        self.template_error = jnp.zeros((grid_bins, len(self.bands)), jnp.float32)
        self.log_share = jnp.zeros((grid_bins, templates), jnp.float32)
        self.recalibration = Recalibration()

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """Keywords of the constructor, for `nebulium.modelfile.save_model`."""
        shape = {"grid_most": self.grid.most, "grid_bins": self.grid.bins}
        kinds = {"templates_of_kind": self.templates_of_kind, "even_share": self.even_share}
        return {"bands": self.bands, **shape, **kinds}

    def __call__(self, flux_njy: Bands, flux_err_njy: Bands) -> RedshiftPrediction:
        """Density of the redshift of one galaxy.

        Parameters
        ----------
        flux_njy : array (band,)
            nJy; NaN where a band is missing.
        flux_err_njy : array (band,)
            Standard deviations, nJy. A band whose error is not finite or not above zero is missing too.

        Returns
        -------
        RedshiftPrediction
        """
        measured = is_present(flux_njy, flux_err_njy)
        flux, err, unit_njy = _in_own_unit(flux_njy, flux_err_njy, measured)
        weight, log_norm = self._weights(flux, err)
        chi2, flux_i = _fits(flux, weight, self.flux)
        mag_i = AB_ZERO_NJY - 2.5 * (jnp.log10(jnp.maximum(flux_i, 1e-20)) + jnp.log10(unit_njy))
        log_posterior = self._over_kinds(chi2, mag_i) - log_norm
        mass = self.recalibration(jax.nn.softmax(log_posterior))
        return RedshiftPrediction(mass, self._in_domain(chi2, mag_i, measured))

    def expected(
        self, flux_njy: Bands, flux_err_njy: Bands, redshift: Float[Array, ""]
    ) -> Float[Array, " band"]:
        """Fluxes of one galaxy by the templates at its redshift.

        Parameters
        ----------
        flux_njy, flux_err_njy : array (band,)
            As for the density.
        redshift : array ()
            Known.

        Returns
        -------
        array (band,)
            nJy, the mean over templates, weighted by how well each fits and by its share.
        """
        measured = is_present(flux_njy, flux_err_njy)
        flux, err, unit_njy = _in_own_unit(flux_njy, flux_err_njy, measured)
        place = jnp.searchsorted(jnp.asarray(self.grid.edges[1:-1], jnp.float32), redshift)
        weight, _ = self._weights(flux, err)
        templates = self.flux[place]
        chi2, scale = (fit[0] for fit in _fits(flux, weight[place][None], templates[None]))
        probability = jax.nn.softmax(-0.5 * chi2 + self.log_share[place])
        return unit_njy * jnp.matmul(templates, probability * scale, precision="highest")

    def _weights(self, flux: Bands, err: Bands) -> tuple[Float[Array, "bin band"], Float[Array, " bin"]]:
        """Inverse variances, 0 of a missing band; and half the logarithm of variances over those of noise."""
        of_noise = 1.0 / err
        ratio = self.template_error * (jnp.maximum(flux, 0.0) * of_noise)[None, :]
        wider = 1.0 + ratio**2
        return (of_noise**2)[None, :] / wider, 0.5 * jnp.sum(jnp.log(wider), axis=1)

    def _over_kinds(self, chi2: Cells, mag_i: Cells) -> Float[Array, " bin"]:
        """Logarithm of likelihood times prior, added up over templates."""
        counts = np.array(self.templates_of_kind)
        kinds, ends = np.flatnonzero(counts), np.cumsum(counts)
        parts = [slice(int(ends[kind] - counts[kind]), int(ends[kind])) for kind in kinds]
        terms = -0.5 * chi2 + self.log_share
        fit = jnp.stack([jax.nn.logsumexp(terms[:, part], axis=1) for part in parts], axis=1)
        mag = jnp.stack([_of_least(chi2[:, part], mag_i[:, part]) for part in parts], axis=1)
        redshift = jnp.asarray(self.grid.centres, jnp.float32)
        prior = log_prior(redshift, mag, kinds, self.grid.most, self.even_share) + log_counts(mag)
        # The bins are even in ln(1 + z).
        return jax.nn.logsumexp(fit + prior, axis=1) + jnp.log1p(redshift)

    def _in_domain(self, chi2: Cells, mag_i: Cells, measured: Bool[Array, " band"]) -> Bool[Array, ""]:
        bands = np.arange(len(self.bands) + 1)
        most = jnp.asarray(stats.chi2.isf(LEAST_PROBABILITY, np.maximum(bands, 1)), jnp.float32)
        count, best = jnp.sum(measured), jnp.argmin(chi2)
        mag = mag_i.ravel()[best]
        seen = (mag >= ANY_MAG[0]) & (mag <= ANY_MAG[1])
        return (count >= FEWEST_BANDS) & (chi2.ravel()[best] <= most[count]) & seen


def _in_own_unit(
    flux_njy: Bands, flux_err_njy: Bands, measured: Bool[Array, " band"]
) -> tuple[Bands, Bands, Float[Array, ""]]:
    """Fluxes and errors in a power of two of nJy near the largest flux, and that unit: none overflows."""
    flux, err = jnp.where(measured, flux_njy, 0.0), jnp.where(measured, flux_err_njy, jnp.inf)
    largest = jnp.max(jnp.abs(flux))
    unit = jnp.ldexp(jnp.float32(1.0), jnp.frexp(jnp.where(largest > 0, largest, jnp.min(err)))[1])
    return flux / unit, jnp.maximum(err / unit, LEAST_RELATIVE_ERR), unit


def _fits(
    flux: Bands, weight: Float[Array, "bin band"], templates: Float[Array, "bin band template"]
) -> tuple[Cells, Cells]:
    """Chi-square and flux in I of each template at its best scale."""
    # Single precision throughout: accelerators would else round the products to ten bits.
    product = lambda left, right: jnp.einsum("zb,zbt->zt", left, right, precision="highest")  # noqa: E731
    across, own = product(weight * flux[None, :], templates), product(weight, templates**2)
    scale = jnp.maximum(across, 0.0) / jnp.where(own > 0, own, 1.0)
    alone = jnp.sum(weight * (flux**2)[None, :], axis=1)
    chi2 = jnp.maximum(alone[:, None] - scale * jnp.maximum(across, 0.0), 0.0)
    return chi2, scale


def _of_least(chi2: Cells, value: Cells) -> Float[Array, " bin"]:
    """Value of the template that fits best in each bin."""
    best = jnp.argmin(chi2, axis=1, keepdims=True)
    return jnp.take_along_axis(value, best, axis=1)[:, 0]


def make_template_model(
    bands: tuple[str, ...],
    filters: Filters,
    grid: RedshiftGrid | None = None,
    config: TemplateConfig | None = None,
) -> TemplateModel:
    """Make the templates and their fluxes ready for a set of bands.

    Nothing is learnt: the templates and the prior are published ones.
    """
    grid, config = grid or RedshiftGrid(), config or TemplateConfig()
    if len(bands) != len(filters.names):
        raise TableError(
            "template fitting",
            f"there are {len(bands)} bands ({', '.join(bands)}) and {len(filters.names)} filters",
            "name one filter for each band, in the same order",
        )
    fluxes = template_fluxes(filters, grid, config)
    model = TemplateModel(
        bands=bands,
        grid_most=grid.most,
        grid_bins=grid.bins,
        templates_of_kind=np.bincount(fluxes.kind, minlength=len(KINDS)).tolist(),
        even_share=config.even_share,
    )
    arrays = (fluxes.flux, fluxes.error, fluxes.log_share)
    return eqx.tree_at(
        lambda made: (made.flux, made.template_error, made.log_share),
        model,
        tuple(jnp.asarray(array) for array in arrays),
    )
