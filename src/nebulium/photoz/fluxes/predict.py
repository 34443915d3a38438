"""Redshifts from the fluxes of a catalogue."""

from collections.abc import Iterator
from dataclasses import dataclass

from nebulium.data.ids import rows_of_ids
from nebulium.photometry.catalogue import open_photometry
from nebulium.photometry.dereddening import check_extinction, corrected, known_extinction
from nebulium.photometry.galaxies import PhotometricGalaxies
from nebulium.photoz.predict import Reading, RedshiftPredictor, predict_galaxies
from nebulium.verbs import Prediction

#: Galaxies of a chunk: their densities are a few arrays of 20 MB.
ROWS_PER_CHUNK = 8192


@dataclass(frozen=True, eq=False)
class FluxPredictor(RedshiftPredictor[PhotometricGalaxies]):
    """Redshifts from fluxes and their errors."""

    def __call__(self, chunk: PhotometricGalaxies) -> Prediction:
        """Predict galaxies."""
        return predict_galaxies(self.model, chunk).prediction()

    def read(self, reading: Reading) -> Iterator[PhotometricGalaxies]:
        """Galaxies in the bands of the model, corrected for Galactic extinction as those of the training."""
        catalogue = open_photometry(reading.source, reading.layout, with_redshifts=False)
        extinction = known_extinction(catalogue.layout, reading.curves)
        check_extinction(extinction, catalogue.layout.names)
        for chunk in catalogue.chunks(
            rejects=reading.rejects, counted=reading.counted, rows_per_chunk=ROWS_PER_CHUNK
        ):
            galaxies = corrected(chunk, extinction).in_bands(self.model.bands)
            self.check_dust(galaxies)
            if reading.ids is not None:
                galaxies = galaxies.select(rows_of_ids(galaxies.ids, reading.ids) >= 0)
            if len(galaxies):
                yield galaxies
