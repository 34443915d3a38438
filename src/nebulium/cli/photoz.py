"""``nebulium photoz``: redshifts of galaxies, as densities p(z)."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from nebulium.cli.options import (
    REPLACED,
    AllRows,
    BatchSize,
    Encoder,
    Epochs,
    ModelOfGalaxies,
    ModelOutput,
    Patience,
    PredictionsOutput,
    ReportOutput,
    Resume,
    Seed,
)
from nebulium.cli.photoz_columns import catalogue_columns
from nebulium.cli.verb import evaluation, given, library, say, say_notes, say_predictions, say_trained, verb

app = typer.Typer(help="Redshifts from photometry and images.", no_args_is_help=True)

Method = Literal[
    "pita", "supervised", "selfsupervised", "photometry", "template", "combined", "train-distribution"
]

SCORES = evaluation("photoz.evaluate_file")
#: Of the labels: no catalogue has so many that fewer would do.
LEAST_FRACTION = 0.001

Data = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        help="Folder of a mock survey, or a table: Parquet, FITS, ECSV, VOTable, HDF5 or text.",
    ),
]
Curves = Annotated[
    Path | None,
    typer.Option(
        "--filters",
        metavar="TABLE",
        help="Transmission curves of the bands: columns filter, wave_aa, transmission. [default: known by "
        "their names, as acs_wfc_f814w]",
    ),
]
SplitSeed = Annotated[
    str,
    typer.Option("--split", metavar="NAME", help="Names the split by id into train, validation and test."),
]
Point = Annotated[
    Literal["median", "mode", "mean"], typer.Option("--point", help="The redshift that a density stands for.")
]
Recalibrate = Annotated[
    bool, typer.Option("--recalibrate", help="Set the densities right on the validation galaxies.")
]


def method_settings(
    grid_most: Annotated[
        float | None,
        typer.Option(
            "--max-redshift", min=0.01, max=1000.0, help="Highest redshift; the method's if not given."
        ),
    ] = None,
    grid_bins: Annotated[
        int | None, typer.Option("--bins", min=2, help="Bins of redshift; the method's if not given.")
    ] = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    members: Annotated[
        int | None,
        typer.Option("--members", min=1, help="Networks of the ensemble; the recipe's if not given."),
    ] = None,
    encoder: Annotated[
        Encoder | None, typer.Option("--encoder", help="Network of the image; the recipe's if not given.")
    ] = None,
    patience: Patience = None,
    zero_points: Annotated[
        str | None,
        typer.Option(
            "--zero-points",
            metavar="fit|none|BAND=MAG,...",
            help="Of template: fitted to training galaxies, none, or numbers that are added to the "
            "magnitudes. [default: fitted, where there are 50 redshifts, or else six bands]",
        ),
    ] = None,
    band_errors: Annotated[
        str | None,
        typer.Option(
            "--band-errors",
            metavar="fit|none|BAND=FRACTION,...",
            help="Of template: errors of all fluxes of a band beyond the noise, in the same way.",
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Of all that is random.")] = None,
) -> dict[str, Any]:
    """Settings of a method that are given, by these names."""
    return given(**locals())


@verb(app, "train", settings=method_settings, columns=catalogue_columns)
def train(
    data: Data,
    method: Annotated[Method, typer.Option("--method", help="How.")],
    output: ModelOutput,
    *,
    label_fraction: Annotated[
        float,
        typer.Option(
            "--label-fraction",
            min=LEAST_FRACTION,
            max=1.0,
            help="Fraction of the labels to use, chosen by id: who is in 0.05 is in 0.1.",
        ),
    ] = 1.0,
    curves: Curves = None,
    split: SplitSeed = "nebulium",
    recalibrate: Recalibrate = False,
    settings: dict[str, Any],
    resume: Resume = False,
    columns: dict[str, Any],
) -> None:
    """Train a model of redshifts.

    Labels are the redshifts of those galaxies that have one. What was left out is said, and listed beside
    the model.

    Example: `nebulium photoz train mock --method photometry --output mine`

    Example: `nebulium photoz train hdfn.csv --method template --id id --flux-unit uJy --filters curves.csv
    --band f450w=f_f450w,e_f450w --band f606w=f_f606w,e_f606w --band f814w=f_f814w,e_f814w --output mine`
    """
    from nebulium.data.splits import Split
    from nebulium.photoz.training_file import train_file

    run = train_file(
        data,
        output,
        method=method,
        columns=columns,
        curves=curves,
        split=Split(split, label_fraction=label_fraction),
        settings=settings,
        recalibrate=recalibrate,
        resume=resume,
        progress=True,
    )
    say_trained(run)


@verb(app, "predict", library("photoz.predict_file"), "predicting", columns=catalogue_columns)
def predict(
    run: Any,
    *,
    data: Annotated[
        list[Path],
        typer.Argument(
            metavar="DATA...",
            help="Folder of a mock survey, or a table: Parquet, FITS, ECSV, VOTable, HDF5 or text; for a "
            "model of images also several files of these.",
        ),
    ],
    model: ModelOfGalaxies,
    output: PredictionsOutput,
    pdf: Annotated[
        Path | None,
        typer.Option(
            "--pdf",
            metavar="FILE",
            help=f"Also write the densities, as a qp ensemble ending in .hdf5. {REPLACED}",
        ),
    ] = None,
    curves: Curves = None,
    columns: dict[str, Any],
) -> None:
    """Predict the redshifts of galaxies.

    Written are target_id, redshift_median, redshift_mode, redshift_q16, redshift_q84, odds (the probability
    within 0.06 (1 + z) of the mode) and in_domain; where images come from many files, the column file says
    from which. What was told of the columns in training counts here too;
    once a --band is given, nothing of it but --extinction does, and all has to be told again.

    Example: `nebulium photoz predict mock --model mine --output redshifts.parquet --pdf densities.hdf5`
    """
    say_predictions(run)


def _one_model(model: ModelOfGalaxies) -> list[str]:
    return [model]


@verb(app, "evaluate", SCORES, doing="scoring", models=_one_model, columns=catalogue_columns)
def evaluate(
    result: Any,
    *,
    data: Data,
    models: list[str],
    output: ReportOutput,
    curves: Curves = None,
    all_rows: AllRows = False,
    point: Point = "median",
    seed: Seed = 0,
    columns: dict[str, Any],
) -> None:
    """Score a model on galaxies with redshifts: a table of scores, and figures.

    Scored are the galaxies in the test part of the model's own split.

    Example: `nebulium photoz evaluate mock --model mine --output scores`
    """
    _say_scores(result, output)


@verb(app, "compare", SCORES, doing="scoring", columns=catalogue_columns)
def compare(
    result: Any,
    *,
    models: Annotated[
        list[str], typer.Argument(metavar="MODEL...", help="Model folders or packaged models.")
    ],
    data: Annotated[Path, typer.Option("--data", metavar="DATA", help="As in train.")],
    output: ReportOutput,
    curves: Curves = None,
    all_rows: AllRows = False,
    point: Point = "median",
    seed: Seed = 0,
    columns: dict[str, Any],
) -> None:
    """Compare models on the galaxies that none of them was trained on: the first with each of the others.

    Example: `nebulium photoz compare mine other --data mock --output comparison`
    """
    _say_scores(result, output)


@verb(
    app,
    "label-fraction",
    library("photoz.label_fraction_file", progress=lambda name: say(f"training {name}")),
    settings=method_settings,
    columns=catalogue_columns,
)
def label_fraction(
    run: Any,
    *,
    data: Data,
    methods: Annotated[
        list[str], typer.Option("--method", help="photometry, template, ...; as often as needed.")
    ],
    output: ReportOutput,
    fractions: Annotated[
        list[float] | None,
        typer.Option(
            "--fraction",
            min=LEAST_FRACTION,
            max=1.0,
            help="Of the labels; as often as needed. [default: 0.05, 0.1, 0.2, 0.5, 1]",
        ),
    ] = None,
    curves: Curves = None,
    split_seed: SplitSeed = "nebulium",
    recalibrate: Recalibrate = False,
    settings: dict[str, Any],
    resume: Resume = False,
    columns: dict[str, Any],
) -> None:
    """Train with fewer and fewer labels, and score all on the same test galaxies: one table, one figure.

    The models stay in OUTPUT.models; --resume takes those that are there. An option that only some of the
    methods have counts for these.

    Example: `nebulium photoz label-fraction mock --method photometry --output fractions`
    """
    from nebulium.photoz.scores.label_fraction_file import MODELS_ENDING

    for score, share, labels in zip(run.scores, *run.columns.values(), strict=True):
        say(f"{100 * share:g} % of the labels, {labels:,}: {_scores(score)}")
    say(f"{output}: table and figure; models in {output}{MODELS_ENDING}")
    say_notes(run.notes)


def _say_scores(result: Any, output: Path) -> None:
    for score in result.of_all():
        say(_scores(score))
    say(f"{output}: scores and figures; {result.rejects.summary()}")
    say_notes(result.notes)


def _scores(score: Any) -> str:
    return (
        f"{score.method}: {score.n:,} galaxies, bias {score['bias_mean'].value:.4f}, "
        f"NMAD {score['nmad'].value:.4f}, outliers {100 * score['outliers_015'].value:.1f} %"
    )
