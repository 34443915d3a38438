"""Redshifts from images of a mock of CANDELS: `pita` beside `supervised`, fluxes and templates."""

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from benchmarks.photoz.information import learn_all
from benchmarks.photoz.runs import FOLDER, GALAXIES, PIXELS, SEED, SURVEY, Run, all_runs
from benchmarks.results import Check, Result, Target
from benchmarks.settings import Settings, figure_path, save_figure
from nebulium.data.ids import rows_of_ids
from nebulium.data.splits import Split
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table
from nebulium.errors import NebuliumError
from nebulium.modelfile import describe_model
from nebulium.photoz.scores.calibration_figures import (
    calibration_figure,
    label_fraction_figure,
    scores_against,
)
from nebulium.photoz.scores.held_out import predict_held_out
from nebulium.photoz.scores.scores import METRICS, redshift_columns
from nebulium.photoz.space.disagreements_file import disagreements_file
from nebulium.verbs import Bootstrap, Comparison, Sample, Score, compare_methods, score_method
from nebulium.verbs.evaluation import Scoring, named_models
from nebulium.verbs.score import Columns, equal_samples

MAGNITUDE = "mag_ab_obs_wfc3_ir_f160w"
OURS, SAME_ENCODER = "pita-100", "supervised-100"
#: The methods that `pita` is to beat, with all labels.
OF_FLUXES = ("photometry-100", "template-100")
PITA_METRICS = {"bias_mean": "mean of Δ", "nmad": "NMAD", "outliers_015": "outliers beyond 0.15"}
#: By how much the three are to be smaller than those of fluxes; the paper found 87, 20 and 47 %.
WANTED = {"bias_mean": 0.5, "nmad": 0.2, "outliers_015": 0.4}
GAIN_AT_A_TENTH = 0.1
COVERS = {"coverage_68": Target(0.66, 0.70), "coverage_95": Target(0.93, 0.97)}
#: Methods that were trained with fewer labels too.
FRACTIONED = ("pita", "supervised", "photometry")
BOOTSTRAP = Bootstrap(resamples=500)


@dataclass(frozen=True, eq=False)
class TestGalaxies:
    """Galaxies that no model was trained on, and the predictions of each model.

    Attributes
    ----------
    folder : Path
        Of the runs.
    catalogue : Table
        All galaxies of the mock.
    rows : ndarray of int
        Of those that no model saw.
    scored : dict of str to mapping of str to ndarray of shape (n,)
        By the name of the run.
    """

    folder: Path
    catalogue: Table
    rows: np.ndarray
    scored: dict[str, Columns]

    @cached_property
    def table(self) -> Table:
        """Those that no model saw."""
        return self.catalogue.select(self.rows)

    @property
    def samples(self) -> dict[str, np.ndarray]:
        """Rows: those selected as labels are, and all."""
        labelled = np.flatnonzero(np.isfinite(self.table["redshift_spec"]))
        return {
            "selected like the labels": labelled,
            "representative": np.arange(len(self.table["redshift"])),
        }

    def bright(self, rows: np.ndarray) -> Sample:
        """Those brighter in F160W than the median of a sample."""
        magnitude = self.table[MAGNITUDE]
        middle = float(np.nanmedian(magnitude[rows]))
        return Sample("F160W", -np.inf, middle, middle, rows[magnitude[rows] < middle])


def measure(settings: Settings) -> list[Result]:
    """Score the runs that `python -m benchmarks.photoz.runs` left."""
    galaxies = _predicted(FOLDER if settings.photoz_runs is None else settings.photoz_runs)
    _pictures(galaxies)
    tables = (_methods, _calibration, _thirds, _fractions, _information)
    return [table(galaxies) for table in tables]


def _predicted(folder: Path) -> TestGalaxies:
    runs = [folder / run.name for run in all_runs()]
    lacking = [run.name for run in runs if not run.exists()]
    if lacking:
        raise NebuliumError(str(folder), f"lacks {', '.join(lacking)}", "train them: make bench-train")
    # Every test galaxy is scored, so the redshifts are the true ones; labels are the same to 1e-3.
    found = predict_held_out(
        Scoring(str(folder / SURVEY), named_models(runs)), columns={"redshift_column": "redshift"}
    )
    table = read_table(folder / SURVEY / "catalogue.parquet")
    rows = rows_of_ids(found.galaxies.ids, table["target_id"])
    redshift = found.galaxies.redshift.astype(np.float64)
    scored = {run.name: redshift_columns(found.densities[run.name], redshift) for run in runs}
    return TestGalaxies(folder, table, rows, scored)


def _all_labels() -> list[Run]:
    return [run for run in all_runs() if run.label_fraction == 1.0]


