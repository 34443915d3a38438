"""One call from a table of measured lines to the scores and the figures of a model.

Scored are the galaxies that the model was not trained on, by the split that it carries. What is compared with
the measurements are predictions of measurements, noise and selection included: once with the noise typical of
the continuum, once with each row's own.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from nebulium.data.column_checks import Missing
from nebulium.data.rejects import Rejects
from nebulium.data.tables.reading import ColumnMapping, Units
from nebulium.data.tables.table import Table
from nebulium.errors import TableError, check_extra
from nebulium.lines.input import checked_mapping
from nebulium.lines.measured_galaxies import measured_galaxies, read_measured
from nebulium.lines.model import LineModel
from nebulium.lines.quantiles import median_ews
from nebulium.lines.scores.baselines import predicted_by_others
from nebulium.lines.scores.figures import evaluation_figures
from nebulium.lines.scores.populations import OBSERVED, distributions, drawn_populations
from nebulium.lines.scores.scores import COVERAGE, FLUX, FLUX_BIN, LEVELS, METRICS, line_columns
from nebulium.modelfile import load_model
from nebulium.verbs.evaluation import Evaluation, Scoring, evaluate_methods, score_methods
from nebulium.verbs.held_out import TEST
from nebulium.verbs.predict import ID
from nebulium.verbs.score import equal_samples

INTRINSIC = "intrinsic"
#: Coverage is scored in so many samples by continuum flux.
FIFTHS = 5
MEDIAN = int(np.flatnonzero(np.isclose(LEVELS, 0.5))[0])


def evaluate_file(
    source: str | Path,
    *,
    model: str | Path = "desi-lines",
    columns: ColumnMapping | None = None,
    id_column: str | None = None,
    missing: Missing = None,
    units: Units = None,
    emission_negative: bool = False,
    keep_flagged: bool = False,
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
    missing : float, sequence of float, or mapping of str to these, optional
        Numbers that stand for a missing value.
    units : mapping of str to str, or sequence of str, optional
        nebulium's name -> the unit of the file's values, in place of what the file declares.
    emission_negative : bool
        In the file equivalent widths of emission are negative: they are turned.
    keep_flagged : bool
        Score failed redshifts, stars and quasars too, by the columns `zwarn` and `spectype`, which are then
        listed with the galaxies; they are set aside otherwise.
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
    >>> from nebulium import LINES, write_table
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
    if traditional:
        check_extra("bench")
    table = read_measured(
        source,
        columns=columns,
        id_column=id_column,
        missing=missing,
        units=units,
        emission_negative=emission_negative,
        need_ivar=False,
    )
    return evaluate(
        table,
        id_column=checked_mapping(columns, id_column).get(ID, ID),
        model=model,
        split=None if all_rows else TEST,
        keep_flagged=keep_flagged,
        traditional=traditional,
        resamples=resamples,
        seed=seed,
    )


def evaluate(
    table: Table,
    *,
    id_column: str = ID,
    model: str | Path = "desi-lines",
    split: str | None = TEST,
    keep_flagged: bool = False,
    traditional: bool = False,
    resamples: int = 50,
    seed: int = 0,
) -> Evaluation:
    """Score a model on a table of measured lines, whose ids are called `id_column` in what is written."""
    scoring = Scoring.of(table.name, [model], split, resamples, seed)
    loaded, rejects = load_model(model, of=LineModel), Rejects()
    recorded = next(iter(scoring.models.values())).config["split"].get("id_column", ID)
    held = scoring.held_out(table[recorded if recorded in table else ID])
    galaxies = measured_galaxies(table, loaded, rejects, rows=held.rows, keep_flagged=keep_flagged)
    if len(galaxies) == 0:
        problem = f"has no row to score: {len(held.rows)} of {len(table)} are held out; {rejects.summary()}"
        mend = "give a larger table, or all rows (--all-rows, split=None) if no model was trained on them"
        raise TableError(table.name, problem, mend)
    training = measured_galaxies(table, loaded, Rejects(), rows=held.training, keep_flagged=keep_flagged)
    quantiles = distributions(loaded, galaxies, LEVELS)
    predicted = {
        **predicted_by_others(galaxies, training, traditional),
        INTRINSIC: median_ews(loaded, galaxies.continuum_flux, galaxies.redshift).astype(float),
        **{name: values[:, MEDIAN] for name, values in quantiles.items()},
    }
    methods = {
        name: line_columns(galaxies.ew_aa, widths, quantiles.get(name)) for name, widths in predicted.items()
    }
    covered, _ = score_methods(
        {name: methods[name] for name in quantiles},
        COVERAGE,
        samples=equal_samples(FLUX, galaxies.continuum_flux[:, FLUX_BIN].astype(float), FIFTHS),
        bootstrap=scoring.bootstrap,
    )
    populations = drawn_populations(loaded, galaxies, seed)
    scored = evaluate_methods(
        methods,
        METRICS,
        ids=galaxies.ids,
        id_column=id_column,
        figures=lambda scores: evaluation_figures(
            galaxies.ew_aa, predicted[OBSERVED], populations, methods, scores
        ),
        columns=["predicted"],
        method=OBSERVED,
        more=covered,
        bootstrap=scoring.bootstrap,
    )
    if scored.galaxies is not None:
        scored = replace(scored, galaxies=scored.galaxies.with_columns(galaxies.beside))
    return scoring.completed(scored, len(galaxies), held.notes, rejects)
