"""The mock survey of the packaged model of spectra."""

from pathlib import Path

from benchmarks.settings import Settings
from nebulium.mock.survey.making import make_survey
from nebulium.spectra import SpectraConfig

MODEL, GALAXIES, SEED = "mock-sdss-spectra", 20_000, 11
#: A file of spectra is read whole.
SHARDS = 20
CONFIG = SpectraConfig()


def spectra_survey(settings: Settings, scratch: str | Path) -> Path:
    """A mock of SDSS with spectra: that which was made before, or a new one."""
    if settings.spectra_survey is not None:
        return settings.spectra_survey
    folder = Path(scratch) / "survey"
    make_survey("sdss", folder, n=GALAXIES, seed=SEED, shards=SHARDS, processes=2, spectra="noiseless")
    return folder
