"""The stars of bulge, old disc and young disc: one star-formation history divided by age."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from nebulium.sed import dsps_adapter
from nebulium.sed.sfh import AbstractHistory, mass_fraction_since
from nebulium.sed.spectrum import RECENT_GYR

COMPONENTS = ("bulge", "disc", "young")
LEAST_SHARE = 1e-3  # a bulge of less mass has the ages of one of this share
LEAST_MASS = 1e-12  # share of the mass formed that counts as old stars at all
Scalar = Float[Array, ""]


def formed_shares(
    history: AbstractHistory, bulge_share: Scalar, lg_age_gyr: Float[Array, " age"], t_obs_gyr: Scalar
) -> Float[Array, "component age"]:
    """Share of the mass formed that each component has at each age of the templates.

    Stars of less than 100 Myr are the young component. Of the older ones, counted by the mass that survives
    and by rank u of age (0 the youngest, 1 the oldest), the bulge has the fraction u^(1 / b - 1), the disc
    the rest. That is the one power law that begins at 0, ends at 1 and has the mean b, so that b is the
    bulge's share of the old stars: a small bulge holds only the oldest, a large one all but the youngest.

    The shares of the three add up to those of the whole history. The bulge has the part `bulge_share` of
    the surviving mass of the galaxy, or all old stars where these are fewer. It is a recipe, chosen to be
    smooth and to make bulges red; no observation shows how the ages are divided.
    """
    young, old = _young_and_old(history, lg_age_gyr, t_obs_gyr)
    surviving = dsps_adapter.surviving_fraction(lg_age_gyr)
    old_mass = old * surviving
    whole = jnp.sum(old_mass + young * surviving)
    up_to = jnp.cumsum(old_mass)
    # A galaxy younger than 100 Myr has no old stars; the inner `where` keeps its gradient finite.
    all_old = jnp.where(up_to[-1] > LEAST_MASS, up_to[-1], 1.0)
    share = jnp.clip(bulge_share * whole / all_old, 0.0, 1.0)
    bulge_up_to = share * all_old * _power(up_to / all_old, 1.0 / jnp.maximum(share, LEAST_SHARE))
    bulge_mass = jnp.diff(bulge_up_to, prepend=jnp.zeros(1, bulge_up_to.dtype))
    # Rounding must leave neither bulge nor disc less than nothing.
    bulge = jnp.clip(bulge_mass / surviving, 0.0, old)
    return jnp.stack([bulge, old - bulge, young])


def _young_and_old(
    history: AbstractHistory, lg_age_gyr: Float[Array, " age"], t_obs_gyr: Scalar
) -> tuple[Float[Array, " age"], Float[Array, " age"]]:
    """Shares of the mass formed at each age, of the last 100 Myr and before; together `sed.age_weights`."""
    edges = 10.0 ** (0.5 * (lg_age_gyr[1:] + lg_age_gyr[:-1]))
    recent = jnp.full(1, RECENT_GYR, edges.dtype)
    below = mass_fraction_since(history, jnp.concatenate([edges, recent]), t_obs_gyr)
    ends = jnp.array([0.0, 1.0], below.dtype)
    cumulative = jnp.concatenate([ends[:1], below[:-1], ends[1:]])
    young = jnp.minimum(cumulative, below[-1])
    old = jnp.maximum(cumulative, below[-1]) - below[-1]
    return jnp.diff(young), jnp.diff(old)


def _power(base: Float[Array, " age"], exponent: Scalar) -> Float[Array, " age"]:
    """Power of numbers from 0 to 1, with a gradient of 0 at 0."""
    positive = base > 0
    return jnp.where(positive, jnp.where(positive, base, 1.0) ** exponent, 0.0)
