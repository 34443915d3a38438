"""What a model says of the galaxies, as columns beside theirs; computed once and kept."""

from pathlib import Path

import numpy as np

from nebulium.data.id_join import rows_of_ids
from nebulium.data.images.matching import match_to_model
from nebulium.data.images.opening import open_images
from nebulium.data.output import file_stem
from nebulium.data.rejects import Rejects
from nebulium.data.tables.table import Table
from nebulium.errors import ModelFileError, TableError
from nebulium.explore.maps.embedding import Progress
from nebulium.explore.sample.cache import cached_table, digest, weights_of
from nebulium.explore.sample.galaxies import Galaxies
from nebulium.explore.sample.line_predictions import DRAW_SEED, line_predictions, seen_by_line_models
from nebulium.explore.sample.redshift_predictions import DensityFile, density_file, redshift_predictions
from nebulium.lines.model_choice import COLOURS_ONLY, WITH_LUMINOSITY
from nebulium.modelfile import CLASSES, ModelFolder, describe_model, load_model
from nebulium.properties.model import PropertyModel
from nebulium.properties.predict import PARTS, predict_images

PREDICTED = "predicted_"


def with_predictions(
    galaxies: Galaxies, model: str | Path | None, folder: Path, *, progress: Progress | None = None
) -> Galaxies:
    """The galaxies with what a model says of them."""
    if model is None and galaxies.continuum is None:
        return galaxies
    # By default it is each galaxy that decides which of the two packaged models predicts it.
    found = [describe_model(one) for one in ((WITH_LUMINOSITY, COLOURS_ONLY) if model is None else (model,))]
    subject = _subject(found[0])
    seen = seen_by_line_models(galaxies) if subject == "lines" else list(galaxies.values.values())
    about = {
        "models": {one.name: weights_of(one) for one in found},
        "seed": DRAW_SEED,
        "galaxies": digest(galaxies.ids, *seen),
    }
    path = folder / f"predictions-{file_stem(found[0].name if model else subject)}.parquet"
    if subject == "photoz" and not density_file(found[0], folder).fits(len(galaxies)):
        path.unlink(missing_ok=True)
    table = cached_table(
        path, about, lambda: _predicted(galaxies, model, subject, found[0], folder, progress)
    )
    units = {name: unit for name, unit in table.units.items() if unit}
    return galaxies.with_values(table.columns, units, table.metadata["notes"])


def redshift_densities(galaxies: Galaxies, model: str | Path | None, folder: Path) -> DensityFile | None:
    """The densities p(z) that `with_predictions` has written, one of which is read at a time."""
    if model is None or _subject(describe_model(model)) != "photoz":
        return None
    found = density_file(describe_model(model), folder)
    return found if found.fits(len(galaxies)) else None


def _subject(found: ModelFolder) -> str:
    """The room that the class of a model lives in."""
    room = CLASSES.get(found.class_name, "..").split(".")[1]
    if room in ("lines", "photoz", "properties"):
        return room
    problem = f"is of class {found.config['class']}, which says nothing of galaxies in a table"
    raise ModelFileError(f"model {found.name}", problem, "give a model of lines, redshifts or properties")


def _predicted(
    galaxies: Galaxies,
    model: str | Path | None,
    subject: str,
    found: ModelFolder,
    folder: Path,
    progress: Progress | None,
) -> Table:
    if progress is not None:
        progress(f"predicting {'redshifts' if subject == 'photoz' else subject}", 0.0)
    if subject == "lines":
        return line_predictions(galaxies, model, progress)
    if subject == "photoz":
        return redshift_predictions(galaxies, found, density_file(found, folder), progress)
    return _properties(galaxies, found, progress)


def _properties(galaxies: Galaxies, found: ModelFolder, progress: Progress | None) -> Table:
    """Properties of those galaxies that have an image."""
    if galaxies.path is None or galaxies.images is None:
        problem = f"has no images, which the model {found.name} sees"
        raise TableError(galaxies.name, problem, "give the folder of a mock survey, or another model")
    model = load_model(found.path, of=PropertyModel)
    matched, rejects = match_to_model(open_images(galaxies.path), model), Rejects()
    names = {target + part: PREDICTED + target + part for target in model.targets for part in PARTS}
    names["in_domain"] = "in_domain"
    columns = {name: np.full(len(galaxies), np.nan, np.float32) for name in names.values()}
    columns["in_domain"][:] = 0.0
    done = 0
    for part in predict_images(matched.source, model, rejects=rejects):
        place = rows_of_ids(part["target_id"], galaxies.ids)
        known = place >= 0
        for name, ours in names.items():
            columns[ours][place[known]] = part[name][known]
        done += len(part)
        if progress is not None:
            progress("predicting properties", min(1.0, done / len(galaxies)))
    units = {
        PREDICTED + target + part: unit for target, unit in found.config["units"].items() for part in PARTS
    }
    notes = [*matched.notes, *([f"Properties: {rejects.summary()}."] if len(rejects) else [])]
    return Table(columns, units, galaxies.name, {"notes": notes})
