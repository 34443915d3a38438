"""Blocks of 64 galaxies, the unit of work of a survey.

All of galaxy i of a survey follows from its seed and i. A block is always computed whole and in one order, so
that the same arithmetic is done on the same galaxy whatever the number of galaxies, processes or shards:
the results are the same bit by bit.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, UInt32

from nebulium.data.glossary import units_of
from nebulium.data.images.mmu import Images
from nebulium.data.spectra.spectrum_set import Spectra
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table
from nebulium.errors import ImageError, SurveyError
from nebulium.mock.galaxies import BandPhotometry, GalaxyMaker, MockGalaxy, load_population, make_galaxy_maker
from nebulium.mock.images.noise import add_noise, sky_sigma
from nebulium.mock.images.noiseless import Neighbour, noiseless_image
from nebulium.mock.populations.own_table import table_population
from nebulium.mock.populations.properties import GalaxyProperties
from nebulium.mock.spectra.observing import observe_spectra
from nebulium.mock.spectra.spectrographs import find_spectrograph
from nebulium.mock.survey.columns import MOST_NEIGHBOURS, galaxy_columns
from nebulium.mock.survey.run_file import OWN_TABLE, WORK, RunSettings, read_run
from nebulium.mock.survey.shards import BLOCK, Block
from nebulium.mock.survey.survey_list import find_survey

#: Candidates for one block after which the population is taken to hold nothing that the limit lets pass.
MOST_CANDIDATES = 2000 * BLOCK
# Streams of random numbers besides jax's: of the neighbours, and of the noise of the image.
_NEIGHBOURS, _NOISE = 1, 2
# Number, for the key of the noise of further bands, that no candidate of a galaxy reaches.
_FURTHER = 2**32 - 1


@dataclass(frozen=True)
class Placed:
    """The neighbours of one galaxy: their places in the block, and in the stamp.

    Parameters
    ----------
    rows : ndarray of shape (neighbour,)
        Places in the block.
    x_arcsec, y_arcsec : ndarray of shape (neighbour,)
        Right of and above the centre of the stamp.
    """

    rows: np.ndarray
    x_arcsec: np.ndarray
    y_arcsec: np.ndarray


class BlockMaker:
    """Makes the galaxies and images of a survey, a block at a time.

    Parameters
    ----------
    settings : RunSettings
        Of the whole survey.
    table : Table, optional
        The user's galaxies: galaxy i is row i, and none is left out.
    """

    def __init__(self, settings: RunSettings, table: Table | None = None):
        self.settings, self.survey = settings, find_survey(settings.survey)
        self._key_seed = jnp.uint32(settings.seed)
        self.instrument = self.survey.instrument()
        self._maker = make_galaxy_maker(self.survey)
        self._own = None if table is None else table_population(table, seed=settings.seed)
        self._population = load_population(self.survey) if table is None else None

    def __call__(self, block: int) -> Block:
        """One block."""
        galaxies = jax.tree.map(np.asarray, self.galaxies(block))
        ids = BLOCK * block + np.arange(BLOCK)
        wanted = int(np.sum(ids < self.settings.n))
        placed = [self._place_neighbours(int(index)) for index in ids[:wanted]]
        further = jax.tree.map(np.asarray, self._further(galaxies, ids))
        columns = {"target_id": ids}
        columns |= galaxy_columns(galaxies, further, self.instrument.catalogue_bands)
        columns = {name: values[:wanted] for name, values in columns.items()}
        columns |= _neighbour_columns(placed, first=int(ids[0]))
        stamps = [self._stamp(galaxies, row, placed[row], int(ids[row])) for row in range(wanted)]
        images = self._images(ids[:wanted], np.stack(stamps), columns)
        return Block(images, self._spectra(galaxies, ids, wanted))

    def galaxies(self, block: int) -> MockGalaxy:
        """The galaxies of one block, without images."""
        indices = BLOCK * block + np.arange(BLOCK)
        if self._own is not None:
            places = jnp.asarray(np.minimum(indices, len(self._own) - 1), jnp.int32)
            rows = jax.vmap(self._own.row)(places)
            return _made_of_rows(self._maker, rows, self._key_seed, jnp.asarray(indices, jnp.uint32))
        return self._made(indices, self._attempts(block))

    def _made(self, indices: np.ndarray, attempts: np.ndarray) -> MockGalaxy:
        """Candidates by galaxy and number, 64 at a time so that there is one shape to compile."""
        numbers = (jnp.asarray(indices, jnp.uint32), jnp.asarray(attempts, jnp.uint32))
        return _made_of_keys(self._maker, self._population, self._key_seed, *numbers)

    def _attempts(self, block: int) -> np.ndarray:
        """Number of the first candidate of each galaxy that is bright enough."""
        chosen, tried = np.full(BLOCK, -1), np.zeros(BLOCK, int)
        while np.any(chosen < 0):
            pending = np.flatnonzero(chosen < 0)
            if tried[pending].sum() > MOST_CANDIDATES:
                problem = f"let none of {MOST_CANDIDATES:,} galaxies of the population pass"
                raise SurveyError(
                    f"survey {self.survey.name}, {self.survey.limit}", problem, "set it fainter"
                )
            # As many candidates of each pending galaxy as fit: 64 in all, the last ones spare.
            each = BLOCK // pending.size
            rows = np.repeat(pending, each)
            numbers = (tried[pending][:, None] + np.arange(each)).ravel()
            spare = BLOCK - rows.size
            candidates = self._made(BLOCK * block + np.pad(rows, (0, spare)), np.pad(numbers, (0, spare)))
            passed = np.asarray(candidates.selected)[: rows.size].reshape(pending.size, each)
            found = passed.any(axis=1)
            chosen[pending[found]] = tried[pending[found]] + passed[found].argmax(axis=1)
            tried[pending] += each
        return chosen

    def _further(self, galaxies: MockGalaxy, ids: np.ndarray) -> BandPhotometry | None:
        """The bands that the images lack."""
        return _measured_further(self._maker, galaxies, self._key_seed, jnp.asarray(ids, jnp.uint32))

    def _spectra(self, galaxies: MockGalaxy, ids: np.ndarray, wanted: int) -> Spectra | None:
        """Made of all of the block, lest a short one be compiled anew."""
        if self.settings.spectra is None:
            return None
        spectrograph = find_spectrograph(self.settings.spectra)
        spectra = observe_spectra(self._maker, galaxies, ids, spectrograph, seed=self.settings.seed)
        return spectra.select(np.arange(wanted))

    def _place_neighbours(self, index: int) -> Placed:
        """Others of the block, in places independent of the galaxy."""
        rng = np.random.default_rng([self.settings.seed, index, _NEIGHBOURS])
        others = np.delete(np.arange(min(BLOCK, self._last(index) + 1)), index % BLOCK)
        count = min(int(rng.poisson(self.settings.neighbours)), MOST_NEIGHBOURS, others.size)
        half = 0.5 * self.settings.pixels * self.instrument.pixel_scale_arcsec
        places = rng.uniform(-half, half, (2, MOST_NEIGHBOURS))[:, :count]
        return Placed(rng.choice(others, count, replace=False), *places)

    def _last(self, index: int) -> int:
        """Place in the block of the last galaxy that there is: a table of one's own may end before it."""
        return BLOCK - 1 if self._own is None else len(self._own) - 1 - index // BLOCK * BLOCK

    def _stamp(self, galaxies: MockGalaxy, row: int, placed: Placed, index: int) -> np.ndarray:
        """Image of one galaxy with its neighbours and noise."""
        neighbours = [
            Neighbour(*_of(galaxies, int(other)), float(x), float(y))
            for other, x, y in zip(placed.rows, placed.x_arcsec, placed.y_arcsec, strict=True)
        ]
        try:
            image = noiseless_image(*_of(galaxies, row), self.instrument, self.settings.pixels, neighbours)
        except ImageError as error:
            raise ImageError(f"galaxy {index}, {error.where}", error.problem, error.mend) from error
        rng = np.random.default_rng([self.settings.seed, index, _NOISE])
        return add_noise(image, self.instrument, rng).astype(np.float32)

    def _images(self, ids: np.ndarray, flux: np.ndarray, columns: dict[str, np.ndarray]) -> Images:
        instrument, cells = self.instrument, (len(ids), len(self.instrument.bands))
        sky = [sky_sigma(instrument, band) for band in instrument.bands]
        fwhm = [band.psf_fwhm_arcsec for band in instrument.bands]
        points = ", ".join(f"{band.filter} {band.zero_point_ab:g}" for band in instrument.bands)
        covered = np.isfinite(np.stack([columns[f"flux_njy_{band}"] for band in instrument.filters], axis=-1))
        return Images(
            ids=ids,
            bands=instrument.filters,
            flux=flux,
            # The sky's alone, as surveys have it: that of the galaxy's own photons would betray its image.
            ivar=np.broadcast_to(np.array(sky, np.float32) ** -2, flux.shape),
            bad=np.broadcast_to(~covered[:, None, None, :], flux.shape),
            psf_fwhm_arcsec=np.broadcast_to(np.array(fwhm, np.float32), cells),
            pixel_scale_arcsec=np.full(cells, instrument.pixel_scale_arcsec, np.float32),
            table=Table(columns, units_of(columns), self.survey.name),
            metadata={
                "survey": self.survey.name,
                "seed": self.settings.seed,
                "unit": f"1 is the AB magnitude of the zero point: {points}",
            },
        )


