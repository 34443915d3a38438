"""Pages of drawn galaxies: their pictures, what is predicted of their spectra, and what was observed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Float

from nebulium.data.ids import rows_of_ids
from nebulium.data.output import replace_on_success
from nebulium.data.rejects import Rejects
from nebulium.data.spectra.spectrum_set import Spectra
from nebulium.data.tables.table import concatenate_rows
from nebulium.nn.mapping import map_galaxies
from nebulium.spectra.continuum.training import (
    MeasuredSpectra,
    SharedIds,
    SpectrumFiles,
    measured_chunk,
    no_spectrum,
)
from nebulium.spectra.predict import BATCH, DRAWS, SeenGalaxies, SpectrumPredictor, drawn_of
from nebulium.spectra.scores.figures import SHOWN, WAVES_AA, GalaxyRow, levels_of, picture_of, rows_figure

#: Galaxies that are shown at most, and the first page, by which a folder of pages is known.
MOST, FIRST_PAGE = 25, "page-01.png"


@dataclass(frozen=True, eq=False)
class ObservedSpectra:
    """Spectra that were observed, as they are shown.

    Attributes
    ----------
    ids : ndarray of shape (n,)
    redshift : ndarray of shape (n,)
    flux : ndarray of float32 of shape (n, wave)
        At the wavelengths of the figures, in units of the continuum from 5400 to 5600 AA; NaN where there is
        no pixel.
    """

    ids: np.ndarray
    redshift: Float[np.ndarray, " n"]
    flux: Float[np.ndarray, "n wave"]


@dataclass(frozen=True, eq=False)
class FigurePages:
    """Galaxies that are shown, collected while they are drawn.

    Attributes
    ----------
    predictor : SpectrumPredictor
    observed : ObservedSpectra, optional
        Of the galaxies that are shown; the first are, if not given.
    rows : list of GalaxyRow
    """

    predictor: SpectrumPredictor
    observed: ObservedSpectra | None = None
    rows: list[GalaxyRow] = field(default_factory=list)

    def take(self, chunk: SeenGalaxies) -> None:
        """Keep those of some galaxies that are to be shown."""
        place = np.full(len(chunk), -1)
        shown = np.arange(len(chunk))
        if self.observed is not None:
            place = rows_of_ids(chunk.prepared.ids, self.observed.ids)
            shown = np.flatnonzero(place >= 0)
        shown = shown[: MOST - len(self.rows)]
        if len(shown):
            self.rows.extend(self._rows(chunk.select(shown), place[shown]))

    def _rows(self, chunk: SeenGalaxies, place: np.ndarray) -> list[GalaxyRow]:
        """Rows of the figures, with the observed spectrum of each place."""
        model, prepared = self.predictor.model, chunk.prepared
        drawn_one = partial(drawn_of, model, jax.random.key(self.predictor.seed), DRAWS)
        galaxies = prepared.images, chunk.redshift, chunk.sigma, prepared.rows.astype(np.int32)
        drawn = map_galaxies(eqx.Partial(drawn_one), *galaxies, batch=BATCH)
        in_domain = map_galaxies(model.in_domain, prepared.images, batch=BATCH)
        found = []
        for row in range(len(chunk)):
            draws = jax.tree.map(lambda values, row=row: values[row], drawn)
            text = f"{prepared.ids[row]}: z = {_interval(draws.redshift)}"
            observed = None
            if self.observed is not None:
                observed = self.observed.flux[place[row]]
                text += f", observed {self.observed.redshift[place[row]]:.3f}"
            text += "" if in_domain[row] else ", outside the training domain"
            image = picture_of(model, prepared.images[row])
            found.append(GalaxyRow(image, levels_of(model.basis, draws), observed, text))
        return found

    def write(self, folder: Path) -> None:
        """Write the pages into a folder, which is replaced if it holds such pages."""
        with replace_on_success(folder, folder_with=FIRST_PAGE) as partial_folder:
            partial_folder.mkdir()
            for page, first in enumerate(range(0, len(self.rows), SHOWN)):
                figure = rows_figure(self.rows[first : first + SHOWN])
                figure.savefig(partial_folder / f"page-{page + 1:02}.png", dpi=150)


def _interval(redshift: Float[np.ndarray, " draw"]) -> str:
    """The median, and the central 68 % unless it is known."""
    low, middle, high = np.quantile(redshift, [0.16, 0.5, 0.84])
    return f"{middle:.3f}" + (f" ({low:.3f} to {high:.3f})" if high - low > 1e-4 else "")


def observed_spectra(
    files: SpectrumFiles, model: Any, among: np.ndarray, say: Callable[[str], None]
) -> ObservedSpectra:
    """The first spectra that are of some galaxies, measured for figures."""
    rejects, parts, shared = Rejects(), list[tuple[Spectra, MeasuredSpectra]](), SharedIds(among)
    for spectra in files.chunks(rejects):
        ours = spectra.select(shared(spectra.ids))
        if len(ours):
            parts.append((ours, measured_chunk(ours, model.basis, rejects)))
        if sum(len(measured) for _, measured in parts) >= MOST:
            break
    found = [_shown(spectra, measured) for spectra, measured in parts if len(measured)]
    if not found:
        shared.check(files.name)
        raise no_spectrum(files.name, rejects)
    if len(rejects):
        say(f"of the observed spectra {rejects.summary()}")
    return concatenate_rows(found)


def _shown(spectra: Spectra, measured: MeasuredSpectra) -> ObservedSpectra:
    """Spectra averaged over the wavelengths of figures, by their inverse variances."""
    own = spectra.select(rows_of_ids(measured.ids, spectra.ids))
    flux = [
        _averaged(wave / (1.0 + z), values, ivar) / 10.0**level
        for wave, values, ivar, z, level in zip(
            own.wave_aa, own.flux_lambda, own.ivar, own.redshift, measured.log_flux, strict=True
        )
    ]
    return ObservedSpectra(own.ids, own.redshift, np.stack(flux).astype(np.float32))


def _averaged(rest_aa: np.ndarray, flux: np.ndarray, ivar: np.ndarray) -> Float[np.ndarray, " wave"]:
    """Means at the wavelengths of figures; between pixels that are wider by straight lines; NaN in gaps."""
    step, good = WAVES_AA[1] - WAVES_AA[0], ivar > 0
    width = np.median(np.diff(rest_aa))
    wave, light, weight = rest_aa[good], flux[good].astype(np.float64), ivar[good].astype(np.float64)
    place = np.round((wave - WAVES_AA[0]) / step).astype(int)
    used = (place >= 0) & (place < len(WAVES_AA))
    sums = [np.bincount(place[used], one[used], len(WAVES_AA)) for one in (weight, weight * light)]
    right = np.clip(np.searchsorted(wave, WAVES_AA), 1, len(wave) - 1)
    near = (wave[right] - wave[right - 1] < 1.5 * width) & (wave[0] <= WAVES_AA) & (wave[-1] >= WAVES_AA)
    between = np.where(near, np.interp(WAVES_AA, wave, light), np.nan)
    return np.where(sums[0] > 0, sums[1] / np.maximum(sums[0], 1e-30), between)
