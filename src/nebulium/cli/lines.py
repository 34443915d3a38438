"""``nebulium lines``: emission lines from starlight."""

from pathlib import Path
from typing import Annotated, Any

import typer

from nebulium.cli.options import (
    Air,
    AllRows,
    Columns,
    Ebv,
    EmissionNegative,
    Epochs,
    FluxUnit,
    IdColumn,
    IdOfSpectra,
    KeepFlagged,
    Missing,
    Model,
    ModelOfGalaxies,
    ModelOutput,
    PredictionsOutput,
    Redshifts,
    ReportOutput,
    Resume,
    Seed,
    SpectraOutput,
    Units,
    WaveUnit,
)
from nebulium.cli.verb import (
    evaluation,
    library,
    say,
    say_notes,
    say_predictions,
    say_rejects,
    say_trained,
    verb,
)

app = typer.Typer(help="Emission lines from starlight.", no_args_is_help=True)

Table = Annotated[Path, typer.Argument(metavar="TABLE", help="Parquet, FITS, ECSV, VOTable, HDF5 or text.")]


def lines_config(
    with_luminosity: Annotated[
        bool, typer.Option("--luminosity/--no-luminosity", help="Use the luminosity beside the colours.")
    ] = True,
    epochs: Epochs = None,
    seed: Seed = 0,
) -> Any:
    """The recipe, whose fields go by these names."""
    return library("lines.LinesConfig")(**locals())


@verb(app, "train", library("lines.train_file", progress=True), config=lines_config)
def train(
    run: Any,
    *,
    source: Table,
    output: ModelOutput,
    columns: Columns = None,
    id_column: IdColumn = None,
    missing: Missing = None,
    units: Units = None,
    emission_negative: EmissionNegative = False,
    keep_flagged: KeepFlagged = False,
    config: Any,
    resume: Resume = False,
) -> None:
    """Train a model on continua and measured lines.

    TABLE has the columns redshift, continuum_flux_0 to continuum_flux_11 (1e-17 erg/s/cm2/AA), ew_LINE (AA)
    and ew_ivar_LINE; --column maps other names.

    Example: `nebulium lines train galaxies.parquet --output my-lines`

    Example: `nebulium lines train fastspec.fits --output my-lines --column fastspecfit`
    """
    say_trained(run)


@verb(app, "predict", library("lines.predict_file"), "predicting")
def predict(
    run: Any,
    source: Annotated[
        list[Path],
        typer.Argument(
            metavar="INPUT...",
            help="A table with continuum bins, or spectra: files, a folder, or a pattern in quotes.",
        ),
    ],
    output: PredictionsOutput,
    model: Model = None,
    observed: Annotated[
        bool,
        typer.Option(
            "--observed",
            help="Predict measurements: noise and selection included, with the row's ew_ivar_LINE where "
            "there is one. Without it, the lines themselves.",
        ),
    ] = False,
    columns: Columns = None,
    id_column: IdOfSpectra = None,
    redshifts: Redshifts = None,
    ebv: Ebv = None,
    wave_unit: WaveUnit = None,
    flux_unit: FluxUnit = None,
    air: Air = None,
    missing: Missing = None,
    units: Units = None,
    keep_flagged: KeepFlagged = False,
) -> None:
    """Predict the equivalent widths of ten lines from each continuum.

    INPUT is a table with target_id, redshift and continuum_flux_0 to continuum_flux_11 (1e-17
    erg/s/cm2/AA), or spectra: DESI coadds, SDSS spec and spSpec files, other FITS, Multimodal Universe
    Parquet. Of many files the column file says which. Written are, for each line, ew_LINE_q50, _q16, _q84,
    _q025 and _q975 (AA), and in_domain.

    Example: `nebulium lines predict galaxies.parquet --output lines.parquet`

    Example: `nebulium lines predict coadd.fits --redshifts redrock.fits --output lines.ecsv`

    Example: `nebulium lines predict 'spectra/spec-*.fits' --output lines.parquet`
    """
    say_predictions(run)


@verb(app, "evaluate", evaluation("lines.evaluate_file"), doing="scoring")
def evaluate(
    result: Any,
    source: Table,
    output: ReportOutput,
    model: ModelOfGalaxies = "desi-lines",
    columns: Columns = None,
    id_column: IdColumn = None,
    missing: Missing = None,
    units: Units = None,
    emission_negative: EmissionNegative = False,
    keep_flagged: KeepFlagged = False,
    all_rows: AllRows = False,
    traditional: Annotated[
        bool, typer.Option("--traditional", help="Also fit and score PCA + k-NN and PCA + local regression.")
    ] = False,
    seed: Seed = 0,
) -> None:
    """Score a model on measured lines: a table of scores, and figures.

    Scored are the galaxies in the test part of the model's own split.

    Example: `nebulium lines evaluate galaxies.parquet --output scores`
    """
    say(f"{output}: {result.about['galaxies_scored']:,} galaxies scored; {result.rejects.summary()}")
    say_notes(result.notes)


@verb(app, "inject", library("lines.inject_file"), doing="adding lines")
def inject(
    run: Any,
    source: Annotated[
        list[Path],
        typer.Argument(
            metavar="SPECTRA...", help="FITS or Parquet: files, a folder, or a pattern in quotes."
        ),
    ],
    output: SpectraOutput,
    ew: Annotated[
        str,
        typer.Option(
            "--ew",
            metavar="median|sample|TABLE",
            help="What the model predicts from each continuum, or a table with target_id and ew_LINE (AA).",
        ),
    ] = "median",
    model: Model = None,
    id_column: IdOfSpectra = None,
    redshifts: Redshifts = None,
    ebv: Ebv = None,
    wave_unit: WaveUnit = None,
    flux_unit: FluxUnit = None,
    air: Air = None,
    keep_flagged: KeepFlagged = False,
    velocity_dispersion_km_s: Annotated[
        float, typer.Option("--velocity-dispersion", min=0.0, help="Sigma of the gas, km/s.")
    ] = 80.0,
    resolving_power: Annotated[
        float | None,
        typer.Option(
            "--resolving-power",
            min=1.0,
            help="Wavelength over FWHM of the instrument. [default: that of the file]",
        ),
    ] = None,
    seed: Seed = 0,
) -> None:
    """Put emission lines into spectra, flux conserving, upon whatever is in them.

    Beside FILE appears STEM.lines.ecsv, a table of the lines that were put in.

    Example: `nebulium lines inject continua.fits --ew sample --seed 1 --output with-lines.fits`
    """
    say(f"{run.output}: {run.spectra:,} spectra with lines; {run.lines_path}: the lines")
    say_rejects(run)
