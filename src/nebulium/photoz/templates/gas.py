"""Light of the gas in galaxy templates: lines and continuum, from the ionising light of their own stars.

Halpha is that of case B (Kennicutt 1998, ARA&A 36, 189), the other lines follow by published ratios. No line
of the ultraviolet is among them: Lyman alpha is as often absorbed as emitted (Shapley et al. 2003, ApJ 588,
65).

The continuum is that of hydrogen at 10,000 K: electrons that recombine or pass by, and two photons at once
(Osterbrock & Ferland 2006, Astrophysics of Gaseous Nebulae, chapter 4). It raises the light below the Balmer
limit by some per cent, by which templates without it are too faint there.
"""

import numpy as np
from jaxtyping import Float

from nebulium.sed.igm import LYMAN_LIMIT_AA
from nebulium.sed.spectrum import SPEED_OF_LIGHT_AA_S

SPEED_OF_LIGHT_CM_S = SPEED_OF_LIGHT_AA_S * 1e-8

#: In vacuum, AA: [OII], Hdelta, Hgamma, Hbeta, [OIII] two, [NII] and Halpha, [NII], [SII].
LINES_AA = (3728.5, 4102.9, 4341.7, 4862.7, 4960.3, 5008.2, 6549.9, 6564.6, 6585.3, 6725.0)
LGMET_SUN = -1.7
OXYGEN_SUN = 8.69  # 12 + log O/H: Asplund et al. 2009, ARA&A 47, 481
# Up to here the sequence of [OIII] and [NII] holds.
MOST_OXYGEN = 8.6
PLANCK_ERG_S, BOLTZMANN_ERG_K, ELECTRON_G = 6.62607e-27, 1.380649e-16, 9.10938e-28
HALPHA_ERG_PER_PHOTON = 1.37e-12  # Kennicutt 1998: case B, 10,000 K
OII_OVER_HBETA = 1.0 / 0.61  # Ilbert et al. 2009, ApJ 690, 1236
# By case B; [SII] over Halpha as in star-forming galaxies nearby.
HALPHA_OVER_HBETA, HGAMMA_OVER_HBETA, HDELTA_OVER_HBETA, SII_OVER_HALPHA = 2.86, 0.468, 0.259, 0.3
# Of the gas; Hbeta and the rate of arrivals at 2s there, in erg cm3/s and cm3/s (Osterbrock & Ferland 2006).
GAS_K, HBETA_ERG_CM3_S, TO_2S_CM3_S = 1e4, 1.235e-25, 0.838e-13
RYDBERG_HZ = 3.28805e15
HIGHEST_LEVEL = 40
# Helium recombines and deflects electrons as hydrogen does, and is a tenth of it by number.
HELIUM = 0.1


def halpha_luminosity(
    wave_aa: Float[np.ndarray, " wave"], lum: Float[np.ndarray, "template wave"]
) -> Float[np.ndarray, " template"]:
    """Halpha of the gas that takes up all photons beyond the Lyman limit."""
    ionises = wave_aa <= LYMAN_LIMIT_AA
    photons = np.trapezoid(lum[:, ionises] / wave_aa[ionises][None, :], wave_aa[ionises], axis=1)
    return HALPHA_ERG_PER_PHOTON / PLANCK_ERG_S * photons


def lines_over_halpha(lgmet: float) -> Float[np.ndarray, " line"]:
    """Each of `LINES_AA` over Halpha, given the metallicity.

    [NII] by Pettini & Pagel (2004, MNRAS 348, L59), [OIII] by the sequence of star-forming galaxies (Kewley
    et al. 2013, ApJ 774, 100), within the metallicities that both hold for.
    """
    oxygen = min(OXYGEN_SUN + lgmet - LGMET_SUN, MOST_OXYGEN)
    log_nii = (oxygen - 8.90) / 0.57
    oiii = 10.0 ** (0.61 / (log_nii + 0.08) + 1.1)
    nii = HALPHA_OVER_HBETA * 10.0**log_nii
    over_hbeta = [OII_OVER_HBETA, HDELTA_OVER_HBETA, HGAMMA_OVER_HBETA, 1.0, oiii / 3.0, oiii]
    over_hbeta += [nii / 3.0, HALPHA_OVER_HBETA, nii, SII_OVER_HALPHA * HALPHA_OVER_HBETA]
    return np.array(over_hbeta) / HALPHA_OVER_HBETA


def continuum_over_hbeta(wave_aa: Float[np.ndarray, " wave"]) -> Float[np.ndarray, " wave"]:
    """Luminosity of the gas per hertz, over that of Hbeta, in 1/Hz."""
    frequency = SPEED_OF_LIGHT_AA_S / wave_aa
    both = (1.0 + HELIUM) * (_recombination(frequency) + _free_free(frequency))
    return (both + _two_photons(frequency)) / HBETA_ERG_CM3_S


def _recombination(frequency: Float[np.ndarray, " wave"]) -> Float[np.ndarray, " wave"]:
    """To all levels but the lowest, whose photons are absorbed again, erg cm3/s/Hz.

    Milne's relation of recombination and photoionisation, the latter by Kramers.
    """
    heat = BOLTZMANN_ERG_K * GAS_K
    total = np.zeros_like(frequency)
    for level in range(2, HIGHEST_LEVEL):
        edge = RYDBERG_HZ / level**2
        above = frequency > edge
        photon = PLANCK_ERG_S * frequency[above]
        kinetic = photon - PLANCK_ERG_S * edge
        ionises = 2.815e29 / (level**5 * frequency[above] ** 3)  # cm2
        recombines = level**2 * photon**2 / (ELECTRON_G * SPEED_OF_LIGHT_CM_S**2 * kinetic) * ionises
        # Maxwell's distribution of speeds, as one of energies, times the speed.
        arrivals = 4.0 * kinetic * np.exp(-kinetic / heat) / np.sqrt(2.0 * np.pi * ELECTRON_G * heat**3)
        total[above] += recombines * arrivals * photon * PLANCK_ERG_S
    return total


def _free_free(frequency: Float[np.ndarray, " wave"]) -> Float[np.ndarray, " wave"]:
    """Of electrons that pass protons, with a Gaunt factor of 1.15, erg cm3/s/Hz."""
    return 6.84e-38 * 1.15 / np.sqrt(GAS_K) * np.exp(-PLANCK_ERG_S * frequency / (BOLTZMANN_ERG_K * GAS_K))


def _two_photons(frequency: Float[np.ndarray, " wave"]) -> Float[np.ndarray, " wave"]:
    """Of hydrogen in 2s (Nussbaumer & Schmutz 1984, A&A 138, 495), erg cm3/s/Hz."""
    share = frequency / (0.75 * RYDBERG_HZ)
    product = np.maximum(share * (1.0 - share), 0.0)
    probability = product * (1.0 - (4.0 * product) ** 0.8) + 0.88 * product**1.53 * (4.0 * product) ** 0.8
    return TO_2S_CM3_S * PLANCK_ERG_S * share * 202.0 / 8.2249 * probability
