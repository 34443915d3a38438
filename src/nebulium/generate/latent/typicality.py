"""Is an image like those of the survey: what is measured of it, beside the same of images held back.

Two-sided: what is too smooth is as unusual as what is too rich.
"""

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nebulium.nn.mapping import map_galaxies

Statistics = Float[Array, " statistic"]

BATCH = 64
#: Ranges of the level of noise, even in its logarithm, and draws in each.
LEVELS, DRAWS = 4, 8
#: Images held back that others are ranked among, at most.
MOST_REFERENCES = 1000


class Typical(NamedTuple):
    """How often images of the survey are as unusual as one, to either side.

    Attributes
    ----------
    all : () float32
        By all of what follows.
    each : (statistic,) float32
        By the cost of noise at each level, the finest first, by the light of each band, and by what
        components leave out of it.
    """

    all: Float[Array, ""]
    each: Statistics


class Typicality(eqx.Module):
    """What is measured of images that were held back.

    Parameters
    ----------
    statistics, references : int
        How many there are of each.

    Attributes
    ----------
    of_each : (statistic, reference) float32
        Sorted.
    of_all : (reference,) float32
        Sums of the statistics' negative log p-values, sorted.

    Examples
    --------
    >>> seen = np.random.default_rng(0).normal(size=(999, 2)).astype(np.float32)
    >>> typicality = measured_typicality(seen, 999)
    >>> [round(float(typicality.of(jnp.array(one)).all), 1) for one in ([0.1, 0.2], [5.0, -5.0])]
    [1.0, 0.0]
    """

    of_each: Float[Array, "statistic reference"]
    of_all: Float[Array, " reference"]

    def __init__(self, statistics: int, references: int):
        self.of_each, self.of_all = jnp.zeros((statistics, references)), jnp.zeros(references)

    def of(self, statistics: Statistics) -> Typical:
        """P-values of an image; of the least usual it is 1 over the number of references and one."""
        n = self.of_all.size
        each = self.sides(statistics)
        above = jnp.sum(self.of_all >= _unusual(each), dtype=jnp.float32)
        return Typical((1.0 + above) / (1.0 + n), each)

    def sides(self, statistics: Statistics) -> Statistics:
        """P-values of each statistic, whether it is low or high."""
        below = jnp.sum(self.of_each <= statistics[:, None], axis=1, dtype=jnp.float32)
        above = jnp.sum(self.of_each >= statistics[:, None], axis=1, dtype=jnp.float32)
        return jnp.minimum(2.0 * (1.0 + jnp.minimum(below, above)) / (1.0 + self.of_all.size), 1.0)


def _unusual(p_values: Statistics) -> Float[Array, ""]:
    return -jnp.sum(jnp.log(p_values))


def _unusual_among(typicality: Typicality, statistics: Statistics) -> Float[Array, ""]:
    return _unusual(typicality.sides(statistics))


def measured_typicality(seen: Float[np.ndarray, "n statistic"], references: int) -> Typicality:
    """What images held back have shown, as so many quantiles."""
    at = (np.arange(references) + 0.5) / references
    empty = Typicality(seen.shape[1], references)
    each = jnp.asarray(np.quantile(seen, at, axis=0).T, jnp.float32)
    found = eqx.tree_at(lambda one: one.of_each, empty, each)
    unusual = map_galaxies(eqx.Partial(_unusual_among, found), seen.astype(np.float32), batch=BATCH)
    of_all = jnp.asarray(np.quantile(unusual, at), jnp.float32)
    return eqx.tree_at(lambda one: one.of_all, found, of_all)
