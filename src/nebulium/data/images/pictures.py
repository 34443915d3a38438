"""JPG and PNG pictures, a file a galaxy, in a folder or a zip."""

import io
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image, ImageOps

from nebulium.data.files import FAULTS, reading
from nebulium.data.ids import ids_from_text
from nebulium.data.images.source import ImageSource, Read, some_readable
from nebulium.data.images.stretches import DISPLAY_UNIT
from nebulium.data.tables.table import stem_of
from nebulium.errors import ImageError

ENDINGS = (".jpg", ".jpeg", ".png")
COLOURS, GREY = ("red", "green", "blue"), ("grey",)
#: Folders and files of a zip that other programs leave behind.
HIDDEN = re.compile(r"\.|__MACOSX$")
#: How PNG and JPG begin.
BEGINNINGS = (b"\xff\xd8", b"\x89PNG\r\n\x1a\n")
#: Modes of grey in 16 bits, and the brightest value with which they may be counts of a detector.
DEEP_GREY, FEWEST_LEVELS = ("I;16", "I;16B", "I;16L", "I;16N"), 4096
#: What Pillow raises of a picture that makes no sense.
BAD_PICTURE: tuple[type[Exception], ...] = (*FAULTS, SyntaxError)


def open_pictures(path: Path, files: Sequence[Path] = ()) -> ImageSource:
    """Open a zip of pictures, or the pictures of a folder."""
    names = [str(file) for file in files] or _members(path)
    if not names:
        raise ImageError(str(path), "holds no pictures", f"put in files ending in {', '.join(ENDINGS)}")
    from_files = nullcontext(lambda rows: [_read(Path(names[row]).read_bytes) for row in rows])
    opened = (lambda: from_files) if files else (lambda: _from_zip(path, names))
    return ImageSource(
        path=path,
        ids=ids_of_files(path, names),
        bands=typical_bands(path, opened, names),
        opened=opened,
        unit=DISPLAY_UNIT,
        bands_named=False,
    )


def ids_of_files(path: Path, names: Sequence[str], endings: Sequence[str] = ENDINGS) -> np.ndarray:
    """Ids from the names of files, without folder and ending."""
    stems = [stem_of(PurePosixPath(name), endings) for name in names]
    first: dict[str, str] = {}
    for stem, name in zip(stems, names, strict=True):
        other = first.setdefault(stem, name)
        if other != name:
            raise ImageError(str(path), f"has two files of the id {stem}: {other} and {name}", "keep one")
    return ids_from_text(np.array(stems))


def decoded(content: bytes) -> np.ndarray | str:
    """The pixels of a picture, or why there are none."""
    if not content:
        return "is an empty file (0 bytes)"
    try:
        with warnings.catch_warnings():
            # A picture that would fill the memory.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content)) as picture:
                return _pixels(picture)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        return "is too large to be a cutout"
    except BAD_PICTURE:
        known = any(start.startswith(content[: len(start)]) for start in BEGINNINGS)
        return "is truncated or damaged" if known else "is neither JPG nor PNG, whatever its name says"


def _pixels(picture: Image.Image) -> np.ndarray | str:
    """Colours or grey in 8 bits, upright; what is neither is not bent into them."""
    frames = getattr(picture, "n_frames", 1)
    if frames > 1 and picture.format != "MPO":
        return f"holds {frames} pictures, expected one"
    depth = "I;16" if (picture.mode, picture.format) == ("I", "PNG") else picture.mode
    picture = ImageOps.exif_transpose(picture)
    if depth in DEEP_GREY:
        return _upper_bits(np.asarray(picture))
    if picture.mode in ("CMYK", "YCbCr"):
        picture = picture.convert("RGB")
    if picture.mode in ("P", "PA", "RGBA", "LA"):
        picture = picture.convert("LA" if picture.mode == "LA" else "RGBA")
        if picture.getchannel("A").getextrema() != (255, 255):
            return "has transparent pixels"
        picture = picture.convert(picture.mode[:-1])
    if picture.mode not in ("RGB", "L"):
        return f"has the colour mode {picture.mode}, expected RGB or grey"
    pixels = np.asarray(picture)
    return pixels if pixels.ndim == 3 else pixels[..., None]


def _upper_bits(pixels: np.ndarray) -> np.ndarray | str:
    """16 bits as 8, as Pillow itself reads colours of 16 bits; but counts are no display."""
    if pixels.max() < FEWEST_LEVELS:
        return f"has 16 bits a pixel but no value above {pixels.max()}, as counts have, expected a display"
    return (pixels >> 8).astype(np.uint8)[..., None]


def typical_bands(
    path: Path, opened: Callable[[], AbstractContextManager[Read]], names: Sequence[str]
) -> tuple[str, ...]:
    """Bands that most of the first pictures have."""
    with opened() as read:
        images = (read(np.array([row]))[0] for row in range(len(names)))
        depths = [image.shape[-1] for image in some_readable(path, "picture", names, images)]
    return GREY if 2 * depths.count(1) > len(depths) else COLOURS


@contextmanager
def _from_zip(path: Path, names: Sequence[str]) -> Iterator[Read]:
    """Reads rows of a zip, which is opened once."""
    with zipfile.ZipFile(path) as file:
        yield lambda rows: [_read(partial(file.read, names[row])) for row in rows]


def _read(get: Callable[[], bytes]) -> np.ndarray | str:
    """A file may be gone by now, or a member of a zip damaged."""
    try:
        content = get()
    except FAULTS:
        return "cannot be read"
    return decoded(content)


def _members(path: Path) -> list[str]:
    """The pictures in a zip, without what macOS puts beside them."""
    with reading(path, "a zip", ImageError), zipfile.ZipFile(path) as file:
        names = file.namelist()
    pictures = [name for name in names if name.lower().endswith(ENDINGS)]
    return [name for name in pictures if not any(map(HIDDEN.match, PurePosixPath(name).parts))]
