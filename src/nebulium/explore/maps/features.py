"""Features of a map: numbers of each galaxy by which those alike come to lie together."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float, Shaped

from nebulium.data.ids import hash_ids
from nebulium.errors import TableError
from nebulium.explore.sample.galaxies import Galaxies
from nebulium.lines.input import FLUX_COLUMNS, single

Fluxes = Float[np.ndarray, "n band"]

Kind = Literal["continuum", "colours", "photometry", "latent"]
KINDS: tuple[Kind, ...] = get_args(Kind)
#: With fewer bands there are too few colours to tell galaxies apart.
FEWEST_BANDS = 3
#: Softening of a flux without an error, as a share of the typical flux of its band.
SOFTENING = 0.01

Continua = Float[np.ndarray, "n 12"]
Features = Float[np.ndarray, "n feature"]


@dataclass(frozen=True, eq=False)
class MapFeatures:
    """Features of galaxies.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    values : (n, feature) float32
        Compared by their Euclidean distance; NaN in the rows that are not usable.
    source : (n, number) float32
        The numbers behind the features, which show whether a galaxy has changed.
    sentence : str
        Description of the features, with the number of galaxies that have them.
    """

    kind: Kind
    values: Features
    source: Float[np.ndarray, "n number"]
    sentence: str

    def __len__(self) -> int:
        return len(self.values)

    @property
    def usable(self) -> Bool[np.ndarray, " n"]:
        """Which galaxies can be put into the map."""
        return np.isfinite(self.values).all(axis=1)

    def hashes(self) -> Shaped[np.ndarray, " n"]:
        """A number for each galaxy, uint64, that changes with any of its numbers."""
        found = np.zeros(len(self), np.uint64)
        for column in np.ascontiguousarray(self.source.T, np.float32).view(np.uint32):
            # A bijection of the sum so far and the next number; overflow is meant.
            found = hash_ids(found + column)
        return found


def continuum_features(continuum_flux: Continua) -> Features:
    """The twelve bins over their mean: the shape of the continuum."""
    flux = single(continuum_flux)
    mean = flux.mean(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        return _whole_rows(np.where(mean > 0, flux / mean, np.nan))


def colour_features(continuum_flux: Continua) -> Features:
    """Logarithms of the ratios of neighbouring bins."""
    flux = single(continuum_flux)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        return _whole_rows(np.diff(np.log(np.where(flux > 0, flux, np.nan)), axis=1))


def photometric_features(flux_njy: Fluxes, flux_err_njy: Fluxes) -> Features:
    """Colours of neighbouring bands, of asinh magnitudes, so that a negative flux has one as well."""
    flux, softening = single(flux_njy), _softening(flux_njy, flux_err_njy)
    return _whole_rows(np.diff(np.arcsinh(flux / (2.0 * softening[None, :])), axis=1))


def continuum_map_features(galaxies: Galaxies, kind: Literal["continuum", "colours"]) -> MapFeatures:
    """Features of the continuum."""
    if galaxies.continuum is None:
        raise _lacking(galaxies, f"columns {FLUX_COLUMNS[0]} to {FLUX_COLUMNS[-1].rpartition('_')[2]}", kind)
    make, what = {
        "continuum": (continuum_features, "twelve continuum bins over their mean"),
        "colours": (colour_features, "log ratios of neighbouring continuum bins"),
    }[kind]
    return _described(kind, make(galaxies.continuum), galaxies.continuum, what)


def photometric_map_features(galaxies: Galaxies) -> MapFeatures:
    """Features of the fluxes in bands."""
    if len(galaxies.bands) < FEWEST_BANDS:
        lacking = f"columns flux_njy_obs_BAND or flux_njy_BAND of at least {FEWEST_BANDS} bands"
        raise _lacking(galaxies, lacking, "photometry")
    flux, flux_err = galaxies.fluxes
    what = f"asinh colours of {', '.join(galaxies.bands)}"
    return _described("photometry", photometric_features(flux, flux_err), flux, what)


def latent_map_features(vectors: Features, model: str) -> MapFeatures:
    """Features that a model makes of its galaxies."""
    what = f"latent space of {model} ({vectors.shape[1]} numbers)"
    return _described("latent", _whole_rows(vectors.astype(np.float32)), vectors, what)


def _described(kind: Kind, values: Features, source: Float[np.ndarray, "n number"], what: str) -> MapFeatures:
    usable = int(np.isfinite(values).all(axis=1).sum())
    sentence = f"{what}; {usable:,} of {len(values):,} galaxies have all of them"
    return MapFeatures(kind, values, source.astype(np.float32), sentence)


def _lacking(galaxies: Galaxies, columns: str, kind: str) -> TableError:
    problem = f"lacks the {columns}, which the map of kind {kind} needs"
    able = [other for other in ("continuum", "photometry") if other != kind]
    mend = f"give a table with them, or choose another map: --embedding {' or '.join(able)}"
    return TableError(galaxies.name, problem, mend)


def _softening(flux: Fluxes, flux_err: Fluxes) -> Float[np.ndarray, " band"]:
    """Typical error of each band; where there are no errors, a small share of the typical flux."""
    error = np.ma.median(np.ma.masked_invalid(flux_err), axis=0).filled(0.0)
    typical = np.ma.median(np.ma.masked_invalid(np.abs(flux)), axis=0).filled(0.0)
    softening = np.where(error > 0, error, SOFTENING * typical)
    return np.where(softening > 0, softening, 1.0).astype(np.float32)


def _whole_rows(values: Features) -> Features:
    """NaN throughout where one number of a row is not finite."""
    whole = np.isfinite(values).all(axis=1, keepdims=True)
    return np.where(whole, values, np.float32(np.nan)).astype(np.float32)
