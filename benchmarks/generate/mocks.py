"""The mock surveys that models of images are trained on and scored with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.settings import Settings
from nebulium.data.images.opening import open_images
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import write_table
from nebulium.errors import TableError
from nebulium.generate import LatentConfig
from nebulium.mock.survey.making import make_survey

#: Logarithm of the specific star-formation rate, 1/yr, below which light shows no stars being formed:
#: histories that fade by an exponential go down to -500.
LEAST_LOG_SSFR = -12.5
#: Properties that the catalogues of mocks give in another form.
DERIVED: Mapping[str, Callable[[Table], np.ndarray]] = {
    "log_redshift": lambda mock: np.log10(mock["redshift"]),
    "log_ssfr": lambda mock: np.maximum(mock["log_sfr"] - mock["log_mstar"], LEAST_LOG_SSFR),
}


@dataclass(frozen=True)
class MockImages:
    """A mock survey, and the model of its images.

    Attributes
    ----------
    model : str
        Name of the packaged model.
    survey : str
        As `nebulium mock make --survey` knows it.
    galaxies, seed : int
    properties : tuple of str
    config : LatentConfig
        How the packaged model is trained.
    """

    model: str
    survey: str
    galaxies: int
    seed: int
    properties: tuple[str, ...]
    config: LatentConfig = field(default_factory=LatentConfig)

    def made(self, before: Path | None, scratch: str | Path) -> Path:
        """The survey: that which was made before, or a new one."""
        if before is not None:
            return before
        folder = Path(scratch) / "survey"
        make_survey(self.survey, folder, n=self.galaxies, seed=self.seed, processes=2)
        return folder

    def write_properties(self, survey: Path, table: Path) -> None:
        """Properties of the galaxies as the model knows them."""
        found = open_images(survey).table
        if found is None:
            raise TableError(str(survey), "has no table beside its images", "make it by `nebulium mock make`")
        columns = {
            name: DERIVED.get(name, lambda mock, name=name: mock[name])(found) for name in self.properties
        }
        write_table(Table({"target_id": found["target_id"], **columns}), table)


SDSS = MockImages(
    "mock-sdss-images",
    "sdss",
    64_000,
    21,
    ("log_redshift", "log_mstar", "log_sfr", "oh12", "av_mag", "log_o32"),
    LatentConfig(epochs=150),
)
# Faint galaxies show less of their shape: fewer components, and weights that take less room.
CANDELS = MockImages(
    "mock-candels-images",
    "candels",
    30_000,
    31,
    ("redshift", "log_mstar", "log_ssfr", "av_mag"),
    LatentConfig(components=96, width=192, epochs=500),
)
#: Fewer galaxies, for models that are trained to be compared.
SMALL = MockImages("", "sdss", 20_000, 11, ("redshift", "log_mstar", "log_sfr", "oh12", "av_mag"))


def small_survey(settings: Settings, scratch: str | Path) -> Path:
    """The survey of models that are compared."""
    return SMALL.made(settings.generate_small, scratch)
