"""A network from an image, an embedding or both to a distribution of each property."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from nebulium.nn.classes import ClassHead, Probabilities
from nebulium.nn.convolution import FeatureMap, Image
from nebulium.nn.densities import HEADS, Head, Interval
from nebulium.nn.encoders import Encoder, encode, make_encoder
from nebulium.properties.domain import Profiles
from nebulium.properties.seen.sight import Embedding

HIDDEN = 64
#: Numbers that a network makes of an embedding from elsewhere, before it joins what the network sees itself.
EMBEDDED = 128


class PropertyNetwork(eqx.Module):
    """One network: an encoder of the image, profiles and embedding beside it, heads of numbers and classes.

    Parameters
    ----------
    encoder : str
        Name of the encoder; there is none without bands.
    head : str
        Name of the head.
    bands, profiles, targets : int
        Bands of the image (0 without images), features of the profiles (0 to leave them out), targets that
        are numbers.
    embedding : int
        Numbers of an embedding from elsewhere; 0 without one.
    classes : tuple of int
        Number of classes of each target that is one.
    binning : int
        Pixels on a side of the blocks that are averaged before the encoder sees them.
    key : key
    """

    encoder: Encoder | None
    embedded: eqx.nn.Linear | None
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
        embedding: int = 0,
        classes: tuple[int, ...] = (),
        binning: int = 1,
        key: Key[Array, ""],
    ):
        encoder_key, hidden_key, head_key = jax.random.split(key, 3)
        self.encoder = make_encoder(encoder, bands, key=encoder_key) if bands else None
        embedded_key = jax.random.fold_in(hidden_key, 1)
        self.embedded = eqx.nn.Linear(embedding, EMBEDDED, key=embedded_key) if embedding else None
        seen = 0 if self.encoder is None else self.encoder.width
        width = seen + profiles + EMBEDDED * (self.embedded is not None)
        self.hidden = eqx.nn.Linear(width, HIDDEN, key=hidden_key)
        self.head = HEADS[head](HIDDEN, targets, key=head_key)
        class_key = jax.random.fold_in(head_key, 1)
        self.classifier = ClassHead(HIDDEN, classes, key=class_key) if classes else None
        self.binning = binning

    def said(
        self, image: Image | None, profiles: Profiles, embedding: Embedding
    ) -> tuple[Interval, Probabilities]:
        """Median and central 68 %, and probabilities, of what is standardised."""
        vector = self.vector(self.encoded(image), profiles, embedding)
        return self.head.interval(vector), self.probabilities(vector)

    def probabilities(self, vector: Float[Array, " hidden"]) -> Probabilities:
        """Of the classes of all targets that are classes."""
        return jnp.zeros(0) if self.classifier is None else jnp.exp(self.classifier.log_probabilities(vector))

    def encoded(self, image: Image | None, *, in_half: bool = False) -> Float[Array, " feature"]:
        """The vector that the encoder makes of a standardised image; an empty one without images."""
        if self.encoder is None or image is None:
            return jnp.zeros(0)
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

    def vector(
        self, encoded: Float[Array, " encoded"], profiles: Profiles, embedding: Embedding
    ) -> Float[Array, " hidden"]:
        """The vector that the head sees; a network without room for profiles or embedding leaves them out."""
        outer = jnp.zeros(0) if self.embedded is None else jax.nn.gelu(self.embedded(embedding))
        room = self.hidden.weight.shape[1] - encoded.size - outer.size
        return jax.nn.gelu(self.hidden(jnp.concatenate([encoded, profiles[:room], outer])))
