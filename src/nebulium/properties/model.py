"""From the image of a galaxy to its properties, with their uncertainties."""

from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from nebulium.modelfile import register
from nebulium.nn.classes import ClassHead, Probabilities, normalised, split_by_target
from nebulium.nn.convolution import FeatureMap, Image
from nebulium.nn.densities import HEADS, Head, Interval, Targets
from nebulium.nn.encoders import Encoder, encode, make_encoder
from nebulium.nn.image_model import ImageModel
from nebulium.properties.domain import ProfileDomain, Profiles
from nebulium.properties.features.names import PROFILES, check_features, feature_counts, measure_of
from nebulium.properties.features.profiles import radial_order
from nebulium.properties.gaussian_process import GaussianProcess
from nebulium.properties.kernel_classes import KernelClasses
from nebulium.training.augmentation import orientations

HIDDEN = 64
#: Name of the head that is a Gaussian process, of classes a kernel logistic regression, on what is measured
#: in the image and on the medians of frozen networks.
GAUSSIAN_PROCESS = "gaussian-process"


class PropertyPrediction(eqx.Module):
    """Properties of galaxies, as a model predicts them.

    Attributes
    ----------
    median, sigma, q16, q84 : (..., target) float32
        In the unit of the labels; sigma is half of the central 68 %.
    probability : (..., class) float32
        Of the classes of all targets that are classes, those of one target after those of another.
    in_domain : (...) bool
        Whether the image lies inside the training domain.

    Examples
    --------
    >>> median, half, none = jnp.array([8.7]), jnp.array([0.5]), jnp.zeros(0)
    >>> prediction = PropertyPrediction(median, half, median - half, median + half, none, jnp.array(True))
    >>> prediction.sigma.tolist()
    [0.5]
    """

    median: Float[Array, "*batch target"]
    sigma: Float[Array, "*batch target"]
    q16: Float[Array, "*batch target"]
    q84: Float[Array, "*batch target"]
    probability: Float[Array, "*batch class"]
    in_domain: Bool[Array, "*batch"]


