"""The README of a mock survey: the contents of the folder, and the limits of the mock."""

from pathlib import Path

import pyarrow.parquet

from nebulium.data.glossary import lookup
from nebulium.data.output import replace_on_success
from nebulium.mock.instruments import Instrument
from nebulium.mock.spectra.spectrographs import find_spectrograph
from nebulium.mock.survey.columns import MOST_NEIGHBOURS
from nebulium.mock.survey.run_file import RunSettings, read_run
from nebulium.mock.survey.shards import CATALOGUE
from nebulium.mock.survey.survey_list import find_survey

README = "README.md"
TEMPLATE = Path(__file__).with_name("readme.md")
SPECTRA_TEMPLATE = Path(__file__).with_name("readme_spectra.md")
SPECTRA_FILE = "\n| `spectra/*.parquet` | spectra of the same galaxies; `object_id` is `target_id` |"
NOISELESS = "There is no noise; `ivar` is nominal, that of a thousandth of the mean flux."
NOISY = (
    "Noise is that of the sky, of reading out and of the galaxy's own photons, independent between pixels; "
    "exposure and seeing are the same for all."
)


def write_readme(folder: Path) -> None:
    """Write ``README.md`` into the folder of a survey."""
    run = read_run(folder)
    settings, survey = run.settings, find_survey(run.settings.survey)
    instrument = survey.instrument()
    schema = pyarrow.parquet.read_schema(folder / CATALOGUE)
    text = TEMPLATE.read_text(encoding="utf-8").format(
        n=settings.n,
        survey=settings.survey,
        seed=settings.seed,
        options=f"{settings.pixels} pixels, {settings.neighbours:.3g} neighbours"
        + (f", --spectra {settings.spectra}" if settings.spectra else ""),
        versions=", ".join(f"{package} {text}" for package, text in run.versions.items() if text),
        about=survey.about,
        own="Their properties are those of a user's table." if settings.table else "",
        first_shard=f"mock-00000-of-{settings.shards:05d}.parquet",
        pixels=settings.pixels,
        scale=instrument.pixel_scale_arcsec,
        neighbours=settings.neighbours,
        most=MOST_NEIGHBOURS,
        bands=_band_rows(instrument),
        without_images=_without_images(instrument),
        spectra_file=SPECTRA_FILE if settings.spectra else "",
        spectra=_spectra(settings),
        columns="\n".join(_column_row(name) for name in schema.names),
    )
    with replace_on_success(folder / README) as partial:
        partial.write_text(text, encoding="utf-8")


def _band_rows(instrument: Instrument) -> str:
    rows = (
        f"| {band.name} | `{band.filter}` | {band.zero_point_ab:g} | {band.psf_fwhm_arcsec:g} "
        f"| {band.depth_5sigma_ab:g} |"
        for band in instrument.bands
    )
    return "\n".join(rows)


def _without_images(instrument: Instrument) -> str:
    names = ", ".join(f"`{band.filter}`" for band in instrument.catalogue_only)
    return f" Bands of the catalogue alone: {names}." if names else ""


def _spectra(settings: RunSettings) -> str:
    if settings.spectra is None:
        return ""
    spectrograph = find_spectrograph(settings.spectra)
    text = SPECTRA_TEMPLATE.read_text(encoding="utf-8").format(
        name=spectrograph.name,
        about=spectrograph.about,
        first_shard=f"mock-00000-of-{settings.shards:05d}.parquet",
        kind=NOISELESS if spectrograph.fibre is None else NOISY,
        columns="\n".join(_column_row(name) for name in ("fibre_fraction", "median_sn_per_pixel")),
    )
    return f"\n{text}"


def _column_row(name: str) -> str:
    entry = lookup(name)
    unit, meaning = ("", "") if entry is None else (entry.unit, entry.meaning)
    return f"| `{name}` | {unit} | {meaning} |"
