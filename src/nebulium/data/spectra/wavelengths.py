"""Wavelengths: air to vacuum, and the question whether they are Angstrom at all."""

import numpy as np

from nebulium.errors import SpectrumError

#: Below this the formula does not hold, and by convention wavelengths are given in vacuum.
SHORTEST_IN_AIR_AA = 2000.0
#: A kilometre: no spectrum of a galaxy reaches so far, but numbers that are no wavelengths do.
LONGEST_AA = 1e13


def vacuum_from_air(wave_air_aa: np.ndarray) -> np.ndarray:
    """Wavelengths in vacuum from those in standard air.

    Parameters
    ----------
    wave_air_aa : array of float
        Angstrom, in air.

    Returns
    -------
    ndarray of the same shape
        Angstrom, in vacuum; unchanged below 2000.

    References
    ----------
    Refractive index of Ciddor (1996), Applied Optics 35, 1566, inverted by iteration.

    Examples
    --------
    >>> vacuum_from_air(np.array([6562.79])).round(2).tolist()
    [6564.6]
    """
    air = np.asarray(wave_air_aa, dtype=np.float64)
    vacuum = air
    for _ in range(3):
        vacuum = air * _refractive_index(vacuum)
    return np.where(air < SHORTEST_IN_AIR_AA, air, vacuum)


def air_from_vacuum(wave_aa: np.ndarray) -> np.ndarray:
    """Wavelengths in standard air from those in vacuum.

    Parameters
    ----------
    wave_aa : array of float
        Angstrom, in vacuum.

    Returns
    -------
    ndarray of the same shape
        Angstrom, in air; unchanged below 2000.

    References
    ----------
    Ciddor (1996), Applied Optics 35, 1566.

    Examples
    --------
    >>> air_from_vacuum(np.array([5008.24])).round(2).tolist()
    [5006.84]
    """
    vacuum = np.asarray(wave_aa, dtype=np.float64)
    return np.where(vacuum < SHORTEST_IN_AIR_AA, vacuum, vacuum / _refractive_index(vacuum))


def _refractive_index(vacuum: np.ndarray) -> np.ndarray:
    """Of standard air (15 C, 1 atm, 450 ppm CO2)."""
    squared = (1e4 / np.maximum(vacuum, SHORTEST_IN_AIR_AA / 2)) ** 2
    return 1.0 + 0.05792105 / (238.0185 - squared) + 0.00167917 / (57.362 - squared)


def check_looks_like_aa(wave: np.ndarray, where: str) -> None:
    """Question wavelengths that cannot well be those of a galaxy's spectrum in Angstrom."""
    wave = np.sort(wave[np.isfinite(wave)])
    if not wave.size:
        raise SpectrumError(where, "has no finite wavelengths", "check the file")
    low, middle, high = (float(value) for value in (wave[0], wave[len(wave) // 2], wave[-1]))
    guess = _likely_unit(low, middle, high)
    if guess:
        problem = f"has wavelengths from {low:g} to {high:g}, which looks like {guess} rather than Angstrom"
        told = {"log10 of Angstrom": "log10(Angstrom)"}.get(guess, guess)
        mend = f"declare the unit with wave_unit={told!r}, or wave_unit='Angstrom' if they are right"
        raise SpectrumError(where, problem, mend)


def _likely_unit(low: float, middle: float, high: float) -> str | None:
    """What else they may be; None if Angstrom it is."""
    if low > 2.9 and high < 4.8:
        return "log10 of Angstrom"
    if high < 100.0:
        return "um"
    if middle < 1300.0:
        return "nm"
    return "Hz" if middle > 1e7 else None


def check_rising(wave: np.ndarray, where: str) -> None:
    """Refuse wavelengths that are not sorted, or occur twice."""
    problem = not_rising(wave)
    if problem:
        mend = "sort the pixels by wavelength and join those that share one, by inverse variance"
        raise SpectrumError(where, problem, mend)


def not_rising(wave: np.ndarray) -> str | None:
    """What is wrong with the order of wavelengths."""
    if not np.all(np.isfinite(wave)):
        return f"has a wavelength that is not finite (pixel {int(np.argmin(np.isfinite(wave)))})"
    if len(wave) and wave[0] <= 0:
        return f"has a wavelength that is not positive ({wave[0]:g} at pixel 0)"
    if len(wave) and wave.max() > LONGEST_AA:
        return f"has a wavelength that is too long ({wave.max():g} at pixel {int(np.argmax(wave))})"
    steps = np.diff(wave)
    if np.all(steps > 0):
        return None
    pixel = int(np.argmax(steps <= 0))
    if steps[pixel] == 0:
        return f"has a wavelength twice ({wave[pixel]:g} at pixels {pixel} and {pixel + 1})"
    return f"has unsorted wavelengths ({wave[pixel]:g} at pixel {pixel}, then {wave[pixel + 1]:g})"
