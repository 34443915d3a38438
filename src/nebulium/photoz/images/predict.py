"""Redshifts from images."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from nebulium.data.ids import rows_of_ids
from nebulium.data.images.matching import open_for_model
from nebulium.data.images.source import ImageSource
from nebulium.data.tables.table import concatenate_rows
from nebulium.nn.image_model import model_images
from nebulium.photometry.catalogue import open_photometry
from nebulium.photometry.dereddening import check_extinction, corrected, known_extinction
from nebulium.photoz.images.galaxies import check_fluxes, dereddened_images
from nebulium.photoz.predict import Reading, RedshiftPredictor, predict_arrays
from nebulium.verbs import Prediction

#: Ids and prepared images.
PreparedImages = tuple[np.ndarray, Float[np.ndarray, "n side side band"]]


@dataclass(frozen=True, eq=False)
class ImagePredictor(RedshiftPredictor[PreparedImages]):
    """Redshifts from images, which may stand beside a catalogue."""

    def __call__(self, chunk: PreparedImages) -> Prediction:
        """Predict prepared images."""
        return predict_arrays(self.model, *chunk).prediction()

    def read(self, reading: Reading) -> Iterator[PreparedImages]:
        """Images as the model takes them, corrected for Galactic extinction as those of the training."""
        matched = open_for_model(reading.source, self.model.form)
        reading.notes.extend(matched.supposed)
        check_fluxes(matched.source)
        source, good = self._corrected(matched.source, reading)
        wanted = good if reading.ids is None else good & (rows_of_ids(source.ids, reading.ids) >= 0)
        yield from model_images(source, self.model, rejects=reading.rejects, rows=np.flatnonzero(wanted))

    def _corrected(self, source: ImageSource, reading: Reading) -> tuple[ImageSource, Bool[np.ndarray, " n"]]:
        """Images corrected for Galactic extinction, and which can be."""
        good = np.ones(len(source), bool)
        if self.config["preprocessing"].get("dereddened") is None and reading.layout.ebv is None:
            return source, good
        catalogue = open_photometry(reading.source, reading.layout, with_redshifts=False)
        extinction = known_extinction(catalogue.layout, reading.curves)
        check_extinction(extinction, (*catalogue.layout.names, *source.bands))
        chunks = list(catalogue.chunks(rejects=reading.rejects, counted=reading.counted))
        if not chunks:
            return source, ~good
        galaxies = concatenate_rows(chunks)
        self.check_dust(corrected(galaxies, extinction))
        if not extinction:
            return source, good
        place = rows_of_ids(source.ids, galaxies.ids)
        good = place >= 0
        if not np.all(good):
            without = "images of galaxies without an E(B-V) in the catalogue"
            reading.counted[without] += int(np.sum(~good))
        of_images = galaxies.select(place[good])
        return dereddened_images(source, np.flatnonzero(good), of_images, extinction), good
