"""From the image of a galaxy to its properties, with their uncertainties."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from nebulium.data.images.preparation import Preparation
from nebulium.data.images.stretches import Stretch
from nebulium.modelfile import register
from nebulium.nn.convolution import FeatureMap, Image
from nebulium.nn.densities import HEADS, Head, Interval, Targets
from nebulium.nn.encoders import Encoder, make_encoder
from nebulium.properties.domain import ProfileDomain
from nebulium.properties.gaussian_process import GaussianProcess
from nebulium.properties.profiles import count_profile_features
from nebulium.properties.standardisation import Standards
from nebulium.training.augmentation import orientations

HIDDEN = 64
#: Name of the head that is a Gaussian process on profiles and on what frozen networks say.
GAUSSIAN_PROCESS = "gaussian-process"


class PropertyPrediction(eqx.Module):
    """What a model says of galaxies.

    Attributes
    ----------
    median, sigma, q16, q84 : (..., target) float32
        In the unit of the labels; sigma is half of the central 68 %.
    in_domain : (...) bool
        Whether the image lies inside the training domain.

    Examples
    --------
    See `PropertyModel`.
    """

    median: Float[Array, "*batch target"]
    sigma: Float[Array, "*batch target"]
    q16: Float[Array, "*batch target"]
    q84: Float[Array, "*batch target"]
    in_domain: Bool[Array, "*batch"]


class ImageNetwork(eqx.Module):
    """One network: an encoder of the image, radial profiles beside it, and a head.

    Parameters
    ----------
    encoder : str
        Name of the encoder.
    head : str
        Name of the head.
    bands, profiles, targets : int
        Bands of the image, features of the profiles (0 to leave them out), targets.
    binning : int
        Pixels on a side of the blocks that are averaged before the encoder sees them.
    key : key
    """

    encoder: Encoder
    hidden: eqx.nn.Linear
    head: Head
    binning: int = eqx.field(static=True)

    def __init__(
        self,
        encoder: str,
        head: str,
        *,
        bands: int,
        profiles: int,
        targets: int,
        binning: int = 1,
        key: Key[Array, ""],
    ):
        encoder_key, hidden_key, head_key = jax.random.split(key, 3)
        self.encoder = make_encoder(encoder, bands, key=encoder_key)
        self.hidden = eqx.nn.Linear(self.encoder.width + profiles, HIDDEN, key=hidden_key)
        self.head = HEADS[head](HIDDEN, targets, key=head_key)
        self.binning = binning

    def interval(self, image: Image, profiles: Float[Array, " profile"]) -> Interval:
        """Median and central 68 % of a standardised image with standardised profiles."""
        return self.head.interval(self.vector(self.encoder(self.seen(image)), profiles))

    def seen(self, image: Image) -> FeatureMap:
        """The image as the encoder sees it."""
        if self.binning == 1:
            return image
        height, width, bands = image.shape
        blocks = image.reshape(
            height // self.binning, self.binning, width // self.binning, self.binning, bands
        )
        return jnp.mean(blocks, axis=(1, 3))

    def vector(
        self, embedding: Float[Array, " width"], profiles: Float[Array, " profile"]
    ) -> Float[Array, " hidden"]:
        """What the head sees; a network without room for profiles leaves them out."""
        room = self.hidden.weight.shape[1] - embedding.size
        return jax.nn.gelu(self.hidden(jnp.concatenate([embedding, profiles[:room]])))


@register
class PropertyModel(eqx.Module):
    """A model of properties of galaxies from their images, for one galaxy.

    Each network is asked about all eight orientations of the image; what the networks disagree by is
    added to their uncertainty. With a Gaussian process the networks are frozen, and it learns the
    labels from what they say and from radial profiles.

    Parameters
    ----------
    targets : sequence of str
        Names of the properties.
    bands : sequence of str
        Names of the bands of the images, in order.
    unit : str
        Of the pixels, before the stretch.
    size, binning, stretch
        See `nebulium.data.images.preparation.Preparation`; the stretch as a dict.
    encoder, head : str
        Of the networks: see `nebulium.nn.encoders.ENCODERS` and `nebulium.nn.densities.HEADS`.
    members : int
        Number of networks.
    encoder_binning : int
        Pixels on a side of the blocks that are averaged before an encoder sees them; profiles see all pixels.
    with_profiles : bool
        Whether radial profiles stand beside the image in each network.
    network_targets : int, optional
        What frozen networks under a Gaussian process predict; the number of targets by default.
    references : int
        Galaxies of the Gaussian process; 0 without one.
    domain_references : int
        Galaxies that the training domain is measured by.
    key : key, optional
        Of the first weights.

    Examples
    --------
    >>> model = PropertyModel(
    ...     targets=["oh12"],
    ...     bands=["red", "green", "blue"],
    ...     unit="display",
    ...     size=32,
    ...     stretch=Stretch("display").as_dict(),
    ...     encoder="resnet-small",
    ...     head="gaussian",
    ...     domain_references=8,
    ... )
    >>> model(jnp.zeros((32, 32, 3))).median.shape
    (1,)
    """

    networks: tuple[ImageNetwork, ...]
    process: GaussianProcess | None
    standards: Standards
    domain: ProfileDomain
    interval_factor: Targets
    encoder: str = eqx.field(static=True)
    head: str = eqx.field(static=True)
    targets: tuple[str, ...] = eqx.field(static=True)
    bands: tuple[str, ...] = eqx.field(static=True)
    unit: str = eqx.field(static=True)
    preparation: Preparation = eqx.field(static=True)
    with_profiles: bool = eqx.field(static=True)

    def __init__(
        self,
        *,
        targets: Any,
        bands: Any,
        unit: str,
        size: int,
        stretch: Any,
        encoder: str,
        head: str,
        domain_references: int,
        binning: int = 1,
        members: int = 1,
        encoder_binning: int = 1,
        with_profiles: bool = True,
        network_targets: int | None = None,
        references: int = 0,
        key: Key[Array, ""] | None = None,
    ):
        self.targets, self.bands, self.unit = tuple(targets), tuple(bands), unit
        self.preparation = Preparation(size, Stretch.from_dict(dict(stretch)), binning)
        self.encoder, self.head, self.with_profiles = encoder, head, with_profiles
        predicted, profiles = network_targets or len(self.targets), count_profile_features(len(self.bands))
        keys = jax.random.split(jax.random.key(0) if key is None else key, members)
        of_network = {"bands": len(self.bands), "profiles": profiles * with_profiles, "targets": predicted}
        of_network["binning"] = encoder_binning
        self.networks = tuple(ImageNetwork(encoder, head, **of_network, key=one) for one in keys)
        self.process = (
            GaussianProcess(self.process_groups, n_reference=references, targets=len(self.targets))
            if references
            else None
        )
        self.standards = Standards(len(self.bands), len(self.targets))
        self.domain = ProfileDomain(profiles, domain_references)
        self.interval_factor = jnp.ones(len(self.targets), jnp.float32)

    def __call__(self, image: Image) -> PropertyPrediction:
        """Properties of the galaxy of an image (height, width, band), prepared."""
        profiles = self.standards.profiles(image)
        if self.process is None:
            predicted = _pooled(self._all_said(image, profiles))
        else:
            predicted = self.process.interval(self.process_features(image))
        widen = lambda quantile: predicted.median + self.interval_factor * (quantile - predicted.median)  # noqa: E731
        q16, q84 = widen(predicted.q16), widen(predicted.q84)
        mean, scale = self.standards.target_mean, self.standards.target_scale
        return PropertyPrediction(
            median=mean + scale * predicted.median,
            sigma=0.5 * scale * (q84 - q16),
            q16=mean + scale * q16,
            q84=mean + scale * q84,
            in_domain=self.domain.contains(profiles),
        )

    @property
    def process_groups(self) -> tuple[int, int]:
        """Number of features that are profiles, and that are medians of the networks."""
        predicted = sum(network.head.targets for network in self.networks)
        return count_profile_features(len(self.bands)), predicted

    def process_features(self, image: Image) -> Float[Array, " feature"]:
        """What a Gaussian process learns from: profiles, then the medians of the frozen networks."""
        profiles = self.standards.profiles(image)
        medians = jnp.mean(self._all_said(image, profiles).median, axis=1)
        return jnp.concatenate([profiles, medians.ravel()])

    def embedding(self, image: Image) -> Float[Array, " features"]:
        """The vectors of all networks, one after another, as the image lies."""
        standard = self.standards.image(image)
        return jnp.concatenate([network.encoder(network.seen(standard)) for network in self.networks])

    def _all_said(self, image: Image, profiles: Float[Array, " profile"]) -> Interval:
        """Of every network and orientation, (network, 8, target)."""
        ways = orientations(self.standards.image(image))
        predicted = [
            jax.vmap(lambda way, n=network: n.interval(way, profiles))(ways) for network in self.networks
        ]
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *predicted)


def _pooled(predicted: Interval) -> Interval:
    """The mean of all medians, and mean variances upwards and downwards with that between medians."""
    median = jnp.mean(predicted.median, axis=(0, 1))
    between = jnp.var(jnp.mean(predicted.median, axis=1), axis=0)
    below = jnp.sqrt(jnp.mean((predicted.median - predicted.q16) ** 2, axis=(0, 1)) + between)
    above = jnp.sqrt(jnp.mean((predicted.q84 - predicted.median) ** 2, axis=(0, 1)) + between)
    return Interval(median, median - below, median + above)
