"""What the brightness of a galaxy tells of its redshift and kind, before its colours are looked at.

The prior is that of Ilbert et al. (2006, A&A 457, 841), used in LePhare, in the form of Benitez (2000, ApJ
536, 571): for each kind of galaxy p(z | kind, m) is proportional to z^a exp(-(z / z_m)^a), where z_m grows
with the I magnitude m, and the shares of the kinds change exponentially with m. Its numbers were fitted to
the spectroscopic redshifts of the VVDS, 17.5 < I(AB) < 24. The better known numbers of Benitez are not used,
because he fitted them to the Hubble Deep Field, on which this library is tested.

The magnitude is that in I, at about 8000 AA. A galaxy need not have been measured there: each template at
each redshift says what its I magnitude would be, so that any band will do; `log_counts` then gives the weight
of that magnitude.
"""

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln
from jaxtyping import Array, Float, Int

#: Kinds of galaxies, from red to blue, by the four spectra of Coleman, Wu & Weedman (1980, ApJS 43, 393).
KINDS = ("elliptical", "Sbc", "Scd", "irregular")
#: Redder than this in rest-frame B - I (AB) is the kind before: half way between those four spectra.
KIND_BORDERS_B_I = (1.38, 0.98, 0.70)
# Ilbert et al. (2006), with the digits that LePhare has (nzpriorVVDS): for each kind z_0, its growth with
# magnitude, and the power; then the share at I = 20 and its decline. Irregulars have what is left.
REDSHIFT_AT_20 = (0.45181, 0.16560, 0.21072, 0.20418)
REDSHIFT_PER_MAG = (0.13677, 0.12983, 0.14008, 0.13773)
POWER = (3.33078, 1.42815, 1.58310, 1.34500)
SHARE_AT_20 = (0.43199, 0.07995, 0.31162)
SHARE_DECLINE = (0.47165, 0.30663, 0.12715)
PIVOT_MAG = 20.0
#: Beyond these the prior stays what it is there.
BRIGHTEST_MAG, FAINTEST_MAG = 14.0, 28.0
# Growth of the number of galaxies with I magnitude, dex per magnitude (Metcalfe et al. 2001, MNRAS 323, 795).
COUNTS_SLOPE = 0.33

Cells = Float[Array, "bin column"]


def kind_of_colour(b_minus_i_ab: Float[np.ndarray, " column"]) -> Int[np.ndarray, " column"]:
    """Place in `KINDS` of rest-frame colours."""
    return np.sum(b_minus_i_ab[:, None] < np.array(KIND_BORDERS_B_I)[None, :], axis=1)


def log_prior(
    redshift: Float[Array, " bin"],
    mag_i_ab: Cells,
    kind: Int[np.ndarray, " column"],
    most: float,
    even_share: float,
) -> Cells:
    """Logarithm of p(z, kind | I magnitude), per unit redshift.

    Brighter than I = 20, where the fit of z_m would soon be negative, z_m falls as the distance does at which
    a galaxy of one luminosity is seen, as 10^(0.2 m). A share is spread evenly over
    ln(1 + z): VVDS saw hardly any galaxy beyond redshift 1.5, and the tails of the fit are no measurement.
    """
    mag = jnp.clip(mag_i_ab, BRIGHTEST_MAG, FAINTEST_MAG) - PIVOT_MAG
    above = jnp.maximum(mag, 0.0)
    at_20, per_mag, power = (_of(kind, values) for values in (REDSHIFT_AT_20, REDSHIFT_PER_MAG, POWER))
    log_scale = jnp.log(at_20 + per_mag * above) + 0.2 * np.log(10.0) * jnp.minimum(mag, 0.0)
    log_redshift = jnp.log(redshift)[:, None]
    log_norm = (power + 1.0) * log_scale + gammaln(1.0 + 1.0 / power) - jnp.log(power)
    known = power * log_redshift - jnp.exp(power * (log_redshift - log_scale)) - log_norm
    even = -jnp.log1p(redshift)[:, None] - np.float32(np.log(np.log1p(most)))
    return _log_share(above, kind) + jnp.logaddexp(
        known + np.float32(np.log1p(-even_share)), even + np.float32(np.log(even_share))
    )


def log_counts(mag_i_ab: Cells) -> Cells:
    """Logarithm of the number of galaxies per I magnitude, to a constant.

    Where I was measured it is the same for all templates that fit. Where it was not, templates differ in
    what they make of it, and more galaxies are faint than are bright.
    """
    mag = jnp.clip(mag_i_ab, BRIGHTEST_MAG, FAINTEST_MAG) - PIVOT_MAG
    return np.float32(COUNTS_SLOPE * np.log(10.0)) * mag


def _of(kind: Int[np.ndarray, " column"], values: tuple[float, ...]) -> Float[Array, "1 column"]:
    return jnp.asarray(np.array(values)[kind], jnp.float32)[None, :]


def _log_share(above: Cells, kind: Int[np.ndarray, " column"]) -> Cells:
    """Logarithm of the share of each kind at a magnitude."""
    at_20, decline = _of(kind, (*SHARE_AT_20, 1.0)), _of(kind, (*SHARE_DECLINE, 0.0))
    others = sum(
        share * jnp.exp(-falls * above) for share, falls in zip(SHARE_AT_20, SHARE_DECLINE, strict=True)
    )
    irregular = jnp.asarray(kind == len(KINDS) - 1)[None, :]
    return jnp.where(irregular, jnp.log1p(-others), jnp.log(at_20) - decline * above)
