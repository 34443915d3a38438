"""A map kept as a table in the cache, used again as long as its galaxies are the same."""

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from nebulium.data.ids import rows_of_ids
from nebulium.data.output import file_stem
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import write_table
from nebulium.errors import TableError
from nebulium.explore.maps.embedding import MOST_FITTED, Embedding, Progress, fit_embedding, place_others
from nebulium.explore.maps.features import Kind, MapFeatures
from nebulium.explore.maps.latent import map_features
from nebulium.explore.maps.map_error import left_out_error
from nebulium.explore.maps.placement import Placement
from nebulium.explore.sample.galaxies import Galaxies
from nebulium.modelfile import describe_model

#: The ids have no name of the glossary, so that nothing is done to them.
GALAXY, X, Y, FITTED, HASH = "galaxy", "map_x", "map_y", "fitted", "source_hash"
#: A map is kept if at least this share of what it would be fitted to now is what it was fitted to.
SHARE_KEPT = 0.5


@dataclass(frozen=True, eq=False)
class GalaxyMap:
    """A map, its features, and notes on its origin.

    Attributes
    ----------
    embedding : Embedding
    features : MapFeatures
        Of the same galaxies.
    notes : tuple of str
        Whether it was taken up or drawn anew, and why.
    """

    embedding: Embedding
    features: MapFeatures
    notes: tuple[str, ...]

    @cached_property
    def placement(self) -> Placement:
        """Puts other galaxies into the map."""
        return self.embedding.placement(self.features)


def map_path(folder: Path, kind: Kind, model: str | Path | None = None) -> Path:
    """Where a map is kept."""
    name = f"{kind}-{file_stem(describe_model(model).name)}" if kind == "latent" and model else kind
    return folder / f"map-{name}.parquet"


def open_embedding(
    galaxies: Galaxies,
    folder: Path,
    kind: Kind,
    *,
    model: str | Path | None = None,
    seed: int = 0,
    refit: bool = False,
    progress: Progress | None = None,
) -> GalaxyMap:
    """The map of galaxies: as it is kept, with new galaxies placed in it, or drawn anew."""
    features = map_features(galaxies, kind, folder=folder, model=model, progress=progress)
    path = map_path(folder, kind, model)
    saved, notes = (None, ()) if refit else _saved(path, seed)
    if saved is not None:
        taken_up, notes = _taken_up(saved, galaxies, features, progress)
        if taken_up is not None:
            if notes:
                write_embedding(path, taken_up, features)
            return GalaxyMap(taken_up, features, notes)
    embedding = fit_embedding(galaxies.ids, features, seed=seed, progress=progress)
    errors = asdict(left_out_error(embedding, features, seed=seed))
    # JSON has no NaN.
    known = {name: value if np.isfinite(value) else None for name, value in errors.items()}
    embedding = replace(embedding, about={**embedding.about, "left_out": known})
    write_embedding(path, embedding, features)
    return GalaxyMap(embedding, features, notes)


def write_embedding(path: Path, embedding: Embedding, features: MapFeatures) -> None:
    """Keep a map: a row a galaxy, and what the map is in the metadata."""
    columns = {
        GALAXY: embedding.ids,
        X: np.ascontiguousarray(embedding.xy[:, 0]),
        Y: np.ascontiguousarray(embedding.xy[:, 1]),
        FITTED: embedding.fitted,
        HASH: features.hashes(),
    }
    write_table(Table(columns, name=str(path)), path, metadata=dict(embedding.about))


def _saved(path: Path, seed: int) -> tuple[Table | None, tuple[str, ...]]:
    """The file of a map of this seed, or the reason why there is none."""
    if not path.is_file():
        return None, ()
    try:
        table = read_table(path)
        for column in (GALAXY, X, Y, FITTED, HASH):
            table[column]
    except TableError as error:
        return None, (f"The map was drawn anew: {error}",)
    if table.metadata.get("seed") != seed:
        return None, (f"The map was drawn anew: that in {path} is of another seed.",)
    return table, ()


def _taken_up(
    saved: Table, galaxies: Galaxies, features: MapFeatures, progress: Progress | None
) -> tuple[Embedding | None, tuple[str, ...]]:
    """The map with the galaxies of today; None if too few of those that it was fitted to are as they were."""
    rows = rows_of_ids(galaxies.ids, saved[GALAXY])
    same = (rows >= 0) & (saved[HASH][rows] == features.hashes())
    fitted = same & saved[FITTED][rows].astype(bool)
    if fitted.sum() < SHARE_KEPT * min(int(features.usable.sum()), MOST_FITTED) or not fitted.any():
        return None, ("The map was drawn anew: most of its galaxies are new or have changed.",)
    xy = np.stack([saved[X], saved[Y]], axis=1).astype(np.float32)[rows]
    xy[~same] = np.nan
    embedding = Embedding(galaxies.ids, xy, fitted, saved.metadata)
    if same.all() and len(saved) == len(galaxies):
        return embedding, ()
    new = features.usable & ~same
    note = f"{int(new.sum()):,} galaxies were placed in the map of the others; --refit draws it anew."
    return place_others(embedding, features, progress), (note,)
