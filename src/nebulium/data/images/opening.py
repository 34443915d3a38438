"""A set of images of any format opened by what its files are called."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from nebulium.data.files import is_pattern, matching, rows_by_group
from nebulium.data.images.cubes import IDS_BESIDE, open_hdf5_cube, open_numpy_cube
from nebulium.data.images.fits_cutouts import open_fits_cutouts
from nebulium.data.images.parquet import open_parquet_images
from nebulium.data.images.pictures import open_pictures
from nebulium.data.images.source import OF_BANDS, ImageSource, Read, with_bands
from nebulium.data.output import as_paths
from nebulium.data.tables.table import ending_of
from nebulium.errors import ImageError

#: One file or folder, or several.
ImagePaths = str | Path | Sequence[str | Path]
#: Kind of images by the ending of their files.
KINDS = {
    ".jpg": "pictures", ".jpeg": "pictures", ".png": "pictures",
    ".fits": "fits", ".fit": "fits", ".fits.gz": "fits", ".fit.gz": "fits", ".fits.fz": "fits",
    ".npy": "numpy", ".npz": "numpy",
    ".h5": "hdf5", ".hdf5": "hdf5",
    ".parquet": "parquet",
}  # fmt: skip
#: Who opens a kind.
OPENERS: dict[str, Callable[[Path, list[Path]], ImageSource]] = {
    "pictures": open_pictures,
    "fits": open_fits_cutouts,
    "numpy": lambda path, _: open_numpy_cube(path),
    "hdf5": lambda path, _: open_hdf5_cube(path),
    "parquet": open_parquet_images,
    "zip": lambda path, _: open_pictures(path),
}
#: Kinds of which one opener takes many files; of the others each file is a set, and these are joined.
OF_MANY_FILES = ("pictures", "fits", "parquet")
KNOWN = (
    "a folder or .zip of .jpg, .jpeg or .png, a folder of .fits, a .npy, .npz, .h5, .hdf5 or .parquet, "
    "or a folder of these, or a mock survey"
)


def open_images(path: ImagePaths, *, bands: Sequence[str] | None = None) -> ImageSource:
    """Open a set of images, whatever its format.

    Known are folders and zips of JPG or PNG named by the id of the galaxy, folders of FITS cutouts (a file a
    galaxy; a cube, or an extension a band), NumPy and HDF5 cubes of shape (n, height, width, band), Parquet
    in the layout of the Multimodal Universe, and the folder of a mock survey.

    Parameters
    ----------
    path : str, Path or sequence of these
        File or folder; or a pattern such as ``cutouts/*.fits``, or several files and folders of one kind,
        which make one set.
    bands : sequence of str, optional
        Which bands, in which order. Where the files do not name them (colours, NumPy cubes), the names to go
        by instead.

    Returns
    -------
    ImageSource
        Nothing but ids and headers is read yet.

    Raises
    ------
    ImageError
        There is nothing there, or nothing known; files of several kinds; a band that is not there; no image
        that can be read; two files of one id.
    TableError
        An id stands there twice, or a Parquet file is damaged.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     np.save(f"{scratch}/cutouts.npy", np.ones((3, 8, 8, 2), np.float32))
    ...     source = open_images(f"{scratch}/cutouts.npy", bands=["g", "r"])
    ...     [(chunk.ids.tolist(), chunk.pixels[0].shape) for chunk in source.chunks(size=2)]
    [([0, 1], (8, 8, 2)), ([2], (8, 8, 2))]
    """
    paths = [found for one in as_paths(path) for found in _matching(one)]
    paths = [one for one in paths if len(paths) == 1 or not one.name.endswith(IDS_BESIDE)]
    if not paths:
        raise ImageError("images", "expected a file, found none", "name a file, a folder or a pattern")
    if len(paths) == 1:
        (where,), (kind, files) = paths, _kind_of(paths[0])
    else:
        kind, files = _kind_of_several(paths)
        where = Path(os.path.commonpath([file.absolute().parent for file in files]))
    if kind in OF_MANY_FILES:
        source = OPENERS[kind](where, files)
    else:
        source = _joined(where, [OPENERS[kind](file, [file]) for file in files])
    return source if bands is None else with_bands(source, bands)


def _joined(path: Path, sources: Sequence[ImageSource]) -> ImageSource:
    """Sets of images, one below the other; they must be alike."""
    first, sizes = sources[0], [len(source) for source in sources]
    if path == first.path:
        return first
    for source in sources:
        for name in ("bands", "unit", *OF_BANDS):
            found, expected = getattr(source, name), getattr(first, name)
            if found != expected:
                problem = f"has {found or 'nothing'} for {name}, {first.path} has {expected or 'nothing'}"
                raise ImageError(str(source.path), problem, "give files that are alike, or one at a time")

    @contextmanager
    def opened() -> Iterator[Read]:
        with ExitStack() as stack:
            held: dict[int, Read] = {}

            def read(rows: np.ndarray) -> list[np.ndarray | str]:
                found: list[np.ndarray | str] = [""] * len(rows)
                for part, places, wanted in rows_by_group(rows, sizes):
                    if part not in held:
                        held.clear()
                        stack.close()
                        held[part] = stack.enter_context(sources[part].opened())
                    for place, image in zip(places.tolist(), held[part](wanted), strict=True):
                        found[place] = image
                return found

            yield read

    return replace(
        first,
        path=path,
        ids=np.concatenate([source.ids for source in sources]),
        opened=opened,
        of_files=tuple((str(source.path), len(source)) for source in sources),
    )


def _matching(path: Path) -> list[Path]:
    """The path, or what a pattern stands for."""
    if path.exists():
        return [path]
    if not is_pattern(path):
        raise ImageError(str(path), "is not there", "check the path")
    found = [file for file in matching(path) if not file.name.startswith(".")]
    if not found:
        raise ImageError(str(path), "is a pattern that no file has", "check the path")
    return found


def _kind_of_several(paths: list[Path]) -> tuple[str, list[Path]]:
    """Several files and folders make one set if all their files are of one kind."""
    parts = [_kind_of(path) for path in paths]
    other = next((place for place, part in enumerate(parts) if part[0] != parts[0][0]), None)
    if other is not None:
        raise ImageError(str(paths[other]), f"is of another kind than {paths[0]}", "give files of one kind")
    return parts[0][0], list(dict.fromkeys(file for _, some in parts for file in some))


def _kind_of(path: Path) -> tuple[str, list[Path]]:
    """The kind of images, and the files that hold them."""
    if path.name.lower().endswith(".zip"):
        return "zip", [path]
    if path.is_file():
        kind = _kind(path)
        if kind is None:
            raise ImageError(str(path), "is of no known kind", f"give {KNOWN}")
        return kind, [path]
    shards = sorted(_files(path / "data", ".parquet")) if (path / "data").is_dir() else []
    if shards:
        return "parquet", shards
    return _kind_of_folder(path)


def _kind_of_folder(path: Path) -> tuple[str, list[Path]]:
    """A folder holds files of one kind, and others that are no images."""
    files = {
        file: kind
        for file in sorted(_files(path))
        if (kind := _kind(file)) and not file.name.endswith(IDS_BESIDE)
    }
    kinds = sorted(set(files.values()))
    if not kinds:
        raise ImageError(str(path), "holds no images", f"give {KNOWN}")
    if len(kinds) > 1:
        examples = " and ".join(next(file.name for file in files if files[file] == kind) for kind in kinds)
        raise ImageError(str(path), f"holds files of several kinds, such as {examples}", "keep one kind")
    return kinds[0], list(files)


def _files(folder: Path, ending: str = "") -> Iterator[Path]:
    """All files below a folder but the hidden ones, which other programs leave behind."""
    for file in folder.rglob(f"*{ending}"):
        if not any(part.startswith(".") for part in file.relative_to(folder).parts) and file.is_file():
            yield file


def _kind(file: Path) -> str | None:
    return KINDS.get(ending_of(file, KINDS) or "")
