"""Two diffusions by name: which levels of noise there are, and what an error at one of them costs.

"edm" is that of Karras et al. 2022 (arXiv:2206.00364): all levels, in training even in their logarithm,
squared errors. "ddpm" is that of Ho et al. 2020 (arXiv:2006.11239): a thousand levels, whose
steps grow linearly, here with the absolute errors of Smith et al. 2022 (arXiv:2111.01713); images are drawn
by any of `nebulium.generate.drawing.samplers`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

Number = Float[Array, ""]
Levels = Float[Array, "*level"]
Diffusion = Literal["edm", "ddpm"]
NAMES: tuple[Diffusion, ...] = get_args(Diffusion)

#: Steps of Ho et al., and the first and the last of the variances that they add.
STEPS, FIRST_BETA, LAST_BETA = 1000, 1e-4, 0.02
#: Karras et al., equation 5: levels of sampling are even in this root.
RHO = 7.0


@dataclass(frozen=True)
class Schedule:
    """Levels of noise by their natural logarithm, and what they cost.

    Attributes
    ----------
    log_levels : callable
        (share, lowest, highest) -> level: a share of 0 gives the lowest. Shares are even in training.
    drawing : callable
        (steps, lowest, highest) -> levels from the highest to the lowest, as images are drawn.
    cost : callable
        Error of the noise, in its scatter -> loss.
    """

    log_levels: Callable[[Levels, Number, Number], Levels]
    drawing: Callable[[int, Number, Number], Levels]
    cost: Callable[[Float[Array, "side side band"]], Number]


def linear_log_levels() -> Float[np.ndarray, " step"]:
    """Of the steps of Ho et al.: scatter of the noise over what is left of the image, rising, from 0."""
    kept = np.cumprod(1.0 - np.linspace(FIRST_BETA, LAST_BETA, STEPS))
    levels = 0.5 * (np.log1p(-kept) - np.log(kept))
    return (levels - levels[0]).astype(np.float32)


def _even(share: Levels, lowest: Number, highest: Number) -> Levels:
    return lowest + (highest - lowest) * share


def _rooted(steps: int, lowest: Number, highest: Number) -> Levels:
    ends = jnp.exp(highest / RHO), jnp.exp(lowest / RHO)
    return RHO * jnp.log(jnp.linspace(*ends, steps))


def _stepped(share: Levels, lowest: Number, highest: Number) -> Levels:
    place = jnp.clip((share * STEPS).astype(jnp.int32), 0, STEPS - 1)
    return lowest + jnp.asarray(linear_log_levels())[place]


def _of_steps(steps: int, lowest: Number, highest: Number) -> Levels:
    """Those of the thousand that are nearest to levels even in their logarithm: fewer than asked for."""
    levels = linear_log_levels()
    # Even in the number of the step, forty of them would leave a fifth of the variance of the noise.
    wanted = np.linspace(levels[0], levels[-1], steps)
    nearest = np.unique(np.argmin(np.abs(levels[None, :] - wanted[:, None]), axis=1))
    places = nearest if steps < STEPS else np.arange(STEPS)
    return lowest + jnp.asarray(levels[places[::-1]])


SCHEDULES: dict[str, Schedule] = {
    "edm": Schedule(_even, _rooted, lambda error: jnp.mean(error**2)),
    "ddpm": Schedule(_stepped, _of_steps, lambda error: jnp.mean(jnp.abs(error))),
}
