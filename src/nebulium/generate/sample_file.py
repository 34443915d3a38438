"""Images of galaxies with given properties, drawn into a file."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32

from nebulium.data.column_checks import ColumnPlace, numbers
from nebulium.data.images.mmu import Images, image_writer, images_to_arrow
from nebulium.data.output import check_not_input, check_place, replace_on_success
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table
from nebulium.errors import ImageError, OutputError, TableError
from nebulium.generate.image_model import ImageModel
from nebulium.nn.mapping import in_batches, map_galaxies
from nebulium.verbs.predict import ID, NamedModel, named_model

#: Images that are drawn at a time.
BATCH = 64
#: Steps of Heun's method.
STEPS = 40
ENDING = ".parquet"
MEND_NUMBER = "write nan where any value is to be drawn for"


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
    table: str | Path | None = None,
    given: Mapping[str, float] | None = None,
    n: int = 1,
    id_column: str | None = None,
    steps: int = STEPS,
    guidance: float | None = None,
    outside: bool = False,
    seed: int = 0,
    progress: Callable[[int], Any] | None = None,
) -> SampleRun:
    """Draw images of galaxies.

    Parameters
    ----------
    output : str or Path
        A Parquet file in the layout of the Multimodal Universe, with the properties beside the images.
    model : str or Path
        Name of a packaged model, or a model folder.
    table : str or Path, optional
        Properties of the galaxies to draw, a row each, in the units of the model; of columns that are not
        there, and where NaN, any value is drawn for.
    given : mapping of str to float, optional
        Properties that all galaxies have.
    n : int
        Images of each row of the table; without a table, images in all.
    id_column : str, optional
        Ids of the table, kept as `source_id`; `target_id` if not given.
    steps : int
        Of the sampler; more are slower and closer to the model.
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
    _check_numbers(steps, guidance, n)
    if Path(output).suffix != ENDING:
        problem = f"cannot be written as images: the ending is {Path(output).suffix!r}, not {ENDING}"
        raise OutputError(str(output), problem, f"choose a name that ends in {ENDING}")
    if table is not None:
        check_not_input(Path(table), Path(output))
    found = named_model(model, of=ImageModel)
    conditions, ids, notes = _conditions(found.model, table, given or {}, n, id_column)
    inside = map_galaxies(found.model.in_domain, conditions, batch=BATCH)
    if not outside and not np.all(inside):
        raise _stranger(found, conditions[np.argmin(inside)], int(np.sum(~inside)))
    check_place(output)
    with replace_on_success(output) as partial_file:
        writer = None
        for chunk in _chunks(found, conditions, ids, inside, steps, guidance, seed):
            arrow = images_to_arrow(chunk)
            writer = image_writer(partial_file, arrow.schema) if writer is None else writer
            writer.write_table(arrow)
            if progress is not None:
                progress(int(chunk.ids[-1]) + 1)
        if writer is not None:
            writer.close()
    return SampleRun(Path(output), len(conditions), int(np.sum(~inside)), notes)


def sample_images(
    model: ImageModel,
    conditions: Float[np.ndarray, "n condition"],
    *,
    first: int = 0,
    steps: int = STEPS,
    guidance: float | None = None,
    seed: int = 0,
) -> Float[np.ndarray, "n side side band"]:
    """Draw images of galaxies, all held in memory.

    Parameters
    ----------
    model : LatentImageModel or PixelImageModel
    conditions : ndarray of shape (n, condition), float32
        Properties in the order of ``model.conditions``, in its units; NaN for any value.
    first : int
        Number of the first image: image i of a seed is always the same.
    steps, guidance, seed
        As in `sample_file`.

    Returns
    -------
    ndarray of shape (n, height, width, band), float32
        In the unit of the pixels, with noise.

    Examples
    --------
    >>> from nebulium.generate import LatentImageModel
    >>> model = LatentImageModel(
    ...     conditions=["log_mstar"], components=[2, 1, 1, 1, 1], width=8, depth=1, bands=["r"], unit="",
    ...     size=8, stretch={"kind": "none", "softening": []},
    ... )
    >>> sample_images(model, np.array([[10.0], [np.nan]], np.float32), steps=2).shape
    (2, 8, 8, 1)
    """
    _check_numbers(steps, guidance)
    if np.ndim(conditions) != 2 or np.shape(conditions)[1] != len(model.conditions):
        problem = f"have the shape {np.shape(conditions)}, expected (n, {len(model.conditions)})"
        raise TableError("conditions", problem, f"give {', '.join(model.conditions)} of each galaxy")
    if np.any(np.isinf(conditions)):
        raise TableError("conditions", "hold an infinite number", MEND_NUMBER)
    key = jax.random.key(seed)
    numbers = first + np.arange(len(conditions), dtype=np.int32)
    strength = None if guidance is None else jnp.asarray(guidance, jnp.float32)
    draw = partial(_drawn, model, key, steps=steps, guidance=strength)
    return np.asarray(in_batches(draw, conditions.astype(np.float32), numbers, size=min(BATCH, len(numbers))))