def _methods(galaxies: TestGalaxies) -> Result:
    """All labels: the three numbers of PITA, and by how much `pita` beats what only sees fluxes."""
    rows, checks = [], []
    for name, chosen in galaxies.samples.items():
        sample = galaxies.bright(chosen)
        for run in _all_labels():
            score = _score(run.method, galaxies.scored[run.name], sample)
            cells = [score[metric] for metric in (*PITA_METRICS, "crps", "cde_loss")]
            rows.append([name, score.n, run.method, *cells])
        compared = _compared(galaxies, OURS, OF_FLUXES, sample)
        for metric, wanted in WANTED.items():
            # The rival is the better of the two in each metric.
            best = min((one for one in compared if one.metric == metric), key=lambda one: one.reduction.value)
            quantity = f"{PITA_METRICS[metric]} of pita below that of {_method(best.rival)}, {name}"
            checks.append(Check(quantity, best.reduction, Target(least=wanted)))
    about = (
        f"{_about(galaxies)} Galaxies brighter in F160W than the median of their sample; Δ = (z_pred − z) / "
        "(1 + z), z_pred the median. Checks: differences as shares of the number of the better of photometry "
        "and template, for the same galaxies drawn again."
    )
    headings = ("sample", "galaxies", "method", *PITA_METRICS.values(), "CRPS", "CDE loss")
    return Result("photoz/mock", "Redshifts from images of a mock of CANDELS", about, headings, rows, checks)


def _calibration(galaxies: TestGalaxies) -> Result:
    """Whether true redshifts lie in the intervals as often as they should."""
    rows = []
    for name, chosen in galaxies.samples.items():
        for run in _all_labels():
            score = _score(run.method, galaxies.scored[run.name], _sample(chosen))
            targets = {**COVERS, "pit_ks": Target(most=score.pit_ks_limit)}
            cells = [
                Check(f"{metric} of {run.method}, {name}", score[metric], target)
                for metric, target in targets.items()
            ]
            rows.append([name, score.n, run.method, *cells, score.pit_ks_limit])
    return Result(
        "photoz/mock_calibration",
        "Redshifts of the mock: are the densities right?",
        "All test galaxies of each sample. Densities are recalibrated on the validation galaxies that have "
        "labels, so they are meant for galaxies selected like these; the representative sample is fainter. "
        "The limit of the Kolmogorov-Smirnov distance of the PIT values is 1.36 / √n.",
        ("sample", "galaxies", "method", "in 68 %", "in 95 %", "PIT K-S", "limit"),
        rows,
    )


def _thirds(galaxies: TestGalaxies) -> Result:
    """Whether images without labels ever do harm: `pita` beside `supervised` by magnitude."""
    rows = []
    for name, chosen in galaxies.samples.items():
        for sample in _in_thirds(galaxies, chosen):
            for one in _compared(galaxies, OURS, (SAME_ENCODER,), sample):
                if one.metric not in PITA_METRICS:
                    continue
                quantity = f"{PITA_METRICS[one.metric]}, {name}, {sample.name}"
                check = Check(quantity, one.difference, Target(least=-one.difference.error))
                rows.append([quantity, one.n, check])
    return Result(
        "photoz/mock_thirds",
        "Redshifts of the mock: images without labels, by magnitude",
        "The number of supervised minus that of pita (of Δ the absolute means), for the same galaxies drawn "
        "again; met where pita is as good within one standard error. All labels.",
        ("number and galaxies", "galaxies", "supervised − pita"),
        rows,
    )


def _in_thirds(galaxies: TestGalaxies, chosen: np.ndarray) -> list[Sample]:
    thirds = equal_samples("F160W", galaxies.table[MAGNITUDE][chosen].astype(np.float64), 3)
    return [Sample(one.quantity, one.low, one.middle, one.high, chosen[one.rows]) for one in thirds]


def _fractions(galaxies: TestGalaxies) -> Result:
    """Fewer labels: of all test galaxies selected like the labels."""
    chosen = galaxies.samples["selected like the labels"]
    rows = []
    for run in sorted(all_runs(), key=lambda one: (one.method, one.label_fraction)):
        if run.method not in FRACTIONED:
            continue
        score = _score(run.method, galaxies.scored[run.name], _sample(chosen))
        labels = describe_model(galaxies.folder / run.name).config["split"]["galaxies"]["train"]
        cells = [score[metric] for metric in (*PITA_METRICS, "crps")]
        rows.append([run.method, f"{100 * run.label_fraction:g} %", labels, *cells])
    checks = [
        Check("NMAD of pita below that of supervised, a tenth of the labels", one.reduction,
              Target(least=GAIN_AT_A_TENTH))
        for one in _compared(galaxies, "pita-10", ("supervised-10",), _sample(chosen))
        if one.metric == "nmad"
    ]  # fmt: skip
    return Result(
        "photoz/mock_labels",
        "Redshifts of the mock with fewer labels",
        f"{len(chosen):,} test galaxies selected like the labels; the labels of a smaller fraction are among "
        "those of a larger one, and pita sees the images of all training galaxies each time.",
        ("method", "labels used", "labels", *PITA_METRICS.values(), "CRPS"),
        rows,
        checks,
    )


