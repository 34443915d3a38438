"""Galaxies of a mock survey as columns of a table."""

from typing import Any

import numpy as np

from nebulium.lines.continuum.line_list import line_columns
from nebulium.lines.scores.bpt import bpt_classes
from nebulium.mock.galaxies import MockGalaxy

#: The most neighbours that a stamp can have.
MOST_NEIGHBOURS = 5


def galaxy_columns(galaxies: MockGalaxy, filters: tuple[str, ...]) -> dict[str, np.ndarray]:
    """All columns of galaxies, the truth first and the measurements after it."""
    light, measured = galaxies.light, galaxies.measured
    columns: dict[str, Any] = {
        **vars(galaxies.properties),
        "log_sfr": light.log_sfr,
        "log_mformed": light.log_mformed,
        "half_light_radius_kpc": galaxies.half_light_radius_kpc,
        **vars(galaxies.structure),
        **line_columns(ew=light.ew_aa, line_flux=light.line_flux),
        "in_domain": light.lines_in_domain,
        "bpt_class": np.where(light.lines_in_domain, bpt_classes(np.asarray(light.ew_aa)), ""),
    }
    for place, band in enumerate(filters):
        columns |= {
            f"flux_njy_{band}": np.asarray(light.flux_njy)[:, :, place].sum(axis=1),
            f"mag_ab_{band}": light.mag_ab[:, place],
        }
    for place, band in enumerate(filters):
        columns |= {
            f"flux_njy_obs_{band}": measured.flux_njy[:, place],
            f"flux_njy_err_{band}": measured.flux_err_njy[:, place],
            f"mag_ab_obs_{band}": measured.mag_ab[:, place],
            f"mag_ab_err_{band}": measured.mag_err[:, place],
        }
    columns |= {"redshift_spec": galaxies.redshift_spec, "selected": galaxies.selected}
    return {name: np.asarray(values) for name, values in columns.items()}
