"""From the image of a galaxy to its properties, with their uncertainties."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from nebulium.modelfile import register
from nebulium.nn.convolution import FeatureMap, Image
from nebulium.nn.densities import HEADS, Head, Interval, Targets
from nebulium.nn.encoders import Encoder, encode, make_encoder
from nebulium.nn.image_model import ImageModel
from nebulium.properties.domain import ProfileDomain, Profiles
from nebulium.properties.gaussian_process import GaussianProcess
from nebulium.properties.profiles import count_profile_features, profile_features
from nebulium.training.augmentation import orientations

HIDDEN = 64
#: Name of the head that is a Gaussian process on profiles and on the medians of frozen networks.
GAUSSIAN_PROCESS = "gaussian-process"


class PropertyPrediction(eqx.Module):
    """Properties of galaxies, as a model predicts them.

    Attributes
    ----------
    median, sigma, q16, q84 : (..., target) float32
        In the unit of the labels; sigma is half of the central 68 %.
    in_domain : (...) bool
        Whether the image lies inside the training domain.

    Examples
    --------
    >>> median = jnp.array([8.7])
    >>> half = jnp.array([0.5])
    >>> prediction = PropertyPrediction(median, half, median - half, median + half, jnp.array(True))
    >>> prediction.sigma.tolist()
    [0.5]
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

    def interval(self, image: Image, profiles: Profiles) -> Interval:
        """Median and central 68 % of a standardised image with standardised profiles."""
        return self.head.interval(self.vector(self.embedding(image), profiles))

    def embedding(self, image: Image, *, in_half: bool = False) -> Float[Array, " feature"]:
        """The vector that the encoder makes of a standardised image."""
        return encode(self.encoder, self.seen(image), in_half=in_half)

    def seen(self, image: Image) -> FeatureMap:
        """The image as the encoder sees it."""
        if self.binning == 1:
            return image
        height, width, bands = image.shape
        blocks = image.reshape(
            height // self.binning, self.binning, width // self.binning, self.binning, bands
        )
        return jnp.mean(blocks, axis=(1, 3))

    def vector(self, embedding: Float[Array, " width"], profiles: Profiles) -> Float[Array, " hidden"]:
        """The vector that the head sees; a network without room for profiles leaves them out."""
        room = self.hidden.weight.shape[1] - embedding.size
        return jax.nn.gelu(self.hidden(jnp.concatenate([embedding, profiles[:room]])))


@register
class PropertyModel(ImageModel):
    """A model of properties of galaxies from their images, for one galaxy.

    Each network sees the image in all eight orientations; what the networks disagree by is added to their
    uncertainty. With a Gaussian process the networks are frozen, and it learns the labels from what they
    predict and from radial profiles.

    Parameters
    ----------
    targets : sequence of str
        Names of the properties.
    encoder, head : str
        Of the networks: see `nebulium.nn.encoders.ENCODERS` and `nebulium.nn.densities.HEADS`.
    members : int
        Number of networks.
    encoder_binning : int
        Pixels on a side of the blocks that are averaged before an encoder sees them; profiles see all pixels.
    with_profiles : bool
        Whether radial profiles stand beside the image in each network.
    network_targets : int, optional
        Number of properties that frozen networks under a Gaussian process predict; that of the targets if
        not given.
    references : int
        Galaxies of the Gaussian process; 0 without one.
    domain_references : int
        Galaxies that the training domain is measured by.
    key : key, optional
        Of the first weights.
    bands, unit, size, stretch, binning : sequence of str, str, int, dict, int
        The images: names of their bands in order, unit of the pixels before the stretch, pixels on a side,
        and the rest of `nebulium.data.Preparation`; the stretch as a dict, the binning 1 if not given.

    Examples
    --------
    >>> model = PropertyModel(
    ...     targets=["oh12"],
    ...     bands=["red", "green", "blue"],
    ...     unit="display",
    ...     size=32,
    ...     stretch={"kind": "display", "softening": []},
    ...     encoder="resnet-small",
    ...     head="gaussian",
    ...     domain_references=8,
    ... )
    >>> model(jnp.zeros((32, 32, 3))).median.shape
    (1,)
    """

    networks: tuple[ImageNetwork, ...]
    process: GaussianProcess | None
    domain: ProfileDomain
    target_mean: Targets
    target_scale: Targets
    interval_factor: Targets
    encoder: str = eqx.field(static=True)
    head: str = eqx.field(static=True)
    targets: tuple[str, ...] = eqx.field(static=True)
    with_profiles: bool = eqx.field(static=True)

    def __init__(
        self,
        *,
        targets: Sequence[str],
        encoder: str,
        head: str,
        domain_references: int,
        members: int = 1,
        encoder_binning: int = 1,
        with_profiles: bool = True,
        network_targets: int | None = None,
        references: int = 0,
        key: Key[Array, ""] | None = None,
        **images: Any,
    ):
        super().__init__(images, profile_features, count_profile_features)
        self.targets = tuple(targets)
        self.encoder, self.head, self.with_profiles = encoder, head, with_profiles
        bands, profiles = len(self.form.bands), count_profile_features(len(self.form.bands))
        of_network = {
            "bands": bands,
            "profiles": profiles * with_profiles,
            "targets": network_targets or len(targets),
            "binning": encoder_binning,
        }
        keys = jax.random.split(jax.random.key(0) if key is None else key, members)
        self.networks = tuple(ImageNetwork(encoder, head, **of_network, key=one) for one in keys)
        self.process = (
            GaussianProcess(self.process_groups, n_reference=references, targets=len(targets))
            if references
            else None
        )
        self.domain = ProfileDomain(profiles, domain_references)
        self.target_mean, self.target_scale = jnp.zeros(len(targets)), jnp.ones(len(targets))
        self.interval_factor = jnp.ones(len(self.targets), jnp.float32)

    def __call__(self, image: Image) -> PropertyPrediction:
        """Properties of the galaxy of an image (height, width, band), prepared."""
        profiles = self.standardisation.features(image)
        if self.process is None:
            predicted = _pooled(self._intervals(image, profiles))
        else:
            predicted = self.process.interval(self.process_features(image))
        widen = lambda quantile: predicted.median + self.interval_factor * (quantile - predicted.median)  # noqa: E731
        q16, q84 = widen(predicted.q16), widen(predicted.q84)
        mean, scale = self.target_mean, self.target_scale
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
        return count_profile_features(len(self.form.bands)), predicted

    def process_features(self, image: Image) -> Float[Array, " feature"]:
        """Features for a Gaussian process: profiles, then the medians of the frozen networks."""
        profiles = self.standardisation.features(image)
        medians = jnp.mean(self._intervals(image, profiles).median, axis=1)
        return jnp.concatenate([profiles, medians.ravel()])

    def embedding(self, image: Image) -> Float[Array, " features"]:
        """The vectors of all networks, one after another, as the image lies."""
        standard = self.standardisation.image(image)
        return jnp.concatenate([network.embedding(standard) for network in self.networks])

    def with_domain(self, image: Image) -> tuple[Float[Array, " features"], Bool[Array, ""]]:
        """The embedding, and whether the image lies inside the training domain."""
        return self.embedding(image), self.domain.contains(self.standardisation.features(image))

    def _intervals(self, image: Image, profiles: Profiles) -> Interval:
        """The intervals of every network and orientation, (network, 8, target)."""
        ways = orientations(self.standardisation.image(image))
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