def _information(galaxies: TestGalaxies) -> Result:
    """What there is to learn: networks told the true redshifts of all training galaxies."""
    split = describe_model(galaxies.folder / OURS).config["split"]
    part = Split(seed=split["seed"], fractions=split["fractions"]).parts(galaxies.catalogue["target_id"])
    scored = learn_all(
        galaxies.folder / SURVEY, galaxies.catalogue, part, galaxies.folder / OURS, galaxies.rows
    )
    rows = []
    for sample_name, chosen in galaxies.samples.items():
        bright = galaxies.bright(chosen)
        for told, of in scored.items():
            score = _score(told, of, bright)
            cells = [score[metric] for metric in PITA_METRICS]
            rows.append([sample_name, score.n, told, *cells])
    return Result(
        "photoz/mock_information",
        "Redshifts of the mock: what is there to learn",
        "The networks of photometry, two instead of five, trained on the true redshifts of all "
        f"{np.sum(part == 'train'):,} training galaxies: what more labels, better fluxes, and sizes and "
        "shapes could bring, were they seen without error. The brighter halves of both samples, as above.",
        ("sample", "galaxies", "told of each galaxy", *PITA_METRICS.values()),
        rows,
    )


def _compared(
    galaxies: TestGalaxies, method: str, rivals: Sequence[str], sample: Sample
) -> tuple[Comparison, ...]:
    scored = {name: galaxies.scored[name] for name in (method, *rivals)}
    return compare_methods(scored, METRICS, sample=sample, bootstrap=BOOTSTRAP)


def _score(method: str, columns: Columns, sample: Sample) -> Score:
    return score_method(method, columns, METRICS, sample=sample, bootstrap=BOOTSTRAP)


def _sample(chosen: np.ndarray) -> Sample:
    return Sample("all", np.nan, np.nan, np.nan, chosen)


def _method(run: str) -> str:
    return run.rpartition("-")[0]


def _about(galaxies: TestGalaxies) -> str:
    """Which mock, how many galaxies."""
    config = describe_model(galaxies.folder / OURS).config
    of = config["split"]["galaxies"]
    catalogue = (galaxies.folder / SURVEY / "catalogue.parquet").read_bytes()
    return (
        f"{GALAXIES:,} galaxies of `nebulium mock make --survey candels --seed {SEED} --pixels {PIXELS}` "
        f"(SHA-256 of the catalogue {hashlib.sha256(catalogue).hexdigest()[:12]}), made before any training "
        f"and not touched since: {config['training']['images']:,} images to train on, "
        f"{of['train']:,} of them with a redshift, {of['validation']:,} labelled to validate. One network "
        "for each method on images, five for photometry, each of the epoch best on validation galaxies."
    )


def _pictures(galaxies: TestGalaxies) -> None:
    chosen = galaxies.samples["selected like the labels"]
    pit = {_method(run): galaxies.scored[run]["pit"][chosen] for run in (OURS, SAME_ENCODER, *OF_FLUXES)}
    fractions = {
        method: [
            run for run in sorted(all_runs(), key=lambda one: one.label_fraction) if run.method == method
        ]
        for method in FRACTIONED
    }
    thirds = _in_thirds(galaxies, chosen)
    by_magnitude = [
        _score(_method(run), galaxies.scored[run], sample)
        for run in (OURS, SAME_ENCODER, *OF_FLUXES)
        for sample in thirds
    ]
    figures = {
        "mock_calibration": calibration_figure(pit),
        "mock_magnitude": scores_against(by_magnitude, "F160W / AB mag"),
        "mock_labels": label_fraction_figure(
            {method: [run.label_fraction for run in runs] for method, runs in fractions.items()},
            {
                method: [_score(run.method, galaxies.scored[run.name], _sample(chosen)) for run in runs]
                for method, runs in fractions.items()
            },
        ),
    }
    for name, figure in figures.items():
        save_figure(figure, f"photoz/{name}")
    with tempfile.TemporaryDirectory() as scratch:
        found = Path(scratch) / "disagreements"
        disagreements_file(
            galaxies.folder / SURVEY,
            found,
            model=galaxies.folder / OURS,
            photometry=galaxies.folder / OF_FLUXES[0],
        )
        shutil.copy(found / "disagreements.png", figure_path("photoz/mock_disagreements"))
