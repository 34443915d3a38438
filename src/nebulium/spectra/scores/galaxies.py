"""Galaxies with an image and a spectrum, of the part that is scored and of the training part."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Float

from nebulium.data.images.labelled import LabelledImages, prepare_parts
from nebulium.data.images.matching import open_for_model
from nebulium.data.images.opening import ImagePaths
from nebulium.data.rejects import Rejects
from nebulium.errors import TableError
from nebulium.lines.continuum.line_list import LINES
from nebulium.nn.mapping import map_galaxies
from nebulium.spectra.continuum.training import MeasuredSpectra, SpectrumFiles, spectra_of_images
from nebulium.spectra.derived import Derived, derived_of
from nebulium.spectra.draws import SpectrumDraw
from nebulium.spectra.model import SpectrumModel
from nebulium.verbs.evaluation import Scoring
from nebulium.verbs.held_out import TEST

#: Galaxies that are scored, and that baselines learn from, at the least.
LEAST_SCORED, LEAST_TRAINING = 50, 100


@dataclass(frozen=True, eq=False)
class SpectralGalaxies:
    """Galaxies of one part.

    Attributes
    ----------
    images : LabelledImages
    spectra : MeasuredSpectra
        Of the same galaxies, in the same order.
    """

    images: LabelledImages
    spectra: MeasuredSpectra

    def __len__(self) -> int:
        return len(self.spectra)

    def derived(self, model: SpectrumModel) -> Derived:
        """Break, lines and class as they are measured on the spectra."""
        spectra = self.spectra
        draws = SpectrumDraw(
            spectra.coefficients, spectra.log_flux, spectra.redshift, np.nan_to_num(spectra.ew_aa)
        )
        return map_galaxies(lambda *one: derived_of(model.basis, SpectrumDraw(*one)), *draws)

    def seen(self, model: SpectrumModel) -> tuple[np.ndarray, np.ndarray]:
        """Standardised features of the images, and the logarithms of their light."""
        return map_galaxies(model.seen, self.images.images)


@dataclass(frozen=True, eq=False)
class ScoredGalaxies:
    """What is scored, and what baselines learn from.

    Attributes
    ----------
    test, training : SpectralGalaxies
    rejects : Rejects
    notes : tuple of str
    """

    test: SpectralGalaxies
    training: SpectralGalaxies
    rejects: Rejects
    notes: tuple[str, ...]


def scored_galaxies(
    images: ImagePaths,
    files: SpectrumFiles,
    model: SpectrumModel,
    scoring: Scoring,
    scratch: Path,
    *,
    bands: Sequence[str] | None = None,
) -> ScoredGalaxies:
    """Read images and spectra, and bring them together by id."""
    matched, rejects = open_for_model(images, model.form, bands=bands), Rejects()
    source = matched.source
    spectra, rows = spectra_of_images(files, model.basis, source.ids, rejects)
    held = scoring.held_out(source.ids[rows])
    part = np.full(len(rows), "", dtype="<U8")
    part[held.training], part[held.rows] = "train", TEST
    parts = prepare_parts(
        source,
        rows,
        part,
        {"place": np.arange(len(rows))},
        scratch,
        preparation=model.form.preparation,
        rejects=rejects,
    )
    test, training = (
        SpectralGalaxies(parts[name], spectra.select(parts[name].labels["place"])) for name in (TEST, "train")
    )
    if len(test) < LEAST_SCORED:
        problem = (
            f"has {len(test):,} galaxies with image and spectrum to score, expected {LEAST_SCORED} or more"
        )
        mend = "give more, or score all (--all-rows, all_rows=True) if the model was not trained on them"
        raise TableError(scoring.data, problem, mend)
    notes = (*matched.notes(model.form.preparation.size, rejects), *held.notes)
    return ScoredGalaxies(test, training, rejects, notes)


@dataclass(frozen=True, eq=False)
class Drawn:
    """Draws of each galaxy.

    Attributes
    ----------
    draws : SpectrumDraw
        In arrays (n, draw, ...).
    derived : Derived
        Of each.
    """

    draws: SpectrumDraw
    derived: Derived


def drawn_spectra(
    model: SpectrumModel, galaxies: SpectralGalaxies, *, draws: int, with_redshift: bool, seed: int
) -> Drawn:
    """Draws of each galaxy, its redshift known or not."""
    seen, light = galaxies.seen(model)
    redshift = galaxies.spectra.redshift if with_redshift else np.full(len(galaxies), np.nan, np.float32)
    keys = jax.random.split(jax.random.key(seed), len(galaxies))

    def one(seen, light, redshift, key):  # type: ignore[no-untyped-def]
        found = jax.vmap(lambda key: model.draw(seen, light, redshift, key))(jax.random.split(key, draws))
        return found, jax.vmap(lambda draw: derived_of(model.basis, draw))(found)

    return Drawn(*map_galaxies(one, seen, light, redshift, keys, batch=32))


def values_of(
    draws: SpectrumDraw, derived: Derived, *, components: int
) -> dict[str, Float[np.ndarray, "*batch"]]:
    """What is scored, by name: coefficients, brightness, redshift, break and lines."""
    found = {
        f"pc{place + 1}": draws.coefficients[..., place]
        for place in range(min(components, draws.coefficients.shape[-1]))
    }
    found |= {"log_flux_5500": draws.log_flux, "redshift": draws.redshift, "dn4000": derived.dn4000}
    return found | {f"log_ew_{line}": derived.log_ew[..., place] for place, line in enumerate(LINES)}
