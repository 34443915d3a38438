"""Standard error, variance or inverse variance: told by a column's unit, else by its name, and converted."""

import re
from typing import Literal

import numpy as np
from jaxtyping import Float

from nebulium.data.glossary import parse_unit
from nebulium.errors import TableError

Kind = Literal["error", "variance", "ivar"]
#: The unit of each is that of the quantity to this power.
POWERS: dict[Kind, int] = {"ivar": -2, "error": 1, "variance": 2}
NAMES: dict[Kind, str] = {
    "ivar": "ivar|inv_?var|inverse_?var",
    "variance": "(?<![a-z])var(?![a-z])|variance|fluxvar",
    "error": "err|sigma|uncert|(?<![a-z])(e|sig|unc|rms)(?![a-z])",
}


def kind_of_name(column: str) -> Kind | None:
    """What the name of a column says that it holds; None if it says nothing."""
    return next((kind for kind, pattern in NAMES.items() if re.search(pattern, column.lower())), None)


def kind_of_unit(unit: str, of_quantity: str) -> Kind | None:
    """What the unit of a column says that it holds; None if it is the unit of something else."""
    try:
        found, quantity = parse_unit(unit), parse_unit(of_quantity)
    except ValueError:
        return None
    alike = (kind for kind, power in POWERS.items() if found.is_equivalent(quantity**power))
    return next(alike, None)


def uncertainty_kind(
    column: str, unit: str, of_quantity: str, *, where: str, otherwise: Kind = "error"
) -> Kind:
    """What a column of uncertainties holds: its unit counts more than its name."""
    named, declared = kind_of_name(column), kind_of_unit(unit, of_quantity) if unit.strip() else None
    if declared == "error" and named in ("ivar", "variance"):
        problem = f"is called {named} and declared in {unit!r}, the unit of a standard error"
        raise TableError(f"{where}, column {column}", problem, "mend its unit or its name")
    return declared or named or otherwise


def unit_of_uncertainty(unit: str, kind: Kind) -> str:
    """The unit of the uncertainty of a quantity in a unit."""
    return f"{unit}**{POWERS[kind]}"


def convert_uncertainty(values: Float[np.ndarray, " n"], kind: Kind, wanted: Kind) -> Float[np.ndarray, " n"]:
    """One kind from another; 0 where the numbers are not positive: nothing was measured there."""
    if kind == wanted:
        return values
    good = values > 0
    converted = np.where(good, values, 1.0) ** (POWERS[wanted] / POWERS[kind])
    return np.where(np.isnan(values), np.nan, np.where(good, converted, 0.0))