@eqx.filter_jit
def _drawn(
    model: ImageModel, key: Array, conditions: Array, numbers: Array, *, steps: int, guidance: Any
) -> Array:
    """A batch of images, each by a key of its own."""
    keys = jax.vmap(lambda number: jax.random.fold_in(key, number))(numbers)
    return jax.vmap(lambda one, key: model.drawn(one, key, steps=steps, guidance=guidance))(conditions, keys)


def _conditions(
    model: ImageModel, table: str | Path | None, given: Mapping[str, float], n: int, id_column: str | None
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Properties of each image, the id of its row in the table, and what was supposed."""
    _check_names(model.conditions, given, "given")
    rows, ids, notes = 1, np.zeros(0, np.int64), []
    columns: dict[str, np.ndarray] = {}
    if table is not None:
        wanted = {ID: id_column or ID} | {name: name for name in model.conditions}
        optional = [*model.conditions, *(() if id_column else (ID,))]
        found = read_table(table, columns=wanted, optional=optional)
        columns = {name: _values(found, name) for name in model.conditions if name in found}
        if not columns:
            problem = f"has none of the columns {', '.join(model.conditions)}"
            raise TableError(found.name, problem, "name columns as the model does")
        rows = len(found)
        ids = found[ID] if ID in found else np.arange(rows)
        absent = [name for name in model.conditions if name not in (*columns, *given)]
        if absent:
            notes.append(f"not among the columns, so that any value is drawn for: {', '.join(absent)}")
    values = np.full((rows, len(model.conditions)), np.nan, np.float32)
    for place, name in enumerate(model.conditions):
        if name in given:
            values[:, place] = given[name]
        elif name in columns:
            values[:, place] = columns[name]
    return np.repeat(values, n, axis=0), np.repeat(ids, n), tuple(notes)


def _values(table: Table, name: str) -> Float32[np.ndarray, " n"]:
    """A column of properties; an infinite number would be taken for one that is not known."""
    place = ColumnPlace(table.name, name)
    values = numbers(table[name], place, "a number", MEND_NUMBER)
    place.refuse(values, np.abs(values) > np.finfo(np.float32).max, "a finite number", MEND_NUMBER)
    return values.astype(np.float32)


def _check_numbers(steps: int, guidance: float | None, n: int = 1) -> None:
    """Numbers that the command line refuses by itself."""
    for name, value, least in (("n", n, 1), ("steps", steps, 2)):
        if value < least:
            raise ImageError(name, f"is {value}, expected a whole number, {least} or more", "choose another")
    if guidance is not None and not 1 <= guidance < np.inf:
        raise ImageError("guidance", f"is {guidance}, expected a number, 1 or more", "leave it out for none")


def _check_names(known: Sequence[str], given: Mapping[str, float], where: str) -> None:
    unknown = [name for name in given if name not in known]
    if unknown:
        problem = f"{unknown[0]} is no property of the model; these are {', '.join(known)}"
        raise TableError(where, problem, "name one of these")
    wrong = [name for name, value in given.items() if not np.isfinite(value)]
    if wrong:
        raise TableError(where, f"{wrong[0]} is {given[wrong[0]]}, expected a number", "leave it out for any")


def _stranger(found: NamedModel, conditions: np.ndarray, number: int) -> TableError:
    """The error for properties that no galaxies of the training had."""
    shown = ", ".join(
        f"{name} {value:.4g}"
        for name, value in zip(found.model.conditions, conditions, strict=True)
        if np.isfinite(value)
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


def _chunks(
    found: NamedModel,
    conditions: np.ndarray,
    ids: np.ndarray,
    inside: np.ndarray,
    steps: int,
    guidance: float | None,
    seed: int,
) -> Iterator[Images]:
    """The images, a batch at a time."""
    model: ImageModel = found.model
    bands, n = model.form.bands, len(conditions)
    of_model = {name: getattr(model, name) for name in ("psf_fwhm_arcsec", "pixel_scale_arcsec")}
    about = {
        "drawn by": {found.name: found.fingerprint},
        "seed": seed,
        "steps": steps,
        "guidance": guidance,
        "citation": found.config["citation"],
        "nebulium": version("nebulium"),
    }
    units = {name: unit for name, unit in found.config["units"].items() if unit}
    for first in range(0, n, BATCH):
        rows = np.arange(first, min(first + BATCH, n))
        whole = np.minimum(np.arange(first, first + BATCH), n - 1) if n > BATCH else rows
        options: dict[str, Any] = {"steps": steps, "guidance": guidance, "seed": seed}
        flux = sample_images(model, conditions[whole], first=first, **options)[: len(rows)]
        scatter = map_galaxies(model.noise.scatter, flux, batch=len(whole))
        columns = dict(zip(model.conditions, conditions[rows].T, strict=True))
        beside = {ID: rows, **({"source_id": ids[rows]} if len(ids) else {}), **columns}
        yield Images(
            rows,
            bands,
            flux,
            1.0 / scatter**2,
            np.zeros(flux.shape, bool),
            **{
                name: np.tile(np.array(values or [np.nan] * len(bands), np.float32), (len(rows), 1))
                for name, values in of_model.items()
            },
            table=Table(beside | {"in_domain": inside[rows]}, units),
            metadata=about,
        )
