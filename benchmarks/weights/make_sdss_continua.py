"""Fit the packaged components `sdss-continua` to real spectra and write their folder.

    python -m benchmarks.weights.make_sdss_continua

A minute, with the spectra of SDSS beside the repository. How good they are, `python -m benchmarks
spectra_basis` measures.
"""

import shutil
import tempfile
from pathlib import Path

from benchmarks.settings import REPOSITORY, data_folder
from benchmarks.spectra.basis import SPECTRA
from nebulium.spectra import basis_file

NAME = "sdss-continua"
DESTINATION = REPOSITORY / "src/nebulium/spectra/weights" / NAME


def main() -> None:
    """Fit them."""
    with tempfile.TemporaryDirectory() as scratch:
        output = Path(scratch) / NAME
        basis_file(data_folder() / SPECTRA, output, components=10)
        shutil.rmtree(DESTINATION, ignore_errors=True)
        shutil.copytree(output, DESTINATION)


if __name__ == "__main__":
    main()
