"""Spectra from images of a mock of the Legacy Surveys, learned from spectra with the noise of DESI."""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np

from benchmarks.results import Check, Result, Row, Target
from benchmarks.settings import Settings, save_figure
from nebulium.data.ids import rows_of_ids
from nebulium.data.rejects import Rejects
from nebulium.data.spectra.writing import write_spectra
from nebulium.mock.spectra.observing import observe_spectra
from nebulium.mock.spectra.spectrographs import find_spectrograph
from nebulium.mock.survey.blocks import BlockMaker
from nebulium.mock.survey.making import make_survey
from nebulium.mock.survey.run_file import read_run
from nebulium.mock.survey.shards import BLOCK
from nebulium.spectra import SpectrumModel, train_file
from nebulium.spectra.continuum.training import SpectrumFiles, measured_spectra
from nebulium.spectra.scores.evaluate import (
    baseline_columns,
    distribution_columns,
    error_over_variance,
    scatter_of,
    true_values,
)
from nebulium.spectra.scores.figures import example_figures
from nebulium.spectra.scores.galaxies import SpectralGalaxies, drawn_spectra, scored_galaxies, values_of
from nebulium.verbs.evaluation import Scoring
from nebulium.verbs.predict import named_model
from nebulium.verbs.score import Columns

GALAXIES, SEED, SHARDS = 6_000, 18, 6
DRAWS, SCORED = 128, 6
#: What is told, by the columns that it is the mean of.
TARGETS: Mapping[str, tuple[str, ...]] = {
    "components 1 to 6": tuple(f"pc{place + 1}" for place in range(SCORED)),
    "Dn4000": ("dn4000",),
    "log EW([O II])": ("log_ew_OII_DOUBLET",),
    "log EW([O III])": ("log_ew_OIII_5007",),
    "log EW(Halpha)": ("log_ew_HALPHA",),
    "redshift": ("redshift",),
}
# Fixed before the look at the test galaxies; of the components and the lines, against what DESI measures.
HOLDS = {68: Target(0.63, 0.73), 95: Target(0.92, 0.98)}


def measure(settings: Settings) -> Iterator[Result]:
    """Train on the mock, and look at its test galaxies once."""
    with tempfile.TemporaryDirectory() as scratch:
        survey = settings.legacy_survey or Path(scratch) / "survey"
        if settings.legacy_survey is None:
            make_survey("legacy", survey, n=GALAXIES, seed=SEED, shards=SHARDS, spectra="desi")
        folder = settings.legacy_model or Path(scratch) / "model"
        if settings.legacy_model is None:
            train_file(survey, survey / "spectra", folder)
        model = named_model(folder, of=SpectrumModel).model
        scoring = Scoring.of(str(survey), [folder], "test", 0, 0)
        files = SpectrumFiles(survey / "spectra")
        galaxies = scored_galaxies(survey, files, model, scoring, Path(scratch) / "images")
        clean = _without_noise(survey, model, galaxies.test, Path(scratch))
        truths = true_values(model, galaxies.test), true_values(model, clean)
        rows: list[Row] = []
        for with_redshift in (False, True):
            drawn = drawn_spectra(model, galaxies.test, draws=DRAWS, with_redshift=with_redshift, seed=1)
            values = values_of(drawn.draws, drawn.derived, components=SCORED)
            columns = tuple(distribution_columns(true, values) for true in truths)
            rows += [
                _row(name, columns, with_redshift)
                for name in TARGETS
                if (name, with_redshift) != ("redshift", True)
            ]
            if not with_redshift:
                unknown = columns[1]
                (figure,) = example_figures(model, galaxies.test, drawn).values()
                save_figure(figure, "spectra/legacy")
        counts = f"{len(galaxies.test):,} test galaxies, {len(galaxies.training):,} to train"
        about = f"{counts}; {DRAWS} draws a galaxy. "
        yield Result(
            "spectra/legacy",
            "Spectra from images of a mock of the Legacy Surveys",
            f"`nebulium mock make --survey legacy --n {GALAXIES} --seed {SEED} --spectra desi`, the default "
            f"training; {about}Errors are mean squares of the means of draws over the variance. The first "
            "three columns of numbers compare with what is measured on the test galaxies' own spectra with "
            "DESI's noise, the others with what is measured on the same spectra without noise. Lines count "
            "from half an Angstrom, in intervals among the draws in which they are seen.",
            ("quantity", "redshift", "error", "68 % hold", "95 % hold",
             "error, no noise", "68 % hold, no noise", "95 % hold, no noise"),
            rows,
        )  # fmt: skip
        yield _baselines(model, galaxies.test, galaxies.training, truths, unknown, about)


