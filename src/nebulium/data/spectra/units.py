"""Units of wavelengths, of fluxes and of their noise: each is converted by its own."""

import re

import numpy as np

from nebulium.data.glossary import (
    FAINTEST,
    FLUX_UNIT,
    SPEED_OF_LIGHT_AA_S,
    WAVE_UNIT,
    conversion_factor,
    parse_unit,
)
from nebulium.data.spectra.parts import told_by
from nebulium.data.spectra.spectrum_set import LONGEST_AA
from nebulium.data.uncertainties import POWERS, Kind
from nebulium.errors import SpectrumError

#: A logarithm of wavelengths: its kind, and the unit of the wavelengths; ``log`` is that of base ten.
LOGARITHM = re.compile(r"(?i)\s*(log10|log|lg|dex|ln)\s*[(\[\s]\s*(?:lambda\s*/)?\s*(.*?)\s*[)\]]?\s*$")
#: What numbers are likely to be that lie between two bounds and span no more than so much.
LIKELY_LOGARITHMS = (
    ("log10(Angstrom)", 2.9, 4.8, 1.0),
    ("ln(Angstrom)", 6.5, 12.0, 2.5),
    ("log10(nm)", 2.5, 3.3, 0.7),
    ("log10(um)", -0.55, 0.4, 0.8),
    ("ln(um)", -1.6, 0.9, 2.5),
    ("log10(m)", -7.1, -5.2, 1.0),
)
FLUX_PER_FREQUENCY = "1e-17 erg / (s cm2 Hz)"


def wave_in_aa(where: str, wave: np.ndarray, unit: str) -> tuple[np.ndarray, float]:
    """Wavelengths in Angstrom, and the factor, 1 for a logarithm, which is undone."""
    mend = f"declare the unit with {told_by('wave_unit', WAVE_UNIT)}, say, or convert the file"
    logarithm = LOGARITHM.match(unit)
    if logarithm is None:
        factor = _factor(unit, WAVE_UNIT, f"{where}, wavelength", mend)
        return wave * factor, factor
    natural, inner = logarithm[1].lower() == "ln", logarithm[2]
    factor = (
        1.0 if inner.lower() in ("lambda", "wave", "wavelength") else _factor(inner, WAVE_UNIT, where, mend)
    )
    guess = likely_unit(wave)
    if guess and "(" in guess and guess.startswith("ln") != natural:
        problem = f"is declared to hold {unit}, and holds {_range(wave)}, which looks like {guess}"
        raise SpectrumError(where, problem, f"declare the unit with {told_by('wave_unit', guess)}")
    with np.errstate(over="ignore"):
        wave_aa = factor * (np.exp(wave) if natural else 10.0**wave)
    if np.nanmax(wave_aa) > LONGEST_AA:
        problem = f"is declared to hold {unit}, and holds values up to {np.nanmax(wave):g}"
        raise SpectrumError(where, problem, mend)
    return wave_aa, 1.0


def check_looks_like_aa(wave: np.ndarray, where: str) -> None:
    """Question wavelengths that cannot well be those of a galaxy's spectrum in Angstrom."""
    if not np.any(np.isfinite(wave)):
        raise SpectrumError(where, "has no finite wavelengths", "check the file")
    guess = likely_unit(wave)
    if guess:
        problem = f"has wavelengths from {_range(wave)}, which looks like {guess} rather than Angstrom"
        mend = f"declare the unit with {told_by('wave_unit', guess)}, or 'Angstrom' if they are right"
        if guess == "Hz":
            mend = f"convert it to wavelengths, or say {told_by('wave_unit', 'Angstrom')} if they are right"
        raise SpectrumError(where, problem, mend)


