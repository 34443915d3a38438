"""What a model predicts of the galaxies, as columns beside theirs; computed once and kept."""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from nebulium.data.embeddings.columns import EmbeddingTable
from nebulium.data.ids import rows_of_ids
from nebulium.data.output import file_stem
from nebulium.data.tables.reading import ROW
from nebulium.data.tables.table import Table
from nebulium.errors import TableError
from nebulium.explore.maps.embedding import Progress
from nebulium.explore.sample.cache import cached_table, digest
from nebulium.explore.sample.densities import DensityFile
from nebulium.explore.sample.galaxies import Galaxies
from nebulium.explore.sample.line_draws import DRAW_SEED, drawn_lines
from nebulium.lines.continuum.line_list import LINES
from nebulium.lines.input import FLUX_COLUMNS
from nebulium.lines.predict import LinePredictor, line_predictor
from nebulium.photoz.predict import RedshiftPredictor
from nebulium.properties.predict import PropertyPredictor
from nebulium.verbs import Opened, Prediction, Predictor, find_predictor
from nebulium.verbs.predict import none_predicted

PREDICTED = "predicted_"
#: Endings of predicted columns that are not looked at.
UNUSED = ("_q025", "_q975", "n_missing_bins")
#: Columns that line models use, where they are there, besides the continuum.
OF_LINES = ("redshift", "ebv", *(f"{kind}_{line}" for kind in ("ew", "ew_ivar") for line in LINES))
EW_UNITS = dict.fromkeys((f"drawn_ew_{line}" for line in LINES), "Angstrom")


def with_predictions(
    galaxies: Galaxies, model: str | Path | None, folder: Path, *, progress: Progress | None = None
) -> Galaxies:
    """The galaxies with what a model predicts of them."""
    if model is None and galaxies.continuum is None:
        return galaxies
    # By default it is each galaxy that decides which of the two packaged models predicts it.
    predictor = line_predictor() if model is None else find_predictor(model)
    about = {
        "models": {named.name: named.fingerprint for named in predictor.models},
        "seed": DRAW_SEED,
        "galaxies": digest(galaxies.ids, *_seen(galaxies, predictor)),
    }
    path = folder / f"predictions-{file_stem(predictor.models[0].name if model else 'lines')}.parquet"
    densities = _density_file(predictor, folder)
    if densities is not None and not densities.fits(len(galaxies)):
        path.unlink(missing_ok=True)
    table = cached_table(path, about, lambda: _predicted(galaxies, predictor, densities, progress))
    units = {name: unit for name, unit in table.units.items() if unit}
    return galaxies.with_values(table.columns, units, table.metadata["notes"])


def redshift_densities(galaxies: Galaxies, model: str | Path | None, folder: Path) -> DensityFile | None:
    """The densities p(z) that `with_predictions` has written, one of which is read at a time."""
    found = None if model is None else _density_file(find_predictor(model), folder)
    return found if found is not None and found.fits(len(galaxies)) else None


def open_galaxies(galaxies: Galaxies, predictor: Predictor[Any]) -> Opened[Any]:
    """The galaxies, or the file that they are from, opened for a predictor."""
    if isinstance(predictor, LinePredictor):
        table = _continua(galaxies)
        opened: Opened[Any] = Opened(galaxies.name, iter(()))
        rows = predictor.usable_rows(table, opened.rejects)
        return Opened(galaxies.name, iter([rows] if len(rows) else []), rejects=opened.rejects)
    of_fluxes = isinstance(predictor, RedshiftPredictor)
    of_embeddings = isinstance(predictor, PropertyPredictor) and predictor.model.form is None
    if galaxies.path is None or not (of_fluxes or of_embeddings or galaxies.images is not None):
        what = "neither images nor fluxes" if of_fluxes else "no embeddings" if of_embeddings else "no images"
        problem = f"has {what} in a file, which the model {predictor.models[0].name} sees"
        raise TableError(galaxies.name, problem, "give a mock survey or a table, or another model")
    options: dict[str, Any] = {}
    if of_embeddings:
        options["embeddings"] = EmbeddingTable(galaxies.path, id_column=galaxies.id_column or ROW)
    if of_fluxes and galaxies.id_column is not None:
        options["columns"] = {"id_column": galaxies.id_column}
    return predictor.open(None if of_embeddings else galaxies.path, **options)


