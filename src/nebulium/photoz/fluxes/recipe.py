"""Training of the networks on fluxes: settings, augmentation, steps."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from nebulium.errors import TableError
from nebulium.nn.training_domain import N_REFERENCE, measure_domain
from nebulium.photometry.galaxies import PhotometricGalaxies
from nebulium.photoz.density.grid import RedshiftGrid
from nebulium.photoz.fluxes.model import (
    Fluxes,
    PhotometryFeatures,
    PhotometryModel,
    PhotometryNetwork,
    measure_features,
)
from nebulium.training import FitConfig, FitResult
from nebulium.training.config import fit_config_of
from nebulium.verbs import Training, fit_members

Scalar = Float[Array, ""]

# What each training redshift adds to the prior is so wide in ln(1 + z); so much is spread evenly.
PRIOR_SIGMA, PRIOR_FLOOR = 0.05, 1e-3
# Of few galaxies batches are smaller, so that networks are not left half trained.
LEAST_STEPS, LEAST_BATCH = 12, 8


@dataclass(frozen=True)
class GridConfig:
    """Settings of methods that have no others.

    Attributes
    ----------
    grid_most, grid_bins
        See `RedshiftGrid`.

    Examples
    --------
    >>> GridConfig(grid_most=3.0).grid
    RedshiftGrid(most=3.0, bins=300)
    """

    grid_most: float = 6.0
    grid_bins: int = 300

    @property
    def grid(self) -> RedshiftGrid:
        """The bins of redshift."""
        return RedshiftGrid(self.grid_most, self.grid_bins)


@dataclass(frozen=True)
class PhotometryConfig(GridConfig):
    """How networks on fluxes are built and trained.

    Attributes
    ----------
    grid_most, grid_bins
        See `nebulium.photoz.density.grid.RedshiftGrid`.
    head : str
        See `nebulium.photoz.density.heads.REDSHIFT_HEADS`.
    members : int
        Networks of the ensemble, each from a seed of its own.
    width, depth : int
        Units of a layer; layers.
    most_noise : float
        Each time that a training galaxy is seen, noise is added to its fluxes, and to their errors in
        quadrature: up to so many times its errors, evenly drawn.
    dropped_galaxies, dropped_bands : float
        Fraction of the training galaxies that lose bands, drawn anew each time; fraction of their bands that
        they lose.
    epochs, batch_size, learning_rate, weight_decay, averaging, patience, seed
        As in `nebulium.training.FitConfig`; of fewer than 12 batches' galaxies, batches are smaller.

    Examples
    --------
    >>> PhotometryConfig(epochs=5).head
    'mixture'
    """

    head: str = "mixture"
    members: int = 5
    width: int = 128
    depth: int = 3
    most_noise: float = 1.0
    dropped_galaxies: float = 0.2
    dropped_bands: float = 0.3
    epochs: int = 100
    batch_size: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    averaging: float | None = 0.998
    patience: int | None = None
    seed: int = 0

    def fitting(self, galaxies: int) -> FitConfig:
        """Settings of the training loop for the first network, for so many training galaxies."""
        most = max(galaxies // LEAST_STEPS, LEAST_BATCH)
        return fit_config_of(self, batch_size=min(self.batch_size, most))


class PhotometryLearner(eqx.Module):
    """A network in training, with what it is not trained on.

    Attributes
    ----------
    network : PhotometryNetwork
    features : PhotometryFeatures
    most_noise, dropped_galaxies, dropped_bands : float
        See `PhotometryConfig`.
    """

    network: PhotometryNetwork
    features: PhotometryFeatures
    most_noise: float = eqx.field(static=True)
    dropped_galaxies: float = eqx.field(static=True)
    dropped_bands: float = eqx.field(static=True)

    def varied(self, flux_njy: Fluxes, flux_err_njy: Fluxes, key: Key[Array, ""]) -> tuple[Fluxes, Fluxes]:
        """The galaxy as a noisier survey with fewer bands might have seen it."""
        amount_key, noise_key, galaxy_key, band_key = jax.random.split(key, 4)
        amount = self.most_noise * jax.random.uniform(amount_key)
        noisier = flux_njy + amount * flux_err_njy * jax.random.normal(noise_key, flux_njy.shape)
        loses = jax.random.bernoulli(galaxy_key, self.dropped_galaxies)
        lost = loses & jax.random.bernoulli(band_key, self.dropped_bands, flux_njy.shape)
        return jnp.where(lost, jnp.nan, noisier), flux_err_njy * jnp.sqrt(1.0 + amount**2)

    def loss(self, flux_njy: Fluxes, flux_err_njy: Fluxes, redshift: Scalar, redshift_err: Scalar) -> Scalar:
        """Of the head, for one galaxy."""
        vector = self.network.vector(self.features(flux_njy, flux_err_njy))
        return self.network.head.loss(vector, redshift, redshift_err)


def loss_of_varied(learner: PhotometryLearner, galaxies: dict[str, Array], key: Key[Array, ""]) -> Array:
    """Loss of the head for each galaxy, each varied in its own way: what is trained on."""
    keys = jax.random.split(key, galaxies["redshift"].size)
    flux, err = jax.vmap(learner.varied)(galaxies["flux_njy"], galaxies["flux_err_njy"], keys)
    return loss_as_seen(learner, {**galaxies, "flux_njy": flux, "flux_err_njy": err}, key)


def loss_as_seen(learner: PhotometryLearner, galaxies: dict[str, Array], key: Key[Array, ""]) -> Array:
    """The same for galaxies as they are: what validates."""
    return jax.vmap(learner.loss)(
        galaxies["flux_njy"], galaxies["flux_err_njy"], galaxies["redshift"], galaxies["redshift_err"]
    )


def train_photometry(
    training: PhotometricGalaxies,
    validation: PhotometricGalaxies,
    *,
    config: PhotometryConfig,
    run: Training | None = None,
) -> tuple[PhotometryModel, list[FitResult[Any]]]:
    """Train networks on the fluxes of galaxies with known redshifts."""
    training, validation = _labelled(training, "training"), _labelled(validation, "validation")
    if training.bands != validation.bands:
        problem = f"expected the bands {training.bands}, found {validation.bands}"
        raise TableError("the validation galaxies", problem, "give the same bands in the same order")
    model = _new_model(training, config)
    varied = config.most_noise, config.dropped_galaxies, config.dropped_bands
    results = fit_members(
        run or Training(),
        [PhotometryLearner(network, model.features, *varied) for network in model.networks],
        loss_of_varied,
        _arrays(training),
        validation=_arrays(validation),
        validation_loss_fn=loss_as_seen,
        config=config.fitting(len(training)),
        trained=lambda learner: learner.network,
        about=dataclasses.asdict(config),
    )
    model = eqx.tree_at(lambda m: m.networks, model, tuple(result.model.network for result in results))
    domain = measure_domain(
        _standardised(model.features, training),
        _standardised(model.features, validation),
        n_reference=model.domain.reference.shape[0],
    )
    return eqx.tree_at(lambda m: m.domain, model, domain), results


def _labelled(galaxies: PhotometricGalaxies, name: str) -> PhotometricGalaxies:
    known = np.flatnonzero(np.isfinite(galaxies.redshift))
    if known.size == 0:
        mend = "give a catalogue with redshifts, or choose the method template, which needs none"
        raise TableError(f"the {name} galaxies", "none of them has a redshift", mend)
    return galaxies.select(known)


def _new_model(training: PhotometricGalaxies, config: PhotometryConfig) -> PhotometryModel:
    """A model before training, its statistics measured on the training galaxies."""
    model = PhotometryModel(**hyperparameters(training, config), key=jax.random.key(config.seed))
    measured = (
        measure_features(training.flux_njy, training.flux_err_njy, whitens=True),
        measure_prior(training.redshift, config.grid),
    )
    return eqx.tree_at(lambda m: (m.features, m.prior_mass), model, measured)


def hyperparameters(training: PhotometricGalaxies, config: PhotometryConfig) -> dict[str, Any]:
    """Keywords of `PhotometryModel`."""
    names = ("grid_most", "grid_bins", "head", "members", "width", "depth")
    shape = {name: getattr(config, name) for name in names}
    references = min(N_REFERENCE, len(training))
    return {
        "bands": list(training.bands), **shape, "domain_references": references, "whitens": True
    }  # fmt: skip


def measure_prior(redshift: Float[np.ndarray, " n"], grid: RedshiftGrid) -> Float[Array, " bin"]:
    """Distribution of the training redshifts, smoothed, no bin impossible."""
    count = np.histogram(np.clip(redshift, 0.0, grid.most), grid.edges)[0]
    steps = np.arange(-grid.bins, grid.bins + 1) * grid.width / PRIOR_SIGMA
    smooth = np.convolve(count, np.exp(-0.5 * steps**2))[grid.bins : -grid.bins]
    mass = smooth / smooth.sum() + PRIOR_FLOOR / grid.bins
    return jnp.asarray(mass / mass.sum(), jnp.float32)


def _arrays(galaxies: PhotometricGalaxies) -> dict[str, Array]:
    names = ("flux_njy", "flux_err_njy", "redshift", "redshift_err")
    return {name: jnp.asarray(getattr(galaxies, name)) for name in names}


def _standardised(features: PhotometryFeatures, galaxies: PhotometricGalaxies) -> Float[Array, "n feature"]:
    return jax.vmap(features.standardised)(jnp.asarray(galaxies.flux_njy), jnp.asarray(galaxies.flux_err_njy))
