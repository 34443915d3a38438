"""Spectrographs that mock spectra are made for: pixels, resolution, fibre, noise.

Tables in ``weights/spectrographs`` were measured on real spectra: `benchmarks.weights.make_spectrographs`.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nebulium.data.tables.reading import read_table
from nebulium.errors import SurveyError

TABLES = Path(__file__).parents[1] / "weights" / "spectrographs"
#: Pixels of spectra of no instrument: from the bluest of the twelve continuum bins at redshift 0 to where the
#: templates end, as wide as those of SDSS.
FIRST_AA, LAST_AA, LOG_STEP = 3400.0, 20000.0, 1e-4


class SpectralPixels(eqx.Module):
    """Pixels of a spectrograph.

    Parameters
    ----------
    wave_aa : array (wave,)
        Observed wavelength in vacuum, AA.
    lsf_sigma_aa : array (wave,)
        Sigma of the line-spread function, AA.
    sky_sigma : array (wave,)
        Noise of the sky and of reading out, 1e-17 erg/s/cm2/AA.
    photon_variance : array (wave,)
        Variance that a flux density of 1e-17 erg/s/cm2/AA brings by its own photons, in its square.
    """

    wave_aa: Float[Array, " wave"]
    lsf_sigma_aa: Float[Array, " wave"]
    sky_sigma: Float[Array, " wave"]
    photon_variance: Float[Array, " wave"]


@dataclass(frozen=True)
class Fibre:
    """What a fibre takes in.

    Parameters
    ----------
    diameter_arcsec : float
        On the sky.
    seeing_fwhm_arcsec : float
        Full width at half maximum of a star above it.
    """

    diameter_arcsec: float
    seeing_fwhm_arcsec: float


@dataclass(frozen=True)
class Spectrograph:
    """A spectrograph, or none: all light without noise.

    Parameters
    ----------
    name : str
        By which `find_spectrograph` finds it.
    about : str
        One line on the spectra that it imitates.
    fibre : Fibre, optional
        All light of the galaxy is in the spectrum unless given.

    Examples
    --------
    >>> find_spectrograph("sdss").fibre.diameter_arcsec
    3.0
    """

    name: str
    about: str
    fibre: Fibre | None = None

    def pixels(self) -> SpectralPixels:
        """Its pixels with their resolution and noise.

        Returns
        -------
        SpectralPixels
            Without a fibre there is no noise, and lines are as wide as the gas makes them.
        """
        return _pixels(None if self.fibre is None else self.name)


@cache
def _pixels(table: str | None) -> SpectralPixels:
    if table is None:
        count = int(np.log10(LAST_AA / FIRST_AA) / LOG_STEP) + 1
        wave = FIRST_AA * 10.0 ** (LOG_STEP * np.arange(count))
        none = jnp.zeros(count, jnp.float32)
        return SpectralPixels(jnp.asarray(wave, jnp.float32), none, none, none)
    columns = read_table(TABLES / f"{table}.parquet").columns
    return SpectralPixels(**{name: jnp.asarray(values, jnp.float32) for name, values in columns.items()})


SPECTROGRAPHS = {
    made.name: made
    for made in (
        Spectrograph("noiseless", "all light of the galaxy, without noise"),
        # Fibre: York et al. 2000, AJ 120, 1579. Seeing: as in the images, r.
        Spectrograph("sdss", "Sloan Digital Sky Survey, data release 7", Fibre(3.0, 1.32)),
        # Fibre and seeing: DESI Collaboration 2022, AJ 164, 207.
        Spectrograph("desi", "DESI, a tile of the bright programme: 180 s effective", Fibre(1.5, 1.1)),
    )
}


def find_spectrograph(name: str) -> Spectrograph:
    """Spectrograph by name.

    Parameters
    ----------
    name : str
        One of `SPECTROGRAPHS`.

    Returns
    -------
    Spectrograph

    Raises
    ------
    SurveyError
        The name is not known.

    Examples
    --------
    >>> find_spectrograph("desi").pixels().wave_aa.shape
    (7781,)
    """
    if name not in SPECTROGRAPHS:
        problem = f"is {name!r}, expected one of {', '.join(SPECTROGRAPHS)}"
        raise SurveyError("spectra", problem, "take one of these")
    return SPECTROGRAPHS[name]