class ImageNetwork(eqx.Module):
    """One network: an encoder of the image, radial profiles beside it, a head of numbers and one of classes.

    Parameters
    ----------
    encoder : str
        Name of the encoder.
    head : str
        Name of the head.
    bands, profiles, targets : int
        Bands of the image, features of the profiles (0 to leave them out), targets that are numbers.
    classes : tuple of int
        Number of classes of each target that is one.
    binning : int
        Pixels on a side of the blocks that are averaged before the encoder sees them.
    key : key
    """

    encoder: Encoder
    hidden: eqx.nn.Linear
    head: Head
    classifier: ClassHead | None
    binning: int = eqx.field(static=True)

    def __init__(
        self,
        encoder: str,
        head: str,
        *,
        bands: int,
        profiles: int,
        targets: int,
        classes: tuple[int, ...] = (),
        binning: int = 1,
        key: Key[Array, ""],
    ):
        encoder_key, hidden_key, head_key = jax.random.split(key, 3)
        self.encoder = make_encoder(encoder, bands, key=encoder_key)
        self.hidden = eqx.nn.Linear(self.encoder.width + profiles, HIDDEN, key=hidden_key)
        self.head = HEADS[head](HIDDEN, targets, key=head_key)
        class_key = jax.random.fold_in(head_key, 1)
        self.classifier = ClassHead(HIDDEN, classes, key=class_key) if classes else None
        self.binning = binning

    def said(self, image: Image, profiles: Profiles) -> tuple[Interval, Probabilities]:
        """Median and central 68 %, and probabilities, of a standardised image with standardised profiles."""
        vector = self.vector(self.embedding(image), profiles)
        return self.head.interval(vector), self.probabilities(vector)

    def probabilities(self, vector: Float[Array, " hidden"]) -> Probabilities:
        """Of the classes of all targets that are classes."""
        return jnp.zeros(0) if self.classifier is None else jnp.exp(self.classifier.log_probabilities(vector))

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
    uncertainty, and probabilities are averaged. With a Gaussian process the networks, if there are any, are
    frozen, and it learns the labels from what they predict and from what is measured in the image; classes
    are then learned by a kernel logistic regression.

    Parameters
    ----------
    targets : sequence of str
        Names of the properties that are numbers.
    classes : mapping of str to sequence of str
        Names of those that are classes, and the classes of each; none if not given.
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
        Galaxies of the Gaussian process, and of the kernel logistic regression; 0 without one.
    features : sequence of str
        What is measured in the image, profiles first: see `nebulium.properties.features.names.FEATURES`.
    radial_parts : int
        From the middle outwards, parts of the profiles with a kernel each in the Gaussian process.
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
    kernel_classes: KernelClasses | None
    domain: ProfileDomain
    target_mean: Targets
    target_scale: Targets
    interval_factor: Targets
    temperature: Float[Array, " classified"] | None
    encoder: str = eqx.field(static=True)
    head: str = eqx.field(static=True)
    targets: tuple[str, ...] = eqx.field(static=True)
    classes: tuple[tuple[str, tuple[str, ...]], ...] = eqx.field(static=True)
    with_profiles: bool = eqx.field(static=True)
    features: tuple[str, ...] = eqx.field(static=True)
    radial_parts: int = eqx.field(static=True)

    def __init__(
        self,
        *,
        targets: Sequence[str],
        encoder: str,
        head: str,
        domain_references: int,
        classes: Mapping[str, Sequence[str]] | None = None,
        members: int = 1,
        encoder_binning: int = 1,
        with_profiles: bool = True,
        network_targets: int | None = None,
        references: int = 0,
        features: Sequence[str] = (PROFILES,),
        radial_parts: int = 1,
        key: Key[Array, ""] | None = None,
        **images: Any,
    ):
        self.features, self.radial_parts = tuple(features), radial_parts
        check_features(self.features)
        super().__init__(images, measure_of(self.features), lambda _: sum(self.feature_counts))
        self.targets = tuple(targets)
        self.classes = tuple((target, tuple(names)) for target, names in (classes or {}).items())
        self.encoder, self.head, self.with_profiles = encoder, head, with_profiles
        bands, profiles = len(self.form.bands), self.feature_counts[0]
        of_network: dict[str, Any] = {
            "bands": bands,
            "profiles": profiles * with_profiles,
            "targets": network_targets or len(targets),
            "classes": () if references else self.class_counts,
            "binning": encoder_binning,
        }
        keys = jax.random.split(jax.random.key(0) if key is None else key, members)
        self.networks = tuple(ImageNetwork(encoder, head, **of_network, key=one) for one in keys)
        groups, of = self.process_groups, {"n_reference": references}
        kinds = self.kernel_groups
        on_numbers, on_classes = bool(references and targets), bool(references and self.classes)
        self.process = GaussianProcess(groups, targets=len(targets), **of) if on_numbers else None
        self.kernel_classes = KernelClasses(kinds, self.class_counts, **of) if on_classes else None
        self.domain = ProfileDomain(profiles, domain_references)
        self.target_mean, self.target_scale = jnp.zeros(len(targets)), jnp.ones(len(targets))
        self.interval_factor = jnp.ones(len(self.targets), jnp.float32)
        # Without classes there is none: older models have no such array.
        self.temperature = jnp.ones(len(self.classes), jnp.float32) if self.classes else None

    def __call__(self, image: Image) -> PropertyPrediction:
        """Properties of the galaxy of an image (height, width, band), prepared."""
        features = self.standardisation.features(image)
        if self.on_features:
            predicted, probability = self._from_features(self._with_medians(image, features))
        else:
            intervals, probabilities = self._said(image, self._profiles(features))
            predicted, probability = _pooled(intervals), jnp.mean(probabilities, axis=(0, 1))
        widen = lambda quantile: predicted.median + self.interval_factor * (quantile - predicted.median)  # noqa: E731
        q16, q84 = widen(predicted.q16), widen(predicted.q84)
        mean, scale = self.target_mean, self.target_scale
        return PropertyPrediction(
            median=mean + scale * predicted.median,
            sigma=0.5 * scale * (q84 - q16),
            q16=mean + scale * q16,
            q84=mean + scale * q84,
            probability=self._tempered(probability),
            in_domain=self.domain.contains(self._profiles(features)),
        )

    @property
    def on_features(self) -> bool:
        """Whether labels were learned from features and frozen networks, not by networks."""
        return self.process is not None or self.kernel_classes is not None

    @property
    def feature_counts(self) -> tuple[int, ...]:
        """Length of each of the `features`."""
        return feature_counts(self.features, self.form.preparation.side, len(self.form.bands))

    @property
    def class_counts(self) -> tuple[int, ...]:
        """Number of classes of each target that is one."""
        return tuple(len(names) for _, names in self.classes)

    def _tempered(self, probability: Probabilities) -> Probabilities:
        """Probabilities at the temperature that makes them right (Guo et al. 2017, arXiv:1706.04599)."""
        if self.temperature is None:
            return probability
        logits = jnp.log(jnp.maximum(probability, jnp.finfo(probability.dtype).tiny))
        parts = split_by_target(logits, self.class_counts)
        scaled = [part / warmth for part, warmth in zip(parts, self.temperature, strict=True)]
        return jnp.exp(normalised(jnp.concatenate(scaled), self.class_counts))

    @property
    def process_groups(self) -> tuple[int, ...]:
        """Number of features in each group of a Gaussian process: parts of the profiles, other kinds."""
        _, profiles = radial_order(len(self.form.bands), self.radial_parts)
        return (*profiles, *self.kernel_groups[1:])

    @property
    def kernel_groups(self) -> tuple[int, ...]:
        """Number of features of each kind, and of medians of the networks, if there are any."""
        predicted = sum(network.head.targets for network in self.networks)
        return (*self.feature_counts, *((predicted,) if predicted else ()))

    def process_features(self, image: Image) -> Float[Array, " feature"]:
        """What a Gaussian process learns from: features, then the medians of the frozen networks."""
        return self._with_medians(image, self.standardisation.features(image))

    def _with_medians(self, image: Image, features: Float[Array, " measured"]) -> Float[Array, " feature"]:
        profiles = self._profiles(features)
        if self.radial_parts > 1:
            order, _ = radial_order(len(self.form.bands), self.radial_parts)
            features = jnp.concatenate([features[order], features[len(order) :]])
        if not self.networks:
            return features
        medians = jnp.mean(self._said(image, profiles)[0].median, axis=1)
        return jnp.concatenate([features, medians.ravel()])

    def _from_features(self, vector: Float[Array, " feature"]) -> tuple[Interval, Probabilities]:
        """What the Gaussian process and the kernel logistic regression say."""
        nothing = jnp.zeros(0)
        numbers, classes = self.process, self.kernel_classes
        return (
            Interval(nothing, nothing, nothing) if numbers is None else numbers.interval(vector),
            nothing if classes is None else classes.probabilities(vector),
        )

    def profiles(self, image: Image) -> Profiles:
        """Standardised radial profiles of an image, by which the training domain is measured."""
        return self._profiles(self.standardisation.features(image))

    def _profiles(self, features: Float[Array, " feature"]) -> Profiles:
        """Those of the features that are profiles."""
        return features[: self.feature_counts[0]]

    def embedding(self, image: Image) -> Float[Array, " features"]:
        """The vectors of all networks, as the image lies; the features where there are no networks."""
        if not self.networks:
            return self.standardisation.features(image)
        standard = self.standardisation.image(image)
        return jnp.concatenate([network.embedding(standard) for network in self.networks])

    def with_domain(self, image: Image) -> tuple[Float[Array, " features"], Bool[Array, ""]]:
        """The embedding, and whether the image lies inside the training domain."""
        features = self.standardisation.features(image)
        return self.embedding(image), self.domain.contains(self._profiles(features))

    def _said(self, image: Image, profiles: Profiles) -> tuple[Interval, Float[Array, "network 8 class"]]:
        """Intervals (network, 8, target) and probabilities of every network and orientation."""
        ways = orientations(self.standardisation.image(image))
        said = [jax.vmap(lambda way, n=network: n.said(way, profiles))(ways) for network in self.networks]
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *said)


def _pooled(predicted: Interval) -> Interval:
    """The mean of all medians, and mean variances upwards and downwards with that between medians."""
    median = jnp.mean(predicted.median, axis=(0, 1))
    between = jnp.var(jnp.mean(predicted.median, axis=1), axis=0)
    below = jnp.sqrt(jnp.mean((predicted.median - predicted.q16) ** 2, axis=(0, 1)) + between)
    above = jnp.sqrt(jnp.mean((predicted.q84 - predicted.median) ** 2, axis=(0, 1)) + between)
    return Interval(median, median - below, median + above)
