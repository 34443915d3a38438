"""Figures of drawn galaxies: a page sorted by each property, and strips along one of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from nebulium.data.output import check_place, replace_on_success
from nebulium.errors import ImageError, OutputError, TableError
from nebulium.generate.drawing.colours import colour_pictures
from nebulium.generate.drawing.figures import stamps_figure
from nebulium.generate.drawing.sample_file import Given, SampleRun, check_given, drawing, drawn_images
from nebulium.generate.image_model import ImageModel
from nebulium.nn.mapping import map_galaxies
from nebulium.verbs.predict import NamedModel, named_model

ENDINGS = (".png", ".pdf", ".svg")
DPI = 200
#: Galaxies of a row of the page, and of a strip; strips, each of a galaxy of its own.
COLUMNS, PLACES, GALAXIES = 8, 9, 3
#: Where a strip begins and ends, of the training galaxies.
ENDS = (0.02, 0.98)


def page_file(
    output: str | Path,
    *,
    model: str | Path,
    given: Given | None = None,
    columns: int = COLUMNS,
    seed: int = 0,
) -> SampleRun:
    """Draw a page of galaxies sorted by each property of a model.

    A row a property, along which it takes its quantiles among the training galaxies; the other properties are
    as given, else any.

    Parameters
    ----------
    output : str or Path
        A picture ending in .png, .pdf or .svg.
    model : str or Path
        Name of a packaged model, or a model folder.
    given : mapping of str to float or str, optional
        Properties that all galaxies have, and that get no row.
    columns : int
        Galaxies of a row.
    seed : int
        Of the draws.

    Returns
    -------
    SampleRun
        Galaxies that are outside the training domain have a frame.

    Raises
    ------
    NebuliumError
        A property is unknown, all are given, or the output is at fault.

    Examples
    --------
    >>> page_file("page.png", model="mine", given={"redshift": 0.08})  # doctest: +SKIP
    """
    found, base = _begun(output, model, given or {}, (("columns", columns, 2),))
    names = [name for name in found.model.conditions if name not in (given or {})]
    if not names:
        raise TableError("given", "all properties of the model are", "leave out those to sort by")
    shares = (np.arange(columns) + 0.5) / columns
    conditions = np.tile(base, (len(names), columns, 1))
    for row, name in enumerate(names):
        place = found.model.conditions.index(name)
        conditions[row, :, place] = training_quantiles(found.model, name, shares)
    numbers = np.arange(len(names) * columns).reshape(len(names), columns)
    captions = [_captions(found.model, one, name) for one, name in zip(conditions, names, strict=True)]
    title = f"Drawn by {found.name}: along each row one property{_also(given)}"
    return _written(found, output, conditions, numbers, captions, _labels(found, names), title, seed)


def strip_file(
    output: str | Path,
    *,
    model: str | Path,
    vary: str,
    low: float | None = None,
    high: float | None = None,
    given: Given | None = None,
    columns: int = PLACES,
    galaxies: int = GALAXIES,
    seed: int = 0,
) -> SampleRun:
    """Draw galaxies as one of their properties changes, and nothing else.

    A row a galaxy: its noise stays, and so do the other properties, which are as given, else any.

    Parameters
    ----------
    output : str or Path
        A picture ending in .png, .pdf or .svg.
    model : str or Path
        Name of a packaged model, or a model folder.
    vary : str
        The property that changes, from left to right in even steps.
    low, high : float, optional
        Where it begins and ends; where 2 and 98 % of the training galaxies lie below it, if not given.
    given : mapping of str to float or str, optional
        Properties that all galaxies have.
    columns : int
        Steps.
    galaxies : int
        Rows.
    seed : int
        Of the noise.

    Returns
    -------
    SampleRun
        Galaxies that are outside the training domain have a frame.

    Raises
    ------
    NebuliumError
        A property is unknown or both given and varied, the ends are in the wrong order, or the output is at
        fault.

    Examples
    --------
    >>> strip_file("strip.png", model="mine", vary="log_sfr", given={"log_mstar": 10.5})  # doctest: +SKIP
    """
    sizes = (("columns", columns, 2), ("galaxies", galaxies, 1))
    found, base = _begun(output, model, given or {}, sizes)
    check_given(found.model.conditions, {vary: 0.0}, "vary")
    if vary not in found.model.kinds.numbers and not (low is None is high):
        raise TableError("vary", f"{vary} is a class, without a lowest or highest", "leave these out")
    if vary in (given or {}):
        raise TableError("given", f"{vary} is given, and is to change", "leave it out of what is given")
    usual = training_quantiles(found.model, vary, np.array(ENDS))
    first, last = (float(at if one is None else one) for one, at in zip((low, high), usual, strict=True))
    if not np.isfinite([first, last]).all():
        raise TableError(vary, f"goes from {first:g} to {last:g}, expected a number", "give another end")
    if first >= last:
        problem = f"goes from {first:g} to {last:g}, expected the lower end and the upper one"
        raise TableError(vary, problem, "give these two: --low, --high (low=, high=)")
    steps = np.linspace(first, last, columns)
    if vary not in found.model.kinds.numbers:
        steps = training_quantiles(found.model, vary, (np.arange(columns) + 0.5) / columns)
    conditions = np.tile(base, (galaxies, columns, 1))
    conditions[:, :, found.model.conditions.index(vary)] = steps
    numbers = np.repeat(np.arange(galaxies), columns).reshape(galaxies, columns)
    captions = [_captions(found.model, conditions[0], vary)]
    title = f"Drawn by {found.name}: {_labels(found, [vary])[0]} changes, and nothing else{_also(given)}"
    return _written(found, output, conditions, numbers, captions, [], title, seed)


def training_quantiles(
    model: ImageModel, name: str, shares: Float[np.ndarray, " share"]
) -> Float[np.ndarray, " share"]:
    """Values of a property below which these shares of the training galaxies lie that have it.

    Of a class they are the places of all its kinds, in turn.
    """
    place = model.conditions.index(name)
    if name not in model.kinds.numbers:
        count = len(dict(model.kinds.classes)[name])
        return np.minimum(np.floor(shares * count), count - 1)
    values = np.asarray(model.condition_domain.reference)[:, place]
    # Where it is missing, its average of 0 stands there.
    found = np.quantile(values[values != 0], shares, method="nearest")
    return float(model.condition_mean[place]) + float(model.condition_scale[place]) * found


def _begun(
    output: str | Path, model: str | Path, given: Given, sizes: Sequence[tuple[str, int, int]]
) -> tuple[NamedModel, Float[np.ndarray, " condition"]]:
    """The model, and the properties of all galaxies, once all is checked."""
    if Path(output).suffix not in ENDINGS:
        problem = f"cannot be written as a picture: the ending is {Path(output).suffix!r}"
        raise OutputError(str(output), problem, f"choose a name that ends in {', '.join(ENDINGS)}")
    for name, value, least in sizes:
        if value < least:
            raise ImageError(name, f"is {value}, expected a whole number, {least} or more", "choose another")
    check_place(output)
    found = named_model(model, of=ImageModel)
    check_given(found.model.conditions, given, "given")
    ranges = [name for name, value in given.items() if np.size(value) > 1]
    if ranges:
        raise TableError("given", f"{ranges[0]} is a range, expected a number", "give one number")
    kinds = found.model.kinds
    values = [kinds.value(name, given[name], "given") if name in given else np.nan for name in kinds.names]
    return found, np.array(values, np.float32)


def _captions(model: ImageModel, conditions: np.ndarray, name: str) -> list[str]:
    values = conditions[:, model.conditions.index(name)]
    if name not in model.kinds.numbers:
        return [str(one) for one in model.kinds.shown(name, values)]
    # With as many digits as tell neighbours apart.
    digits = max(0, 1 - int(np.floor(np.log10(max(np.ptp(values) / len(values), 1e-6)))))
    return [f"{value:.{digits}f}" for value in values]


def _labels(found: NamedModel, names: Sequence[str]) -> list[str]:
    """Names of properties with their units."""
    units = found.config.get("units", {})
    return [f"{name} [{units[name]}]" if units.get(name) else name for name in names]


def _also(given: Given | None) -> str:
    """What is given, for the title."""
    told = ", ".join(f"{name} {value}" for name, value in (given or {}).items())
    return f"; of all, {told}" if told else ""


def _written(
    found: NamedModel,
    output: str | Path,
    conditions: Float[np.ndarray, "row column condition"],
    numbers: np.ndarray,
    captions: Sequence[Sequence[str]],
    labels: Sequence[str],
    title: str,
    seed: int,
) -> SampleRun:
    """Draw the galaxies, and write them as a figure."""
    model: ImageModel = found.model
    flat = conditions.reshape(-1, conditions.shape[-1])
    inside = map_galaxies(model.in_domain, flat)
    flux = drawn_images(model, flat, numbers.ravel(), **drawing(seed=seed))
    pictures = colour_pictures(model, flux)
    shape = conditions.shape[:2]
    figure = stamps_figure(
        pictures.reshape(*shape, *pictures.shape[1:]), captions, labels, ~inside.reshape(shape), title=title
    )
    about: dict[str, Any] = {"dpi": DPI, "format": Path(output).suffix[1:]}
    with replace_on_success(output) as partial:
        figure.savefig(partial, **about)
    return SampleRun(Path(output), len(flat), int(np.sum(~inside)), ())
