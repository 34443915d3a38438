"""A population given by the user: the galaxies of a table."""

from collections.abc import Mapping
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from nebulium.data.column_checks import ColumnPlace, numbers
from nebulium.data.tables.table import Table
from nebulium.errors import TableError
from nebulium.mock.populations.metallicity import draw_lgmet, draw_oh12
from nebulium.mock.populations.properties import GalaxyProperties
from nebulium.mock.populations.relations import main_sequence_speagle14
from nebulium.sed.cosmology import age_gyr


@dataclass(frozen=True)
class _Range:
    """The values that a column may have."""

    least: float
    most: float
    meaning: str

    def __str__(self) -> str:
        return f"{self.meaning}, from {self.least:g} to {self.most:g}"


REQUIRED: Mapping[str, _Range] = {
    "redshift": _Range(1e-4, 10.0, "a redshift that the templates reach"),
    "log_mstar": _Range(4.0, 13.0, "log10 of the surviving stellar mass in Msun"),
    "age_gyr": _Range(1e-3, 14.5, "the time since the onset of star formation in Gyr"),
    "tau_gyr": _Range(1e-3, 1e4, "the time of decline of star formation in Gyr"),
    "av_mag": _Range(0.0, 20.0, "the attenuation in V in mag"),
}
OPTIONAL: Mapping[str, _Range] = {
    "oh12": _Range(6.0, 10.0, "12 + log10(O/H)"),
    "lgmet": _Range(-4.0, -1.3, "log10 of the metal mass fraction of the stars"),
}


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
    inside = (values >= allowed.least) & (values <= allowed.most)
    place.refuse(values, ~inside, str(allowed), "correct the row, or leave it out")
    return jnp.asarray(values, jnp.float32)
