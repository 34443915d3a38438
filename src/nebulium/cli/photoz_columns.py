"""The meaning of the columns of a catalogue: options shared by the commands of ``nebulium photoz``."""

from typing import Annotated, Any

import typer

from nebulium.cli.options import IdColumn, Missing
from nebulium.cli.verb import given, number_or_text


def catalogue_columns(
    bands: Annotated[
        list[str] | None,
        typer.Option(
            "--band",
            metavar="BAND=COLUMN,ERROR",
            help="A band, and the columns of its flux and error; as often as needed, in order. "
            "[default: flux_njy_obs_BAND,flux_njy_err_BAND, or those the model was trained on]",
        ),
    ] = None,
    magnitudes: Annotated[
        bool | None,
        typer.Option(
            "--magnitudes/--fluxes",
            help="Whether the columns are AB magnitudes. [default: fluxes; what looks like magnitudes is "
            "refused]",
        ),
    ] = None,
    flux_unit: Annotated[
        str | None,
        typer.Option(
            "--flux-unit",
            metavar="UNIT|NUMBER",
            help="nJy, uJy, ..., or the AB magnitude of flux 1. [default: as the file declares]",
        ),
    ] = None,
    missing: Missing = None,
    nondetection: Annotated[
        float | None,
        typer.Option(
            "--nondetection",
            metavar="NUMBER",
            help="Magnitude of those too faint, whose error column holds the limit of one sigma (BPZ: 99).",
        ),
    ] = None,
    id_column: IdColumn = None,
    redshift_column: Annotated[
        str | None,
        typer.Option(
            "--redshift", metavar="COLUMN", help="Spectroscopic redshifts. [default: redshift_spec]"
        ),
    ] = None,
    redshift_err_column: Annotated[
        str | None, typer.Option("--redshift-error", metavar="COLUMN", help="Their errors.")
    ] = None,
    ebv: Annotated[
        Any,
        typer.Option(
            "--ebv",
            parser=number_or_text,
            metavar="COLUMN|NUMBER",
            help="E(B-V) of the Milky Way by Schlegel et al. 1998, mag.",
        ),
    ] = None,
    dereddened: Annotated[
        bool | None,
        typer.Option(
            "--dereddened/--not-dereddened",
            help="Whether the catalogue is corrected for it; if not, and with --ebv, it will be.",
        ),
    ] = None,
    extinction: Annotated[
        list[str] | None,
        typer.Option(
            "--extinction",
            metavar="BAND=NUMBER",
            help="Extinction for E(B-V) = 1, mag; as often as needed. [default: from the filters]",
        ),
    ] = None,
) -> dict[str, Any]:
    """Fields of `CatalogueLayout` that are given, by these names."""
    fields = dict(locals())
    from nebulium.photometry.layout import band_columns, band_extinction

    fields["bands"] = tuple(band_columns(text) for text in bands or ()) or None
    fields["missing"] = tuple(missing or ()) or None
    fields["extinction"] = tuple(band_extinction(text) for text in extinction or ()) or None
    return given(**fields)
