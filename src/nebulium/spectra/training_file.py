"""From a set of images and their spectra to a trained model."""

from collections.abc import Sequence
from pathlib import Path

from nebulium.data.images.matching import open_for_model
from nebulium.data.images.opening import ImagePaths
from nebulium.data.spectra.checks import Declared
from nebulium.data.splits import Split
from nebulium.errors import SpectrumError
from nebulium.modelfile import load_model
from nebulium.spectra.continuum.basis import ContinuumBasis
from nebulium.spectra.continuum.training import (
    SharedIds,
    SpectrumFiles,
    SpectrumPaths,
    basis_of,
    spectra_of_images,
)
from nebulium.spectra.recipe import SpectraConfig, train_on_spectra
from nebulium.verbs import TrainingRun, save_trained, training_run


def train_file(
    images: ImagePaths,
    spectra: SpectrumPaths,
    output: str | Path,
    *,
    redshifts: str | Path | None = None,
    config: SpectraConfig | None = None,
    bands: Sequence[str] | None = None,
    id_column: str | None = None,
    wave_unit: str | None = None,
    flux_unit: str | None = None,
    air: bool | None = None,
    resume: bool = False,
    progress: bool = False,
) -> TrainingRun:
    """Train a model of spectra of galaxies given their images.

    Parameters
    ----------
    images : str, Path or sequence of these
        As in `nebulium.data.open_images`: a mock survey, a folder of cutouts, Parquet ...
    spectra : str, Path or sequence of these
        As in `nebulium.data.read_spectra`, in any order and number; they are joined with the images by id.
    output : str or Path
        Folder of the model; images and spectra set aside are listed beside it in ``<name>.rejects.csv``.
    redshifts : str or Path, optional
        A table of redshifts, joined by id; those of the spectra if not given.
    config : SpectraConfig, optional
        Settings.
    bands : sequence of str, optional
        As in `open_images`.
    id_column, wave_unit, flux_unit, air : str, str, str, bool, optional
        Of the spectra, in place of what their files say: as in `read_spectra`.
    resume : bool
        Go on with a run that was stopped.
    progress : bool
        Show a bar of progress.

    Returns
    -------
    TrainingRun

    Raises
    ------
    NebuliumError
        The images, the spectra or the output is at fault, the two have no id in common, or too few galaxies
        are left.

    Examples
    --------
    >>> train_file("mock", "mock/spectra", "mine")  # doctest: +SKIP
    """
    config = config or SpectraConfig()
    files = SpectrumFiles(spectra, redshifts, Declared(wave_unit, flux_unit, air, id_column))
    with training_run(output, resume=resume, progress=progress) as run:
        matched = open_for_model(images, None, bands=bands)
        source, split = matched.source, Split(config.split_seed)
        shared = SharedIds(source.ids)
        try:
            if config.basis is None:
                wanted = lambda ids: shared(ids) & (split.parts(ids) == "train")  # noqa: E731
                basis = basis_of(files, config.components, wanted=wanted)
            else:
                basis = load_model(config.basis, of=ContinuumBasis)
        except SpectrumError:
            shared.check(files.name)
            raise
        measured, rows = spectra_of_images(files, basis, source.ids, run.rejects)
        bare = len(source) - len(rows)
        if bare:
            run.notes.append(f"{bare:,} images without a spectrum that can be used")
        trained = train_on_spectra(source, measured, rows, basis, split, config, run)
        run.notes.extend(matched.notes(trained.preprocessing["size_px"], run.rejects))
        return save_trained(run, trained)
