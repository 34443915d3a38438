"""Six real galaxies of SDSS: what a model of pictures, trained on a mock, says of their spectra."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from benchmarks.results import Result, Row
from benchmarks.settings import Settings, data_folder, save_figure
from nebulium.data.images.opening import open_images
from nebulium.data.rejects import Rejects
from nebulium.data.spectra.checks import Declared
from nebulium.lines import LINES
from nebulium.mock.instruments import instrument
from nebulium.mock.survey.making import make_survey
from nebulium.nn.mapping import map_galaxies
from nebulium.spectra import SpectraConfig, SpectrumModel, train_file
from nebulium.spectra.continuum.training import SpectrumFiles, measured_spectra
from nebulium.spectra.draws import break_4000
from nebulium.spectra.figure_pages import FigurePages, observed_spectra
from nebulium.spectra.predict import SpectrumPredictor
from nebulium.spectra.scores.figures import rows_figure
from nebulium.verbs import find_predictor, predict_all

GALAXIES, SEED = 3_000, 19
#: How the pictures of the pairs were made, which their files do not say. Colours are those of the viewer of
#: the Legacy Surveys for images of SDSS: i, r, g times these, plus a level, by an arcsinh of this strength.
#: Undone in this way the light within 3 arcsec of the only galaxy of which much there is not white is .93 to
#: 1.05 of that in its spectrum, in g, r and i.
SCALES, LEVEL, STRENGTH = (1.0, 1.5, 2.5), 0.02, 20.0
#: Side of a pixel, arcsec: noise of SDSS brought to such pixels by Lanczos is correlated as it is in the
#: pictures: by .80 from pixel to pixel, and .40, .06, -.12 and -.14 further on.
PIXEL_ARCSEC, QUALITY = 0.13, 85
#: Pixels that all mock images have, and of the blocks that are averaged.
SIDE, BINNING = 192, 3
CONFIG = SpectraConfig(size=SIDE, binning=BINNING)
IDS = "BESTOBJID"


def measure(settings: Settings) -> Iterator[Result]:
    """Train on pictures of mock galaxies, and look at the real ones."""
    pairs = data_folder() / "sdss" / "pairs"
    with tempfile.TemporaryDirectory() as scratch:
        survey = settings.pairs_survey or Path(scratch) / "survey"
        if settings.pairs_survey is None:
            make_survey("sdss", survey, n=GALAXIES, seed=SEED, spectra="sdss")
        pictures = write_pictures(survey, Path(scratch) / "pictures")
        folder = Path(scratch) / "model"
        train_file(pictures, survey / "spectra", folder, config=CONFIG)
        predictor = find_predictor(folder, of=SpectrumPredictor)
        files = SpectrumFiles(str(pairs / "spec-*.fits"), declared=Declared(id_column=IDS))
        images = str(pairs / "*.jpeg")
        yield _table(predictor, images, files)
        ids = open_images(images).ids
        pages = FigurePages(predictor, observed_spectra(files, predictor.model, ids, print))
        for chunk in predictor.open(images).chunks:
            pages.take(chunk)
        save_figure(rows_figure(pages.rows), "spectra/pairs")


def write_pictures(survey: Path, folder: Path) -> Path:
    """Images of a mock as pictures like those of the pairs, a file a galaxy."""
    folder.mkdir()
    for chunk in open_images(survey).chunks():
        for identifier, flux in zip(chunk.ids.tolist(), chunk.pixels, strict=True):
            Image.fromarray(viewed(flux)).save(folder / f"{identifier}.jpeg", quality=QUALITY)
    return folder


def viewed(flux: Float[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "side side 3"]:
    """Fluxes in g, r and i, nanomaggies, as a picture on finer pixels."""
    side = round(flux.shape[0] * instrument("sdss").pixel_scale_arcsec / PIXEL_ARCSEC)
    bands = [Image.fromarray(band).resize((side, side), Image.Resampling.LANCZOS) for band in flux.T]
    fine = np.stack([np.asarray(band).T for band in bands], axis=-1)
    colours = np.maximum(fine[..., ::-1] * np.array(SCALES) + LEVEL, 0.0)
    mean = np.maximum(colours.mean(axis=-1, keepdims=True), 1e-6)
    shown = colours / mean * np.arcsinh(STRENGTH * mean) / np.sqrt(STRENGTH)
    return np.clip(255.0 * shown, 0.0, 255.0).astype(np.uint8)


def _table(predictor: SpectrumPredictor, images: str, files: SpectrumFiles) -> Result:
    """What is predicted and observed, galaxy by galaxy."""
    found = predict_all(predictor, predictor.open(images))
    model: SpectrumModel = predictor.model
    observed = measured_spectra(files, model.basis, among=found.ids, rejects=Rejects())
    order = {identifier: row for row, identifier in enumerate(observed.ids.tolist())}
    halpha, columns = LINES.index("HALPHA"), found.columns
    breaks = map_galaxies(lambda one: break_4000(model.basis, one), observed.coefficients)

    def said(name: str, row: int) -> str:
        ends = columns[f"{name}_q16"][row], columns[name][row], columns[f"{name}_q84"][row]
        return "{1:.3g} ({0:.3g} to {2:.3g})".format(*map(float, ends))

    rows: list[Row] = []
    for row, identifier in enumerate(found.ids.tolist()):
        own = order[identifier]
        rows.append([
            str(identifier),
            "yes" if columns["in_domain"][row] else "no",
            f"{observed.redshift[own]:.3f}", said("redshift", row),
            f"{breaks[own]:.2f}", said("dn4000", row),
            f"{observed.ew_aa[own, halpha]:.1f}", said("ew_HALPHA", row),
        ])  # fmt: skip
    return Result(
        "spectra/pairs",
        "Six real galaxies",
        f"Pictures and spectra of SDSS, and what a model says that learned from {GALAXIES:,} mock galaxies "
        f"(`nebulium mock make --survey sdss --n {GALAXIES} --seed {SEED} --spectra sdss`) as such pictures: "
        "the median and the central 68 %, the redshift not known. six galaxies are a look.",
        (
            "object",
            "in domain",
            "redshift",
            "predicted",
            "Dn4000",
            "predicted",
            "EW(Halpha) / AA",
            "predicted",
        ),
        rows,
    )
