"""Galactic extinction: taken out on request, and recorded."""

from dataclasses import replace

import numpy as np
from scipy.interpolate import CubicSpline

from nebulium.data.spectra.spectrum_set import Spectra
from nebulium.errors import SpectrumError

LAW = "Fitzpatrick (1999)"
#: E(B-V) of Schlegel, Finkbeiner & Davis (1998), as DESI's fibre maps have it, times this is what
#: Schlafly & Finkbeiner (2011, ApJ 737, 103) measure, for this law with R_V = 3.1.
SFD_RECALIBRATION = 0.86
#: Where the ultraviolet formula takes over from the spline.
ULTRAVIOLET_AA = 2700.0


def extinction_per_ebv(wave_aa: np.ndarray, *, r_v: float = 3.1) -> np.ndarray:
    """Extinction A(wave) for E(B-V) = 1, by the law of Fitzpatrick (1999, PASP 111, 63).

    Parameters
    ----------
    wave_aa : array of float
        Observed wavelengths in vacuum, Angstrom, 910 to 60,000.
    r_v : float
        Ratio of total to selective extinction.

    Returns
    -------
    ndarray of the same shape
        Magnitudes.

    References
    ----------
    The anchors are those of table 4 of the paper, with the numbers of its recommended routine; the
    ultraviolet is the formula of Fitzpatrick & Massa (1990) with the coefficients of its appendix.

    Examples
    --------
    >>> extinction_per_ebv(np.array([4110.0, 5470.0, 12200.0])).round(3).tolist()
    [4.315, 3.055, 0.829]
    """
    inverse = 1e4 / np.asarray(wave_aa, dtype=np.float64)
    anchors, values = _anchors(r_v)
    spline = CubicSpline(anchors, values, bc_type="natural")
    return np.where(inverse >= 1e4 / ULTRAVIOLET_AA, _ultraviolet(inverse, r_v), spline(inverse))


def deredden(spectra: Spectra, ebv: float | int | np.ndarray | None = None, *, r_v: float = 3.1) -> Spectra:
    """Take Galactic extinction out of spectra, and record it in their metadata.

    Parameters
    ----------
    spectra : Spectra
        As observed.
    ebv : float or array of shape (n,), optional
        E(B-V) of the Milky Way, mag, on the scale of the law. If not given, the column ebv of the file is
        taken and multiplied by `SFD_RECALIBRATION`.
    r_v : float
        Ratio of total to selective extinction.

    Returns
    -------
    Spectra
        Fluxes and inverse variances corrected; E(B-V) as used in the column ebv_corrected.

    Raises
    ------
    SpectrumError
        If they have been corrected already, or E(B-V) is missing, negative or not finite.

    Examples
    --------
    >>> wave = np.array([[4110.0, 5470.0]], np.float32)
    >>> spectra = Spectra(np.array([7]), wave, np.ones_like(wave), np.ones_like(wave), np.array([0.1]))
    >>> corrected = deredden(spectra, 0.1)
    >>> corrected.flux_lambda.astype(float).round(3).tolist()
    [[1.488, 1.325]]
    >>> corrected.metadata["galactic_extinction"]["law"]
    'Fitzpatrick (1999)'
    """
    if "galactic_extinction" in spectra.metadata:
        raise SpectrumError(
            spectra.name, "is corrected for Galactic extinction already", "correct it once only"
        )
    used, source = _ebv(spectra, ebv)
    brighter = 10.0 ** (0.4 * extinction_per_ebv(spectra.wave_aa, r_v=r_v) * used[:, None])
    record = {"law": LAW, "r_v": float(r_v), "ebv": source}
    return replace(
        spectra,
        flux_lambda=(spectra.flux_lambda * brighter).astype(np.float32),
        ivar=(spectra.ivar / brighter**2).astype(np.float32),
        metadata={**spectra.metadata, "galactic_extinction": record},
        columns={**spectra.columns, "ebv_corrected": used},
    )


def _ebv(spectra: Spectra, ebv: float | int | np.ndarray | None) -> tuple[np.ndarray, str]:
    """E(B-V) of each spectrum, and where it is from."""
    values, source = ebv, "given"
    if values is None:
        if "ebv" not in spectra.columns:
            raise SpectrumError(spectra.name, "has no column ebv", "give E(B-V) of the Milky Way, in mag")
        values = spectra.columns["ebv"] * SFD_RECALIBRATION
        source = f"column ebv of the file (SFD 1998) times {SFD_RECALIBRATION}"
    used = np.broadcast_to(values, (len(spectra),)).astype(np.float64)
    bad = ~(np.isfinite(used) & (used >= 0))
    if np.any(bad):
        row = int(np.argmax(bad))
        where = f"{spectra.name}, spectrum {spectra.ids[row]}"
        raise SpectrumError(where, f"has E(B-V) = {used[row]:g}", "give a number of magnitudes, 0 or more")
    return used, source


def _anchors(r_v: float) -> tuple[np.ndarray, np.ndarray]:
    """Points of the spline: 1/micron and mag, infrared to ultraviolet."""
    wave_aa = np.array([np.inf, 26500.0, 12200.0, 6000.0, 5470.0, 4670.0, 4110.0, 2700.0, 2600.0])
    infrared = np.array([0.0, 0.26469, 0.82925]) * r_v / 3.1
    optical = np.array(
        [
            np.polyval([2.13572e-04, 1.00270, -4.22809e-01], r_v),
            np.polyval([-7.35778e-05, 1.00216, -5.13540e-02], r_v),
            np.polyval([-3.32598e-05, 1.00184, 7.00127e-01], r_v),
            np.polyval([-4.45636e-05, 7.97809e-04, -5.46959e-03, 1.01707, 1.19456], r_v),
        ]
    )
    ultraviolet = _ultraviolet(1e4 / wave_aa[-2:], r_v)
    return 1e4 / wave_aa, np.concatenate([infrared, optical, ultraviolet])


def _ultraviolet(inverse: np.ndarray, r_v: float) -> np.ndarray:
    """Fitzpatrick & Massa (1990): a line, the bump at 2175 Angstrom, and the rise in the far ultraviolet."""
    slope = -0.824 + 4.717 / r_v
    level = 2.030 - 3.007 * slope
    bump = inverse**2 / ((inverse**2 - 4.596**2) ** 2 + (0.99 * inverse) ** 2)
    beyond = np.maximum(inverse - 5.9, 0.0)
    rise = 0.5392 * beyond**2 + 0.05644 * beyond**3
    return level + slope * inverse + 3.23 * bump + 0.41 * rise + r_v
