"""``nebulium photoz``: redshifts of galaxies, as densities p(z)."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from nebulium.cli.options import (
    Epochs,
    ModelOutput,
    PredictionsOutput,
    ReportOutput,
    Resume,
    Seed,
)
from nebulium.cli.photoz_columns import takes_columns
from nebulium.cli.terminal import (
    counting,
    ends_well,
    say,
    say_notes,
    say_predictions,
    say_trained,
)

app = typer.Typer(help="Redshifts from photometry and images.", no_args_is_help=True)

Method = Literal["pita", "supervised", "selfsupervised", "photometry", "template", "train-distribution"]
Encoder = Literal["convnext-nano", "convnext-tiny", "resnet-small", "resnet18", "resnet34"]

#: Of the labels: no catalogue has so many that fewer would do.
LEAST_FRACTION = 0.001

Data = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        help="Folder of a mock survey, or a table ending in .parquet, .fits, .ecsv, .csv or .hdf5.",
    ),
]
ModelOfRedshifts = Annotated[
    str, typer.Option("--model", metavar="DIR_OR_NAME", help="A model folder or a packaged model.")
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
AllRows = Annotated[
    bool, typer.Option("--all-rows", help="Score every galaxy: only if no model was trained on any of them.")
]
Point = Annotated[
    Literal["median", "mode", "mean"], typer.Option("--point", help="The redshift that a density stands for.")
]
MostRedshift = Annotated[
    float | None,
    typer.Option("--max-redshift", min=0.01, max=1000.0, help="Highest redshift; the method's if not given."),
]
Bins = Annotated[
    int | None, typer.Option("--bins", min=2, help="Bins of redshift; the method's if not given.")
]
BatchSize = Annotated[
    int | None, typer.Option("--batch-size", min=1, help="Galaxies of a step; the recipe's if not given.")
]
Patience = Annotated[
    int | None,
    typer.Option("--patience", min=1, help="Stop after so many epochs without gain in validation."),
]
Members = Annotated[
    int | None, typer.Option("--members", min=1, help="Networks of the ensemble; the recipe's if not given.")
]
ImageEncoder = Annotated[
    Encoder | None, typer.Option("--encoder", help="Network of the image; the recipe's if not given.")
]
MethodSeed = Annotated[int | None, typer.Option("--seed", help="Of all that is random.")]


@app.command("train")
@ends_well
@takes_columns
def train(
    data: Data,
    method: Annotated[Method, typer.Option("--method", help="How.")],
    output: ModelOutput,
    columns: dict[str, Any],
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
    recalibrate: Annotated[
        bool, typer.Option("--recalibrate", help="Set the densities right on the validation galaxies.")
    ] = False,
    most_redshift: MostRedshift = None,
    bins: Bins = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    members: Members = None,
    encoder: ImageEncoder = None,
    patience: Patience = None,
    seed: MethodSeed = None,
    resume: Resume = False,
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

    settings = _settings(
        grid_most=most_redshift,
        grid_bins=bins,
        epochs=epochs,
        batch_size=batch_size,
        members=members,
        encoder=encoder,
        patience=patience,
        seed=seed,
    )
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


@app.command("predict")
@ends_well
@takes_columns
def predict(
    data: Data,
    model: ModelOfRedshifts,
    output: PredictionsOutput,
    columns: dict[str, Any],
    pdf: Annotated[
        Path | None,
        typer.Option(
            "--pdf", metavar="FILE", help="Also write the densities, as a qp ensemble ending in .hdf5."
        ),
    ] = None,
    curves: Curves = None,
) -> None:
    """Predict the redshifts of galaxies.

    Written are target_id, redshift_median, redshift_mode, redshift_q16, redshift_q84, odds (the probability
    within 0.06 (1 + z) of the mode) and in_domain. What was told of the columns in training counts here too;
    once a --band is given, nothing of it but --extinction does, and all has to be told again.

    Example: `nebulium photoz predict mock --model mine --output redshifts.parquet --pdf densities.hdf5`
    """
    from nebulium.photoz.predict import predict_file

    with counting("predicting", "galaxies") as progress:
        run = predict_file(
            data, output, model=model, pdf=pdf, columns=columns, curves=curves, progress=progress
        )
    say_predictions(run)


@app.command("evaluate")
@ends_well
@takes_columns
def evaluate(
    data: Data,
    model: ModelOfRedshifts,
    output: ReportOutput,
    columns: dict[str, Any],
    curves: Curves = None,
    all_rows: AllRows = False,
    point: Point = "median",
    seed: Seed = 0,
) -> None:
    """Score a model on galaxies with redshifts: a table of scores, and figures.

    Scored are the galaxies in the test part of the model's own split.

    Example: `nebulium photoz evaluate mock --model mine --output scores`
    """
    options = {"columns": columns, "curves": curves, "all_rows": all_rows, "point": point, "seed": seed}
    _score(data, [model], output, options)


@app.command("compare")
@ends_well
@takes_columns
def compare(
    models: Annotated[
        list[str], typer.Argument(metavar="MODEL...", help="Model folders or packaged models.")
    ],
    data: Annotated[Path, typer.Option("--data", metavar="DATA", help="As in train.")],
    output: ReportOutput,
    columns: dict[str, Any],
    curves: Curves = None,
    all_rows: AllRows = False,
    point: Point = "median",
    seed: Seed = 0,
) -> None:
    """Compare models on the galaxies that none of them was trained on: the first with each of the others.

    Example: `nebulium photoz compare mine other --data mock --output comparison`
    """
    options = {"columns": columns, "curves": curves, "all_rows": all_rows, "point": point, "seed": seed}
    _score(data, models, output, options)


@app.command("label-fraction")
@ends_well
@takes_columns
def label_fraction(
    data: Data,
    method: Annotated[
        list[str], typer.Option("--method", help="photometry, template, ...; as often as needed.")
    ],
    output: ReportOutput,
    columns: dict[str, Any],
    fraction: Annotated[
        list[float] | None,
        typer.Option(
            "--fraction",
            min=LEAST_FRACTION,
            max=1.0,
            help="Of the labels; as often as needed. [default: 0.05, 0.1, 0.2, 0.5, 1]",
        ),
    ] = None,
    curves: Curves = None,
    split: SplitSeed = "nebulium",
    recalibrate: Annotated[
        bool, typer.Option("--recalibrate", help="Set the densities right on the validation galaxies.")
    ] = False,
    most_redshift: MostRedshift = None,
    bins: Bins = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    members: Members = None,
    encoder: ImageEncoder = None,
    patience: Patience = None,
    seed: MethodSeed = None,
    resume: Resume = False,
) -> None:
    """Train with fewer and fewer labels, and score all on the same test galaxies: one table, one figure.

    The models stay in OUTPUT.models; --resume takes those that are there. An option that only some of the
    methods have counts for these.

    Example: `nebulium photoz label-fraction mock --method photometry --output fractions`
    """
    from nebulium.photoz.scores.label_fraction_file import (
        FRACTIONS,
        MODELS_ENDING,
        label_fraction_file,
    )

    run = label_fraction_file(
        data,
        output,
        methods=method,
        fractions=fraction or FRACTIONS,
        columns=columns,
        curves=curves,
        split_seed=split,
        recalibrate=recalibrate,
        settings=_settings(
            grid_most=most_redshift,
            grid_bins=bins,
            epochs=epochs,
            batch_size=batch_size,
            members=members,
            encoder=encoder,
            patience=patience,
            seed=seed,
        ),
        resume=resume,
        progress=lambda name: say(f"training {name}"),
    )
    for score, share, labels in zip(run.scores, *run.columns.values(), strict=True):
        say(f"{100 * share:g} % of the labels, {labels:,}: {_scores(score)}")
    say(f"{output}: table and figure; models in {output}{MODELS_ENDING}")
    say_notes(run.notes)


def _settings(**given: Any) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


def _score(data: Path, models: list[str], output: Path, options: dict[str, Any]) -> None:
    """Score one model, or compare several."""
    from nebulium.photoz.scores.evaluate import evaluate_file
    from nebulium.verbs.evaluation import check_evaluation_place

    check_evaluation_place(output)
    result = evaluate_file(data, models=models, **options)
    result.write(output)
    for score in result.of_all():
        say(_scores(score))
    say(f"{output}: scores and figures; {result.rejects.summary()}")
    say_notes(result.notes)


def _scores(score: Any) -> str:
    return (
        f"{score.method}: {score.n:,} galaxies, bias {score['bias_mean'].value:.4f}, "
        f"NMAD {score['nmad'].value:.4f}, outliers {100 * score['outliers_015'].value:.1f} %"
    )