def _row(name: str, columns: tuple[Mapping[str, Columns], ...], with_redshift: bool) -> Row:
    """Error and coverage of one quantity, against both truths."""
    row: Row = [name, "known" if with_redshift else "not known"]
    for place, of_truth in enumerate(columns):
        found = [of_truth[column] for column in TARGETS[name]]
        row.append(float(np.mean([_error(one) for one in found])))
        for share, target in HOLDS.items():
            inside = float(np.nanmean([one[f"inside_{share}"] for one in found]))
            asked = place == 0 and not with_redshift
            row.append(Check(f"{share} % hold: {name}", inside, target) if asked else inside)
    return row


def _error(columns: Columns) -> float:
    known = np.isfinite(columns["true"])
    return error_over_variance(columns["true"][known], columns["predicted"][known])


def _without_noise(
    survey: Path, model: SpectrumModel, galaxies: SpectralGalaxies, scratch: Path
) -> SpectralGalaxies:
    """The same galaxies with what is measured on their spectra without noise."""
    run, ids = read_run(survey).settings, galaxies.spectra.ids
    maker = BlockMaker(run)
    made = []
    for block in np.unique(ids // BLOCK):
        some = jax.tree.map(np.asarray, maker.galaxies(int(block)))
        rows = ids[ids // BLOCK == block] - BLOCK * block
        made.append((BLOCK * block + rows, jax.tree.map(lambda values, rows=rows: values[rows], some)))
    numbers = np.concatenate([of_block for of_block, _ in made])
    every = jax.tree.map(lambda *parts: np.concatenate(parts), *(some for _, some in made))
    clean = observe_spectra(maker._maker, every, numbers, find_spectrograph("noiseless"), seed=run.seed)
    path = scratch / "noiseless.parquet"
    write_spectra(clean, path)
    measured = measured_spectra(SpectrumFiles(path), model.basis, among=ids, rejects=Rejects())
    measured = measured.select(rows_of_ids(ids, measured.ids))
    # All the light of a galaxy, and not that in the fibre, is in these.
    return replace(galaxies, spectra=replace(measured, log_flux=galaxies.spectra.log_flux))


def _baselines(
    model: SpectrumModel,
    test: SpectralGalaxies,
    training: SpectralGalaxies,
    truths: tuple[Mapping[str, np.ndarray], ...],
    ours: Mapping[str, Columns],
    about: str,
) -> Result:
    """Errors of simpler methods where the redshift is not known, against spectra without noise."""
    methods = dict(baseline_columns(model, test, training, truths[1], with_redshift=False, seed=0))
    rows: list[Row] = []
    for method, columns in {**methods, "the model": ours}.items():
        errors = [float(np.mean([_error(columns[name]) for name in names])) for names in TARGETS.values()]
        known = np.isfinite(columns["log_ew_HALPHA"]["true"])
        halpha = columns["log_ew_HALPHA"]
        rows.append([method, *errors, scatter_of(halpha["true"][known], halpha["predicted"][known])])
    return Result(
        "spectra/legacy_baselines",
        "Legacy Surveys: beside simpler methods",
        f"Errors over the variance, against spectra without noise, of methods that learn from the same noisy "
        f"ones; the redshift is not known. {about}",
        ("method", *TARGETS, "scatter of log EW(Halpha) / dex"),
        rows,
    )