def _galaxy_key(seed: Array, index: Array) -> Key[Array, ""]:
    return jax.random.fold_in(jax.random.key(seed), index)


@eqx.filter_jit
def _made_of_keys(
    maker: GalaxyMaker,
    population: Any,
    seed: Array,
    indices: UInt32[Array, " n"],
    attempts: UInt32[Array, " n"],
) -> MockGalaxy:
    def candidate(index: Array, attempt: Array) -> MockGalaxy:
        for_properties, for_rest = jax.random.split(jax.random.fold_in(_galaxy_key(seed, index), attempt))
        return maker(population.draw(for_properties), for_rest)

    return jax.vmap(candidate)(indices, attempts)


@eqx.filter_jit
def _made_of_rows(
    maker: GalaxyMaker, properties: GalaxyProperties, seed: Array, indices: UInt32[Array, " n"]
) -> MockGalaxy:
    return jax.vmap(lambda row, i: maker(row, _galaxy_key(seed, i)))(properties, indices)


@eqx.filter_jit
def _measured_further(
    maker: GalaxyMaker, galaxies: MockGalaxy, seed: Array, indices: UInt32[Array, " n"]
) -> BandPhotometry | None:
    def measured(galaxy: MockGalaxy, index: Array) -> BandPhotometry | None:
        return maker.further_photometry(galaxy, jax.random.fold_in(_galaxy_key(seed, index), _FURTHER))

    return jax.vmap(measured)(galaxies, indices)


