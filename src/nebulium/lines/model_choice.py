"""Which model predicts which galaxy."""

from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Bool, Float

from nebulium.data.units import FLUX_UNIT
from nebulium.errors import NebuliumError
from nebulium.lines.continuum.features import log_luminosity
from nebulium.lines.model import LineModel
from nebulium.modelfile import describe_model, load_model

#: The default where redshift and flux are known and the luminosity is one that it was trained on.
WITH_LUMINOSITY = "desi-lines"
#: The default elsewhere.
COLOURS_ONLY = "desi-lines-colours"


@dataclass(frozen=True)
class NamedModel:
    """A model and what the tables call it.

    Parameters
    ----------
    name : str
        Name of its folder.
    model : LineModel
    """

    name: str
    model: LineModel


@dataclass(frozen=True)
class ModelChoice:
    """One model for all galaxies, or one with luminosity and another where that cannot be used.

    Parameters
    ----------
    first : NamedModel
        Predicts wherever it can.
    elsewhere : NamedModel, optional
        Predicts the other galaxies; it needs no luminosity.
    """

    first: NamedModel
    elsewhere: NamedModel | None = None

    @property
    def models(self) -> tuple[NamedModel, ...]:
        """The models there are."""
        return (self.first,) if self.elsewhere is None else (self.first, self.elsewhere)

    @property
    def needs_luminosity(self) -> bool:
        """Whether a galaxy without luminosity has no model."""
        return self.elsewhere is None and self.first.model.with_luminosity

    def names_of(
        self,
        continuum_flux: Float[np.ndarray, "n 12"],
        redshift: Float[np.ndarray, " n"],
        *,
        physical: bool = True,
    ) -> np.ndarray:
        """Name of the model for each galaxy."""
        if self.elsewhere is None:
            return np.full(len(redshift), self.first.name)
        usable = physical & _luminosity_in_range(self.first.model, continuum_flux, redshift)
        return np.where(usable, self.first.name, self.elsewhere.name)


def choose_models(model: LineModel | str | Path | None = None) -> ModelChoice:
    """Load what is asked for, or the two defaults."""
    if model is None:
        return ModelChoice(_named(WITH_LUMINOSITY), _named(COLOURS_ONLY))
    if isinstance(model, LineModel):
        return ModelChoice(NamedModel(type(model).__name__, model))
    return ModelChoice(_named(model))


def check_unit_suits(choice: ModelChoice, *, physical: bool, unit: str, where: str) -> None:
    """Refuse fluxes in a unit from which the luminosity that the model needs cannot be had."""
    if physical or not choice.needs_luminosity:
        return
    problem = (
        f"the model {choice.first.name} needs a luminosity, so expected what converts to {FLUX_UNIT}, "
        f"found {unit}"
    )
    raise NebuliumError(f"{where}, columns continuum_flux", problem, f"use the model {COLOURS_ONLY}")


def _named(model: str | Path) -> NamedModel:
    return NamedModel(describe_model(model).path.resolve().name, load_model(model, of=LineModel))


_log_luminosities = jax.jit(jax.vmap(log_luminosity))


def _luminosity_in_range(
    model: LineModel, continuum_flux: Float[np.ndarray, "n 12"], redshift: Float[np.ndarray, " n"]
) -> Bool[np.ndarray, " n"]:
    """False also where the luminosity is not known."""
    low, high = np.asarray(model.log_luminosity_range)
    luminosity = np.asarray(_log_luminosities(continuum_flux, redshift))
    return (luminosity >= low) & (luminosity <= high)