def predicted_rows(
    galaxies: Galaxies, predictor: Predictor[Any], opened: Opened[Any], doing: str, progress: Progress | None
) -> Iterator[tuple[Any, Prediction, np.ndarray]]:
    """Each chunk with its prediction, and its rows among the galaxies; -1 for others."""
    done = 0
    for chunk in opened.chunks:
        if progress is not None:
            progress(doing, min(1.0, done / len(galaxies)))
        prediction = predictor(chunk)
        by_place = isinstance(predictor, LinePredictor)
        yield chunk, prediction, prediction.ids if by_place else rows_of_ids(prediction.ids, galaxies.ids)
        done += len(prediction)
    # Among galaxies with other columns to look at, continua that cannot be used are no fault.
    if not done and not isinstance(predictor, LinePredictor):
        raise none_predicted(opened)


def _predicted(
    galaxies: Galaxies, predictor: Predictor[Any], densities: DensityFile | None, progress: Progress | None
) -> Table:
    """Columns of all galaxies, NaN where there is no prediction."""
    opened = open_galaxies(galaxies, predictor)
    columns: dict[str, np.ndarray] = {}
    units: dict[str, str] = {}
    with nullcontext() if densities is None else densities.writing(len(galaxies)) as mass:
        doing = f"predicting {predictor.predicts}"
        for chunk, prediction, rows in predicted_rows(galaxies, predictor, opened, doing, progress):
            known = rows >= 0
            found: dict[str, np.ndarray] = {}
            for name, values in prediction.columns.items():
                if values.dtype.kind in "bf" and not name.endswith(UNUSED):
                    found[_name(name, predictor)] = values
                    units[_name(name, predictor)] = prediction.units.get(name, "")
            if isinstance(predictor, LinePredictor):
                found |= drawn_lines(galaxies, predictor, chunk, progress)
                units |= EW_UNITS
            for name, values in found.items():
                column = columns.setdefault(name, np.full(len(galaxies), np.nan, np.float32))
                column[rows[known]] = values[known]
            if mass is not None:
                mass[rows[known]] = prediction.detail.mass[known]
    columns["in_domain"] = np.nan_to_num(columns.get("in_domain", np.zeros(len(galaxies), np.float32)))
    rejects = opened.rejects
    notes = [*opened.notes]
    notes += [f"{predictor.predicts.capitalize()}: {rejects.summary()}."] if len(rejects) else []
    return Table(columns, units, galaxies.name, {"notes": notes})


def _name(name: str, predictor: Predictor[Any]) -> str:
    """What a predicted column is called beside those of the galaxies; a median goes by the quantity alone."""
    if isinstance(predictor, RedshiftPredictor) or name == "in_domain":
        return name
    return PREDICTED + name.removesuffix("_q50")


def _seen(galaxies: Galaxies, predictor: Predictor[Any]) -> list[np.ndarray]:
    """The columns that decide the predictions, as far as these are in memory."""
    if isinstance(predictor, LinePredictor):
        return list(_continua(galaxies).columns.values())
    return list(galaxies.values.values())


def _continua(galaxies: Galaxies) -> Table:
    """The columns that line models see, with the numbers of the rows for ids."""
    names = [name for name in (*FLUX_COLUMNS, *OF_LINES) if name in galaxies.values]
    columns = {"target_id": np.arange(len(galaxies)), **{name: galaxies.values[name] for name in names}}
    units = {name: unit for name, unit in galaxies.units.items() if name in names}
    return Table(columns, units, galaxies.name)


def _density_file(predictor: Predictor[Any], folder: Path) -> DensityFile | None:
    """Where the densities of a model of redshifts are kept."""
    if not isinstance(predictor, RedshiftPredictor):
        return None
    return DensityFile(folder / f"densities-{file_stem(predictor.models[0].name)}.npy", predictor.model.grid)
