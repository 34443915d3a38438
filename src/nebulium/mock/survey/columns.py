"""Galaxies of a mock survey as columns of a table."""

from typing import Any

import jax
import numpy as np

from nebulium.lines.continuum.line_list import line_columns
from nebulium.lines.scores.bpt import bpt_classes
from nebulium.mock.galaxies import BandPhotometry, MockGalaxy
from nebulium.mock.line_ratios import line_ratio_columns

#: The most neighbours that a stamp can have.
MOST_NEIGHBOURS = 5


def galaxy_columns(
    galaxies: MockGalaxy, further: BandPhotometry | None, filters: tuple[str, ...]
) -> dict[str, np.ndarray]:
    """All columns of galaxies, the truth first and the measurements after it; further bands come last."""
    light = galaxies.light
    bands = BandPhotometry(np.asarray(light.flux_njy).sum(axis=1), light.mag_ab, galaxies.measured)
    if further is not None:
        bands = jax.tree.map(lambda some, others: np.concatenate([some, others], axis=1), bands, further)
    measured = bands.measured
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
    for place, band in enumerate(filters):
        columns |= {f"flux_njy_{band}": bands.flux_njy[:, place], f"mag_ab_{band}": bands.mag_ab[:, place]}
    for place, band in enumerate(filters):
        columns |= {
            f"flux_njy_obs_{band}": measured.flux_njy[:, place],
            f"flux_njy_err_{band}": measured.flux_err_njy[:, place],
            f"mag_ab_obs_{band}": measured.mag_ab[:, place],
            f"mag_ab_err_{band}": measured.mag_err[:, place],
        }
    columns |= {"redshift_spec": galaxies.redshift_spec, "selected": galaxies.selected}
    return {name: np.asarray(values) for name, values in columns.items()}