def _of(galaxies: MockGalaxy, row: int) -> tuple[Any, Float[np.ndarray, "component band"], float]:
    """Structure, fluxes and redshift of one galaxy; a band that is not covered is empty."""
    structure = jax.tree.map(lambda leaf: leaf[row], galaxies.structure)
    flux_njy = np.nan_to_num(np.asarray(galaxies.light.flux_njy)[row])
    return structure, flux_njy, float(galaxies.properties.redshift[row])


def _neighbour_columns(placed: list[Placed], first: int) -> dict[str, np.ndarray]:
    """Number, ids and places of the neighbours, NaN where there is none."""
    cells = np.full((MOST_NEIGHBOURS, 3, len(placed)), np.nan)
    for row, these in enumerate(placed):
        cells[: len(these.rows), :, row] = np.stack(
            [first + these.rows, these.x_arcsec, these.y_arcsec], axis=1
        )
    names = ("neighbour_id", "neighbour_x_arcsec", "neighbour_y_arcsec")
    columns = {"n_neighbours": np.array([len(these.rows) for these in placed], np.int32)}
    for number, values in enumerate(cells):
        columns |= {f"{name}_{number}": column for name, column in zip(names, values, strict=True)}
    return columns


def block_maker(folder: Path) -> BlockMaker:
    """The maker of the blocks of the run in a folder."""
    settings = read_run(folder).settings
    return BlockMaker(settings, None if settings.table is None else read_table(folder / WORK / OWN_TABLE))
