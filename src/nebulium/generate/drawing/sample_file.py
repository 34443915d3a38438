"""Images of galaxies with given properties, drawn into a file."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from nebulium.data.images.mmu import Images, parquet_images
from nebulium.data.output import check_not_input, check_place
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table
from nebulium.errors import ImageError, OutputError, TableError
from nebulium.generate.conditions import MEND_NUMBER
from nebulium.generate.drawing.colours import colour_pictures
from nebulium.generate.drawing.folders import TABLE, Write, fits_folder, jpeg_folder
from nebulium.generate.drawing.samplers import Sampler, steps_of
from nebulium.generate.image_model import ImageModel
from nebulium.nn.mapping import in_batches, map_galaxies
from nebulium.verbs.predict import ID, NamedModel, named_model

#: Images that are drawn at a time.
BATCH = 64
ENDING = ".parquet"
#: Properties by name: a number, the ends of a range, or the name of a class.
Given = Mapping[str, float | int | str | tuple[float, ...]]


Kind = Literal["parquet", "fits", "jpeg"]


@dataclass(frozen=True)
class SampleRun:
    """What drawing images left.

    Attributes
    ----------
    output : Path
    images : int
        How many.
    out_of_domain : int
        How many have properties that no galaxies of the training had.
    notes : tuple of str
        What was supposed.
    """

    output: Path
    images: int
    out_of_domain: int
    notes: tuple[str, ...]


def sample_file(
    output: str | Path,
    *,
    model: str | Path,
    kind: Kind | None = None,
    table: str | Path | None = None,
    given: Given | None = None,
    n: int = 1,
    id_column: str | None = None,
    sampler: Sampler = "heun",
    steps: int | None = None,
    guidance: float | None = None,
    outside: bool = False,
    seed: int = 0,
    progress: Callable[[int], Any] | None = None,
) -> SampleRun:
    """Draw images of galaxies.

    Parameters
    ----------
    output : str or Path
        A file ending in .parquet, in the layout of the Multimodal Universe, with the properties beside the
        images; or a folder, see `kind`, with the properties in its ``properties.ecsv``.
    model : str or Path
        Name of a packaged model, or a model folder.
    kind : {"parquet", "fits", "jpeg"}, optional
        Of the output, if its name does not end in .parquet: a folder of FITS, a file a galaxy with an
        extension a band; or a folder of colour JPEGs, of SDSS as SkyServer makes them, of others in a like
        manner.
    table : str or Path, optional
        Properties of the galaxies to draw, a row each, in the units of the model; of columns that are not
        there, and where NaN, any value is drawn for.
    given : mapping of str to number, (float, float) or str, optional
        Properties that all galaxies have; of a range each galaxy gets a value of its own, drawn evenly; of
        one that is a class its name.
    n : int
        Images of each row of the table; without a table, images in all.
    id_column : str, optional
        Ids of the table, kept as `source_id`; `target_id` if not given.
    sampler : {"heun", "ddim", "ancestral"}
        Heun's method; the deterministic or the random steps of Song et al. 2021, which need more of them.
    steps : int, optional
        Of the sampler, 40, 160 or 320 if not given; more are slower and closer to the model.
    guidance : float, optional
        Above 1: images more typical of their properties than galaxies are. Not for inference.
    outside : bool
        Draw properties that no galaxies of the training had, too.
    seed : int
        Image i of a seed is the same however many are drawn.
    progress : callable of int, optional
        Gets the number of images drawn so far.

    Returns
    -------
    SampleRun

    Raises
    ------
    NebuliumError
        A property is unknown or lies outside the training domain, or the table or the output is at fault.

    Examples
    --------
    >>> sample_file("drawn.parquet", model="mine", given={"log_mstar": 10.5}, n=16)  # doctest: +SKIP
    """
    how = drawing(sampler, steps, guidance, seed, n)
    kind = _kind_of(output, kind)
    if table is not None:
        check_not_input(Path(table), Path(output))
    elif id_column is not None:
        problem = f"{id_column} is not used, as there is no table"
        raise TableError("id_column", problem, "name the table: --table TABLE (table=...)")
    check_place(output, folder_with=None if kind == "parquet" else TABLE)
    found = named_model(model, of=ImageModel)
    conditions, ids, notes = _conditions(found.model, table, given or {}, n, id_column, seed)
    inside = map_galaxies(found.model.in_domain, conditions, batch=BATCH)
    if not outside and not np.all(inside):
        raise _stranger(found, conditions[np.argmin(inside)], int(np.sum(~inside)))
    with _written(found.model, output, kind) as write:
        for chunk in _chunks(found, conditions, ids, inside, how):
            write(chunk)
            if progress is not None:
                progress(int(chunk.ids[-1]) + 1)
    return SampleRun(Path(output), len(conditions), int(np.sum(~inside)), notes)


def sample_images(
    model: ImageModel,
    conditions: Float[np.ndarray, "n condition"],
    *,
    first: int = 0,
    sampler: Sampler = "heun",
    steps: int | None = None,
    guidance: float | None = None,
    seed: int = 0,
) -> Float[np.ndarray, "n side side band"]:
    """Draw images of galaxies, all held in memory.

    Parameters
    ----------
    model : LatentImageModel or PixelImageModel
    conditions : ndarray of shape (n, condition), float32
        Properties in the order of ``model.conditions``, in its units; of one that is a class its place in
        ``model.kinds.classes``; NaN for any value.
    first : int
        Number of the first image: image i of a seed is always the same.
    sampler, steps, guidance, seed : str, int, float, int, optional
        As in `sample_file`.

    Returns
    -------
    ndarray of shape (n, height, width, band), float32
        In the unit of the pixels, with noise.

    Examples
    --------
    >>> from nebulium.generate import LatentImageModel
    >>> model = LatentImageModel(
    ...     conditions=["log_mstar"], components=[2, 1, 1, 1], width=8, depth=1, bands=["r"], unit="",
    ...     size=8, stretch={"kind": "none", "softening": []},
    ... )
    >>> sample_images(model, np.array([[10.0], [np.nan]], np.float32), steps=2).shape
    (2, 8, 8, 1)
    """
    how = drawing(sampler, steps, guidance, seed)
    if np.ndim(conditions) != 2 or np.shape(conditions)[1] != len(model.conditions):
        problem = f"have the shape {np.shape(conditions)}, expected (n, {len(model.conditions)})"
        raise TableError("conditions", problem, f"give {', '.join(model.conditions)} of each galaxy")
    if np.any(np.isinf(conditions)):
        raise TableError("conditions", "hold an infinite number", MEND_NUMBER)
    for (name, names), column in zip(model.kinds.classes, _classes_of(model, conditions), strict=True):
        if not np.all(np.isnan(column) | np.isin(column, np.arange(len(names)))):
            problem = f"hold a {name} that is no place among {', '.join(names)}"
            raise TableError("conditions", problem, "count from 0")
    return drawn_images(model, conditions, first + np.arange(len(conditions)), **how)


def drawn_images(
    model: ImageModel,
    conditions: Float[np.ndarray, "n condition"],
    numbers: Int[np.ndarray, " n"],
    *,
    sampler: Sampler,
    steps: int,
    guidance: float | None,
    seed: int,
) -> Float[np.ndarray, "n side side band"]:
    """Images by their number: those of one number have the same noise."""
    strength = None if guidance is None else jnp.asarray(guidance, jnp.float32)
    draw = partial(_drawn, model, jax.random.key(seed), sampler=sampler, steps=steps, guidance=strength)
    rows = conditions.astype(np.float32), numbers.astype(np.int32)
    return np.asarray(in_batches(draw, *rows, size=min(BATCH, len(numbers))))


def _classes_of(model: ImageModel, conditions: np.ndarray) -> np.ndarray:
    """The columns of properties that are classes, as rows."""
    return conditions[:, len(model.kinds.numbers) :].T


@eqx.filter_jit
def _drawn(
    model: ImageModel, key: Array, conditions: Array, numbers: Array, *, guidance: Any, **how: Any
) -> Array:
    """A batch of images, each by a key of its own."""
    keys = jax.vmap(lambda number: jax.random.fold_in(key, number))(numbers)
    return jax.vmap(lambda one, key: model.drawn(one, key, guidance=guidance, **how))(conditions, keys)


def _conditions(
    model: ImageModel, table: str | Path | None, given: Given, n: int, id_column: str | None, seed: int
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Properties of each image, the id of its row in the table, and what was supposed."""
    check_given(model.conditions, given, "given")
    rows, ids, notes = 1, np.zeros(0, np.int64), []
    columns: dict[str, np.ndarray] = {}
    if table is not None:
        wanted = {ID: id_column or ID} | {name: name for name in model.conditions}
        optional = [*model.conditions, *(() if id_column else (ID,))]
        found = read_table(table, columns=wanted, optional=optional)
        columns = {name: model.kinds.column(found, name) for name in model.conditions if name in found}
        if not columns:
            problem = f"has none of the columns {', '.join(model.conditions)}"
            raise TableError(found.name, problem, "name columns as the model does")
        rows = len(found)
        ids = found[ID] if ID in found else np.arange(rows)
        absent = [name for name in model.conditions if name not in (*columns, *given)]
        if absent:
            notes.append(f"not among the columns, so that any value is drawn for: {', '.join(absent)}")
    values = np.full((rows * n, len(model.conditions)), np.nan, np.float32)
    for place, name in enumerate(model.conditions):
        if name in given:
            low, high = given_ends(model, name, given[name])
            # By the property and the number of the image alone, however many are drawn.
            shares = np.random.default_rng([seed % 2**32, place]).random(rows * n)
            values[:, place] = low + (high - low) * shares
        elif name in columns:
            values[:, place] = np.repeat(columns[name], n)
    return values, np.repeat(ids, n), tuple(notes)


