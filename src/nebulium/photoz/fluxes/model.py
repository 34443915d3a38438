"""From fluxes and their errors to p(z): an ensemble of networks on magnitudes and colours."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key

from nebulium.modelfile import register
from nebulium.nn.training_domain import N_REFERENCE, TrainingDomain
from nebulium.photoz.density.grid import RedshiftGrid
from nebulium.photoz.density.heads import REDSHIFT_HEADS, RedshiftHead
from nebulium.photoz.density.prediction import RedshiftPrediction
from nebulium.photoz.density.recalibration import Recalibration

Fluxes = Float[Array, " band"]

LEAST_SCALE = 1e-3
# Of the magnitudes in units of -1.086 magnitudes, squared: what varies less than by 3 % is mostly noise.
LEAST_VARIANCE = 1e-3


class PhotometryFeatures(eqx.Module):
    """What networks see of fluxes, standardised on the training galaxies.

    Magnitudes are inverse hyperbolic sines (Lupton, Gunn & Szalay 1999, AJ 118, 1406), so that negative
    fluxes and zero are ordinary numbers.

    Parameters
    ----------
    bands : int
    whitens : bool
        See `PhotometryModel`.

    Attributes
    ----------
    softening_njy : (band,) float32
        Flux at which magnitudes turn from logarithmic to linear: a typical error.
    mean, scale : (feature,) float32
        Of the magnitudes, colours and errors of training galaxies.
    axes : (band, band) float32
        Principal axes of their magnitudes, each over what galaxies scatter along it; without them there are
        colours of neighbouring bands.
    """

    softening_njy: Fluxes
    mean: Float[Array, " feature"]
    scale: Float[Array, " feature"]
    axes: Float[Array, "band band"] | None

    def __init__(self, bands: int, *, whitens: bool = False):
        self.softening_njy = jnp.ones(bands, jnp.float32)
        self.mean = jnp.zeros(3 * bands - 1, jnp.float32)
        self.scale = jnp.ones(3 * bands - 1, jnp.float32)
        self.axes = jnp.eye(bands, dtype=jnp.float32) if whitens else None

    def __call__(self, flux_njy: Fluxes, flux_err_njy: Fluxes) -> Float[Array, " input"]:
        """Standardised features, then for each band whether it is there."""
        present = is_present(flux_njy, flux_err_njy).astype(jnp.float32)
        return jnp.concatenate([self.standardised(flux_njy, flux_err_njy), present])

    def standardised(self, flux_njy: Fluxes, flux_err_njy: Fluxes) -> Float[Array, " feature"]:
        """Magnitudes, colours of neighbouring bands and errors; 0, the mean, where one is missing.

        Where magnitudes are whitened, these take the place of colours, and what is missing among them lies on
        the line between its neighbours.
        """
        raw = self.raw(flux_njy, flux_err_njy)
        features = (raw - self.mean) / self.scale
        if self.axes is not None:
            bands = flux_njy.size
            off = filled(raw[:bands] - self.mean[:bands])
            # Accelerators would else round the small differences away.
            along = jnp.dot(off, self.axes, precision="highest")
            features = jnp.concatenate([off / self.scale[:bands], along, features[2 * bands - 1 :]])
        return jnp.where(jnp.isfinite(features), features, 0.0)

    def raw(self, flux_njy: Fluxes, flux_err_njy: Fluxes) -> Float[Array, " feature"]:
        """The same in units of -1.086 magnitudes, not standardised; NaN where one is missing."""
        present = is_present(flux_njy, flux_err_njy)
        flux = jnp.where(present, flux_njy, jnp.nan) / self.softening_njy
        err = jnp.where(present, flux_err_njy, 1.0) / self.softening_njy
        magnitude = jnp.arcsinh(0.5 * flux)
        log_err = jnp.where(present, jnp.log(err), jnp.nan)
        return jnp.concatenate([magnitude, magnitude[:-1] - magnitude[1:], log_err])


def filled(value: Float[Array, " band"]) -> Float[Array, " band"]:
    """Values with those that are NaN on the line between their neighbours, or as the last of them."""
    place, known = jnp.arange(value.size), jnp.isfinite(value)
    before = jax.lax.cummax(jnp.where(known, place, -1))
    after = jax.lax.cummin(jnp.where(known, place, value.size), reverse=True)
    first = jnp.where(before < 0, after, before)
    last = jnp.where(after == value.size, before, after)
    share = (place - first) / jnp.maximum(last - first, 1)
    # Where nothing is known, the last place, which holds NaN, is taken.
    left, right = (value[jnp.clip(one, 0, value.size - 1)] for one in (first, last))
    return jnp.where(known, value, left + share.astype(value.dtype) * (right - left))


def is_present(
    flux_njy: Float[Array | np.ndarray, "*galaxy band"],
    flux_err_njy: Float[Array | np.ndarray, "*galaxy band"],
) -> Bool[Array, "*galaxy band"]:
    """Which bands have a flux with an error."""
    return jnp.isfinite(flux_njy) & jnp.isfinite(flux_err_njy) & (flux_err_njy > 0)


def measure_features(
    flux_njy: Float[np.ndarray, "n band"], flux_err_njy: Float[np.ndarray, "n band"], *, whitens: bool = False
) -> PhotometryFeatures:
    """Softening, mean and scale of the features of training galaxies, from the bands that are there."""
    bands = flux_njy.shape[1]
    features = PhotometryFeatures(bands, whitens=whitens)
    known_err = np.ma.masked_where(~np.asarray(is_present(flux_njy, flux_err_njy)), flux_err_njy)
    softening = np.ma.median(known_err, axis=0).filled(1.0).astype(np.float32)
    features = eqx.tree_at(lambda f: f.softening_njy, features, jnp.asarray(softening))
    raw = jax.vmap(features.raw)(jnp.asarray(flux_njy), jnp.asarray(flux_err_njy))
    known = np.ma.masked_invalid(np.asarray(raw, np.float64))
    mean, scale = (np.ma.filled(moment, 0.0) for moment in (known.mean(axis=0), known.std(axis=0)))
    # A feature that is the same for all, such as the error in a survey of even depth.
    scale[scale < LEAST_SCALE] = 1.0
    measured = (jnp.asarray(mean, jnp.float32), jnp.asarray(scale, jnp.float32))
    features = eqx.tree_at(lambda f: (f.mean, f.scale), features, measured)
    if not whitens:
        return features
    off = np.asarray(jax.vmap(lambda one: filled((one - features.mean)[:bands]))(raw), np.float64)
    return eqx.tree_at(lambda f: f.axes, features, whitening_axes(np.nan_to_num(off)))


def whitening_axes(off: Float[np.ndarray, "n band"]) -> Float[Array, "band band"]:
    """Principal axes of magnitudes less their means, along which training galaxies scatter by 1 at most.

    What tells redshifts is often what varies least: all magnitudes go up and down together.
    """
    variance, axes = np.linalg.eigh(off.T @ off / max(len(off), 1))
    return jnp.asarray(axes / np.sqrt(np.maximum(variance, 0.0) + LEAST_VARIANCE), jnp.float32)


class PhotometryNetwork(eqx.Module):
    """One network: layers of equal width, and a head.

    Parameters
    ----------
    inputs, width, depth : int
        Features; units of a layer; layers.
    head : str
        See `nebulium.photoz.density.heads.REDSHIFT_HEADS`.
    grid : RedshiftGrid
    key : key
    """

    layers: tuple[eqx.nn.Linear, ...]
    head: RedshiftHead

    def __init__(
        self, inputs: int, *, width: int, depth: int, head: str, grid: RedshiftGrid, key: Key[Array, ""]
    ):
        keys = jax.random.split(key, depth + 1)
        sizes = [inputs] + [width] * depth
        self.layers = tuple(eqx.nn.Linear(sizes[i], width, key=keys[i]) for i in range(depth))
        self.head = REDSHIFT_HEADS[head](width, grid, key=keys[depth])

    def __call__(self, features: Float[Array, " input"]) -> Float[Array, " bin"]:
        """Logarithm of the probability of each bin."""
        return self.head(self.vector(features))

    def vector(self, features: Float[Array, " input"]) -> Float[Array, " width"]:
        """What the head sees."""
        for layer in self.layers:
            features = jax.nn.gelu(layer(features))
        return features


@register
class PhotometryModel(eqx.Module):
    """p(z) of a galaxy from its fluxes: the mean of what several networks say.

    Parameters
    ----------
    bands : sequence of str
        Names of the bands, in order.
    grid_most, grid_bins
        See `RedshiftGrid`.
    head : str
        See `nebulium.photoz.density.heads.REDSHIFT_HEADS`.
    members, width, depth : int
        Networks; units of a layer; layers.
    domain_references : int
        Galaxies that the training domain is measured by.
    whitens : bool
        Whether networks see magnitudes along their principal axes, in units of the training galaxies'
        scatter, in place of colours, and a missing band on the line between its neighbours, in magnitudes
        less their means, in place of its mean. Models of earlier versions do not.
    key : key, optional
        Of the first weights.

    Attributes
    ----------
    prior_mass : (bin,) float32
        Said of galaxies of which no band is there.

    Examples
    --------
    >>> model = PhotometryModel(bands=["g", "r", "i"], grid_bins=50, members=2)
    >>> said = model(jnp.array([1.0, 2.0, jnp.nan]), jnp.ones(3))
    >>> said.mass.shape, round(float(said.mass.sum()), 4)
    ((50,), 1.0)
    """

    networks: tuple[PhotometryNetwork, ...]
    features: PhotometryFeatures
    domain: TrainingDomain
    prior_mass: Float[Array, " bin"]
    recalibration: Recalibration
    bands: tuple[str, ...] = eqx.field(static=True)
    grid: RedshiftGrid = eqx.field(static=True)

    def __init__(
        self,
        *,
        bands: Sequence[str],
        grid_most: float = 6.0,
        grid_bins: int = 300,
        head: str = "mixture",
        members: int = 5,
        width: int = 128,
        depth: int = 3,
        domain_references: int = N_REFERENCE,
        whitens: bool = False,
        key: Key[Array, ""] | None = None,
    ):
        self.bands, self.grid = tuple(bands), RedshiftGrid(grid_most, grid_bins)
        self.features = PhotometryFeatures(len(self.bands), whitens=whitens)
        # Whitened magnitudes are one more than colours.
        measured = self.features.mean.size + int(whitens)
        inputs = measured + len(self.bands)
        keys = jax.random.split(jax.random.key(0) if key is None else key, members)
        self.networks = tuple(
            PhotometryNetwork(inputs, width=width, depth=depth, head=head, grid=self.grid, key=one)
            for one in keys
        )
        self.domain = TrainingDomain(measured, domain_references)
        self.prior_mass = jnp.full(grid_bins, 1.0 / grid_bins, jnp.float32)
        self.recalibration = Recalibration()

    def __call__(self, flux_njy: Fluxes, flux_err_njy: Fluxes) -> RedshiftPrediction:
        """p(z) of one galaxy; a missing band is NaN."""
        seen = self.features(flux_njy, flux_err_njy)
        some = jnp.any(is_present(flux_njy, flux_err_njy))
        log_mass = jnp.stack([network(seen) for network in self.networks])
        mass = jnp.where(some, jnp.mean(jnp.exp(log_mass), axis=0), self.prior_mass)
        return RedshiftPrediction(
            mass=self.recalibration(mass),
            in_domain=some & self.domain.contains(self.features.standardised(flux_njy, flux_err_njy)),
        )
