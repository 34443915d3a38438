"""Images in one array of a NumPy or HDF5 file."""

import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy_format

from nebulium.data.files import FAULTS, reading
from nebulium.data.ids import ids_or_places
from nebulium.data.images.source import DAMAGED, OF_BANDS, ImageSource, Read
from nebulium.data.images.stretches import DISPLAY_UNIT
from nebulium.data.tables.hdf5 import as_text
from nebulium.data.tables.reading import read_table
from nebulium.errors import ImageError, from_extra

#: Names that programs give to the arrays.
IMAGES = ("images", "image", "flux")
IDS = ("ids", "id", "object_id", "target_id", "objid")
ENTRIES = (*IDS, "bands", "unit", *OF_BANDS)
#: The file of ids that stands beside a .npy ends in one of these.
IDS_BESIDE = (".ids.npy", ".ids.csv")
#: Bytes that are read at a time.
PIECE = 1 << 20
SHAPE_MEND = "save an array of shape (n, height, width, band), of numbers"

#: Opens the bytes of a .npy, in a file of its own or in a .npz.
Stream = Callable[[], AbstractContextManager[Any]]


def open_numpy_cube(path: Path) -> ImageSource:
    """Open images in a .npy or .npz file."""
    in_zip = path.suffix.lower() == ".npz"
    with reading(path, "NumPy", ImageError):
        stream, entries = _npz_contents(path) if in_zip else (lambda: path.open("rb"), {})
        rows = _Rows(stream)
        if not in_zip and path.stat().st_size < (end := rows.start + rows.shape[0] * rows.row_bytes):
            raise EOFError(f"expected {end} bytes, found {path.stat().st_size}")
    if rows.fortran and len(rows.shape) > 1:
        raise ImageError(str(path), "is in Fortran order", "save np.ascontiguousarray of the images")
    entries = entries if in_zip else {"ids": _ids_beside(path)}
    return _source(path, rows.shape, rows.dtype, entries, rows.opened)


def open_hdf5_cube(path: Path) -> ImageSource:
    """Open images in an HDF5 file."""
    with from_extra("h5py", "sed"):
        import h5py

    with reading(path, "HDF5", ImageError), h5py.File(path) as file:
        name = _name_of_images(path, list(file))
        cube = file[name]
        shape, dtype = tuple(cube.shape), cube.dtype
        entries = {**dict(file.attrs), **dict(cube.attrs)}
        entries |= {key: file[key][()] for key in ENTRIES if key in file}
    return _source(path, shape, dtype, entries, lambda: _hdf5_reading(path, name))


class _Rows:
    """Rows of a .npy by their place in the file; in a compressed one, going back means to start anew."""

    def __init__(self, stream: Stream):
        self.stream = stream
        with stream() as file:
            version = npy_format.read_magic(file)
            read = {(1, 0): npy_format.read_array_header_1_0}.get(version, npy_format.read_array_header_2_0)
            self.shape, self.fortran, self.dtype = read(file)
            self.start = file.tell()
        if not self.shape:
            raise ValueError("holds a single number")
        self.row_bytes = int(np.prod(self.shape[1:])) * self.dtype.itemsize

    @contextmanager
    def opened(self) -> Iterator[Read]:
        """Read rows one by one."""
        with self.stream() as file:

            def read_row(row: int) -> np.ndarray:
                file.seek(self.start + row * self.row_bytes)
                content = file.read(self.row_bytes)
                return np.frombuffer(content, self.dtype).reshape(self.shape[1:])

            yield _one_by_one(read_row)


def _one_by_one(read_row: Callable[[int], np.ndarray]) -> Read:
    """Reads rows; what is damaged spoils only its own."""

    def guarded(row: int) -> np.ndarray | str:
        try:
            return _with_bands_axis(read_row(row))
        except FAULTS:
            return DAMAGED

    return lambda rows: [guarded(row) for row in rows.tolist()]


def _npz_contents(path: Path) -> tuple[Stream, dict[str, Any]]:
    """How to get at the images, and all the small arrays."""
    # The file is ours to close: numpy leaves it open if it fails to read it.
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        name = _name_of_images(path, arrays.files)
        entries = {key: arrays[key] for key in ENTRIES if key in arrays.files}
    with _member(path, f"{name}.npy") as member:
        # To the end, where the check sum is: damaged pixels would be read as noise.
        while member.read(PIECE):
            pass
    return lambda: _member(path, f"{name}.npy"), entries


@contextmanager
def _member(path: Path, name: str) -> Iterator[Any]:
    with zipfile.ZipFile(path) as file, file.open(name) as member:
        yield member


