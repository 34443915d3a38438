"""Distances and ages in a flat universe of matter, radiation and a cosmological constant."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from astropy import constants
from astropy import units as u
from jaxtyping import Array, ArrayLike, Float

from nebulium.errors import NebuliumError

Scalar = Float[Array, ""]

HUBBLE_DISTANCE_MPC = float(constants.c.to_value("km/s")) / 100.0  # times 100 over H0
HUBBLE_TIME_GYR = float((1.0 / (100.0 * u.km / u.s / u.Mpc)).to_value("Gyr"))  # times 100 over H0
TEN_PARSEC_MPC = 1e-5

# The integrands are smooth in the variables chosen below, so that few nodes reach float32.
_NODES, _WEIGHTS = (0.5 * a for a in np.polynomial.legendre.leggauss(24))
_NODES = _NODES + 0.5
# Energy density of massive neutrinos over that of massless ones: Komatsu et al. 2011, ApJS 192, 18.
_NEUTRINO_SCALE, _NEUTRINO_POWER = 0.3173, 1.83
_NEUTRINO_PER_PHOTON = 7.0 / 8.0 * (4.0 / 11.0) ** (4.0 / 3.0)


def as_float(value: ArrayLike) -> Float[Array, "..."]:
    """Array of floats, of the default precision where the value has none of its own.

    Weak types are made strong, so that 1.0 and jnp.float32(1.0) share one compiled function.
    """
    array = jnp.asarray(value)
    floating = jnp.issubdtype(array.dtype, jnp.floating)
    return array.astype(array.dtype if floating else jnp.result_type(float))


class Cosmology(eqx.Module):
    """Flat Lambda CDM.

    Parameters
    ----------
    h0 : float
        Hubble constant, km/s/Mpc.
    om0 : float
        Density of matter today over the critical one, massive neutrinos apart.
    ogamma0 : float
        The same of photons; 0 leaves radiation and neutrinos out.
    n_eff : float
        Effective number of neutrino species; they count where `ogamma0` is positive.
    neutrino_y : tuple of float
        Mass over temperature today of each species, empty where all are massless.

    Examples
    --------
    >>> round(float(luminosity_distance_mpc(0.1, Cosmology(h0=70.0, om0=0.3))), 1)
    460.3
    """

    h0: float | Scalar = 70.0
    om0: float | Scalar = 0.3
    ogamma0: float | Scalar = 0.0
    n_eff: float | Scalar = 0.0
    neutrino_y: tuple[float, ...] = ()


def from_astropy(cosmology: Any) -> Cosmology:
    """Take the parameters of an astropy cosmology.

    Parameters
    ----------
    cosmology : astropy.cosmology.FlatLambdaCDM
        Or Planck18 and its like, radiation and massive neutrinos included.

    Returns
    -------
    Cosmology

    Raises
    ------
    NebuliumError
        The cosmology is curved or its dark energy is not a constant.

    Examples
    --------
    >>> from astropy.cosmology import FlatLambdaCDM
    >>> from_astropy(FlatLambdaCDM(H0=67.0, Om0=0.31)).h0
    67.0
    """
    from astropy.cosmology import FlatLambdaCDM

    if not isinstance(cosmology, FlatLambdaCDM):
        raise NebuliumError(
            f"cosmology {getattr(cosmology, 'name', None) or type(cosmology).__name__}",
            f"expected astropy's FlatLambdaCDM, found {type(cosmology).__name__}",
            "use FlatLambdaCDM or one of the Planck and WMAP cosmologies",
        )
    photons = float(cosmology.Ogamma0)
    massive = photons > 0 and bool(cosmology.has_massive_nu)
    temperature_ev = (constants.k_B * cosmology.Tnu0).to_value("eV")
    masses_ev = cosmology.m_nu.to_value("eV") if massive else ()
    return Cosmology(
        h0=float(cosmology.H0.to_value("km / (s Mpc)")),
        om0=float(cosmology.Om0),
        ogamma0=photons,
        n_eff=float(cosmology.Neff) if photons > 0 else 0.0,
        neutrino_y=tuple(float(mass) / temperature_ev for mass in masses_ev),
    )


DEFAULT_COSMOLOGY = Cosmology()


def _radiation(a: Float[Array, " node"], cosmology: Cosmology) -> Float[Array, " node"]:
    """Density of photons and neutrinos times a^4, over the critical density today."""
    if not cosmology.neutrino_y:
        return jnp.full_like(a, cosmology.ogamma0 * (1.0 + _NEUTRINO_PER_PHOTON * cosmology.n_eff))
    mass_over_temperature = jnp.asarray(cosmology.neutrino_y, a.dtype)[None, :] * a[:, None]
    growth = (1.0 + (_NEUTRINO_SCALE * mass_over_temperature) ** _NEUTRINO_POWER) ** (1.0 / _NEUTRINO_POWER)
    share = _NEUTRINO_PER_PHOTON * cosmology.n_eff * growth.mean(axis=-1)
    return cosmology.ogamma0 * (1.0 + share)


def _a4_e2(a: Float[Array, " node"], cosmology: Cosmology) -> Float[Array, " node"]:
    """a^4 times the square of H / H0: finite at the Big Bang."""
    radiation_today = _radiation(jnp.ones_like(a), cosmology)
    vacuum = 1.0 - cosmology.om0 - radiation_today
    return cosmology.om0 * a + _radiation(a, cosmology) + vacuum * a**4


def luminosity_distance_mpc(redshift: Scalar | float, cosmology: Cosmology = DEFAULT_COSMOLOGY) -> Scalar:
    """Luminosity distance; 0 at redshift 0.

    Parameters
    ----------
    redshift : scalar
        Not negative.
    cosmology : Cosmology, optional
        H0 = 70 and Om0 = 0.3 unless others are given.

    Returns
    -------
    scalar, Mpc

    Examples
    --------
    >>> round(float(luminosity_distance_mpc(1.0)))
    6608
    """
    z = as_float(redshift)
    # In ln(1 + z) the integrand is smooth to high redshift: d = integral of (1 + z) / E.
    span = jnp.log1p(z)
    a = jnp.exp(-span * _like(_NODES, z))
    integral = span * jnp.sum(_like(_WEIGHTS, z) * a / jnp.sqrt(_a4_e2(a, cosmology)))
    return (1.0 + z) * integral * (100.0 * HUBBLE_DISTANCE_MPC / cosmology.h0)


def age_gyr(redshift: Scalar | float, cosmology: Cosmology = DEFAULT_COSMOLOGY) -> Scalar:
    """Age of the Universe.

    Parameters
    ----------
    redshift : scalar
    cosmology : Cosmology, optional

    Returns
    -------
    scalar, Gyr

    Examples
    --------
    >>> round(float(age_gyr(0.0)), 2)
    13.47
    """
    z = as_float(redshift)
    a_now = 1.0 / (1.0 + z)
    # With a = a_now s^2 the integrand a / sqrt(a^4 E^2) has no square-root cusp at the Big Bang.
    s = _like(_NODES, z)
    a = a_now * s**2
    integral = jnp.sum(_like(_WEIGHTS, z) * 2.0 * a_now * s * a / jnp.sqrt(_a4_e2(a, cosmology)))
    return integral * (100.0 * HUBBLE_TIME_GYR / cosmology.h0)


def observing_distance_mpc(redshift: Scalar | float, cosmology: Cosmology = DEFAULT_COSMOLOGY) -> Scalar:
    """Luminosity distance, except that redshift 0 means ten parsecs.

    Rest-frame input has redshift 0 and no distance; at ten parsecs its magnitudes are absolute magnitudes.
    """
    z = as_float(redshift)
    # The inner `where` keeps the gradient of the branch not taken finite.
    distance = luminosity_distance_mpc(jnp.where(z > 0, z, jnp.ones_like(z)), cosmology)
    return jnp.where(z > 0, distance, TEN_PARSEC_MPC)


def _like(values: np.ndarray, template: Float[Array, "..."]) -> Float[Array, " nodes"]:
    return jnp.asarray(values, dtype=template.dtype)
