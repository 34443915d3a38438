"""Pictures of a mock survey."""

from collections.abc import Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pyarrow.parquet
from matplotlib.figure import Figure

from nebulium.data.files import lists_by_field
from nebulium.data.images.mmu import read_images
from nebulium.data.output import output_error, replace_on_success
from nebulium.data.tables.reading import iter_table
from nebulium.data.tables.table import Table, concatenate
from nebulium.errors import OutputError
from nebulium.mock.images.stamp_page import stamp_page
from nebulium.mock.spectra.spectra_page import spectra_page
from nebulium.mock.spectra.spectrographs import find_spectrograph
from nebulium.mock.survey.catalogue_figures import relation_panels
from nebulium.mock.survey.run_file import RunSettings, read_run
from nebulium.mock.survey.shards import CATALOGUE, SPECTRA, shard_paths
from nebulium.mock.survey.survey_list import Survey, find_survey
from nebulium.sed import Exponential, Galaxy, load_filters, load_ssp, observe, photometry, rest_spectrum
from nebulium.sed.cosmology import age_gyr

FIGURES = "figures"
STAMPS, SPECTRA_SHOWN = 48, 6
#: Points of a panel; of a longer catalogue every so many rows are drawn.
MOST_POINTS = 6_000
#: Pages of images by the column that sorts them: file, captions, title.
PAGES = {
    "redshift": ("stamps_by_redshift", "z = {:.2f}", "by redshift"),
    "oh12": ("stamps_by_metallicity", "{:.2f}", "by gas-phase metallicity, 12 + log O/H"),
}
#: Histories of the curves of colour: time of decline in Gyr of star formation that began at this redshift.
FORMED = 6.0
TRACKS = {"all stars formed at z = 6": 0.05, "constant SFR since z = 6": 1000.0}


def show_survey(folder: str | Path) -> list[Path]:
    """Draw the pictures of a mock survey into its folder ``figures/``.

    Parameters
    ----------
    folder : str or Path
        The folder of a finished survey.

    Returns
    -------
    list of Path
        ``stamps_by_redshift.png``, ``stamps_by_metallicity.png``, ``relations.png``; and ``spectra.png``
        where there are spectra.

    Raises
    ------
    OutputError
        There is no finished survey, or the pictures cannot be written.

    Examples
    --------
    >>> show_survey("mock")  # doctest: +SKIP
    [PosixPath('mock/figures/stamps_by_redshift.png'), ...]
    >>> show_survey("no-survey")
    Traceback (most recent call last):
    nebulium.errors.OutputError: no-survey: holds no mock survey (FileNotFoundError: ...
    """
    folder = Path(folder)
    settings, galaxies = read_run(folder).settings, _sample(folder)
    try:
        (folder / FIGURES).mkdir(exist_ok=True)
    except OSError as error:
        raise output_error(folder / FIGURES, error) from error
    paths = []
    for name, figure in _drawn(folder, settings, galaxies):
        path = folder / FIGURES / f"{name}.png"
        with replace_on_success(path) as partial:
            figure.savefig(partial, dpi=170)
        paths.append(path)
    return paths


def _drawn(folder: Path, settings: RunSettings, galaxies: Table) -> Iterator[tuple[str, Figure]]:
    """The pictures by name, one after the other."""
    survey = find_survey(settings.survey)
    for column, (name, caption, title) in PAGES.items():
        chosen = _evenly_ordered(galaxies[column], STAMPS)
        yield (
            name,
            stamp_page(
                _read_stamps(folder, settings, galaxies["target_id"][chosen]),
                survey.instrument(),
                [caption.format(value) for value in galaxies[column][chosen]],
                title=f"{settings.survey}: {title}",
            ),
        )
    yield "relations", _relations(settings, survey, galaxies)
    if settings.spectra is not None:
        yield "spectra", _spectra(folder, settings)


