"""The synthetic galaxy of the slider, and its way through the map of the others."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock

import numpy as np
from jaxtyping import Float

from nebulium.explore.maps.embedding_file import GalaxyMap
from nebulium.explore.maps.features import colour_features, continuum_features
from nebulium.explore.sample.track import (
    STEPS,
    History,
    SyntheticGalaxies,
    SyntheticGalaxy,
    missing_extra,
    slider_histories,
    tau_of,
)
from nebulium.lines.model import LineModel
from nebulium.lines.predict import WITH_LUMINOSITY
from nebulium.modelfile import load_model

#: Features of the maps in which a continuum has a place.
FEATURES = {"continuum": continuum_features, "colours": colour_features}


@dataclass(frozen=True, eq=False)
class Synthetic:
    """A galaxy whose star formation declines as slowly as the slider is set.

    Parameters
    ----------
    galaxy_map : GalaxyMap, optional
        The map that it moves through; it has a place only in one of continua.
    model : str or Path
        Of the lines.
    """

    galaxy_map: GalaxyMap | None
    model: str | Path = WITH_LUMINOSITY
    _compiling: Lock = field(default_factory=Lock, repr=False)

    @property
    def lacks(self) -> str:
        """The package that is missing for it; empty if none is."""
        return str(missing_extra() or "")

    def at(self, place: float) -> SyntheticGalaxy:
        """The galaxy at a place of the slider, 0 to 1."""
        return self._make(History(tau_gyr=tau_of(place)))

    def place(self, galaxy: SyntheticGalaxy) -> tuple[float, float] | None:
        """Where it lies in the map; None where it has no place."""
        x, y = self._places(galaxy.continuum[None])[0].tolist()
        return (x, y) if np.isfinite([x, y]).all() else None

    @property
    def is_ready(self) -> bool:
        """Whether it was asked before: compiling takes some seconds, for which nothing else shall wait."""
        return "_compiled" in vars(self)

    @cached_property
    def track(self) -> Float[np.ndarray, "step 2"]:
        """Its places as the slider moves from one end to the other."""
        made = [self._make(history) for history in slider_histories(History(), STEPS)]
        return self._places(np.stack([galaxy.continuum for galaxy in made]))

    @property
    def _make(self) -> SyntheticGalaxies:
        # Two visitors who open the view at once wait for one compilation.
        with self._compiling:
            return self._compiled

    @cached_property
    def _compiled(self) -> SyntheticGalaxies:
        make = SyntheticGalaxies(load_model(self.model, of=LineModel))
        make(History())
        return make

    def _places(self, continuum: Float[np.ndarray, "k 12"]) -> Float[np.ndarray, "k 2"]:
        if self.galaxy_map is None or self.galaxy_map.features.kind not in FEATURES:
            return np.full((len(continuum), 2), np.nan, np.float32)
        features = FEATURES[self.galaxy_map.features.kind](continuum)
        return self.galaxy_map.placement.place(features)
