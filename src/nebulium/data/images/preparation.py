"""From images as they come to arrays that a network can take: one size, binned, stretched."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from nebulium.data.images.sizes import binned, fit_size
from nebulium.data.images.source import ImageChunk, ImageSource
from nebulium.data.images.stretches import DISPLAY_UNIT, Stretch, measure_softening
from nebulium.data.rejects import Rejects
from nebulium.errors import ImageError, TableError

#: An image shorter on a side than this share of the size asked for would be mostly padding: it is set aside.
SHORTEST = 0.5
#: So many images set the softening of the stretch.
MOST_FOR_SOFTENING = 200
#: Images that are read at a time, and pixels times bands at most.
READ, READ_PIXELS = 1024, 1 << 24
#: Type on disk by stretch. Half precision holds an asinh to 5e-4 of itself, but no flux above 65504.
DTYPES = {"display": np.uint8, "asinh": np.float16, "none": np.float32}


@dataclass(frozen=True)
class Preparation:
    """What is done to each image: cut or padded to one size, binned, stretched.

    Parameters
    ----------
    size : int
        Pixels on a side, before binning.
    stretch : Stretch
    binning : int
        Pixels on a side of the blocks that are averaged, before the stretch.

    Raises
    ------
    ImageError
        The binning does not divide the size.

    Examples
    --------
    >>> preparation = Preparation(4, Stretch("display"), binning=2)
    >>> preparation.from_disk(preparation.to_disk([np.full((6, 6, 3), 51, np.uint8)])).shape
    (1, 2, 2, 3)
    """

    size: int
    stretch: Stretch
    binning: int = 1

    def __post_init__(self) -> None:
        if self.size < 1 or self.binning < 1 or self.size % self.binning:
            problem = f"{self.binning} does not divide a size of {self.size} pixels"
            raise ImageError("binning", problem, "choose a factor that divides the size")

    @property
    def side(self) -> int:
        """Pixels on a side of what comes out."""
        return self.size // self.binning

    @property
    def dtype(self) -> np.dtype:
        """Type on disk; binned colours lie between two whole numbers."""
        colours = self.stretch.kind == "display"
        return np.dtype(np.float16 if colours and self.binning > 1 else DTYPES[self.stretch.kind])

    def to_disk(self, images: list[np.ndarray]) -> Shaped[np.ndarray, "n side side band"]:
        """Images as they come, of any sizes but the same bands, to what a store holds."""
        fitted = np.stack([fit_size(image, self.size) for image in images])
        coarse = binned(fitted, self.binning) if self.binning > 1 else fitted
        return (coarse if self.dtype == np.uint8 else self.stretch.apply(coarse)).astype(self.dtype)

    def from_disk(
        self, stored: Shaped[np.ndarray, "n side side band"]
    ) -> Float[np.ndarray, "n side side band"]:
        """What a store holds to what a network sees."""
        return self.stretch.apply(stored) if self.dtype == np.uint8 else stored.astype(np.float32)


@dataclass(frozen=True)
class ImageForm:
    """The images that a model takes, or that a store holds.

    Attributes
    ----------
    bands : tuple of str
        In the order of the last axis.
    unit : str
        Of the pixels before the stretch; "display" for colours from 0 to 255, empty if not known.
    preparation : Preparation
    """

    bands: tuple[str, ...]
    unit: str
    preparation: Preparation

    def as_dict(self) -> dict[str, Any]:
        """For JSON: bands, unit, size, binning and stretch."""
        preparation = self.preparation
        return {
            "bands": list(self.bands),
            "unit": self.unit,
            "size": preparation.size,
            "binning": preparation.binning,
            "stretch": preparation.stretch.as_dict(),
        }

    def preprocessing(self) -> dict[str, Any]:
        """What config.json says is done to the images: as `as_dict`, the size with its unit."""
        return {"size_px" if name == "size" else name: value for name, value in self.as_dict().items()}

    @classmethod
    def of(
        cls, *, bands: Sequence[str], unit: str, size: int, stretch: Mapping[str, Any], binning: int = 1
    ) -> "ImageForm":
        """The inverse of `as_dict`, by keyword."""
        return cls(tuple(bands), unit, Preparation(size, Stretch.from_dict(stretch), binning))


@dataclass(frozen=True, eq=False)
class PreparedImages:
    """Images as a model sees them.

    Attributes
    ----------
    ids : ndarray of shape (n,)
    rows : ndarray of int64 of shape (n,)
        Of the source.
    images : ndarray of float32 of shape (n, side, side, band)
    beside : dict of str to ndarray of shape (n,)
        What goes into the output as it is: the file of each, where there are many.
    """

    ids: np.ndarray
    rows: np.ndarray
    images: Float[np.ndarray, "n side side band"]
    beside: dict[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)


def measure_preparation(
    source: ImageSource, rows: Int[np.ndarray, " n"], *, size: int | None = None, binning: int = 1
) -> Preparation:
    """How images are prepared: colours as they are, fluxes by asinh over the noise of the sky."""
    first = [image for chunk in source.chunks(rows[:MOST_FOR_SOFTENING]) for image in chunk.pixels]
    if not first:
        raise TableError(str(source.path), "has no usable image among the first", "look at its images")
    colours = source.unit == DISPLAY_UNIT
    stretch = Stretch("display") if colours else Stretch("asinh", measure_softening(first))
    return Preparation(size or min(first[0].shape[:2]), stretch, binning)


def prepared_chunks(
    source: ImageSource,
    preparation: Preparation,
    *,
    rejects: Rejects,
    rows: Int[np.ndarray, " n"] | None = None,
    batch: int = READ,
) -> Iterator[PreparedImages]:
    """Images ready for a network, as many at a time as memory should hold."""
    most = READ_PIXELS // (preparation.size**2 * len(source.bands))
    batch = max(1, min(batch, most))
    for chunk in usable_chunks(source, preparation, rejects, rows, batch):
        if len(chunk.rows):
            images = preparation.from_disk(preparation.to_disk(chunk.pixels))
            yield PreparedImages(chunk.ids, chunk.rows, images, source.beside_rows(chunk.rows))


def usable_chunks(
    source: ImageSource,
    preparation: Preparation,
    rejects: Rejects,
    rows: Int[np.ndarray, " n"] | None = None,
    batch: int = 256,
) -> Iterator[ImageChunk]:
    """Chunks of a source without the images that cannot be prepared, which go to the rejects."""
    preparation.stretch.check(source.unit, source.bands, str(source.path))
    shortest = SHORTEST * preparation.size
    for chunk in source.chunks(rows, batch):
        for row, reason in chunk.problems.items():
            rejects.add([row], source.ids[[row]], reason)
        small = np.array([min(image.shape[:2]) < shortest for image in chunk.pixels], bool)
        faults = [(f"is smaller than half of {preparation.size} pixels", small)]
        good = rejects.set_aside(faults, chunk.ids, rows=chunk.rows)
        pixels = list(compress(chunk.pixels, good))
        yield ImageChunk(chunk.rows[good], chunk.ids[good], pixels, chunk.problems)
