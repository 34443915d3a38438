"""What catalogues of spectroscopy say of a redshift that failed, and of what is no galaxy."""

from collections.abc import Iterable, Mapping

import numpy as np

from nebulium.data.glossary import found_names
from nebulium.data.rejects import Fault

#: Names of the columns, in lower case: of DESI and SDSS.
FLAGS = {"zwarn": ("zwarn", "zwarning", "redshift_warning"), "spectype": ("spectype", "class")}
#: What spectype says of what has no lines of a galaxy.
NO_GALAXIES = ("STAR", "QSO", "SKY")


def flag_names(there: Iterable[str]) -> dict[str, str]:
    """Our names of the flags -> those of a file, where it has them."""
    return found_names(there, FLAGS)


def flag_faults(columns: Mapping[str, np.ndarray], remark: str = "") -> list[Fault]:
    """Redshifts that failed, and what is no galaxy, by the columns zwarn and spectype; others say nothing."""
    faults: list[Fault] = []
    zwarn, kinds = columns.get("zwarn"), columns.get("spectype")
    if zwarn is not None and zwarn.dtype.kind in "iuf":
        faults.append((f"its redshift failed: zwarn is not 0{remark}", np.nan_to_num(zwarn) != 0))
    if kinds is not None and kinds.dtype.kind in "USO":
        kinds = np.char.upper(np.char.strip(kinds.astype(np.str_)))
        for kind in NO_GALAXIES:
            faults.append((f"is a {kind}, by its spectype{remark}", np.char.startswith(kinds, kind)))
    return faults