@contextmanager
def _hdf5_reading(path: Path, name: str) -> Iterator[Read]:
    """Reads rows; h5py reads neighbours at once, others one by one."""
    import h5py

    with h5py.File(path) as file:
        cube = file[name]

        def read(rows: np.ndarray) -> list[np.ndarray | str]:
            # A damaged chunk does not spoil the others.
            with suppress(*FAULTS):
                if len(rows) and np.all(np.diff(rows) == 1):
                    return [_with_bands_axis(image) for image in cube[rows[0] : rows[-1] + 1]]
            return _one_by_one(cube.__getitem__)(rows)

        yield read


def _with_bands_axis(image: np.ndarray) -> np.ndarray:
    return image[..., None] if image.ndim == 2 else image


def _source(
    path: Path,
    shape: tuple[int, ...],
    dtype: np.dtype,
    entries: Mapping[str, Any],
    opened: Callable[[], AbstractContextManager[Read]],
) -> ImageSource:
    """Checks that both formats share."""
    n_bands = _check_shape(path, shape, dtype)
    bands = _bands(path, entries, n_bands, dtype)
    return ImageSource(
        path=path,
        ids=_ids(path, entries, shape[0]),
        bands=bands,
        opened=opened,
        unit=DISPLAY_UNIT if dtype == np.uint8 else as_text(entries.get("unit", "")),
        bands_named="bands" in entries,
        **{name: _numbers(path, entries, name, n_bands) for name in OF_BANDS if name in entries},
    )


def _check_shape(path: Path, shape: tuple[int, ...], dtype: np.dtype) -> int:
    """Number of bands; an array of three axes has one."""
    if len(shape) not in (3, 4) or dtype.kind not in "iuf" or 0 in shape:
        raise ImageError(str(path), f"holds an array of shape {shape} of {dtype}", SHAPE_MEND)
    if len(shape) == 3:
        return 1
    if shape[1] < min(shape[2:]) and shape[3] == shape[2]:
        problem = f"holds an array of shape {shape}, which looks like (n, band, height, width)"
        raise ImageError(str(path), problem, "put the bands last: np.moveaxis(images, 1, -1)")
    return shape[3]


def _bands(path: Path, entries: Mapping[str, Any], n: int, dtype: np.dtype) -> tuple[str, ...]:
    """Names of the file, else those of colours, else numbers."""
    if "bands" not in entries:
        return ("red", "green", "blue") if n == 3 and dtype == np.uint8 else tuple(map(str, range(n)))
    bands = tuple(as_text(band) for band in np.atleast_1d(entries["bands"]))
    if len(bands) != n or len(set(bands)) != n:
        raise ImageError(str(path), f"has {n} bands, named {', '.join(bands)}", "name each band once")
    return bands


def _ids(path: Path, entries: Mapping[str, Any], n: int) -> np.ndarray:
    """Ids of the file, else places."""
    found = next((np.asarray(entries[name]) for name in IDS if entries.get(name) is not None), None)
    if found is not None and (found.shape != (n,) or found.dtype.kind == "f"):
        problem = f"has {n} images, and ids of shape {found.shape} and type {found.dtype}"
        raise ImageError(str(path), problem, "give each image an id, a whole number or text")
    return ids_or_places(None if found is None else np.array(list(map(as_text, found.tolist()))), n)


def _ids_beside(path: Path) -> np.ndarray | None:
    """Ids from the file that stands beside a .npy."""
    binary, text = map(path.with_suffix, IDS_BESIDE)
    if binary.is_file():
        with reading(binary, "NumPy", ImageError):
            return np.load(binary, allow_pickle=False)
    if not text.is_file():
        return None
    table = read_table(text)
    name = next((name for name in IDS if name in table), next(iter(table.columns)))
    return table[name]


def _numbers(path: Path, entries: Mapping[str, Any], name: str, n: int) -> Any:
    """A number a band; a single one is for all."""
    numbers = np.atleast_1d(np.asarray(entries[name], np.float64))
    if numbers.shape not in ((1,), (n,)):
        problem = f"has {numbers.size} numbers for {name}, and {n} bands"
        raise ImageError(str(path), problem, "give one a band")
    return tuple(np.broadcast_to(numbers, (n,)).tolist())


def _name_of_images(path: Path, names: list[str]) -> str:
    found = next((name for name in IMAGES if name in names), None)
    if found is None:
        problem = f"holds none of {', '.join(IMAGES)} (it has {', '.join(names) or 'nothing'})"
        raise ImageError(str(path), problem, "rename the array of images")
    return found
