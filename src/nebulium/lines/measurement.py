"""How a line is measured: the noise of its equivalent width, and which measurements enter a table.

The intrinsic equivalent widths follow from the continuum alone; everything that a survey's line fits add to
them is kept here. Measured on the DESI table, and the reason for each piece:

- quoted errors are larger for brighter lines, so sigma has a law of its own that moves with the line;
- quoted errors are not the scatter of the fits, so each line has a noise scale that depends on the continuum;
- lines go missing more often the lower their S/N, but not at a sharp cut, so the chance to be recorded is a
  learned, smooth function of the measured S/N, and a small share of negative fluctuations is recorded at the
  bound of the fit (an equivalent width of practically zero).
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr
from jaxtyping import Array, Float, Key

from nebulium.lines.continuum.line_list import LINES, TIED, line_index
from nebulium.nn import SinhArcsinh

N_LINES = len(LINES)
# Below this S/N a value is a fit at its bound: it says only that the fluctuation was negative.
BOUND_SNR = 0.01
# The scalars below are few and shared by all galaxies: stored divided by this, Adam moves them faster than
# the weights of the networks, by the same factor.
SCALAR_GAIN = 10.0
MOST_LOG_SCALE_CHANGE = 0.5
WEAK = np.array([line_index(line) for line in TIED])
STRONG_OF_WEAK = np.array([line_index(strong) for strong, _ in TIED.values()])


class NoiseLaw(eqx.Module):
    """Noise of the ten lines of one galaxy, as far as its continuum tells.

    Attributes
    ----------
    log_sigma : SinhArcsinh of shape (10,)
        Law of the logarithm of the quoted sigma (AA) of a line of vanishing equivalent width.
    scale : (10,) float32
        Scatter of the measurements in units of the quoted sigma.
    slope, knee_ew_aa : (10,) float32
        A line of width EW has its log sigma moved up by slope log(1 + EW / knee).
    """

    log_sigma: SinhArcsinh
    scale: Float[Array, "10"]
    slope: Float[Array, "10"]
    knee_ew_aa: Float[Array, "10"]

    def shift(self, ew_aa: Float[Array, "... 10"]) -> Float[Array, "... 10"]:
        """How much the log of the quoted sigma grows with the line."""
        grows = jax.vmap(lambda ew: self.slope * jnp.log1p(ew / self.knee_ew_aa))
        return grows(ew_aa.reshape(-1, N_LINES)).reshape(ew_aa.shape)


class Selection(eqx.Module):
    """Chance of a measurement to be recorded, as a function of its S/N; one per line.

    The chance at a positive S/N t is ``most (1 - a exp(-t^2 / 2 u^2) - b exp(-t^2 / 2 v^2))``: smooth, and
    its mean over Gaussian noise has a closed form. A negative fluctuation is recorded with the chance
    ``at_bound``.

    Attributes
    ----------
    dips : (10, 2) float32
        a and b, positive, their sum below 1.
    widths : (10, 2) float32
        u and v.
    most : (10,) float32
        Chance at high S/N.
    at_bound : (10,) float32
        Chance of a negative fluctuation.
    """

    dips: Float[Array, "10 2"]
    widths: Float[Array, "10 2"]
    most: Float[Array, "10"]
    at_bound: Float[Array, "10"]

    def chance(self, snr: Float[Array, "10"]) -> Float[Array, "10"]:
        """Chance of a measurement of this S/N to be recorded."""
        missed = jnp.sum(self.dips * jnp.exp(-0.5 * (snr[:, None] / self.widths) ** 2), axis=1)
        return jnp.where(snr > 0, self.most * (1.0 - missed), self.at_bound)

    def chance_of_line(self, true_snr: Float[Array, "10 *nodes"], scale: Float[Array, "10"]) -> Array:
        """Chance of a line to be recorded, averaged over its noise."""
        column = (...,) + (None,) * (true_snr.ndim - 1)
        noise = scale[column]
        positive = ndtr(true_snr / noise)
        missed = jnp.zeros_like(true_snr)
        for k in range(self.dips.shape[1]):
            width = self.widths[:, k][column]
            total = jnp.sqrt(width**2 + noise**2)
            bell = (width / total) * jnp.exp(-0.5 * (true_snr / total) ** 2)
            missed += self.dips[:, k][column] * bell * ndtr(true_snr * width / (noise * total))
        return self.most[column] * (positive - missed) + self.at_bound[column] * (1.0 - positive)


def select_positive(at_bound: Float[Array, "10"]) -> Selection:
    """The selection that records every positive measurement."""
    zeros = jnp.zeros((N_LINES, 2), jnp.float32)
    return Selection(zeros, zeros + 1.0, jnp.ones(N_LINES, jnp.float32), at_bound)


class Measurement(eqx.Module):
    """The learned noise and selection of one survey's line fits.

    Attributes
    ----------
    noise : equinox.nn.MLP
        From continuum features (with the brightness, where the model knows it) to the law of sigma.
    raw_selection : (10, 6) float32
        Two logits of the dips, two log widths, the logits of ``most`` and ``at_bound``; over `SCALAR_GAIN`.
    raw_noise : (10, 3) float32
        Log scale, slope and log knee of `NoiseLaw`, over `SCALAR_GAIN`.
    outlier_logit : (10,) float32
        Of the share of measurements that have nothing to do with the line, over `SCALAR_GAIN`.
    selective : bool
        Whether the chance to be recorded is learned; otherwise every positive measurement is recorded.
    """

    noise: eqx.nn.MLP
    raw_selection: Float[Array, "10 6"]
    raw_noise: Float[Array, "10 3"]
    outlier_logit: Float[Array, "10"]
    selective: bool = eqx.field(static=True)

    def __init__(self, n_features: int, *, width: int, selective: bool, key: Key[Array, ""]):
        mlp = eqx.nn.MLP(n_features, 5 * N_LINES, width, 2, activation=jax.nn.silu, key=key)
        self.noise = eqx.tree_at(lambda m: m.layers[-1].weight, mlp, 0.3 * mlp.layers[-1].weight)
        selection = jnp.array([0.0, 0.0, -0.7, 0.7, 5.0, -3.0], jnp.float32)
        self.raw_selection = jnp.tile(selection / SCALAR_GAIN, (N_LINES, 1))
        # The weaker line of a tied pair has a third of its quoted noise, as it was fitted with the stronger.
        log_scale = jnp.zeros(N_LINES, jnp.float32).at[WEAK].set(-1.1)
        self.raw_noise = jnp.stack([log_scale, 0 * log_scale, 0 * log_scale], axis=1) / SCALAR_GAIN
        self.outlier_logit = jnp.full(N_LINES, -5.0, jnp.float32) / SCALAR_GAIN
        self.selective = selective

    def law(self, features: Float[Array, " feature"]) -> NoiseLaw:
        """The noise that goes with a continuum."""
        raw = self.noise(features).reshape(N_LINES, 5)
        log_scale, slope, log_knee = self.noise_scalars
        change = MOST_LOG_SCALE_CHANGE * jnp.tanh(raw[:, 4])
        return NoiseLaw(
            SinhArcsinh.from_raw(raw[:, :4]), jnp.exp(log_scale + change), slope, jnp.exp(log_knee)
        )

    @property
    def noise_scalars(self) -> Float[Array, "3 10"]:
        """Of each line: log of the noise scale, slope and log of the knee of its quoted error."""
        return (SCALAR_GAIN * self.raw_noise).T

    @property
    def selection(self) -> Selection:
        """Which measurements are recorded."""
        raw = SCALAR_GAIN * self.raw_selection
        at_bound = jax.nn.sigmoid(raw[:, 5])
        if not self.selective:
            return select_positive(at_bound)
        rest = jnp.zeros((N_LINES, 1), jnp.float32)
        dips = jax.nn.softmax(jnp.concatenate([raw[:, :2], rest], axis=1), axis=1)[:, :2]
        return Selection(dips, jnp.exp(raw[:, 2:4]), jax.nn.sigmoid(raw[:, 4]), at_bound)

    @property
    def outlier_share(self) -> Float[Array, "10"]:
        """Share of the measurements that have nothing to do with the line."""
        return jax.nn.sigmoid(SCALAR_GAIN * self.outlier_logit)