def drawing(
    sampler: Sampler = "heun",
    steps: int | None = None,
    guidance: float | None = None,
    seed: int = 0,
    n: int = 1,
) -> dict[str, Any]:
    """How images are drawn; the numbers are those that the command line refuses by itself."""
    chosen = steps_of(sampler, steps)
    for name, value, least in (("n", n, 1), ("steps", chosen, 2)):
        if value < least:
            raise ImageError(name, f"is {value}, expected a whole number, {least} or more", "choose another")
    if guidance is not None and not 1 <= guidance < np.inf:
        raise ImageError("guidance", f"is {guidance}, expected a number, 1 or more", "leave it out for none")
    return {"sampler": sampler, "steps": chosen, "guidance": guidance, "seed": seed}


def check_given(known: Sequence[str], given: Given, where: str) -> None:
    """Refuse properties that the model does not have."""
    unknown = [name for name in given if name not in known]
    if unknown:
        problem = f"{unknown[0]} is no property of the model; these are {', '.join(known)}"
        raise TableError(where, problem, "name one of these")


def given_ends(model: ImageModel, name: str, given: Any) -> tuple[float, float]:
    """The lower and the upper end of the range of a property, the same if it is one value."""
    if not isinstance(given, (tuple, list)):
        value = model.kinds.value(name, given, "given")
        return value, value
    if name not in model.kinds.numbers:
        problem = f"{name} goes from {given[0]} to {given[-1]}, but is a class"
        raise TableError("given", problem, "give the name of one class")
    ends = [model.kinds.value(name, end, "given") for end in given]
    if len(ends) != 2 or ends[0] >= ends[1]:
        problem = f"{name} goes from {ends[0]:g} to {ends[-1]:g}, expected the lower end and the upper one"
        raise TableError("given", problem, "give these two, or one number")
    return ends[0], ends[1]


