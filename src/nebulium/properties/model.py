"""From the image of a galaxy, or an embedding of it, to its properties, with their uncertainties."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from nebulium.data.embeddings.columns import EmbeddingForm
from nebulium.data.images.preparation import ImageForm
from nebulium.modelfile import register
from nebulium.nn.classes import Probabilities, normalised, split_by_target
from nebulium.nn.convolution import Image
from nebulium.nn.densities import WITH_DENSITY, Interval, Targets, log_density
from nebulium.nn.image_model import Standardisation
from nebulium.properties.domain import ProfileDomain, Profiles
from nebulium.properties.features.names import PROFILES, check_features, feature_counts, measure_of
from nebulium.properties.features.profiles import radial_order
from nebulium.properties.gaussian_process import GaussianProcess
from nebulium.properties.kernel_classes import KernelClasses
from nebulium.properties.network import PropertyNetwork
from nebulium.properties.seen.sight import COMPONENTS, Embedding, EmbeddingSight
from nebulium.training.augmentation import orientations

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
        Whether the galaxy lies inside the training domain: image and embedding, if the model sees both.

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


class ProcessFeatures(NamedTuple):
    """What laws of few galaxies learn from: features of the image, embedding, medians of frozen networks.

    A Gaussian process of `numbers` is given the leading components of the embedding; a kernel logistic
    regression of `classes`, which finds components of its own, all of it.
    """

    numbers: Float[Array, " some"]
    classes: Float[Array, " feature"]


class Measured(NamedTuple):
    """What is measured of a galaxy, standardised; an empty vector for what the model does not see.

    Attributes
    ----------
    features : (feature,) float32
        Of the image, profiles first.
    profiles : (profile,) float32
        Those of the features that are profiles.
    embedding : (width,) float32
        From elsewhere.
    """

    features: Float[Array, " feature"]
    profiles: Profiles
    embedding: Embedding


@register
class PropertyModel(eqx.Module):
    """A model of properties of galaxies from their images, embeddings or both, for one galaxy.

    Each network sees the image in all eight orientations, and beside it the embedding; what the networks
    disagree by is added to their uncertainty, and probabilities are averaged. With a Gaussian process the
    networks, if there are any, are frozen and see the image, and it learns the labels from what they predict,
    from what is measured in the image and from the embedding; classes are then learned by a kernel logistic
    regression.

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
    embedding : mapping, optional
        The embeddings from elsewhere: names of their `columns`, `width`, `pattern` and `id_column`.
    bands, unit, size, stretch, binning : sequence of str, str, int, dict, int
        The images: names of their bands in order, unit of the pixels before the stretch, pixels on a side,
        and the rest of `nebulium.data.Preparation`; the stretch as a dict, the binning 1 if not given. None
        of them for a model that sees embeddings alone.

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

    networks: tuple[PropertyNetwork, ...]
    process: GaussianProcess | None
    kernel_classes: KernelClasses | None
    standardisation: Standardisation | None
    domain: ProfileDomain | None
    sight: EmbeddingSight | None
    target_mean: Targets
    target_scale: Targets
    interval_factor: Targets
    temperature: Float[Array, " classified"] | None
    form: ImageForm | None = eqx.field(static=True)
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
        embedding: Mapping[str, Any] | None = None,
        key: Key[Array, ""] | None = None,
        **images: Any,
    ):
        self.features, self.radial_parts = tuple(features) if images else (), radial_parts
        self.form = ImageForm.of(**images) if images else None
        bands = 0 if self.form is None else len(self.form.bands)
        if images:
            check_features(self.features)
        profiles, measure = sum(self.feature_counts[:1]), measure_of(self.features)
        n_features = sum(self.feature_counts)
        self.standardisation = Standardisation(measure, bands=bands, features=n_features) if images else None
        self.domain = ProfileDomain(profiles, domain_references) if images else None
        components = min(COMPONENTS, references, embedding["width"]) if embedding else 0
        self.sight = (
            EmbeddingSight(EmbeddingForm.of(embedding), domain_references, components) if embedding else None
        )
        self.targets = tuple(targets)
        self.classes = tuple((target, tuple(names)) for target, names in (classes or {}).items())
        self.encoder, self.head, self.with_profiles = encoder, head, with_profiles
        of_network: dict[str, Any] = {
            "bands": bands,
            "profiles": profiles * with_profiles,
            "targets": network_targets or len(targets),
            # Under a Gaussian process the embedding is a kind of features, and networks see images alone.
            "embedding": embedding["width"] if embedding and not references else 0,
            "classes": () if references else self.class_counts,
            "binning": encoder_binning,
        }
        keys = jax.random.split(jax.random.key(0) if key is None else key, members)
        self.networks = tuple(PropertyNetwork(encoder, head, **of_network, key=one) for one in keys)
        groups, of = self.process_groups, {"n_reference": references}
        kinds = self.kernel_groups
        on_numbers, on_classes = bool(references and targets), bool(references and self.classes)
        self.process = GaussianProcess(groups, targets=len(targets), **of) if on_numbers else None
        self.kernel_classes = KernelClasses(kinds, self.class_counts, **of) if on_classes else None
        self.target_mean, self.target_scale = jnp.zeros(len(targets)), jnp.ones(len(targets))
        self.interval_factor = jnp.ones(len(self.targets), jnp.float32)
        # Without classes there is none: older models have no such array.
        self.temperature = jnp.ones(len(self.classes), jnp.float32) if self.classes else None

    def __call__(self, image: Image | None, embedding: Embedding | None = None) -> PropertyPrediction:
        """Properties of a galaxy from its prepared image (height, width, band), its embedding, or both."""
        known = self.measured(image, embedding)
        if self.on_features:
            predicted, probability = self._from_features(image, known)
        else:
            intervals, probabilities = self._said(image, known)
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
            in_domain=self._in_domain(known),
        )

    @property
    def has_density(self) -> bool:
        """Whether an image is enough for a density of each property that is a number."""
        networks = not self.on_features and self.head in WITH_DENSITY
        return networks and bool(self.targets) and self.form is not None and self.sight is None

    def log_density(self, image: Image, label: Targets) -> Targets:
        """Logarithm of the density of each property at a value, in its unit; NaN where that is NaN.

        Densities are averaged over networks and orientations of the image.
        """
        if not self.has_density or self.standardisation is None:
            raise ValueError("the model gives no density of properties from an image")
        known, factor = self.measured(image), self.interval_factor
        median = _pooled(self._said(image, known)[0]).median
        value = median + ((label - self.target_mean) / self.target_scale - median) / factor
        ways = orientations(self.standardisation.image(image))

        def of_network(network: PropertyNetwork) -> Float[Array, "way target"]:
            seen = lambda way: network.vector(network.encoded(way), known.profiles, known.embedding)  # noqa: E731
            return jax.vmap(lambda way: log_density(network.head, seen(way), value))(ways)

        logs = jnp.concatenate([of_network(network) for network in self.networks])
        mean = jax.nn.logsumexp(logs, axis=0) - jnp.log(jnp.asarray(len(logs), jnp.float32))
        return mean - jnp.log(factor * self.target_scale)

    def measured(self, image: Image | None, embedding: Embedding | None = None) -> Measured:
        """What the model measures of a galaxy."""
        if (image is None, embedding is None) != (self.standardisation is None, self.sight is None):
            kinds = {"an image": self.standardisation, "an embedding": self.sight}
            wanted = " and ".join(kind for kind, part in kinds.items() if part is not None)
            raise ValueError(f"expected {wanted} of the galaxy")
        features = vector = jnp.zeros(0)
        if self.standardisation is not None and image is not None:
            features = self.standardisation.features(image)
        if self.sight is not None and embedding is not None:
            vector = self.sight.standardised(embedding)
        return Measured(features, features[: sum(self.feature_counts[:1])], vector)

    def _in_domain(self, known: Measured) -> Bool[Array, ""]:
        """Whether all that is seen of a galaxy is like the training galaxies."""
        inside = jnp.array(True)
        if self.domain is not None:
            inside &= self.domain.contains(known.profiles)
        if self.sight is not None:
            inside &= self.sight.contains(known.embedding)
        return inside

    @property
    def on_features(self) -> bool:
        """Whether labels were learned from features and frozen networks, not by networks."""
        return self.process is not None or self.kernel_classes is not None

    @property
    def feature_counts(self) -> tuple[int, ...]:
        """Length of each of the `features`."""
        if self.form is None:
            return ()
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
        embedding = 0 if self.sight is None or self.sight.axes is None else len(self.sight.axes)
        profiles = self._radial_order[1]
        return (*profiles, *self.feature_counts[1:], *self._groups_beside(embedding))

    @property
    def kernel_groups(self) -> tuple[int, ...]:
        """Number of features of each kind, of the embedding, and of medians of the networks."""
        return (
            *self.feature_counts,
            *self._groups_beside(0 if self.sight is None else self.sight.form.width),
        )

    def _groups_beside(self, embedding: int) -> tuple[int, ...]:
        """Groups that come after the features of the image, those that there are."""
        predicted = sum(network.head.targets for network in self.networks)
        return tuple(count for count in (embedding, predicted) if count)

    @property
    def _radial_order(self) -> tuple[Int[np.ndarray, " profile"], tuple[int, ...]]:
        """Places of the profiles from the middle outwards, and the length of each part."""
        if self.form is None:
            return np.zeros(0, np.int64), ()
        return radial_order(len(self.form.bands), self.radial_parts)

    def process_features(self, image: Image | None, embedding: Embedding | None = None) -> ProcessFeatures:
        """What a Gaussian process and a kernel logistic regression learn from."""
        return self._process_features(image, self.measured(image, embedding))

    def _process_features(self, image: Image | None, known: Measured) -> ProcessFeatures:
        features, vector = known.features, known.embedding
        if self.radial_parts > 1:
            order, _ = self._radial_order
            features = jnp.concatenate([features[order], features[len(order) :]])
        medians = jnp.zeros(0)
        if self.networks:
            medians = jnp.mean(self._said(image, known)[0].median, axis=1).ravel()
        components = vector if self.sight is None else self.sight.components(vector)
        return ProcessFeatures(
            jnp.concatenate([features, components, medians]), jnp.concatenate([features, vector, medians])
        )

    def _from_features(self, image: Image | None, known: Measured) -> tuple[Interval, Probabilities]:
        """What the Gaussian process and the kernel logistic regression say."""
        features, nothing = self._process_features(image, known), jnp.zeros(0)
        numbers, classes = self.process, self.kernel_classes
        return (
            Interval(nothing, nothing, nothing) if numbers is None else numbers.interval(features.numbers),
            nothing if classes is None else classes.probabilities(features.classes),
        )

    def profiles(self, image: Image) -> Profiles:
        """Standardised radial profiles of an image, by which the training domain is measured."""
        if self.standardisation is None:
            raise ValueError("a model of embeddings alone has no profiles")
        return self.standardisation.features(image)[: self.feature_counts[0]]

    def with_domain(
        self, image: Image | None, embedding: Embedding | None = None
    ) -> tuple[Float[Array, " features"], Bool[Array, ""]]:
        """A place in the space in which the model sees galaxies, and whether that is inside the domain.

        The place are the vectors of all networks, as the image lies, or the features of the image where there
        are no networks; after them the embedding.
        """
        known = self.measured(image, embedding)
        encoded = [known.features]
        if self.networks and self.standardisation is not None and image is not None:
            standard = self.standardisation.image(image)
            encoded = [network.encoded(standard) for network in self.networks]
        return jnp.concatenate([*encoded, known.embedding]), self._in_domain(known)

    def _said(
        self, image: Image | None, known: Measured
    ) -> tuple[Interval, Float[Array, "network way class"]]:
        """Intervals (network, way, target) and probabilities of every network and orientation."""

        def of_network(network: PropertyNetwork) -> tuple[Interval, Float[Array, "way class"]]:
            if self.standardisation is None or image is None:
                said = network.said(None, known.profiles, known.embedding)
                return jax.tree.map(lambda leaf: leaf[None], said)
            ways = orientations(self.standardisation.image(image))
            return jax.vmap(lambda way: network.said(way, known.profiles, known.embedding))(ways)

        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *map(of_network, self.networks))


def _pooled(predicted: Interval) -> Interval:
    """The mean of all medians, and mean variances upwards and downwards with that between medians."""
    median = jnp.mean(predicted.median, axis=(0, 1))
    between = jnp.var(jnp.mean(predicted.median, axis=1), axis=0)
    below = jnp.sqrt(jnp.mean((predicted.median - predicted.q16) ** 2, axis=(0, 1)) + between)
    above = jnp.sqrt(jnp.mean((predicted.q84 - predicted.median) ** 2, axis=(0, 1)) + between)
    return Interval(median, median - below, median + above)