def _sample(folder: Path) -> Table:
    """Every so many rows of the catalogue, with their place in it."""
    path = folder / CATALOGUE
    if not path.is_file():
        problem = "holds no finished survey: there is no catalogue"
        raise OutputError(str(folder), problem, "go on with nebulium mock make --resume")
    step = -(-pyarrow.parquet.read_metadata(path).num_rows // MOST_POINTS)
    return concatenate(
        chunk.select(chunk["target_id"] % step == 0) for chunk in iter_table(path, rows_per_chunk=step * 64)
    )


def _evenly_ordered(values: np.ndarray, count: int) -> np.ndarray:
    """Rows at equal steps in the order of their values."""
    order = np.argsort(values, kind="stable")
    return order[np.unique(np.linspace(0, len(order) - 1, count).round().astype(int))]


def _read_stamps(folder: Path, settings: RunSettings, ids: np.ndarray) -> np.ndarray:
    """Images (n, height, width, band) of galaxies in the order of their ids as given."""
    stamps: dict[int, np.ndarray] = {}
    for path, rows in zip(shard_paths(folder, settings.shards), settings.shard_rows(), strict=True):
        inside = ids[(ids >= rows.start) & (ids < rows.stop)]
        if inside.size:
            stamps |= dict(
                zip(inside.tolist(), read_images(path, rows=(inside - rows.start).tolist()).flux, strict=True)
            )
    return np.stack([stamps[index] for index in ids.tolist()])


def _relations(settings: RunSettings, survey: Survey, galaxies: Table) -> Figure:
    instrument = survey.instrument()
    limit = instrument.filters[instrument.band_names.index(survey.limit.band)]
    ends = (instrument.filters[0], instrument.filters[-1])
    title = f"{settings.n:,} mock galaxies, {settings.survey}, seed {settings.seed}"
    tracks = colour_tracks(ends, float(galaxies["redshift"].max()))
    return relation_panels(galaxies, bands=(*ends, limit), tracks=tracks, title=title)


def _spectra(folder: Path, settings: RunSettings) -> Figure:
    """Some of the first block, from the passive to those that form most stars for their mass."""
    file = pyarrow.parquet.ParquetFile(shard_paths(folder, settings.shards, SPECTRA)[0])
    table = file.read_row_group(0)
    galaxies = next(iter_table(folder / CATALOGUE, rows_per_chunk=len(table)))
    log_ssfr = galaxies["log_sfr"] - galaxies["log_mstar"]
    chosen = _evenly_ordered(log_ssfr, SPECTRA_SHOWN)
    lists = lists_by_field(table["spectrum"])
    wave, flux, ivar = (
        lists[name].flatten().to_numpy().reshape(len(table), -1)[chosen]
        for name in ("lambda", "flux", "ivar")
    )
    captions = [
        f"galaxy {galaxies['target_id'][row]}: z = {galaxies['redshift'][row]:.3f}, log sSFR / yr⁻¹ = "
        f"{log_ssfr[row]:.1f}, log O32 = {galaxies['log_o32'][row]:.2f}"
        for row in chosen
    ]
    title = f"{settings.survey}, spectra as of {find_spectrograph(settings.spectra or '').about}"
    return spectra_page(wave, flux, ivar, captions, title=title)


def colour_tracks(bands: tuple[str, str], highest: float) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Colours of two kinds of galaxies against redshift: all stars old, and a constant star formation."""
    filters, ssp = load_filters(*bands), load_ssp()
    redshift = jnp.linspace(0.01, max(highest, 0.05), 40, dtype=jnp.float32)

    def colour(z: jax.Array, tau_gyr: jax.Array) -> jax.Array:
        age = jnp.maximum(age_gyr(z) - age_gyr(jnp.float32(FORMED)), 0.1)
        rest = rest_spectrum(Galaxy(Exponential(age, tau_gyr), jnp.full_like(z, 10.5), z), ssp)
        seen = observe(rest.wave_rest_aa, rest.lum_lsun_hz, z)
        mags = photometry(seen.wave_aa, seen.flux_lambda, filters).mag_ab
        return mags[0] - mags[1]

    by_tau = jax.jit(jax.vmap(jax.vmap(colour, (0, None)), (None, 0)))
    colours = by_tau(redshift, jnp.array(list(TRACKS.values()), jnp.float32))
    return {name: (np.asarray(redshift), np.asarray(row)) for name, row in zip(TRACKS, colours, strict=True)}