def likely_unit(wave: np.ndarray) -> str | None:
    """What numbers may be instead of wavelengths in Angstrom; None if these they are."""
    sizes = np.sort(wave[np.isfinite(wave)], axis=None)
    if not sizes.size:
        return None
    low, middle, high = (float(value) for value in (sizes[0], sizes[len(sizes) // 2], sizes[-1]))
    for unit, lowest, highest, span in LIKELY_LOGARITHMS:
        # Of numbers that are all positive those in um are more likely than their logarithms.
        if (low < 0 or lowest >= 0) and lowest < low and high < highest and high - low < span:
            return unit
    if low > 0 and high < 1e-3:
        return "m"
    if low > 0 and high < 100.0:
        return "um"
    if low > 0 and middle < 1300.0:
        return "nm"
    return "Hz" if middle > 1e7 else None


def _range(wave: np.ndarray) -> str:
    return f"{np.nanmin(wave):g} to {np.nanmax(wave):g}"


def flux_scale(where: str, unit: str, wave_aa: np.ndarray) -> np.ndarray | float:
    """By what a flux is multiplied to be in nebulium's unit; one per frequency by c / wavelength^2 too."""
    mend = f"declare the unit with {told_by('flux_unit', FLUX_UNIT)}, say, or convert the file"
    where = f"{where}, flux"
    if not unit.strip():
        return 1.0
    try:
        scale = _scale(unit, 1, wave_aa)
    except ValueError:
        scale = None
    return _factor(unit, FLUX_UNIT, where, mend) if scale is None else scale


def noise_scale(
    where: str, kind: Kind, unit: str, wave_aa: np.ndarray, of_flux: np.ndarray | float
) -> tuple[int, np.ndarray | float]:
    """Which power of a flux a measure of noise is, by its unit or else by its name, and its factor."""
    if not unit.strip():
        return POWERS[kind], of_flux ** float(POWERS[kind])
    problem = f"has the unit {unit!r}, which is not understood"
    try:
        # The unit counts for more than the name: an inverse variance is not taken for an error.
        for power in (POWERS[kind], *POWERS.values()):
            scale = _scale(unit, power, wave_aa)
            if scale is not None:
                return power, scale
        problem = f"has the unit {unit!r}, which is none of a flux density, its square or 1 over that"
    except ValueError:
        pass
    mend = f"declare the unit of flux and noise with {told_by('flux_unit', FLUX_UNIT)}, say"
    raise SpectrumError(f"{where}, {kind}", problem, mend)


def same_system(noise: str, kind: Kind, flux: str) -> bool:
    """Whether the unit of a measure of noise follows from that of the flux, or is not understood at all."""
    try:
        return bool(parse_unit(noise) == parse_unit(flux) ** POWERS[kind]) if flux.strip() else False
    except ValueError:
        return True


def check_plausible(where: str, flux: np.ndarray, unit: str) -> None:
    """A spectrum in erg/s/cm2/Angstrom read as one in 1e-17 of it would be too faint to be true."""
    sizes = np.sort(np.abs(flux[np.isfinite(flux) & (flux != 0)]))
    middle = float(sizes[len(sizes) // 2]) if sizes.size else 1.0
    if middle < FAINTEST:
        problem = f"has fluxes of about {middle:.2g} in units of {FLUX_UNIT} (declared: {unit or 'none'})"
        mend = f"declare the unit with {told_by('flux_unit', 'erg/(s cm2 Angstrom)')}, say"
        raise SpectrumError(where, problem, f"{mend}, or the unit above if it is right")


def _factor(declared: str, wanted: str, where: str, mend: str) -> float:
    """Number by which to multiply; 1 where no unit is declared."""
    if not declared.strip():
        return 1.0
    return conversion_factor(declared, wanted, where=where, mend=mend, error=SpectrumError)


def _scale(unit: str, power: int, wave_aa: np.ndarray) -> np.ndarray | float | None:
    """Factor from a unit to a power of nebulium's flux; None if it is none."""
    own = parse_unit(unit)
    for flux, per_frequency in ((FLUX_UNIT, False), (FLUX_PER_FREQUENCY, True)):
        aim = parse_unit(flux) ** power
        if own.is_equivalent(aim):
            factor = float(f"{own.to(aim):.14g}")
            return factor * (SPEED_OF_LIGHT_AA_S / wave_aa**2) ** float(power) if per_frequency else factor
    return None
