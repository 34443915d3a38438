"""Real spectra rebuilt from principal components of others."""

import numpy as np

from benchmarks.results import Check, Result, Row, Target
from benchmarks.settings import Settings, data_folder
from nebulium.data.rejects import Rejects
from nebulium.data.spectra.reading import read_spectra
from nebulium.data.splits import Split
from nebulium.metrics.estimates import estimate
from nebulium.spectra.continuum.training import SpectrumFiles, basis_of, measured_spectra

SPECTRA = "sdss/spectra/sdss_dr7_galaxies.parquet"
#: Components, and the test part of the library's own split.
COMPONENTS, SPLIT = (1, 10, 20), Split()
MIDDLE, HIGH = Target(most=1.0), Target(most=1.3)


def measure(settings: Settings) -> list[Result]:
    """Fit components to the training part, and rebuild the test part."""
    path = data_folder() / SPECTRA
    ids = read_spectra(path).ids
    test, files = ids[SPLIT.rows(ids)["test"]], SpectrumFiles(path)
    rows: list[Row] = []
    for count in COMPONENTS:
        basis = basis_of(files, count, wanted=lambda ids: SPLIT.parts(ids) == "train")
        measured = measured_spectra(files, basis, among=test, rejects=Rejects())
        chi = measured.chi_square
        middle = estimate(np.median, chi)
        high = estimate(lambda values: float(np.percentile(values, 95)), chi)
        asked = count == 10
        rows.append([
            count,
            Check(f"{count} components: median", middle, MIDDLE) if asked else middle,
            Check(f"{count} components: 95th percentile", high, HIGH) if asked else high,
        ])  # fmt: skip
    return [
        Result(
            "spectra/basis",
            "Real continua rebuilt from principal components",
            f"{len(test):,} spectra of the test part of 1,590 galaxies of SDSS (DR7), components fitted to "
            "the training part: reduced chi-square of the continuum from 3380 to 8500 AA at rest, lines left "
            "out.",
            ("components", "median", "95th percentile"),
            rows,
        )
    ]
