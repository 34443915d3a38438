"""Emission lines of galaxy templates, from the ionising light of their own stars.

Halpha is that of case B (Kennicutt 1998, ARA&A 36, 189), the other lines follow by published ratios. No line
of the ultraviolet is among them: Lyman alpha is as often absorbed as emitted (Shapley et al. 2003, ApJ 588,
65).
"""

import numpy as np
from jaxtyping import Float

from nebulium.sed.igm import LYMAN_LIMIT_AA

#: In vacuum, AA: [OII], Hdelta, Hgamma, Hbeta, [OIII] two, [NII] and Halpha, [NII], [SII].
LINES_AA = (3728.5, 4102.9, 4341.7, 4862.7, 4960.3, 5008.2, 6549.9, 6564.6, 6585.3, 6725.0)
LGMET_SUN = -1.7
OXYGEN_SUN = 8.69  # 12 + log O/H: Asplund et al. 2009, ARA&A 47, 481
# Up to here the sequence of [OIII] and [NII] holds.
MOST_OXYGEN = 8.6
PLANCK_ERG_S = 6.62607e-27
HALPHA_ERG_PER_PHOTON = 1.37e-12  # Kennicutt 1998: case B, 10,000 K
OII_OVER_HBETA = 1.0 / 0.61  # Ilbert et al. 2009, ApJ 690, 1236
# By case B; [SII] over Halpha as in star-forming galaxies nearby.
HALPHA_OVER_HBETA, HGAMMA_OVER_HBETA, HDELTA_OVER_HBETA, SII_OVER_HALPHA = 2.86, 0.468, 0.259, 0.3


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
