"""Images out as folders with a file a galaxy, and a table of their properties beside them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from nebulium.data.images.fits_cutouts import write_cutout
from nebulium.data.images.mmu import Images
from nebulium.data.output import file_stem, replace_on_success
from nebulium.data.tables.writer import TableWriter

#: The table in a folder of images; images are not kept in files of this ending.
TABLE = "properties.ecsv"
#: Of 100: compression leaves no blocks that the eye sees.
QUALITY = 95

Write = Callable[[Images], None]
Colours = Callable[[np.ndarray], UInt8[np.ndarray, "n height width 3"]]


@contextmanager
def fits_folder(folder: str | Path, unit: str) -> Iterator[Write]:
    """Write images as FITS, a file a galaxy named by its id, chunk by chunk, whole or not at all.

    The unit is that of the pixels. A file has an extension a band, and IVAR with all bands; `open_images`
    reads the folder.
    """

    def written(images: Images, inside: Path) -> None:
        for row, name in enumerate(_names(images)):
            write_cutout(images, row, unit, inside / f"{name}.fits")

    with _folder(folder, written) as write:
        yield write


@contextmanager
def jpeg_folder(folder: str | Path, colours: Colours) -> Iterator[Write]:
    """Write images as colour JPEGs, named by id, chunk by chunk, whole or not at all."""

    def written(images: Images, inside: Path) -> None:
        for name, picture in zip(_names(images), colours(images.flux), strict=True):
            # Colours are kept pixel by pixel: galaxies are small.
            Image.fromarray(np.ascontiguousarray(picture)).save(
                inside / f"{name}.jpg", quality=QUALITY, subsampling=0
            )

    with _folder(folder, written) as write:
        yield write


@contextmanager
def _folder(folder: str | Path, written: Callable[[Images, Path], None]) -> Iterator[Write]:
    """A folder that gets the files of each chunk, and the columns beside the images in one table."""
    with replace_on_success(folder, folder_with=TABLE) as partial:
        partial.mkdir()
        with TableWriter(partial / TABLE) as table:

            def write(images: Images) -> None:
                written(images, partial)
                table.metadata = table.metadata or images.metadata
                table.append(images.table)

            yield write


def _names(images: Images) -> Sequence[str]:
    return [file_stem(str(name)) for name in images.ids.tolist()]
