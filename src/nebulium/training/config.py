"""How to train: one frozen record, and the optimiser that follows from it."""

from dataclasses import dataclass, fields, replace
from functools import cache, partial
from typing import Any, Literal

import jax
import optax
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

SCHEDULES = ("constant", "cosine", "one-cycle")


@dataclass(frozen=True)
class FitConfig:
    """Settings of `nebulium.training.fit_loop`; saved with the run and compared when it is resumed.

    Attributes
    ----------
    epochs : int
        Passes over the training set, at most.
    batch_size : int
        Examples per step. The last batch of an epoch is padded, with weight 0.
    learning_rate : float
        Of Adam with decoupled weight decay; the highest of the schedule.
    schedule : {"constant", "cosine", "one-cycle"}
        Course of the learning rate over all steps: as it is; warm-up and a cosine to 0; or one cycle
        (Smith 2018, arXiv:1803.09820) from 1/25 up and down to 1e-4 of the start.
    warm_up : float
        Fraction of all steps over which the learning rate rises.
    weight_decay : float
        Of arrays with two axes or more (weights, not biases or scales).
    clip_norm : float or None
        Longest gradient, as the norm over all parameters; None leaves gradients alone.
    averaging : float or None
        Decay, per step, of the running average of the weights that is validated and returned; shorter in
        the first steps, so that the random start is forgotten. None returns the weights themselves.
    patience : int or None
        Stop after so many epochs without a better validation loss; None trains for all epochs. In either
        case the weights returned are those of the best epoch.
    seed : int
        Of the order of the examples and of the random key that the loss is given.

    Raises
    ------
    ValueError
        If a value makes no sense; the message names it.

    Examples
    --------
    >>> FitConfig(epochs=10, learning_rate=3e-4).schedule
    'cosine'
    >>> FitConfig(epochs=0)
    Traceback (most recent call last):
    ValueError: FitConfig: epochs must be at least 1, got 0
    """

    epochs: int = 50
    batch_size: int = 1024
    learning_rate: float = 1e-3
    schedule: Literal["constant", "cosine", "one-cycle"] = "cosine"
    warm_up: float = 0.05
    weight_decay: float = 1e-4
    clip_norm: float | None = 1.0
    averaging: float | None = 0.999
    patience: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        demands = {
            "epochs": (self.epochs >= 1, "be at least 1"),
            "batch_size": (self.batch_size >= 1, "be at least 1"),
            "patience": (self.patience is None or self.patience >= 1, "be at least 1"),
            "learning_rate": (self.learning_rate > 0, "be positive"),
            "schedule": (self.schedule in SCHEDULES, f"be one of {SCHEDULES}"),
            "warm_up": (0 <= self.warm_up < 1, "lie in [0, 1)"),
            "weight_decay": (self.weight_decay >= 0, "not be negative"),
            "clip_norm": (self.clip_norm is None or self.clip_norm > 0, "be positive"),
            "averaging": (self.averaging is None or 0 <= self.averaging < 1, "lie in [0, 1)"),
        }
        for name, (holds, demand) in demands.items():
            if not holds:
                raise ValueError(f"FitConfig: {name} must {demand}, got {getattr(self, name)!r}")


def fit_config_of(settings: Any, **others: Any) -> FitConfig:
    """The settings of the loop among those of a subject's training, and others."""
    shared = {field.name for field in fields(FitConfig)} & {field.name for field in fields(settings)}
    return FitConfig(**{name: getattr(settings, name) for name in shared} | others)


def learning_rates(config: FitConfig, steps: int) -> optax.Schedule:
    """Course of the learning rate."""
    peak = config.learning_rate
    if config.schedule == "constant":
        return optax.linear_schedule(0.0 if config.warm_up else peak, peak, int(config.warm_up * steps))
    if config.schedule == "one-cycle":
        return optax.cosine_onecycle_schedule(steps, peak, pct_start=config.warm_up or 1 / steps)
    return optax.warmup_cosine_decay_schedule(0.0, peak, int(config.warm_up * steps), max(steps, 1))


def learning_rates_at(numbers: Int[Array, " steps"], config: FitConfig, steps: int) -> Float[Array, " steps"]:
    """The learning rates of some of all steps."""
    with jax.numpy_dtype_promotion("standard"):
        # The seed has no part in it: the networks of an ensemble share one.
        return _compiled_rates(replace(config, seed=0), steps)(numbers)


@cache
def _compiled_rates(config: FitConfig, steps: int) -> Any:
    """Kept from epoch to epoch: jit takes two schedules for different functions however alike they are."""
    return jax.jit(jax.vmap(learning_rates(config, steps)))


def same_steps(config: FitConfig) -> FitConfig:
    """The settings that trainings of the same compiled steps share, the others as they are by default."""
    decisive = ("clip_norm", "weight_decay", "averaging")
    return FitConfig(**{name: getattr(config, name) for name in decisive})


def make_optimiser(config: FitConfig, rate: ArrayLike) -> optax.GradientTransformation:
    """Adam with decoupled weight decay, after clipping, at the learning rate of one step."""
    clip = optax.identity() if config.clip_norm is None else optax.clip_by_global_norm(config.clip_norm)
    # Biases and scales are not pulled to zero: that would move the prediction itself.
    decayed = partial(jax.tree.map, lambda array: array.ndim >= 2)
    # A schedule, if of one rate: its state counts the steps, as checkpoints do.
    adam = optax.adamw(lambda _: rate, weight_decay=config.weight_decay, mask=decayed)
    optimiser = optax.chain(clip, adam)

    def update(*arguments: Any) -> Any:
        # optax raises floats to integer powers, which a caller's strict promotion would refuse.
        with jax.numpy_dtype_promotion("standard"):
            return optimiser.update(*arguments)

    return optax.GradientTransformation(optimiser.init, update)
