"""Galaxies of a mock survey as columns of a table."""

from typing import Any

import jax
import numpy as np

from nebulium.lines.continuum.line_list import line_columns
from nebulium.lines.scores.bpt import bpt_classes
from nebulium.mock.galaxies import BandPhotometry, MockGalaxy
from nebulium.mock.instruments import Band
from nebulium.mock.line_ratios import line_ratio_columns

#: The most neighbours that a stamp can have.
MOST_NEIGHBOURS = 5


def galaxy_columns(
    galaxies: MockGalaxy, further: BandPhotometry | None, bands: tuple[Band, ...]
) -> dict[str, np.ndarray]:
    """All columns of galaxies, the truth first, the measurements after it; bands by wavelength."""
    light = galaxies.light
    seen = BandPhotometry(np.asarray(light.flux_njy).sum(axis=1), light.mag_ab, galaxies.measured)
    if further is not None:
        seen = jax.tree.map(lambda some, others: np.concatenate([some, others], axis=1), seen, further)
    measured = seen.measured
    columns: dict[str, Any] = {
        **vars(galaxies.properties),
        "log_sfr": light.log_sfr,
        "log_mformed": light.log_mformed,
        "half_light_radius_kpc": galaxies.half_light_radius_kpc,
        **vars(galaxies.structure),
        **line_columns(ew=light.ew_aa, line_flux=light.line_flux),
        **line_ratio_columns(np.asarray(light.line_flux), np.asarray(galaxies.properties.av_mag)),
        "in_domain": light.lines_in_domain,
        "bpt_class": np.where(light.lines_in_domain, bpt_classes(np.asarray(light.ew_aa)), ""),
    }
    in_order = [(place, bands[place].filter) for place in np.argsort([band.pivot_aa for band in bands])]
    for place, band in in_order:
        columns |= {f"flux_njy_{band}": seen.flux_njy[:, place], f"mag_ab_{band}": seen.mag_ab[:, place]}
    for place, band in in_order:
        columns |= {
            f"flux_njy_obs_{band}": measured.flux_njy[:, place],
            f"flux_njy_err_{band}": measured.flux_err_njy[:, place],
            f"mag_ab_obs_{band}": measured.mag_ab[:, place],
            f"mag_ab_err_{band}": measured.mag_err[:, place],
        }
    columns |= {"redshift_spec": galaxies.redshift_spec, "selected": galaxies.selected}
    return {name: np.asarray(values) for name, values in columns.items()}
