"""A population given by the user: the galaxies of a table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Shaped

from nebulium.data.column_checks import ColumnPlace, named_rows, numbers
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table
from nebulium.errors import TableError
from nebulium.lines.continuum.bins import SPEED_OF_LIGHT_KM_S
from nebulium.mock.populations.metallicity import draw_lgmet, draw_oh12
from nebulium.mock.populations.properties import GalaxyProperties
from nebulium.mock.populations.relations import main_sequence_speagle14
from nebulium.sed.cosmology import DEFAULT_COSMOLOGY, age_gyr


@dataclass(frozen=True)
class _Range:
    """The values that a column may have."""

    least: float
    most: float
    meaning: str
    otherwise: Mapping[str, Callable[[np.ndarray], np.ndarray]] = field(default_factory=dict)

    def holds(self, values: Shaped[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
        """Which values a column may have; NaN is none of them."""
        return (values >= self.least) & (values <= self.most)

    def mend(self, values: Shaped[np.ndarray, " n"]) -> str:
        """What to do about values, some of which are wrong; all of them may be right in another unit."""
        with np.errstate(invalid="ignore", divide="ignore"):
            for unit, converted in self.otherwise.items():
                if np.all(self.holds(converted(values))):
                    return f"convert the column: its values look like {unit}"
        return "correct the row, or leave it out"

    def __str__(self) -> str:
        return f"{self.meaning}, from {self.least:g} to {self.most:g}"


_NO_LOGARITHM = {"the quantity itself and not its logarithm": np.log10}
_YEARS = {
    "years": lambda values: values / 1e9,
    "Myr": lambda values: values / 1e3,
    "the logarithm of years": lambda values: 10.0 ** np.minimum(values - 9.0, 9.0),
}

REQUIRED: Mapping[str, _Range] = {
    "redshift": _Range(
        1e-4,
        10.0,
        "a redshift that the templates reach",
        {"km/s": lambda values: values / SPEED_OF_LIGHT_KM_S},
    ),
    "log_mstar": _Range(4.0, 13.0, "log10 of the surviving stellar mass in Msun", _NO_LOGARITHM),
    "age_gyr": _Range(1e-3, 14.5, "the time since the onset of star formation in Gyr", _YEARS),
    "tau_gyr": _Range(1e-3, 1e4, "the time of decline of star formation in Gyr", _YEARS),
    "av_mag": _Range(0.0, 20.0, "the attenuation in V in mag"),
}
OPTIONAL: Mapping[str, _Range] = {
    "oh12": _Range(6.0, 10.0, "12 + log10(O/H)"),
    "lgmet": _Range(-4.0, -1.3, "log10 of the metal mass fraction of the stars", _NO_LOGARITHM),
}
#: By how much an age may exceed that of the universe: the rounding of single precision.
ROUNDING = 1e-4


class TablePopulation(eqx.Module):
    """The galaxies of a table; make one with `table_population`.

    Parameters
    ----------
    galaxies : GalaxyProperties
        In arrays (n,).
    """

    galaxies: GalaxyProperties

    def __len__(self) -> int:
        return len(self.galaxies.redshift)

    def row(self, index: int | Int[Array, ""]) -> GalaxyProperties:
        """The galaxy of one row."""
        return jax.tree.map(lambda column: column[index], self.galaxies)


def table_population(table: Table, *, seed: int = 0) -> TablePopulation:
    """The galaxies of a user's table.

    Metallicities that the table does not have are drawn by the relations of
    `nebulium.mock.populations.metallicity`,
    the main sequence being that of Speagle et al. (2014); those of row i follow from the seed and i alone.
    """
    if len(table) == 0:
        raise TableError(table.name, "has no rows", "give a table with one galaxy a row")
    columns = {name: _checked(table, name, allowed) for name, allowed in REQUIRED.items()}
    columns |= {name: _checked(table, name, allowed) for name, allowed in OPTIONAL.items() if name in table}
    _check_ages(table.name, columns["redshift"], columns["age_gyr"])
    if columns.keys() >= OPTIONAL.keys():
        return TablePopulation(GalaxyProperties(**columns))
    unknown = dict.fromkeys(OPTIONAL, jnp.zeros(len(table)))
    stars = GalaxyProperties(**unknown | columns)
    return TablePopulation(GalaxyProperties(**_drawn(stars, len(table), seed) | columns))


def _drawn(stars: GalaxyProperties, n: int, seed: int) -> dict[str, Array]:
    """Both metallicities of every row by relation."""

    def one(galaxy: GalaxyProperties, index: Int[Array, ""]) -> tuple[Float[Array, ""], Float[Array, ""]]:
        key_oh12, key_lgmet = jax.random.split(jax.random.fold_in(jax.random.key(seed), index))
        mass, redshift = galaxy.log_mstar, galaxy.redshift
        ridge = main_sequence_speagle14(mass, age_gyr(redshift))
        oh12 = draw_oh12(mass, galaxy.log_sfr(), ridge, redshift, key_oh12)
        return oh12, draw_lgmet(mass, redshift, key_lgmet)

    oh12, lgmet = jax.jit(jax.vmap(one))(stars, jnp.arange(n))
    return {"oh12": oh12, "lgmet": lgmet}


def _checked(table: Table, name: str, allowed: _Range) -> Float[Array, " n"]:
    """A column as float32, or an error that names the rows at fault."""
    place = ColumnPlace(table.name, name)
    values = numbers(table[name], place, "numbers")
    if values.ndim != 1:
        problem = f"expected one number a row, found shape {values.shape}"
        raise TableError(f"{table.name}, column {name}", problem, "split the column")
    place.refuse(values, ~allowed.holds(values), str(allowed), allowed.mend(values))
    return jnp.asarray(values, jnp.float32)


def _check_ages(file: str, redshift: Float[Array, " n"], age: Float[Array, " n"]) -> None:
    """Refuse galaxies that are older than the universe was when their light left them."""
    limit = np.asarray(jax.vmap(age_gyr)(redshift))
    bad = np.asarray(age) > limit * (1.0 + ROUNDING)
    if np.any(bad):
        first = np.argmax(bad)
        problem = (
            f"expected galaxies younger than the universe, found {age[first]:.4g} Gyr at redshift "
            f"{redshift[first]:.4g}, where it is {limit[first]:.4g} Gyr old (H0 = {DEFAULT_COSMOLOGY.h0:g}, "
            f"Om0 = {DEFAULT_COSMOLOGY.om0:g}), in {named_rows(bad)}"
        )
        mend = "correct the age or the redshift, or leave the row out"
        raise TableError(f"{file}, column age_gyr", problem, mend)


def read_own_table(path: Path) -> Table:
    """The columns of a user's table that a survey is made of; the others may hold anything."""
    names = {name: name for name in (*REQUIRED, *OPTIONAL)}
    # Each column is held to its range here, with the unit in which it may be.
    return read_table(path, columns=names, optional=tuple(OPTIONAL), check_units=False)
