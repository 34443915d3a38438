"""Published relations between the size and the mass of galaxies."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

Values = Float[Array, "*n"]

# Shen et al. 2003, MNRAS 343, 978, Table 1 (fits of their Figure 11); b of the early types from the erratum
# of 2007, MNRAS 379, 400.
_SHEN_LATE_ALPHA, _SHEN_LATE_BETA, _SHEN_LATE_GAMMA = 0.14, 0.39, 0.10
_SHEN_EARLY_A, _SHEN_EARLY_LOG_B = 0.56, float(np.log10(2.88e-6))
_SHEN_LOG_M0 = float(np.log10(3.98e10))
_SHEN_SIGMA_LOW, _SHEN_SIGMA_HIGH = 0.47, 0.34

# van der Wel et al. 2014, ApJ 788, 28, Table 1: middle of the redshift bin, log A, alpha, scatter.
_WEL_LOG_PIVOT = float(np.log10(5e10))
_WEL_REDSHIFT = np.array([0.25, 0.75, 1.25, 1.75, 2.25, 2.75], np.float32)
_WEL_LATE = np.array(
    [[0.86, 0.25, 0.16], [0.78, 0.22, 0.16], [0.70, 0.22, 0.17],
     [0.65, 0.23, 0.18], [0.55, 0.22, 0.19], [0.51, 0.18, 0.19]], np.float32
)  # fmt: skip
_WEL_EARLY = np.array(
    [[0.60, 0.75, 0.10], [0.42, 0.71, 0.11], [0.22, 0.76, 0.12],
     [0.09, 0.76, 0.14], [-0.05, 0.76, 0.14], [-0.06, 0.79, 0.14]], np.float32
)  # fmt: skip
# The early types' power law was fitted above 2e10 Msun; below, their sizes flatten (their section 3.2).
_WEL_EARLY_LOG_MIN, _WEL_EARLY_LOW_SLOPE = float(np.log10(2e10)), 0.22


def shen_2003(log_mstar: Values, early: Bool[Array, "*n"]) -> Values:
    """Median half-light radius in circular apertures of nearby galaxies.

    Shen et al. 2003, MNRAS 343, 978: eq. 18 for late and eq. 17 for early types, with the parameters of their
    Table 1 (that of the early types as corrected in 2007, MNRAS 379, 400). Measured in z band at z < 0.2; the
    early types' power law ends at about 1e10 Msun.
    """
    late = (
        np.log10(_SHEN_LATE_GAMMA)
        + _SHEN_LATE_ALPHA * log_mstar
        + (_SHEN_LATE_BETA - _SHEN_LATE_ALPHA) * jnp.log10(1.0 + 10.0 ** (log_mstar - _SHEN_LOG_M0))
    )
    return jnp.where(early, _SHEN_EARLY_LOG_B + _SHEN_EARLY_A * log_mstar, late)


def shen_2003_scatter(log_mstar: Values) -> Values:
    """Scatter of the sizes of nearby galaxies.

    Shen et al. 2003, eq. 19, from natural to decimal logarithms.
    """
    falling = 1.0 + 10.0 ** (2.0 * (log_mstar - _SHEN_LOG_M0))
    return (_SHEN_SIGMA_HIGH + (_SHEN_SIGMA_LOW - _SHEN_SIGMA_HIGH) / falling) / np.log(10.0)


def van_der_wel_2014(log_mstar: Values, redshift: Values, early: Bool[Array, "*n"]) -> Values:
    """Median half-light radius along the major axis of CANDELS galaxies, at 5000 AA in their rest frame.

    van der Wel et al. 2014, ApJ 788, 28, Table 1, linear between the middles of its redshift bins and
    constant beyond. Early types below 2e10 Msun, which that fit leaves out, follow a flatter line that joins
    it, after their Figure 5.
    """
    late_a, late_slope, _ = _wel_at(redshift, _WEL_LATE)
    early_a, early_slope, _ = _wel_at(redshift, _WEL_EARLY)
    late = late_a + late_slope * (log_mstar - _WEL_LOG_PIVOT)
    above = jnp.maximum(log_mstar, _WEL_EARLY_LOG_MIN) - _WEL_LOG_PIVOT
    below = jnp.minimum(log_mstar - _WEL_EARLY_LOG_MIN, 0.0)
    return jnp.where(early, early_a + early_slope * above + _WEL_EARLY_LOW_SLOPE * below, late)


def van_der_wel_2014_scatter(redshift: Values, early: Bool[Array, "*n"]) -> Values:
    """Intrinsic scatter of the sizes of CANDELS galaxies.

    van der Wel et al. 2014, Table 1.
    """
    return jnp.where(early, _wel_at(redshift, _WEL_EARLY)[2], _wel_at(redshift, _WEL_LATE)[2])


def _wel_at(redshift: Values, table: np.ndarray) -> tuple[Values, Values, Values]:
    nodes = jnp.asarray(_WEL_REDSHIFT)
    log_a, slope, scatter = (jnp.interp(redshift, nodes, jnp.asarray(column)) for column in table.T)
    return log_a, slope, scatter


def local_weight(redshift: Values) -> Values:
    """Weight of the nearby relation where it and that of CANDELS are joined."""
    x = jnp.clip((redshift - 0.2) / 0.3, 0.0, 1.0)
    return 1.0 - x**2 * (3.0 - 2.0 * x)