def _stranger(found: NamedModel, conditions: np.ndarray, number: int) -> TableError:
    """The error for properties that no galaxies of the training had."""
    kinds = found.model.kinds
    values = {name: kinds.shown(name, conditions[[place]])[0] for place, name in enumerate(kinds.names)}
    shown = ", ".join(
        f"{name} {value:.4g}" if name in kinds.numbers else f"{name} {value}"
        for (name, value), number in zip(values.items(), conditions, strict=True)
        if np.isfinite(number)
    )
    problem = (
        f"has learned from no galaxies like {number:,} of those asked for, the first {shown}: their images "
        "would be guesses"
    )
    mend = (
        "choose others, write nan for what is not known, or draw them all the same with --outside "
        "(outside=True)"
    )
    raise TableError(f"model {found.name}", problem, mend)


def _kind_of(output: str | Path, kind: Kind | None) -> Kind:
    """What is to be written under a name."""
    ending = Path(output).suffix
    if kind is None and ending != ENDING:
        problem = f"does not say what to write: the ending is {ending!r}, not {ENDING}"
        mend = f"choose a name that ends in {ENDING}, or ask for a folder: --kind fits or jpeg (kind=...)"
        raise OutputError(str(output), problem, mend)
    if kind is not None and (kind == "parquet") != (ending == ENDING):
        problem = f"has the ending {ending!r}, and {kind} is asked for"
        raise OutputError(
            str(output), problem, f"names of Parquet files end in {ENDING}, of folders they do not"
        )
    return kind or "parquet"


