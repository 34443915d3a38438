"""Quantities with a measured and a predicted column, so that the two can be compared."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from nebulium.explore.sample.galaxies import Galaxies

PREDICTED, DRAWN = "predicted_", "drawn_"
#: Names of the linked maps.
PANELS = ("measured", "predicted", "predicted + scatter")
#: Measured columns, the first that is there, of predictions that go by another name.
MEASURED_AS = {"redshift_median": ("redshift_spec", "redshift"), "predicted_OH12": ("OH12", "oh12")}


@dataclass(frozen=True)
class Quantity:
    """A measured column and its prediction.

    Parameters
    ----------
    name : str
        The measured column, which names the pair.
    predicted : str
        Column of the medians.
    low, high : str
        Columns of the 16 and 84 per cent quantiles; empty if there are none.
    drawn : str
        Column of the prediction plus scatter; empty if there is none.
    unit : str
        Unit of all of them.
    with_noise : bool
        Whether the drawn column has the noise of the measurement as well.
    """

    name: str
    predicted: str
    low: str = ""
    high: str = ""
    drawn: str = ""
    unit: str = ""
    with_noise: bool = False

    @property
    def logarithmic(self) -> bool:
        """Whether it is compared by its logarithm, as equivalent widths are."""
        return self.name.startswith("ew_")

    def pair(self, galaxies: Galaxies) -> tuple[np.ndarray, np.ndarray]:
        """Measured and predicted values as they are compared: their logarithms where these are compared."""
        measured, predicted = galaxies.values[self.name], galaxies.values[self.predicted]
        if self.logarithmic:
            return positive_log10(measured), positive_log10(predicted)
        return measured.astype(np.float64), predicted.astype(np.float64)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the linked maps, in their order."""
        return tuple(column for column in (self.name, self.predicted, self.drawn) if column)

    @property
    def panels(self) -> tuple[str, ...]:
        """The titles of the linked maps."""
        *first, drawn = PANELS
        return (*first, f"{drawn} and noise" if self.with_noise else drawn)[: len(self.columns)]


def positive_log10(values: np.ndarray) -> Float64[np.ndarray, " n"]:
    """Logarithms of numbers; NaN where they are not positive."""
    return np.log10(np.where(values > 0, values, np.nan).astype(np.float64))


def quantities_of(galaxies: Galaxies) -> dict[str, Quantity]:
    """All that can be compared with a prediction, by name."""
    found = {}
    for predicted in galaxies.values:
        measured = _measured(predicted, galaxies.values)
        if measured is None:
            continue
        stem = predicted.removesuffix("_median")
        low, high, drawn = (
            name if name in galaxies.values else ""
            for name in (f"{stem}_q16", f"{stem}_q84", DRAWN + predicted.removeprefix(PREDICTED))
        )
        found[measured] = Quantity(
            measured,
            predicted,
            low,
            high,
            drawn,
            unit=galaxies.units.get(measured, ""),
            with_noise=f"ew_ivar_{measured.removeprefix('ew_')}" in galaxies.values,
        )
    return found


def _measured(predicted: str, values: Mapping[str, np.ndarray]) -> str | None:
    """The column that a prediction is to be compared with; None for what is no median or has no match."""
    if predicted in MEASURED_AS:
        return next((name for name in MEASURED_AS[predicted] if name in values), None)
    name = predicted.removeprefix(PREDICTED)
    return name if name != predicted and name in values else None
