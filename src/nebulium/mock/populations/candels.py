"""The population `candels`: what HST sees to redshift 6, learned from the catalogue of 3D-HST."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from nebulium.errors import check_extra
from nebulium.mock.populations.metallicity import draw_lgmet, draw_oh12
from nebulium.mock.populations.properties import GalaxyProperties
from nebulium.mock.populations.relations import main_sequence_speagle14
from nebulium.modelfile import load_model
from nebulium.sed.cosmology import age_gyr

MODEL = "candels"
#: By how much the rates of the catalogue lie off the main sequence of Speagle et al. (2014): median of the
#: training rows with 9 < log M* < 11 and 0.5 < z < 3, those more than 1 dex away from it left out.
CATALOGUE_OFF_RIDGE_DEX = -0.48


class CandelsPopulation(eqx.Module):
    """Galaxies as 3D-HST found them in GOODS-N, COSMOS, UDS and AEGIS; make one with `candels_population`.

    Redshift, mass, age, tau and A_V are drawn together from a normalizing flow
    (`nebulium.mock.populations.candels_flow`)
    learned from the fits of FAST to the photometry (Skelton et al. 2014, ApJS 214, 24), errors and
    degeneracies of these fits included. Its star-formation rates are theirs, too: half a dex below the main
    sequence of Speagle et al. (2014). Metallicities, for which the catalogue has solar throughout, follow
    `nebulium.mock.populations.metallicity`, by a galaxy's place above or below the ridge of the catalogue's
    own rates.

    Parameters
    ----------
    flow : CandelsFlow
    """

    flow: Any

    def draw(self, key: Key[Array, ""]) -> GalaxyProperties:
        """One galaxy."""
        key_flow, key_oh12, key_lgmet = jax.random.split(key, 3)
        redshift, lage, ltau, av_mag, log_mstar = self.flow.sample(key_flow)
        zero = jnp.zeros_like(redshift)  # until they are known
        stars = GalaxyProperties(
            redshift, log_mstar, 10.0 ** (lage - 9.0), 10.0 ** (ltau - 9.0), av_mag, zero, zero
        )
        ridge = main_sequence_speagle14(log_mstar, age_gyr(redshift)) + CATALOGUE_OFF_RIDGE_DEX
        oh12 = draw_oh12(log_mstar, stars.log_sfr(), ridge, redshift, key_oh12)
        lgmet = draw_lgmet(log_mstar, redshift, key_lgmet)
        return eqx.tree_at(lambda galaxy: (galaxy.oh12, galaxy.lgmet), stars, (oh12, lgmet))


def candels_population() -> CandelsPopulation:
    """The population with its packaged weights."""
    check_extra("mock")
    return CandelsPopulation(load_model(MODEL))
