"""One call from a table of measured lines to the scores and the figures of a model.

Scored are the galaxies that the model was not trained on, by the split that it carries. What is compared with
the measurements are predictions of measurements, noise and selection included: once with the noise typical of
the continuum, once with each row's own.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from nebulium.data.rejects import Rejects
from nebulium.data.tables.table import Table
from nebulium.errors import TableError
from nebulium.lines.continuum.line_list import LINES
from nebulium.lines.input import ID, Columns
from nebulium.lines.model import LineModel
from nebulium.lines.quantiles import median_ews
from nebulium.lines.scores.baselines import Baseline, PcaLocalLinear, PcaNearestNeighbours, TrainingMedian
from nebulium.lines.scores.figures import (
    bpt_diagram,
    coverage_against_flux,
    ew_distributions,
    pit_histograms,
    predicted_against_observed,
    score_table,
)
from nebulium.lines.scores.measured_galaxies import MeasuredGalaxies, measured_galaxies
from nebulium.lines.scores.populations import draw_intrinsic, draw_measurements, quantiles_of_measurements
from nebulium.lines.scores.scores import COVERAGE, LEVELS, METRICS, line_columns
from nebulium.lines.training_file import read_measured
from nebulium.modelfile import load_model
from nebulium.verbs.evaluation import (
    Evaluation,
    Methods,
    describe_run,
    galaxy_table,
    named_models,
    score_methods,
)
from nebulium.verbs.held_out import TEST, held_out_galaxies
from nebulium.verbs.score import Bootstrap, Score, equal_samples

Widths = Float[np.ndarray, "n 10"]

# Methods, as the tables name them.
TRAINING_MEDIAN = "training median"
SCORED_MEDIAN = "median of the scored"
NEAREST_NEIGHBOURS = "PCA + k-NN"
LOCAL_LINEAR = "PCA + local linear regression"
PUBLISHED = "published network"
INTRINSIC = "intrinsic"
OBSERVED = "observed"
OBSERVED_IVAR = "observed, with ivar"

#: Coverage is scored in so many samples along this column.
FIFTHS, FLUX_BIN = 5, 9
FLUX = f"continuum_flux_{FLUX_BIN}"
MEDIAN = int(np.flatnonzero(np.isclose(LEVELS, 0.5))[0])
TRADITIONAL: dict[str, Callable[..., Baseline]] = {
    NEAREST_NEIGHBOURS: PcaNearestNeighbours.fit,
    LOCAL_LINEAR: PcaLocalLinear.fit,
}


def evaluate_file(
    source: str | Path,
    *,
    model: str | Path = "desi-lines",
    columns: Columns | None = None,
    id_column: str | None = None,
    all_rows: bool = False,
    traditional: bool = False,
    resamples: int = 50,
    seed: int = 0,
) -> Evaluation:
    """Score a model on a file of continua and measured lines.

    Parameters
    ----------
    source : str or Path
        Table as `nebulium.lines.train_file` takes it, though `ew_ivar_LINE` may lack; `published_ew_LINE`,
        predictions of another method, are scored too.
    model : str or Path
        Name of a packaged model, or a model folder.
    columns : mapping or list of str, optional
        Names of the columns, as ``--column`` takes them.
    id_column : str, optional
        Name of the ids; `target_id` if not given.
    all_rows : bool
        Score every galaxy: right only if the model was trained on none. By default those in the test part of
        the model's own split.
    traditional : bool
        Also fit the traditional methods to the training galaxies of the table, and score them.
    resamples, seed : int
        Of the bootstrap that gives the errors, and of the draws in the figures.

    Returns
    -------
    Evaluation
        Of each line the equivalent width, in AA.

    Raises
    ------
    NebuliumError
        If the file or the model is at fault, or there is no galaxy to score.

    Examples
    --------
    >>> import tempfile
    >>> from nebulium.data.tables.reading import write_table
    >>> draw, columns = np.random.default_rng(0), {"target_id": np.arange(20), "redshift": np.full(20, 0.1)}
    >>> columns |= {f"continuum_flux_{place}": draw.uniform(1, 2, 20) for place in range(12)}
    >>> columns |= {f"ew_{line}": draw.uniform(1, 9, 20) for line in LINES}
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     path = f"{scratch}/galaxies.parquet"
    ...     write_table(Table(columns), path)
    ...     found = evaluate_file(path, model="desi-lines-colours", all_rows=True, resamples=2)
    >>> [score.method for score in found.of_all()[:3]]
    ['median of the scored', 'intrinsic', 'observed']
    """
    table = read_measured(source, columns=columns, id_column=id_column, need_ivar=False)
    return evaluate(
        table,
        model=model,
        split=None if all_rows else TEST,
        traditional=traditional,
        resamples=resamples,
        seed=seed,
    )


def evaluate(
    table: Table,
    *,
    model: str | Path = "desi-lines",
    split: str | None = TEST,
    traditional: bool = False,
    resamples: int = 50,
    seed: int = 0,
) -> Evaluation:
    """Score a model on a table of measured lines."""
    models, bootstrap = named_models([model]), Bootstrap(resamples, seed)
    loaded, rejects = load_model(model, of=LineModel), Rejects()
    recorded = models[next(iter(models))].config["split"].get("id_column", ID)
    ids = table[recorded if recorded in table else ID]
    held = held_out_galaxies(ids, list(models.values()), where=table.name, part=split)
    galaxies = measured_galaxies(table, loaded, rejects, rows=held.rows)
    if len(galaxies) == 0:
        problem = f"has no row to score: {len(held.rows)} of {len(table)} are held out; {rejects.summary()}"
        mend = "give a larger table, or all rows (--all-rows, split=None) if no model was trained on them"
        raise TableError(table.name, problem, mend)
    training = measured_galaxies(table, loaded, Rejects(), rows=held.training)
    quantiles = _quantiles(loaded, galaxies)
    predicted = {
        **_baselines(galaxies, training, traditional),
        INTRINSIC: median_ews(loaded, galaxies.continuum_flux, galaxies.redshift).astype(float),
        **{name: values[:, MEDIAN] for name, values in quantiles.items()},
    }
    methods = {
        name: line_columns(galaxies.ew_aa, widths, quantiles.get(name)) for name, widths in predicted.items()
    }
    scores, comparison = score_methods(methods, METRICS, method=OBSERVED, bootstrap=bootstrap)
    fifths = equal_samples(FLUX, galaxies.continuum_flux[:, FLUX_BIN].astype(float), FIFTHS)
    covered, _ = score_methods(
        {name: methods[name] for name in quantiles}, COVERAGE, samples=fifths, bootstrap=bootstrap
    )
    return Evaluation(
        (*scores, *covered),
        comparison,
        METRICS,
        _figures(loaded, galaxies, methods, (*scores, *covered), seed),
        galaxies=galaxy_table(galaxies.ids, methods, columns=["predicted"]),
        about=describe_run(table.name, models, split, len(galaxies), bootstrap),
        notes=held.notes,
        rejects=rejects,
    )


def _baselines(
    galaxies: MeasuredGalaxies, training: MeasuredGalaxies, traditional: bool
) -> dict[str, Widths]:
    """Predictions of the others, the trivial one first."""
    name, teachers = (TRAINING_MEDIAN, training) if len(training) else (SCORED_MEDIAN, galaxies)
    fits = {name: TrainingMedian.fit, **(TRADITIONAL if traditional and len(training) else {})}
    baselines = {}
    for method, fit in fits.items():
        fitted = fit(teachers.continuum_flux, teachers.redshift, teachers.ew_aa)
        baselines[method] = fitted.predict(galaxies.continuum_flux, galaxies.redshift)
    if galaxies.published_ew_aa is not None:
        baselines[PUBLISHED] = galaxies.published_ew_aa
    return baselines


def _quantiles(model: LineModel, galaxies: MeasuredGalaxies) -> dict[str, Float[np.ndarray, "n level 10"]]:
    """Predicted distributions of the measurements, with the noise of the rows where there is any."""
    errors = {OBSERVED: None, OBSERVED_IVAR: galaxies.sigma_aa}
    if not np.isfinite(galaxies.sigma_aa).any():
        del errors[OBSERVED_IVAR]
    continua = galaxies.continuum_flux, galaxies.redshift
    return {
        name: quantiles_of_measurements(model, *continua, sigma, LEVELS).astype(float)
        for name, sigma in errors.items()
    }


def _figures(
    model: LineModel, galaxies: MeasuredGalaxies, methods: Methods, scores: Sequence[Score], seed: int
) -> dict[str, Figure]:
    """All figures, by name."""
    best = list(methods)[-1]
    populations = _populations(model, galaxies, seed)
    medians = np.stack([columns["predicted"] for columns in methods[OBSERVED].values()], axis=1)
    return {
        "spearman": score_table(_by_method(scores, "spearman"), quantity="Spearman's ρ"),
        "nmad": score_table(_by_method(scores, "nmad_uncentred"), quantity="Uncentred NMAD / Å"),
        "predicted_against_observed": predicted_against_observed(
            galaxies.ew_aa, medians, title="Median, from the continuum alone"
        ),
        "ew_distributions": ew_distributions(galaxies.ew_aa, populations),
        "bpt": bpt_diagram({"observed": galaxies.ew_aa, **populations}),
        "pit": pit_histograms(_pits(methods[best]), title=best),
        "coverage": _coverage_figure([one for one in scores if one.method == best], best),
    }


def _populations(model: LineModel, galaxies: MeasuredGalaxies, seed: int) -> dict[str, np.ndarray]:
    """Medians, draws, and draws with noise and selection."""
    continua = galaxies.continuum_flux, galaxies.redshift
    populations = {
        "median": median_ews(model, *continua),
        "sample": draw_intrinsic(model, *continua, seed=seed),
    }
    if np.isfinite(galaxies.sigma_aa).any():
        populations["sample + noise"] = draw_measurements(model, *continua, galaxies.lines, seed=seed)
    return {name: values.astype(float) for name, values in populations.items()}


def _pits(columns: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The PIT values that are known, of the lines that have any."""
    known = {line: columns[f"ew_{line}"]["pit"] for line in LINES}
    return {line: pit[np.isfinite(pit)] for line, pit in known.items() if np.isfinite(pit).any()}


def _coverage_figure(scores: Sequence[Score], title: str) -> Figure:
    """Coverage of each line in the fifths by flux."""
    fifths = [one for one in scores if one.sample.quantity == FLUX]
    flux = np.array([one.sample.middle for one in fifths[: len(fifths) // len(LINES)]])
    shares = {
        f"{level} %": np.array([one[f"coverage_{level}"].value for one in fifths]).reshape(len(LINES), -1)
        for level in (68, 95)
    }
    return coverage_against_flux(flux, shares, {"68 %": 0.68, "95 %": 0.95}, title=title)


def _by_method(scores: Sequence[Score], metric: str) -> dict[str, np.ndarray]:
    """A metric of each method, line by line."""
    of_all = [one for one in scores if metric in one.estimates]
    return {
        method: np.array([one[metric].value for one in of_all if one.method == method])
        for method in dict.fromkeys(one.method for one in of_all)
    }
