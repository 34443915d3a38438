"""The spaces in which models see galaxies as points."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32

Distance = Literal["cosine", "euclidean"]


@dataclass(frozen=True)
class Space:
    """A space in which galaxies are compared.

    Attributes
    ----------
    prefix : str
        Of the columns of a point: ``latent`` for `latent_000`, `latent_001`, ...
    distance : str
        Cosine (1 minus the cosine of the angle) or Euclidean.
    """

    prefix: Literal["latent", "feature"]
    distance: Distance

    def columns(self, dimensions: int) -> list[str]:
        """Names of the columns of a point."""
        return [f"{self.prefix}_{place:03}" for place in range(dimensions)]


@dataclass(frozen=True, eq=False)
class Points:
    """Points that stand for galaxies.

    Attributes
    ----------
    vectors : ndarray of float32 of shape (n, dimension)
    space : Space
    """

    vectors: Float32[np.ndarray, "n dimension"]
    space: Space

    def columns(self) -> dict[str, np.ndarray]:
        """Columns of a table."""
        # A column of a matrix lies scattered in memory, and Arrow takes only what lies together.
        across = np.ascontiguousarray(self.vectors.T)
        return dict(zip(self.space.columns(len(across)), across, strict=True))

    def mapped(self) -> Float32[np.ndarray, "n dimension"]:
        """The vectors, so scaled that Euclidean distances order as those of the space do."""
        if self.space.distance == "euclidean":
            return self.vectors
        return self.vectors / np.maximum(np.linalg.norm(self.vectors, axis=1, keepdims=True), 1e-12)
