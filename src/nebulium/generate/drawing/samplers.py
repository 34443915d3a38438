"""Ways to draw by taking noise off, level by level, from a network that says what is left without it."""

from collections.abc import Callable
from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from nebulium.errors import ImageError

Noisy = Float[Array, "..."]
Number = Float[Array, ""]
#: What is expected without the noise, of what has noise of a level; the level by its natural logarithm.
Denoise = Callable[[Noisy, Number], Noisy]

Sampler = Literal["heun", "ddim", "ancestral"]
#: Steps of each sampler if none are asked for: each step of Heun's method asks the network twice.
STEPS: dict[str, int] = {"heun": 40, "ddim": 160, "ancestral": 320}
SAMPLERS: tuple[Sampler, ...] = get_args(Sampler)


def steps_of(sampler: str, steps: int | None) -> int:
    """The steps that are asked for, or those of the sampler."""
    if sampler not in SAMPLERS:
        problem = f"{sampler!r} is not known"
        raise ImageError("sampler", problem, f"choose one of {', '.join(SAMPLERS)}")
    return STEPS[sampler] if steps is None else steps


def guided(own: Denoise, free: Denoise, guidance: Number | None) -> Denoise:
    """What is expected given properties, or, with guidance, that much further from what is without them."""
    if guidance is None:
        return own

    def denoise(noisy: Noisy, log_level: Number) -> Noisy:
        clean, without = own(noisy, log_level), free(noisy, log_level)
        return without + guidance * (clean - without)

    return denoise


def denoised(
    sampler: Sampler, denoise: Denoise, start: Noisy, log_levels: Float[Array, " level"], key: Key[Array, ""]
) -> Noisy:
    """What is drawn from `start`, which has noise of the first, the highest, of the levels.

    "heun" is Karras et al. 2022 (arXiv:2206.00364, algorithm 1), "ddim" the
    deterministic step of first order and "ancestral" the random one of Song et al. 2021 (arXiv:2010.02502,
    eta of 0 and of 1). Only the last makes use of the key.
    """

    def slope(noisy: Noisy, log_level: Number) -> Noisy:
        return noisy - denoise(noisy, log_level)  # with respect to the logarithm of the level

    def heun(noisy: Noisy, first: Number, second: Number, key: Key[Array, ""]) -> Noisy:
        # In the level, not in its logarithm: with few steps the variance of what is drawn is far closer.
        before = slope(noisy, first)
        after = slope(noisy + (jnp.exp(second - first) - 1.0) * before, second)
        return noisy + 0.5 * (
            (jnp.exp(second - first) - 1.0) * before + (1.0 - jnp.exp(first - second)) * after
        )

    def ddim(noisy: Noisy, first: Number, second: Number, key: Key[Array, ""]) -> Noisy:
        return noisy - (1.0 - jnp.exp(second - first)) * slope(noisy, first)

    def ancestral(noisy: Noisy, first: Number, second: Number, key: Key[Array, ""]) -> Noisy:
        kept = jnp.exp(2.0 * (second - first))
        anew = jnp.exp(second) * jnp.sqrt(1.0 - kept) * jax.random.normal(key, noisy.shape)
        return noisy - (1.0 - kept) * slope(noisy, first) + anew

    step = {"heun": heun, "ddim": ddim, "ancestral": ancestral}[sampler]
    steps = len(log_levels) - 1

    def one(noisy: Noisy, ends: tuple[Number, Number, Array]) -> tuple[Noisy, None]:
        first, second, number = ends
        return step(noisy, first, second, jax.random.fold_in(key, number)), None

    numbers = jnp.arange(steps, dtype=jnp.uint32)
    noisy, _ = jax.lax.scan(one, start, (log_levels[:-1], log_levels[1:], numbers))
    return denoise(noisy, log_levels[-1])
