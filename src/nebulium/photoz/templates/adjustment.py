"""What galaxies with known redshifts tell of a catalogue's zero points, and of how far templates are off.

Zero points are fitted as by Ilbert et al. (2006, A&A 457, 841): at its redshift each galaxy is fitted with
templates, a band is moved by the median of measured over expected flux, and again, until nothing moves. What
scatter is left beyond the noise is an error of each band, relative to the flux, times a number that makes the
middles of the densities hold as many of the known redshifts as they should.

Without known redshifts each galaxy is taken at the median of its own density, and that is found again with
the new zero points and errors: what is wrong of a band is wrong at all redshifts.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from nebulium.errors import TableError
from nebulium.metrics.point import nmad
from nebulium.nn.mapping import map_galaxies
from nebulium.photometry.galaxies import PhotometricGalaxies
from nebulium.photometry.layout import named_number
from nebulium.photoz.fluxes.recipe import GridConfig
from nebulium.photoz.predict import predict_galaxies
from nebulium.photoz.templates.grid import TemplateConfig, template_errors
from nebulium.photoz.templates.model import TemplateModel, make_template_model
from nebulium.sed.filters import Filters

#: Where settings name no numbers.
AUTOMATIC, FIT, NONE = "automatic", "fit", "none"
#: Fewest galaxies with redshifts that zero points are fitted to, and with fewer in a band that band is left.
FEWEST, FEWEST_IN_BAND = 50, 20
#: No more galaxies are asked for the errors: densities take long.
MOST_FOR_ERRORS = 500
ITERATIONS = 10
#: Without known redshifts: fewest galaxies, and fewest bands, as a redshift and a template take up what few
#: bands could tell; and how often all is fitted again.
FEWEST_UNLABELLED, FEWEST_BANDS, ROUNDS = 100, 6, 4
# Of each galaxy a redshift, a template and a brightness are fitted to the bands whose scatter is measured.
_FITTED = 3
# Magnitudes of a change of flux in natural logarithms.
MAG_PER_E = 2.5 / np.log(10.0)
#: Fluxes of less than this many errors say little of a zero point.
LEAST_SIGNAL = 5.0
#: Times the scatter, from which the errors of the bands are chosen.
ERROR_FACTORS = (0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 2.0)
#: Shares of galaxies whose redshifts the middles of their densities are to hold.
HELD = (0.68, 0.95)


@dataclass(frozen=True)
class TemplateSettings(GridConfig):
    """Settings of template fitting.

    Attributes
    ----------
    zero_points : str
        ``fit`` to the redshifts of training galaxies; ``none``; or numbers such as ``u=-0.1,g=0.02``, mag,
        added to the magnitudes of these bands: positive makes a band fainter. By default they are fitted
        to the redshifts where the training part has 50 or more, or else to the galaxies' own densities where
        there are 100 galaxies and six bands or more.
    band_errors : str
        ``fit``; ``none``; or numbers such as ``u=0.05``: errors of all fluxes of a band beyond the noise, as
        a fraction of the flux, of the others 0.03. The default is as for zero points.

    Raises
    ------
    TableError
        What is given is none of these.

    Examples
    --------
    >>> TemplateSettings(zero_points="u=-0.1, g=0.02").given("zero_points")
    {'u': -0.1, 'g': 0.02}
    """

    zero_points: str = AUTOMATIC
    band_errors: str = AUTOMATIC

    def __post_init__(self) -> None:
        errors = self.given("band_errors") or {}
        self.given("zero_points")
        for band, error in errors.items():
            if error < 0:
                problem = f"expected a fraction of the flux, 0 or more, found {error:g}"
                raise TableError(f"band error of {band}", problem, "write u=0.05, say")

    def given(self, name: str) -> dict[str, float] | None:
        """The numbers by band that are given for one of the two; None where they are fitted or none."""
        text = getattr(self, name)
        if text in (AUTOMATIC, FIT, NONE):
            return None
        return dict(_band_number(part, name.replace("_", "-")) for part in text.split(","))

    def fits(self, name: str, labelled: int) -> bool:
        """Whether one of the two is fitted, given the number of training galaxies with redshifts."""
        return getattr(self, name) == FIT or (getattr(self, name) == AUTOMATIC and labelled >= FEWEST)

    def is_automatic(self, name: str) -> bool:
        """Whether nothing is said of one of the two."""
        return str(getattr(self, name)) == AUTOMATIC


def _band_number(text: str, name: str) -> tuple[str, float]:
    band, found = named_number(text)
    if not band or not math.isfinite(found):
        raise TableError(
            f"--{name} {text.strip()!r}", "expected BAND=NUMBER", "write u=0.05,g=-0.02; fit; or none"
        )
    return band, found


@dataclass(frozen=True)
class Adjustment:
    """Changes of the bands of a catalogue, in their order.

    Parameters
    ----------
    zero_point_mag : tuple of float
        Added to the magnitudes of each band: positive makes it fainter.
    error : tuple of float, optional
        Relative errors of the fluxes beyond the noise, in place of the general one; None leaves that.
    """

    zero_point_mag: tuple[float, ...]
    error: tuple[float, ...] | None = None

    def as_dict(self, bands: tuple[str, ...]) -> dict[str, dict[str, float]]:
        """By band, for `config.json`."""
        named = {"zero_point_mag": self.zero_point_mag, "error": self.error or ()}
        return {key: dict(zip(bands, numbers, strict=True)) for key, numbers in named.items() if numbers}


def adjusted(
    model: TemplateModel, change: Adjustment, errors: Float[np.ndarray, "bin band"]
) -> TemplateModel:
    """Templates as such a catalogue would see them.

    Parameters
    ----------
    model : TemplateModel
        As it was made.
    change : Adjustment
    errors : array (bin, band)
        Relative errors of templates without a general one: see `template_errors`.

    Returns
    -------
    TemplateModel
    """
    factor = 10.0 ** (0.4 * np.array(change.zero_point_mag))
    flux = model.flux * jnp.asarray(factor, jnp.float32)[None, :, None]
    error = model.template_error
    if change.error is not None:
        error = jnp.asarray(np.hypot(errors, np.array(change.error)[None, :]), jnp.float32)
    return eqx.tree_at(lambda one: (one.flux, one.template_error), model, (flux, error))


def fitted_templates(
    bands: tuple[str, ...],
    filters: Filters,
    settings: TemplateSettings,
    galaxies: PhotometricGalaxies,
    *,
    zero_points: bool,
    band_errors: bool,
    unlabelled: PhotometricGalaxies | None = None,
    config: TemplateConfig | None = None,
) -> tuple[TemplateModel, Adjustment]:
    """Templates for the bands of a catalogue, and how these were changed.

    Parameters
    ----------
    bands : tuple of str
    filters : Filters
        In their order.
    settings : TemplateSettings
        What is given.
    galaxies : PhotometricGalaxies
        Of the training part, all with redshifts; may be none.
    zero_points, band_errors : bool
        What is fitted to them.
    unlabelled : PhotometricGalaxies, optional
        Of any redshifts; what is not fitted to known ones, and nothing is said of, is fitted to these.
    config : TemplateConfig, optional
        The templates.

    Returns
    -------
    TemplateModel
    Adjustment

    Raises
    ------
    TableError
        A number is given for a band that is not there, or there are too few galaxies to fit to.
    """
    config = config or TemplateConfig()
    if (zero_points or band_errors) and len(galaxies) < FEWEST:
        problem = f"has {len(galaxies)} redshifts to fit zero points and errors to; {FEWEST} are needed"
        raise TableError(
            galaxies.name, problem, "give numbers, or none: --zero-points none --band-errors none"
        )
    model = make_template_model(bands, filters, settings.grid, config)
    without = replace(config, systematic_error=0.0)
    errors = template_errors(filters, settings.grid, without)
    given = settings.given("band_errors")
    start = Adjustment(
        _in_order(settings.given("zero_points") or {}, bands, 0.0),
        None if given is None else _in_order(given, bands, config.systematic_error),
    )
    if zero_points or band_errors:
        fit = {"zero_points": zero_points, "band_errors": band_errors}
        start = fit_adjustment(model, galaxies, errors, start=start, **fit)
    elif unlabelled is not None and can_fit_without_redshifts(unlabelled):
        fit = {name: settings.is_automatic(name) for name in ("zero_points", "band_errors")}
        start = fit_without_redshifts(model, unlabelled, errors, start=start, **fit)
    return adjusted(model, start, errors), start


def can_fit_without_redshifts(galaxies: PhotometricGalaxies) -> bool:
    """Whether there are galaxies and bands enough."""
    return len(galaxies) >= FEWEST_UNLABELLED and len(galaxies.bands) >= FEWEST_BANDS


def _in_order(given: Mapping[str, float], bands: tuple[str, ...], other: float) -> tuple[float, ...]:
    unknown = [band for band in given if band not in bands]
    if unknown:
        raise TableError(
            f"band {unknown[0]}", f"is not there; there are {', '.join(bands)}", "name one of them"
        )
    return tuple(float(given.get(band, other)) for band in bands)


def fit_adjustment(
    model: TemplateModel,
    galaxies: PhotometricGalaxies,
    errors: Float[np.ndarray, "bin band"],
    *,
    start: Adjustment,
    zero_points: bool = True,
    band_errors: bool = True,
) -> Adjustment:
    """Zero points and errors of the bands, from galaxies with known redshifts.

    Parameters
    ----------
    model : TemplateModel
        As it was made.
    galaxies : PhotometricGalaxies
        All with redshifts.
    errors : array (bin, band)
        As for `adjusted`.
    start : Adjustment
        What holds of that which is not fitted.
    zero_points, band_errors : bool
        What is fitted.

    Returns
    -------
    Adjustment
        Zero points that are fitted add up to 0: a change of all bands changes no redshift.
    """
    if zero_points:
        start = replace(start, zero_point_mag=_fit_zero_points(model, galaxies, start, errors))
    return _fit_errors(model, galaxies, start, errors) if band_errors else start


def fit_without_redshifts(
    model: TemplateModel,
    galaxies: PhotometricGalaxies,
    errors: Float[np.ndarray, "bin band"],
    *,
    start: Adjustment,
    zero_points: bool,
    band_errors: bool,
) -> Adjustment:
    """Zero points and errors of the bands, from galaxies at the medians of their own densities."""
    few = galaxies.select(np.linspace(0, len(galaxies) - 1, min(len(galaxies), MOST_FOR_ERRORS)).astype(int))
    bands = len(galaxies.bands)
    zero_point, found = np.array(start.zero_point_mag), start
    for _ in range(ROUNDS * (zero_points or band_errors)):
        fitted = adjusted(model, found, errors)
        placed = replace(few, redshift=predict_galaxies(fitted, few).densities.median().astype(np.float32))
        if zero_points:
            ratio = log_ratios(fitted, placed)
            step = MAG_PER_E * np.array([middle(ratio[:, band]) for band in range(bands)])
            zero_point = zero_point + step - step.mean()
            found = replace(found, zero_point_mag=tuple(zero_point.round(4).tolist()))
        if band_errors:
            general = adjusted(model, replace(found, error=None), errors)
            scatter = _scatter_beyond_noise(log_ratios(general, placed), placed)
            if not np.all(np.isfinite(scatter)):  # no band has enough galaxies
                return start
            wider = math.sqrt(bands / (bands - _FITTED))
            found = replace(found, error=tuple((wider * scatter).round(4).tolist()))
    return found


def _fit_zero_points(
    model: TemplateModel,
    galaxies: PhotometricGalaxies,
    start: Adjustment,
    errors: Float[np.ndarray, "bin band"],
) -> tuple[float, ...]:
    zero_point = np.zeros(len(model.bands))
    for _ in range(ITERATIONS):
        change = replace(start, zero_point_mag=tuple(zero_point.tolist()))
        ratio = log_ratios(adjusted(model, change, errors), galaxies)
        step = MAG_PER_E * np.array([middle(ratio[:, band]) for band in range(len(zero_point))])
        zero_point += step - step.mean()
    return tuple(zero_point.round(4).tolist())


def _fit_errors(
    model: TemplateModel,
    galaxies: PhotometricGalaxies,
    start: Adjustment,
    errors: Float[np.ndarray, "bin band"],
) -> Adjustment:
    scatter = _scatter_beyond_noise(log_ratios(adjusted(model, start, errors), galaxies), galaxies)
    if not np.all(np.isfinite(scatter)):  # no band has enough galaxies
        return start
    few = galaxies.select(np.arange(min(len(galaxies), MOST_FOR_ERRORS)))
    tried = [replace(start, error=tuple((k * scatter).round(4).tolist())) for k in ERROR_FACTORS]
    return min(tried, key=lambda change: _miscalibration(adjusted(model, change, errors), few))


def log_ratios(model: TemplateModel, galaxies: PhotometricGalaxies) -> Float[np.ndarray, "n band"]:
    """Logarithm of measured over expected flux; NaN where that says nothing."""
    flux, err = galaxies.flux_njy, galaxies.flux_err_njy
    expected = map_galaxies(model.expected, flux, err, galaxies.redshift)
    telling: Bool[np.ndarray, "n band"] = (flux > LEAST_SIGNAL * err) & (expected > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(telling, np.log(flux.astype(np.float64) / expected), np.nan)


def middle(ratio: Float[np.ndarray, " n"]) -> float:
    """Median of what is known; 0 where too little is."""
    known = ratio[np.isfinite(ratio)]
    return float(np.median(known)) if len(known) >= FEWEST_IN_BAND else 0.0


def _scatter_beyond_noise(
    ratio: Float[np.ndarray, "n band"], galaxies: PhotometricGalaxies
) -> Float[np.ndarray, " band"]:
    """Relative scatter of each band, its noise taken out; that of all bands where there are too few."""
    noise = galaxies.flux_err_njy / np.where(galaxies.flux_njy > 0, galaxies.flux_njy, np.nan)
    known = np.isfinite(ratio)
    found = np.array([
        np.sqrt(max(nmad(np.zeros(seen.sum()), one[seen]) ** 2 - np.median(own[seen]) ** 2, 0.0))
        if seen.sum() >= FEWEST_IN_BAND
        else np.nan
        for one, own, seen in zip(ratio.T, noise.T, known.T, strict=True)
    ])  # fmt: skip
    known = found[np.isfinite(found)]
    return np.where(np.isfinite(found), found, np.median(known) if len(known) else np.nan).astype(np.float64)


def _miscalibration(model: TemplateModel, galaxies: PhotometricGalaxies) -> float:
    """How far the shares of known redshifts in the middles of densities are from what they should be."""
    below = predict_galaxies(model, galaxies).densities.cdf(galaxies.redshift.astype(np.float64))
    return sum(abs(float(np.mean(np.abs(below - 0.5) < 0.5 * held)) - held) for held in HELD)
