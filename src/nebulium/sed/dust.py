"""Attenuation of starlight by dust."""

from abc import abstractmethod

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from nebulium.sed import dsps_adapter
from nebulium.sed.cosmology import as_float

R_V = 4.05  # of Calzetti et al. (2000), kept by the curves derived from theirs


class AbstractDust(eqx.Module):
    """An attenuation curve with its amount of dust."""

    @abstractmethod
    def attenuation_mag(self, wave_rest_aa: Float[Array, " wave"]) -> Float[Array, " wave"]:
        """Attenuation in magnitudes at rest wavelengths in AA."""


class NoDust(AbstractDust):
    """No attenuation.

    Examples
    --------
    >>> NoDust().attenuation_mag(jnp.array([5500.0]))
    Array([0.], dtype=float32)
    """

    def attenuation_mag(self, wave_rest_aa: Float[Array, " wave"]) -> Float[Array, " wave"]:
        """Zero everywhere."""
        return jnp.zeros_like(wave_rest_aa)


class CalzettiDust(AbstractDust):
    """Starburst attenuation curve of Calzetti et al. (2000, ApJ 533, 682).

    Below 0.12 micron, where it was not measured, its polynomial is extended.

    Parameters
    ----------
    av_mag : scalar
        Attenuation in V, mag.

    Examples
    --------
    >>> CalzettiDust(av_mag=1.0).attenuation_mag(jnp.array([5500.0])).round(2)
    Array([1.], dtype=float32)
    """

    av_mag: Float[Array, "*batch"] = eqx.field(converter=as_float)

    def attenuation_mag(self, wave_rest_aa: Float[Array, " wave"]) -> Float[Array, " wave"]:
        """Attenuation in magnitudes at rest wavelengths in AA."""
        return _attenuation(dsps_adapter.calzetti_k(wave_rest_aa / 1e4), self.av_mag)


class AbstractTiltedDust(AbstractDust):
    """A curve with a tilt and a bump at 2175 AA."""

    av_mag: Float[Array, "*batch"] = eqx.field(converter=as_float)
    slope: Float[Array, "*batch"] = eqx.field(converter=as_float, default=0.0)
    bump: Float[Array, "*batch"] = eqx.field(converter=as_float, default=0.0)


class NollDust(AbstractTiltedDust):
    """Calzetti's curve with a bump at 2175 AA, both tilted (Noll et al. 2009, A&A 507, 1793).

    Below 0.15 micron the curve is that of Leitherer et al. (2002).

    Parameters
    ----------
    av_mag : scalar
        Attenuation in V, mag.
    slope : scalar
        Power delta of the tilt (wave / 5500 AA)^delta; below 0 is steeper than Calzetti.
    bump : scalar
        Height of the bump in units of k = 4.05 A / A_V; 3 is about that of the Milky Way.

    Examples
    --------
    >>> NollDust(av_mag=1.0, slope=-0.3, bump=0.0).attenuation_mag(jnp.array([3000.0, 5500.0])).round(0)
    Array([2., 1.], dtype=float32)
    """

    def attenuation_mag(self, wave_rest_aa: Float[Array, " wave"]) -> Float[Array, " wave"]:
        """Attenuation in magnitudes at rest wavelengths in AA."""
        return _attenuation(dsps_adapter.noll_k(wave_rest_aa / 1e4, self.bump, self.slope), self.av_mag)


class SalimDust(AbstractTiltedDust):
    """Calzetti's curve tilted, with a bump at 2175 AA that is not (Salim et al. 2018, ApJ 859, 11).

    Below 0.15 micron the curve is that of Leitherer et al. (2002).

    Parameters
    ----------
    av_mag : scalar
        Attenuation in V, mag.
    slope : scalar
        Power delta of the tilt (wave / 5500 AA)^delta; typical galaxies have -0.4.
    bump : scalar
        Height of the bump in units of k = 4.05 A / A_V.

    Examples
    --------
    >>> SalimDust(av_mag=0.5, slope=-0.4, bump=1.5).attenuation_mag(jnp.array([5500.0])).round(1)
    Array([0.5], dtype=float32)
    """

    def attenuation_mag(self, wave_rest_aa: Float[Array, " wave"]) -> Float[Array, " wave"]:
        """Attenuation in magnitudes at rest wavelengths in AA."""
        return _attenuation(dsps_adapter.salim_k(wave_rest_aa / 1e4, self.bump, self.slope), self.av_mag)


def _attenuation(k: Float[Array, " wave"], av_mag: Float[Array, ""]) -> Float[Array, " wave"]:
    # Calzetti's curve turns negative beyond 2.2 micron.
    return av_mag * jnp.maximum(k, 0.0) / R_V
