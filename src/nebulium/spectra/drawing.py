"""Drawn spectra of galaxies by their images, from file to file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nebulium.data.column_checks import Missing
from nebulium.data.images.opening import ImagePaths, open_images
from nebulium.data.output import as_paths, check_not_input, check_place
from nebulium.data.rejects import Rejects, write_rejects
from nebulium.data.spectra.checks import Declared
from nebulium.data.spectra.spectrum_set import Spectra
from nebulium.data.spectra.writing import SpectraWriter
from nebulium.errors import SpectrumError
from nebulium.nn.mapping import map_galaxies
from nebulium.spectra.continuum.training import SpectrumFiles, SpectrumPaths
from nebulium.spectra.draws import SpectrumDraw, render
from nebulium.spectra.figure_pages import FIRST_PAGE, FigurePages, observed_spectra
from nebulium.spectra.model import SpectrumModel
from nebulium.spectra.predict import DRAWS, SeenGalaxies, SpectrumPredictor, drawn_of
from nebulium.verbs import find_predictor

#: Observed wavelengths that are drawn if none are given: the first, the last, the step, AA.
WAVES_AA = (3600.0, 9824.0, 2.0)
#: Signal to noise of a pixel of a single draw, which has no noise.
CLEAN = 100.0
BATCH = 8


@dataclass(frozen=True)
class DrawnSpectra:
    """What drawing left.

    Attributes
    ----------
    output : Path
    galaxies, spectra : int
    notes : tuple of str
    rejects : Rejects
        Images set aside.
    rejects_path : Path, optional
        Where they are listed; None if there are none.
    figures : Path, optional
        Folder of the figures, if these were asked for.
    shown : int
        Galaxies in them.
    """

    output: Path
    galaxies: int
    spectra: int
    notes: tuple[str, ...]
    rejects: Rejects
    rejects_path: Path | None
    figures: Path | None = None
    shown: int = 0


@dataclass(frozen=True)
class SpectrumForm:
    """How spectra are to look.

    Attributes
    ----------
    waves_aa : tuple of float
        The first and the last wavelength and the step, AA, in vacuum.
    at_rest, normalised : bool
        In the rest frame; divided by the continuum from 5400 to 5600 AA at rest.
    resolving_power : float, optional
        Of the instrument; as sharp as what was learned from if not given.
    velocity_dispersion_km_s : float
        Sigma of the gas.

    Raises
    ------
    SpectrumError
        The wavelengths make no grid.

    Examples
    --------
    >>> SpectrumForm((4000.0, 4010.0, 5.0)).grid.tolist()
    [4000.0, 4005.0, 4010.0]
    """

    waves_aa: tuple[float, float, float] = WAVES_AA
    at_rest: bool = False
    normalised: bool = False
    resolving_power: float | None = None
    velocity_dispersion_km_s: float = 80.0

    def __post_init__(self) -> None:
        low, high, step = self.waves_aa
        if not (0 < low < high and 0 < step <= (high - low)):
            problem = f"from {low:g} to {high:g} by {step:g} AA make no grid of two pixels or more"
            mend = "give the first, the last and the step, as 3600,9800,2: --wavelengths (waves_aa=)"
            raise SpectrumError("wavelengths", problem, mend)
        if self.resolving_power is not None and not self.resolving_power > 0:
            raise SpectrumError("resolving power", f"is {self.resolving_power:g}", "give a number above 0")

    @property
    def grid(self) -> Float[np.ndarray, " wave"]:
        """Wavelengths, AA."""
        low, high, step = self.waves_aa
        return (low + step * np.arange(int(np.floor((high - low) / step + 1e-6)) + 1)).astype(np.float32)

    def of(self, model: SpectrumModel, draw: SpectrumDraw) -> Float[Array, " wave"]:
        """A draw as it is to look."""
        return render(
            model.basis,
            draw,
            jnp.asarray(self.grid),
            at_rest=self.at_rest,
            normalised=self.normalised,
            resolving_power=self.resolving_power,
            velocity_dispersion_km_s=self.velocity_dispersion_km_s,
        )


def draw_file(
    images: ImagePaths,
    output: str | Path,
    *,
    model: str | Path,
    draws: int = 0,
    quantiles: Sequence[float] | None = None,
    form: SpectrumForm | None = None,
    redshift: str | None = None,
    table: str | Path | None = None,
    id_column: str | None = None,
    bands: Sequence[str] | None = None,
    missing: Missing = None,
    figures: str | Path | None = None,
    spectra: SpectrumPaths | None = None,
    wave_unit: str | None = None,
    flux_unit: str | None = None,
    air: bool | None = None,
    seed: int = 0,
    progress: Callable[[int], Any] | None = None,
) -> DrawnSpectra:
    """Draw spectra of galaxies from their images.

    Parameters
    ----------
    images : str, Path or sequence of these
        As in `nebulium.data.open_images`.
    output : str or Path
        Ending in .parquet (layout of the Multimodal Universe) or .fits: `read_spectra`, `nebulium lines
        predict` and `nebulium explore` open it.
    model : str or Path
        Name of a packaged model, or a model folder.
    draws : int
        Spectra of each galaxy, each as sharp as a galaxy's, under the ids ID-1, ID-2 and so on; their noise
        is none, their inverse variance that of a signal to noise of 100. With 0 the mean of 256 draws, at the
        median redshift, with the inverse variance of their scatter.
    quantiles : sequence of float, optional
        In place of these, quantiles of 256 draws at each wavelength, at the median redshift, under the ids
        ID-q16, ID-q50 and so on: 0.16, 0.5 and 0.84 give the median and the central 68 %.
    form : SpectrumForm, optional
        Wavelengths, frame and resolution.
    redshift, table, id_column, bands, missing, seed : optional
        As in `predict_file`.
    figures : str or Path, optional
        Folder for pages of five galaxies, ``page-01.png`` and so on, of the first 25: the image beside median
        and bands of 68 and 95 % of 256 draws, at rest, in units of the continuum from 5400 to 5600 AA.
    spectra : str, Path or sequence of these, optional
        Spectra that were observed, as in `train_file`: the figures then show the first 25 galaxies that have
        one, with it.
    wave_unit, flux_unit, air : str, str, bool, optional
        Of these spectra, in place of what their files say: as in `read_spectra`.
    progress : callable of int, optional
        Gets the number of galaxies so far, after each chunk.

    Returns
    -------
    DrawnSpectra

    Raises
    ------
    NebuliumError
        The images, the table, the model or the output is at fault, or no galaxy is left.

    Examples
    --------
    >>> draw_file("cutouts", "drawn.parquet", model="mine", draws=4)  # doctest: +SKIP
    """
    predictor = SpectrumPredictor(find_predictor(model, of=SpectrumPredictor).models, seed)
    form, output = form or SpectrumForm(), Path(output)
    kind = _kind(form, draws, tuple(quantiles or ()))
    inputs = [*as_paths(images), *([] if table is None else [Path(table)]), *as_paths(spectra or [])]
    for written in (output, *([] if figures is None else [Path(figures)])):
        for path in inputs:
            check_not_input(path, written)
    notes = list[str]()
    files = None if spectra is None else SpectrumFiles(spectra, None, Declared(wave_unit, flux_unit, air))
    pages = _pages(predictor, images, bands, figures, files, notes)
    opened = predictor.open(
        images, bands=bands, redshift=redshift, table=table, id_column=id_column, missing=missing
    )
    galaxies = 0
    with SpectraWriter(output) as writer:
        for chunk in opened.chunks:
            for some in _parts(chunk, max(1, 4096 // kind.each)):
                writer.append(_spectra(predictor, some, kind))
            if pages is not None:
                pages.take(chunk)
            galaxies += len(chunk)
            if progress is not None:
                progress(galaxies)
        if not galaxies:
            problem = f"leaves no galaxy: {opened.rejects.summary()}"
            raise SpectrumError(opened.name, problem, "check the images and the redshifts")
    if pages is not None and figures is not None:
        pages.write(Path(figures))
    rejects_path = write_rejects(opened.rejects, output, id_column=opened.id_column)
    return DrawnSpectra(
        output,
        galaxies,
        galaxies * kind.each,
        (*opened.notes, *notes),
        opened.rejects,
        rejects_path,
        None if figures is None else Path(figures),
        0 if pages is None else len(pages.rows),
    )


def _parts(chunk: SeenGalaxies, at_a_time: int) -> list[SeenGalaxies]:
    """Some galaxies at a time, so that memory does not grow with the draws."""
    return [chunk.select(slice(first, first + at_a_time)) for first in range(0, len(chunk), at_a_time)]


def _pages(
    predictor: SpectrumPredictor,
    images: ImagePaths,
    bands: Sequence[str] | None,
    figures: str | Path | None,
    files: SpectrumFiles | None,
    notes: list[str],
) -> FigurePages | None:
    """What collects the galaxies of the figures, if these are asked for."""
    if figures is None and files is not None:
        mend = "name a folder for the figures: --figures FOLDER (figures=)"
        raise SpectrumError(files.name, "is not used, as no figures are asked for", mend)
    if figures is None:
        return None
    check_place(figures, folder_with=FIRST_PAGE)
    if files is None:
        return FigurePages(predictor)
    ids = open_images(images, bands=bands).ids
    return FigurePages(predictor, observed_spectra(files, predictor.model, ids, notes.append))


class _Kind(eqx.Module):
    """Which spectra of a galaxy are written, and how they look: what a compiled function is made for."""

    form: SpectrumForm = eqx.field(static=True)
    draws: int = eqx.field(static=True)
    quantiles: tuple[float, ...] = eqx.field(static=True)

    @property
    def names(self) -> list[str]:
        """What is added to the id of a galaxy for each of its spectra; nothing for the mean alone."""
        levels = [f"-q{100 * level:g}" for level in self.quantiles]
        return levels or [f"-{place + 1}" for place in range(self.draws)]

    @property
    def each(self) -> int:
        """Spectra of a galaxy."""
        return max(len(self.names), 1)


def _kind(form: SpectrumForm, draws: int, quantiles: tuple[float, ...]) -> _Kind:
    """Refuse what is not a quantile, and quantiles of single draws."""
    if draws and quantiles:
        problem = f"{draws} draws and quantiles are asked for"
        raise SpectrumError("quantiles", problem, "ask for one: --draws (draws=) or --quantiles (quantiles=)")
    for level in quantiles:
        if not 0 < level < 1 or quantiles.count(level) > 1:
            raise SpectrumError("quantiles", f"are {quantiles}", "give different numbers between 0 and 1")
    return _Kind(form, draws, quantiles)


def _spectra(predictor: SpectrumPredictor, chunk: SeenGalaxies, kind: _Kind) -> Spectra:
    """Drawn spectra, or means or quantiles of draws, of some galaxies."""
    model, prepared, names = predictor.model, chunk.prepared, kind.names
    key = jax.random.key(predictor.seed)
    made = _several if kind.draws else _quantiles if kind.quantiles else _mean
    one = eqx.Partial(made, model, kind, key)
    rows = prepared.rows.astype(np.int32)
    flux, ivar, redshift = map_galaxies(one, prepared.images, chunk.redshift, chunk.sigma, rows, batch=BATCH)
    ids = prepared.ids
    if names:
        ids = np.array([f"{identifier}{name}" for identifier in ids.tolist() for name in names])
        redshift = redshift.ravel()
        flux, ivar = (values.reshape(-1, values.shape[-1]) for values in (flux, ivar))
    seen = np.isfinite(flux) & (ivar > 0)
    if kind.form.at_rest:
        redshift = np.zeros_like(redshift)
    wave = np.broadcast_to(kind.form.grid, flux.shape).astype(np.float32)
    return Spectra(
        ids,
        wave,
        np.where(seen, flux, 0.0).astype(np.float32),
        np.where(seen, ivar, 0.0).astype(np.float32),
        redshift.astype(np.float64),
        metadata={"drawn_by": predictor.models[0].name, "seed": predictor.seed},
    )


def _several(
    model: SpectrumModel, of: _Kind, key: Array, image: Array, z: Array, sigma: Array, row: Array
) -> tuple[Array, Array, Array]:
    """Draws of a galaxy as spectra, with inverse variances and redshifts."""
    drawn = drawn_of(model, key, of.draws, image, z, sigma, row)
    flux = jax.vmap(lambda draw: of.form.of(model, draw))(drawn)
    return flux, _clean_ivar(flux), drawn.redshift


def _clean_ivar(flux: Float[Array, "spectrum wave"]) -> Float[Array, "spectrum wave"]:
    level = jnp.nanmedian(jnp.abs(flux), axis=1, keepdims=True)
    return jnp.broadcast_to((CLEAN / jnp.maximum(level, 1e-20)) ** 2, flux.shape)


def _at_one_redshift(
    model: SpectrumModel, of: _Kind, key: Array, image: Array, z: Array, sigma: Array, row: Array
) -> tuple[Float[Array, "draw wave"], Array]:
    """Draws of a galaxy as spectra at their median redshift, and this."""
    drawn = drawn_of(model, key, DRAWS, image, z, sigma, row)
    middle = jnp.median(drawn.redshift)
    at_one = drawn._replace(redshift=jnp.full_like(drawn.redshift, middle))
    return jax.lax.map(lambda draw: of.form.of(model, draw), at_one, batch_size=32), middle


def _quantiles(model: SpectrumModel, of: _Kind, *galaxy: Array) -> tuple[Array, Array, Array]:
    """Quantiles of draws at each wavelength."""
    flux, middle = _at_one_redshift(model, of, *galaxy)
    found = jnp.quantile(flux, jnp.asarray(of.quantiles, jnp.float32), axis=0)
    return found, _clean_ivar(found), jnp.full(len(found), middle)


def _mean(model: SpectrumModel, of: _Kind, *galaxy: Array) -> tuple[Array, Array, Array]:
    """The mean of draws, and the inverse variance of their scatter."""
    flux, middle = _at_one_redshift(model, of, *galaxy)
    variance = jnp.var(flux, axis=0)
    return jnp.mean(flux, axis=0), 1.0 / jnp.maximum(variance, 1e-20), middle
