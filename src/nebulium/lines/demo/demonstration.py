"""The demonstration: galaxies from star-formation histories, emission lines on them, pictures and tables."""

import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from nebulium.data.glossary import units_of
from nebulium.data.output import replace_on_success
from nebulium.data.spectra.spectrum_set import Spectra
from nebulium.data.spectra.writing import write_spectra
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import write_table
from nebulium.errors import check_extra
from nebulium.lines.chain import SampledLines, SyntheticGalaxy, make_chain, synthesise
from nebulium.lines.continuum.line_list import line_columns
from nebulium.lines.demo.figures import magnitude_changes, spectra_with_lines, width_histograms
from nebulium.lines.demo.galaxies import LOG_APERTURE, demo_galaxies
from nebulium.lines.input import FLUX_COLUMNS
from nebulium.lines.model import LineModel
from nebulium.lines.predict import WITH_LUMINOSITY, predict_table
from nebulium.lines.quantiles import median_ews
from nebulium.lines.scores.bpt import bpt_diagram
from nebulium.modelfile import load_model
from nebulium.sed import Galaxy, load_filters, load_ssp

BANDS = tuple(f"sdss_{band}0" for band in "ugriz")
#: Rest wavelengths of the spectra that are written: the continuum bins and all the lines.
WRITTEN_AA = (3300.0, 7100.0)
#: Places of the examples in the order of Halpha, of 1.
EXAMPLES = (0.98, 0.75, 0.4, 0.1)
TEMPLATE = Path(__file__).with_name("readme.md")


@dataclass(frozen=True)
class DemoRun:
    """The result of a demonstration.

    Parameters
    ----------
    folder : Path
        Where it is.
    galaxies : int
        How many.
    seconds : float
        How long it took.
    """

    folder: Path
    galaxies: int
    seconds: float


def run_demo(
    folder: str | Path = "demo",
    *,
    n_galaxies: int = 3000,
    seed: int = 0,
    model: LineModel | str | Path = WITH_LUMINOSITY,
) -> DemoRun:
    """Make galaxies with emission lines, and write pictures, tables and spectra."""
    start, folder = time.perf_counter(), Path(folder)
    check_extra("sed")
    with replace_on_success(folder, folder_with="equivalent_widths.png") as partial:
        partial.mkdir()
        loaded = model if isinstance(model, LineModel) else load_model(model, of=LineModel)
        galaxies, made = galaxies_with_light(n_galaxies, seed, loaded)
        write_table(demo_table(galaxies, made, loaded), partial / "galaxies.parquet")
        _write_spectra(partial, galaxies, made)
        for name, figure in _figures(galaxies, made, loaded).items():
            figure.savefig(partial / f"{name}.png", dpi=150)
        _write_readme(partial, n_galaxies, seed, model)
    return DemoRun(folder, n_galaxies, time.perf_counter() - start)


def galaxies_with_light(n: int, seed: int, model: LineModel) -> tuple[Galaxy, SyntheticGalaxy]:
    """The galaxies of the demonstration, and their light with the lines that are drawn for them."""
    galaxies = demo_galaxies(n, seed=seed)
    chain = make_chain(load_ssp(), load_filters(*BANDS), SampledLines(model))
    return galaxies, synthesise(chain, galaxies, log_aperture=LOG_APERTURE, key=jax.random.key(seed))


def demo_table(galaxies: Galaxy, made: SyntheticGalaxy, model: LineModel) -> Table:
    """Everything about the galaxies but their spectra."""
    rest, lines = made.stars.rest, made.lines
    v_band_aa = jnp.full(1, 5500.0, jnp.float32)
    columns = {
        "target_id": np.arange(len(galaxies.redshift)),
        "redshift": galaxies.redshift,
        "log_mstar": galaxies.log_mstar,
        "log_sfr": rest.log_sfr,
        "lgmet": galaxies.lgmet,
        "av_mag": jax.vmap(lambda dust: dust.attenuation_mag(v_band_aa)[0])(galaxies.dust),
    }
    columns |= dict(zip(FLUX_COLUMNS, made.continuum_flux.T, strict=True))
    columns |= line_columns(ew=lines.ew_aa, line_flux=lines.line_flux)
    for place, band in enumerate(BANDS):
        columns[f"mag_ab_{band}"] = made.photometry.mag_ab[:, place]
        columns[f"mag_ab_{band}_stars"] = made.stars.photometry.mag_ab[:, place]
    arrays = {name: np.asarray(values) for name, values in columns.items()}
    table = Table(arrays, units_of(arrays), "demo")
    flags = predict_table(table, model=model).table["in_domain"]
    return table.with_columns({"in_domain": flags})


