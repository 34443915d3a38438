"""Images of a mock survey or a catalogue, with its photometry and redshifts, ready to train on."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int64

from nebulium.data.ids import rows_of_ids
from nebulium.data.images.labelled import LabelledImages, prepare_parts
from nebulium.data.images.opening import ImagePaths, open_images
from nebulium.data.images.source import ImageSource, with_factors
from nebulium.data.images.stretches import DISPLAY_UNIT
from nebulium.data.rejects import Rejects
from nebulium.data.splits import Split
from nebulium.data.tables.table import concatenate_rows
from nebulium.errors import ImageError, TableError
from nebulium.photometry.dereddening import check_extinction, corrected
from nebulium.photometry.galaxies import PhotometricGalaxies
from nebulium.photoz.images.rows import colour_targets, redshift_labels, with_redshift
from nebulium.photoz.reading import Reading, check_dereddened_alike

Rows = Int64[np.ndarray, " n"]

#: Fewest training images, and labels among them, that a network can learn from.
LEAST_IMAGES, LEAST_LABELS, LEAST_VALIDATION = 64, 32, 8


@dataclass(frozen=True, eq=False)
class ImageGalaxies:
    """Images that have a row in the catalogue.

    Attributes
    ----------
    source : ImageSource
        Fluxes, corrected for Galactic extinction as the catalogue is.
    rows : (n,) int64
        Of the source.
    galaxies : PhotometricGalaxies
        Of the same n galaxies, in the bands of the images where it has them.
    """

    source: ImageSource
    rows: Rows
    galaxies: PhotometricGalaxies


def match_images(
    path: ImagePaths, galaxies: PhotometricGalaxies, extinction: dict[str, float], counted: Counter[str]
) -> ImageGalaxies:
    """Bring images and the rows of a catalogue together by their ids."""
    source = open_images(path)
    check_fluxes(source)
    check_extinction(extinction, (*galaxies.bands, *source.bands))
    place = rows_of_ids(source.ids, galaxies.ids)
    rows = np.flatnonzero(place >= 0)
    if not len(rows):
        problem = f"no id of {len(source):,} images is among {len(galaxies):,} of the catalogue"
        raise TableError(str(path), problem, "name the column of ids: --id COLUMN")
    matched = galaxies.select(place[rows])
    without_image = np.isfinite(galaxies.redshift).sum() - np.isfinite(matched.redshift).sum()
    for reason, number in (
        ("images without a row in the catalogue", len(source) - len(rows)),
        ("labels of galaxies without an image", int(without_image)),
    ):
        if number:
            counted[reason] += number
    return ImageGalaxies(dereddened_images(source, rows, matched, extinction), rows, matched)


def check_fluxes(source: ImageSource) -> None:
    """Refuse images that hold no fluxes."""
    if source.unit == DISPLAY_UNIT:
        problem = "has colours from 0 to 255, and redshifts are learned from fluxes"
        raise ImageError(str(source.path), problem, "give cutouts in FITS, NumPy, HDF5 or Parquet")


def dereddened_images(
    source: ImageSource, rows: Rows, galaxies: PhotometricGalaxies, extinction: dict[str, float]
) -> ImageSource:
    """Images times 10^(0.4 R E(B-V)), as the fluxes of the catalogue are."""
    if not extinction or galaxies.ebv is None:
        return source
    lacking = [band for band in source.bands if band not in extinction]
    if lacking:
        problem = f"has no extinction for the band {', '.join(lacking)} of the images"
        raise TableError(galaxies.name, problem, "give it: --extinction BAND=NUMBER")
    factors = np.ones((len(source), len(source.bands)))
    per_ebv = np.array([extinction[band] for band in source.bands])
    factors[rows] = 10.0 ** (0.4 * galaxies.ebv[:, None].astype(np.float64) * per_ebv[None, :])
    return with_factors(source, factors)


def corrected_images(
    source: ImageSource, reading: Reading, learned: bool | None
) -> tuple[ImageSource, Bool[np.ndarray, " n"]]:
    """Images corrected for Galactic extinction as those that a model learned from, and which can be."""
    good = np.ones(len(source), bool)
    if learned is None and reading.layout.ebv is None:
        return source, good
    catalogue, extinction = reading.catalogue()
    check_extinction(extinction, (*catalogue.layout.names, *source.bands))
    chunks = list(catalogue.chunks(rejects=reading.rejects, counted=reading.counted))
    if not chunks:
        return source, ~good
    galaxies = concatenate_rows(chunks)
    check_dereddened_alike(corrected(galaxies, extinction), learned)
    if not extinction:
        return source, good
    place = rows_of_ids(source.ids, galaxies.ids)
    good = place >= 0
    if not np.all(good):
        reading.counted["images of galaxies without an E(B-V) in the catalogue"] += int(np.sum(~good))
    of_images = galaxies.select(place[good])
    return dereddened_images(source, np.flatnonzero(good), of_images, extinction), good


def prepare_training(
    matched: ImageGalaxies,
    split: Split,
    labelled: Mapping[str, Int64[np.ndarray, " k"]],
    folder: Path,
    rejects: Rejects,
    *,
    size: int | None = None,
) -> tuple[LabelledImages, LabelledImages]:
    """Write the images to train on, with or without redshifts, and those of validation galaxies with one."""
    galaxies = matched.galaxies
    part = split.parts(galaxies.ids)
    redshift = np.full(len(galaxies), np.nan, np.float32)
    for rows in (labelled["train"], labelled["validation"]):
        redshift[rows] = galaxies.redshift[rows]
    colour = colour_targets(galaxies.flux_njy, galaxies.flux_err_njy)
    parts = prepare_parts(
        matched.source,
        matched.rows,
        np.where((part == "train") | np.isfinite(redshift), part, ""),
        redshift_labels(colour, redshift, galaxies.redshift_err),
        folder,
        size=size,
        rejects=rejects,
    )
    _check_enough(parts["train"], parts["validation"], where=galaxies.name)
    return parts["train"], parts["validation"]


def _check_enough(training: LabelledImages, validation: LabelledImages, *, where: str) -> None:
    found = len(training), len(with_redshift(training)), len(validation)
    if np.any(np.less(found, (LEAST_IMAGES, LEAST_LABELS, LEAST_VALIDATION))):
        problem = (
            f"has {found[0]:,} images to train on, {found[1]:,} of them with a redshift, and {found[2]:,} to "
            f"validate; at least {LEAST_IMAGES}, {LEAST_LABELS} and {LEAST_VALIDATION} are needed"
        )
        raise TableError(where, problem, "give more galaxies with redshifts, or use more of their labels")
