"""Numbers that stand for a missing value without anyone having said so."""

import numpy as np
from jaxtyping import Float

from nebulium.errors import TableError

#: What catalogues write for "not measured".
SENTINELS = (-1, -9, -99, -99.9, -99.99, -999, -999.9, -9999, -99999, 99, 99.9, 99.99, 999, 9999, 99999)


def check_no_sentinels(values: Float[np.ndarray, " n"], *, where: str, column: str) -> None:
    """Refuse numbers such as -9999 that stand far outside all others of their column."""
    # Single precision: that of many columns, in which -99.9 is not what it is in double.
    known = values[np.isfinite(values)].astype(np.float32)
    suspected = np.isin(known, np.array(SENTINELS, np.float32))
    others = known[~suspected]
    if not suspected.any() or len(others) < 2:
        return
    least, most = others.min(), others.max()
    gap = np.maximum(least - known, known - most)
    # Of labels that are all the same nothing is far.
    far = suspected & (most > least) & (gap > most - least)
    if far.any():
        number = f"{known[np.argmax(far)]:.6g}"
        count = np.sum(known == known[np.argmax(far)])
        problem = (
            f"is {number} in {count:,} of {len(values):,} rows, far outside the others ({least:.4g} to "
            f"{most:.4g}), which looks like a number that stands for a missing value"
        )
        mend = f"say --missing {number} (missing={number}), or take the rows out"
        raise TableError(f"{where}, column {column}", problem, mend)