def _write_spectra(folder: Path, galaxies: Galaxy, made: SyntheticGalaxy) -> None:
    """The same pixels of each galaxy, counted in the rest frame."""
    within = _written_pixels(galaxies, made)
    wave_aa = np.asarray(made.wave_aa)[:, within]
    for name, flux in (("spectra", made.flux_lambda), ("continua", made.continuum_lambda)):
        spectra = Spectra(
            ids=np.arange(len(wave_aa)),
            wave_aa=wave_aa,
            flux_lambda=np.asarray(flux)[:, within],
            ivar=np.ones_like(wave_aa),
            redshift=np.asarray(galaxies.redshift, np.float64),
            metadata={"ivar": "1 everywhere: no noise", "made_by": "nebulium demo"},
            name=name,
        )
        write_spectra(spectra, folder / f"{name}.parquet")


def _written_pixels(galaxies: Galaxy, made: SyntheticGalaxy) -> np.ndarray:
    wave_rest_aa = np.asarray(made.wave_aa[0] / (1.0 + galaxies.redshift[0]))
    return (wave_rest_aa > WRITTEN_AA[0]) & (wave_rest_aa < WRITTEN_AA[1])


def _figures(galaxies: Galaxy, made: SyntheticGalaxy, model: LineModel) -> dict[str, Figure]:
    redshift = np.asarray(galaxies.redshift)
    drawn = np.asarray(made.lines.ew_aa)
    medians = median_ews(model, np.asarray(made.continuum_flux), redshift)
    change = np.asarray(made.photometry.mag_ab - made.stars.photometry.mag_ab)
    return {
        "bpt": bpt_diagram({"drawn": drawn, "medians": medians}),
        "equivalent_widths": width_histograms({"drawn": drawn, "medians": medians}),
        "spectra": _examples(galaxies, made),
        "magnitudes": magnitude_changes(redshift, dict(zip("ugriz", change.T, strict=True))),
    }


def _examples(galaxies: Galaxy, made: SyntheticGalaxy) -> Figure:
    """Galaxies at four places in the order of their Halpha."""
    redshift = np.asarray(galaxies.redshift)
    halpha = np.asarray(made.lines["HALPHA"].ew_aa)
    chosen = np.argsort(halpha)[(np.array(EXAMPLES) * (len(halpha) - 1)).astype(int)]
    within = _written_pixels(galaxies, made)
    titles = [
        f"z = {redshift[i]:.2f}, EW(Hα) = {halpha[i]:.1f} Å, log SFR = {made.stars.rest.log_sfr[i]:.1f}"
        for i in chosen
    ]
    wave_rest_aa = np.asarray(made.wave_aa[0])[within] / (1.0 + redshift[0])
    continua, both = (
        np.asarray(flux)[chosen][:, within] for flux in (made.continuum_lambda, made.flux_lambda)
    )
    return spectra_with_lines(wave_rest_aa, continua, both, titles)


def _write_readme(folder: Path, n: int, seed: int, model: LineModel | str | Path) -> None:
    text = TEMPLATE.read_text(encoding="utf-8").format(
        n=n,
        seed=seed,
        version=version("nebulium"),
        model="given" if isinstance(model, LineModel) else Path(model).name,
        aperture=LOG_APERTURE,
        share=10.0**LOG_APERTURE,
        examples=len(EXAMPLES),
    )
    (folder / "README.md").write_text(text, encoding="utf-8")
