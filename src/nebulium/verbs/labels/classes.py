"""Targets that are classes: what a column calls them, and probabilities that are what they say."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize_scalar

from nebulium.data.tables.table import Table
from nebulium.errors import TableError

#: The classes of each target that is one, in the order of their probabilities.
Classes: TypeAlias = Mapping[str, Sequence[str]]

MOST_CLASSES = 50
#: Training galaxies below which a class is hardly learned.
FEW_OF_A_CLASS = 20
# With fewer labels a temperature would be noise.
FEWEST = 20
#: Texts that stand for no class.
NO_CLASS = ("", "nan", "null", "n/a", "--")
# A temperature is looked for between a tenth and ten.
_LOG_RANGE = (-2.3, 2.3)


def probability_column(target: str, name: str) -> str:
    """What the column with the probability of a class is called."""
    return f"{target}_p_{name}"


def class_names(table: Table, target: str, *, wanted: bool = False) -> tuple[str, ...] | None:
    """The classes of a column, sorted; None for a column of numbers.

    Classes are text, true and false, numbers that are all 0 or 1, and other whole numbers if `wanted`.
    """
    values = table[target]
    if values.dtype.kind in "iuf" and not wanted:
        known = np.unique(values[~np.isnan(values)] if values.dtype.kind == "f" else values)
        if not np.array_equal(known, [0, 1]):
            return None
    texts = class_texts(table, target)
    names = np.unique(texts[texts != ""])
    where = f"{table.name}, column {target}"
    # A column of measurements with text among them is no class: what reads it as numbers names that text.
    if not wanted and values.dtype.kind in "US" and any(map(_is_measured, names.tolist())):
        return None
    if len(names) > MOST_CLASSES:
        shown = ", ".join(names[:3].tolist())
        problem = f"has {len(names):,} different entries ({shown}, ...), too many for classes"
        raise TableError(where, problem, "choose another column")
    if len(names) < 2:
        problem = f"is {names[0]} for every galaxy" if len(names) else "is missing for every galaxy"
        raise TableError(where, problem, "choose another column")
    return tuple(names.tolist())


def class_texts(table: Table, target: str) -> np.ndarray:
    """What a column calls the class of each galaxy; empty where it is missing."""
    values = table[target]
    if values.dtype.kind in "US":
        texts = np.char.strip(values.astype(np.str_))
        return np.where(np.isin(np.char.lower(texts), NO_CLASS), "", texts)
    numbers = values.astype(np.float64)
    known = np.isfinite(numbers)
    if np.any(numbers[known] != np.round(numbers[known])):
        problem = "holds numbers that are not whole, which are no classes"
        mend = "leave it out of --class (classes), and a number is predicted"
        raise TableError(f"{table.name}, column {target}", problem, mend)
    return np.where(known, np.nan_to_num(numbers, posinf=0, neginf=0).astype(np.int64).astype(np.str_), "")


def class_places(table: Table, target: str, names: Sequence[str]) -> Float[np.ndarray, " n"]:
    """Place of each galaxy's class among the names; NaN where it is missing, infinite where it is another."""
    texts = class_texts(table, target)
    found = texts[:, None] == np.asarray(names)[None, :]
    places = np.where(found.any(axis=1), found.argmax(axis=1).astype(np.float64), np.inf)
    return np.where(texts == "", np.nan, places)


def best_temperature(true: Float[np.ndarray, " n"], probability: Float[np.ndarray, "n class"]) -> float:
    """The temperature with the smallest log loss; 1 where there are too few labels to tell."""
    known = np.isfinite(true)
    if known.sum() < FEWEST:
        return 1.0
    logits, place = np.log(np.maximum(probability[known], 1e-30)), true[known].astype(int)

    def log_loss(log_temperature: float) -> float:
        scaled = logits * np.exp(-log_temperature)
        scaled -= scaled.max(axis=1, keepdims=True)
        picked = scaled[np.arange(len(place)), place]
        return float(np.mean(np.log(np.exp(scaled).sum(axis=1)) - picked))

    return float(np.exp(minimize_scalar(log_loss, bounds=_LOG_RANGE, method="bounded").x))


def class_counts(classes: Classes, places: Float[np.ndarray, "n classified"]) -> dict[str, dict[str, int]]:
    """How many galaxies of each class there are, by target."""
    return {
        target: {name: int(np.sum(column == place)) for place, name in enumerate(names)}
        for (target, names), column in zip(classes.items(), places.T, strict=True)
    }


def check_classes_to_learn(counts: Mapping[str, Mapping[str, int]], where: str) -> None:
    """Refuse a target of which the training galaxies show fewer than two classes."""
    for target, of_names in counts.items():
        there = [name for name, count in of_names.items() if count]
        if len(there) < 2:
            found = f"only {there[0]}" if there else "no class"
            problem = f"expected two classes or more among the training galaxies, found {found}"
            raise TableError(f"{where}, column {target}", problem, "give more labels, or leave it out")


def few_of_a_class(counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Notes on classes that too few training galaxies teach."""
    return [
        f"{target}: {count:,} training galaxies of the class {name}, too few to learn it well"
        for target, of_names in counts.items()
        for name, count in of_names.items()
        if count < FEW_OF_A_CLASS
    ]


def class_weights(counts: Mapping[str, Mapping[str, int]], balance: float) -> tuple[tuple[float, ...], ...]:
    """Frequencies to the power of minus the balance, 1 on average over the galaxies."""
    weights = []
    for of_names in counts.values():
        count = np.maximum(np.array(list(of_names.values()), np.float64), 1.0)
        raw = count**-balance
        weights.append(tuple((raw * count.sum() / (raw * count).sum()).tolist()))
    return tuple(weights)


def _is_measured(text: str) -> bool:
    """Whether a text spells a number with a decimal point: a measurement that was read as text."""
    try:
        float(text)
    except ValueError:
        return False
    return "." in text
