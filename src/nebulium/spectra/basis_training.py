"""From spectra to a saved set of principal components of their continua."""

from pathlib import Path

import numpy as np

from nebulium.data.spectra.checks import Declared
from nebulium.data.splits import Split
from nebulium.spectra.continuum.basis import ContinuumBasis
from nebulium.spectra.continuum.training import (
    RANGE_AA,
    MeasuredSpectra,
    SpectrumFiles,
    SpectrumPaths,
    basis_of,
    measured_spectra,
)
from nebulium.verbs import Card, TrainedModel, TrainingRun, save_trained, training_run

CITATION = (
    "the spectra that the components were fitted to; expectation and maximisation for noisy spectra with "
    "gaps: Bailey 2012, PASP 124, 1015"
)


def basis_file(
    spectra: SpectrumPaths,
    output: str | Path,
    *,
    redshifts: str | Path | None = None,
    components: int = 10,
    id_column: str | None = None,
    wave_unit: str | None = None,
    flux_unit: str | None = None,
    air: bool | None = None,
    split_seed: str = "nebulium",
) -> TrainingRun:
    """Fit principal components to the continua of spectra.

    They are fitted to the training part of the split by id, and judged by the test part: the card says the
    reduced chi-square of its continua. `train_file` takes them in place of those of its own spectra.

    Parameters
    ----------
    spectra : str, Path or sequence of these
        As in `nebulium.data.read_spectra`.
    output : str or Path
        Folder of the components; spectra set aside are listed beside it.
    redshifts : str or Path, optional
        A table of redshifts, joined by id; those of the spectra if not given.
    components : int
        How many.
    id_column, wave_unit, flux_unit, air : str, str, str, bool, optional
        Of the spectra, in place of what their files say: as in `read_spectra`.
    split_seed : str
        Names the split by id into train, validation and test.

    Returns
    -------
    TrainingRun

    Raises
    ------
    NebuliumError
        The spectra or the output is at fault, or too few are left.

    Examples
    --------
    >>> from nebulium.modelfile import load_model
    >>> basis = load_model("sdss-continua", of=ContinuumBasis)
    >>> basis.components.shape
    (2007, 10)
    >>> basis_file("sdss.parquet", "continua", components=10)  # doctest: +SKIP
    """
    files = SpectrumFiles(spectra, redshifts, Declared(wave_unit, flux_unit, air, id_column))
    split = Split(split_seed)
    with training_run(output) as run:
        basis = basis_of(files, components, wanted=lambda ids: split.parts(ids) == "train")
        measured = measured_spectra(files, basis, among=None, rejects=run.rejects)
        return save_trained(run, _described(basis, measured, split, Path(files.name).name))


def _described(basis: ContinuumBasis, spectra: MeasuredSpectra, split: Split, source: str) -> TrainedModel:
    """The components with what their folder says of them."""
    components, part = basis.components.shape[1], split.parts(spectra.ids)
    rows = {name: np.flatnonzero(part == name) for name in ("train", "validation", "test")}
    held = spectra.chi_square[rows["test"]]
    fit = "no spectrum was left aside"
    if len(held):
        middle, high = np.percentile(held, [50, 95])
        fit = f"reduced chi-square of the test part {middle:.2f}, {high:.2f} at the 95th percentile"
    low, high = np.quantile(spectra.redshift, [0.005, 0.995]).tolist()
    return TrainedModel(
        basis,
        hyperparameters={"first": basis.first, "pixels": len(basis.mean), "components": components},
        preprocessing={"rest_aa": list(RANGE_AA)},
        units={"flux_lambda": "1 from 5400 to 5600 Angstrom at rest"},
        training_domain={
            "in_domain": "a galaxy like those of the spectra; components do not measure it",
            "redshift": [low, high],
        },
        split=split.as_dict(rows),
        settings={"components": components, "split_seed": split.seed},
        citation=CITATION,
        card=Card(
            title=f"Principal components of the continua of {source}",
            summary=f"{components} components of rest-frame continua from {RANGE_AA[0]:.0f} to "
            f"{RANGE_AA[1]:.0f} AA, emission lines left out.",
            facts={"Fit": fit, "Redshifts": f"{low:.3f} to {high:.3f}"},
            learned_from="spectra",
        ),
    )
