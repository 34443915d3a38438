"""What models of images share: which images they take, how these are standardised, and how they are read."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from nebulium.data.images.labelled import StoredImages
from nebulium.data.images.preparation import ImageForm, PreparedImages, prepared_chunks
from nebulium.data.images.source import ImageSource
from nebulium.data.rejects import Rejects
from nebulium.nn.convolution import Image
from nebulium.nn.mapping import map_batch, padded_batches

#: So many images set means and scatters.
MOST_IMAGES = 4096
_CHUNK = 256

Features = Float[Array, " feature"]
Measuring = Callable[[Image], Features]


class Standardisation(eqx.Module):
    """Means and scatters of the training galaxies; measured, not trained.

    Parameters
    ----------
    measure : callable
        Image (height, width, band) -> (feature,): numbers that stand beside the image in a network.
    bands, features : int
        How many there are of each.

    Attributes
    ----------
    band_mean, band_scale : (band,) float32
        Of the pixels, stretched.
    feature_mean, feature_scale : (feature,) float32
        Of what `measure` finds in an image.

    Examples
    --------
    >>> brightest = lambda image: jnp.max(image, axis=(0, 1))
    >>> standardisation = Standardisation(brightest, bands=2, features=2)
    >>> standardisation.features(jnp.ones((8, 8, 2))).tolist()
    [1.0, 1.0]
    """

    band_mean: Float[Array, " band"]
    band_scale: Float[Array, " band"]
    feature_mean: Features
    feature_scale: Features
    measure: Measuring = eqx.field(static=True)

    def __init__(self, measure: Measuring, *, bands: int, features: int):
        self.band_mean, self.band_scale = jnp.zeros(bands), jnp.ones(bands)
        self.feature_mean, self.feature_scale = jnp.zeros(features), jnp.ones(features)
        self.measure = measure

    def image(self, image: Image) -> Image:
        """Standardised pixels."""
        return (image - self.band_mean[None, None, :]) / self.band_scale[None, None, :]

    def features(self, image: Image) -> Features:
        """Standardised features of an image."""
        return (self.measure(image) - self.feature_mean) / self.feature_scale


class ImageModel(eqx.Module):
    """What every model of images has; a subject derives its model from it.

    Parameters
    ----------
    images : mapping
        Bands, unit, size, stretch and, if it is not 1, binning: keywords of `ImageForm.of`.
    measure, count : callable
        Image -> features that are standardised beside the pixels, and bands -> their number.

    Attributes
    ----------
    standardisation : Standardisation
    form : ImageForm
        The images that it takes: bands, unit of the pixels, and how they are prepared.

    Examples
    --------
    >>> class Brightest(ImageModel):
    ...     def __init__(self, *, key=None, **images):
    ...         super().__init__(images, lambda image: jnp.max(image, axis=(0, 1)), lambda bands: bands)
    ...     def __call__(self, image):
    ...         return self.standardisation.features(image)
    >>> model = Brightest(bands=["g", "r"], unit="nJy", size=8, stretch={"kind": "none", "softening": []})
    >>> model.form.preparation.size, model(jnp.ones((8, 8, 2))).tolist()
    (8, [1.0, 1.0])
    """

    standardisation: Standardisation
    form: ImageForm = eqx.field(static=True)

    def __init__(self, images: Mapping[str, Any], measure: Measuring, count: Callable[[int], int]):
        self.form = ImageForm.of(**images)
        bands = len(self.form.bands)
        self.standardisation = Standardisation(measure, bands=bands, features=count(bands))


def measure_standardisation(
    standardisation: Standardisation,
    images: StoredImages,
    *,
    cut: Callable[[Image], Image] = lambda image: image,
) -> Standardisation:
    """Measure means and scatters on training images.

    Parameters
    ----------
    standardisation : Standardisation
        Says which features of an image are measured.
    images : StoredImages
        Some rows of an `ImageStore`; of many, 4,096 evenly spaced ones are read.
    cut : callable
        Image -> the part of it whose features are measured; the whole image if not given. The pixels that
        are measured are those of the whole image.

    Returns
    -------
    Standardisation
        With the means and scatters of the pixels, band by band, and of the features.

    Examples
    --------
    >>> import tempfile
    >>> from nebulium.data import ImageStore, Preparation, Stretch, open_images
    >>> brightest = lambda image: jnp.max(image, axis=(0, 1))
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     np.save(f"{scratch}/a.npy", np.arange(1, 385, dtype=np.float32).reshape(6, 8, 8, 1))
    ...     source, preparation = open_images(f"{scratch}/a.npy"), Preparation(8, Stretch("none"))
    ...     store = ImageStore.create(f"{scratch}/store", source, preparation, rejects=Rejects())
    ...     start = Standardisation(brightest, bands=1, features=1)
    ...     measured = measure_standardisation(start, StoredImages(store, np.arange(6)))
    >>> measured.band_mean.tolist(), measured.feature_mean.tolist()
    ([192.5], [224.0])
    """
    sample = StoredImages(images.store, images.rows[:: -(-len(images) // MOST_IMAGES)])
    measure = lambda image: standardisation.measure(cut(image))  # noqa: E731
    sums, squares, n_pixels = np.zeros(len(images.store.form.bands)), 0.0, 0
    features = []
    for rows, count in padded_batches(len(sample), _CHUNK):
        pixels = sample[rows]
        features.append(np.asarray(map_batch(measure, jnp.asarray(pixels)))[:count])
        pixels = pixels[:count].astype(np.float64)
        sums, squares = sums + pixels.sum(axis=(0, 1, 2)), squares + (pixels**2).sum(axis=(0, 1, 2))
        n_pixels += pixels[..., 0].size
    mean, every = sums / n_pixels, np.concatenate(features)
    scale = np.sqrt(np.maximum(squares / n_pixels - mean**2, 1e-12))
    measured = (mean, scale, every.mean(axis=0), np.maximum(every.std(axis=0), 1e-3))
    leaves = lambda s: (s.band_mean, s.band_scale, s.feature_mean, s.feature_scale)  # noqa: E731
    return eqx.tree_at(leaves, standardisation, tuple(jnp.asarray(one, jnp.float32) for one in measured))


def model_images(
    source: ImageSource, model: Any, *, rejects: Rejects, rows: Int[np.ndarray, " k"] | None = None
) -> Iterator[PreparedImages]:
    """Images as a model sees them, so many at a time as memory should hold.

    Parameters
    ----------
    source : ImageSource
        With the bands of the model, in its order.
    model : equinox.Module
        With the `form` of the images that it takes, as an `ImageModel` has it and a `PropertyModel`.
    rejects : Rejects
        Takes the images that cannot be prepared.
    rows : ndarray of int of shape (k,), optional
        Which images; all if not given.

    Yields
    ------
    PreparedImages
        With `ids`, `images` of shape (n, side, side, band), and columns `beside`, such as the file.

    Raises
    ------
    ImageError
        The stretch of the model is not for such images.

    Examples
    --------
    >>> import tempfile
    >>> from nebulium.data import open_images
    >>> images = {"bands": ["r"], "unit": "", "size": 16, "stretch": {"kind": "none", "softening": []}}
    >>> model = ImageModel(images, lambda image: image[0, 0], lambda bands: bands)
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     np.save(f"{scratch}/a.npy", np.ones((3, 24, 20, 1), np.float32))
    ...     source = open_images(f"{scratch}/a.npy", bands=["r"])
    ...     [(one.ids.tolist(), one.images.shape) for one in model_images(source, model, rejects=Rejects())]
    [([0, 1, 2], (3, 16, 16, 1))]
    """
    return prepared_chunks(source, model.form.preparation, rejects=rejects, rows=rows)