def _written(model: ImageModel, output: str | Path, kind: Kind) -> AbstractContextManager[Write]:
    """Takes chunks of images; what is asked for is there once all are written."""
    if kind == "fits":
        return fits_folder(output, model.form.unit)
    return jpeg_folder(output, partial(colour_pictures, model)) if kind == "jpeg" else parquet_images(output)


def _chunks(
    found: NamedModel, conditions: np.ndarray, ids: np.ndarray, inside: np.ndarray, how: Mapping[str, Any]
) -> Iterator[Images]:
    """The images, a batch at a time."""
    model: ImageModel = found.model
    bands, n = model.form.bands, len(conditions)
    # Pixels that are averages are larger than those of the training images.
    scale = np.array(model.pixel_scale_arcsec or [np.nan], np.float32) * model.form.preparation.binning
    of_model = {"psf_fwhm_arcsec": model.psf_fwhm_arcsec or np.nan, "pixel_scale_arcsec": scale}
    about = {
        "drawn by": {found.name: found.fingerprint},
        **({"unit": model.form.unit} if model.form.unit else {}),
        **how,
        "citation": found.config["citation"],
        "nebulium": version("nebulium"),
    }
    units = {name: unit for name, unit in found.config["units"].items() if unit}
    for first in range(0, n, BATCH):
        rows = np.arange(first, min(first + BATCH, n))
        whole = np.minimum(np.arange(first, first + BATCH), n - 1) if n > BATCH else rows
        # Filled up, so that the last batch compiles nothing again; what is filled up has numbers of its own.
        flux = drawn_images(model, conditions[whole], first + np.arange(len(whole)), **how)[: len(rows)]
        scatter = map_galaxies(model.noise.scatter, flux, batch=len(whole))
        named = zip(model.conditions, conditions[rows].T, strict=True)
        columns = {name: model.kinds.shown(name, values) for name, values in named}
        beside = {ID: rows, **({"source_id": ids[rows]} if len(ids) else {}), **columns}
        yield Images(
            rows,
            bands,
            flux,
            1.0 / scatter**2,
            np.zeros(flux.shape, bool),
            **{
                name: np.broadcast_to(np.asarray(values, np.float32), (len(rows), len(bands)))
                for name, values in of_model.items()
            },
            table=Table(beside | {"in_domain": inside[rows]}, units),
            metadata=about,
        )
