"""Spectra in Parquet, in the layout of the Multimodal Universe."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from nebulium.data.files import (
    METADATA_KEY,
    declared_units,
    is_list,
    list_lengths,
    lists_by_field,
    opened_parquet,
    own_metadata,
    to_numpy,
)
from nebulium.data.glossary import FLUX_UNIT, WAVE_UNIT, found_names
from nebulium.data.spectra.checks import Declared, RawSpectra, checked_spectra
from nebulium.data.spectra.parts import ID, NAMES, PIXELWISE, WAVES, id_name, no_such_ids
from nebulium.data.spectra.spectrum_set import Spectra
from nebulium.errors import SpectrumError

#: What is kept for each pixel, and of the columns beside the spectrum, by the keys of ``NAMES``.
LISTS = {key: NAMES[key] for key in ("flux", *WAVES, *PIXELWISE)}
KEPT_COLUMNS = ("ra", "dec", "ebv", "zwarn", "spectype", "objtype")
COLUMNS = {key: NAMES[key] for key in ("redshift", *KEPT_COLUMNS)}


def read_mmu(path: Path, declared: Declared) -> Spectra:
    """Read spectra from Parquet: a struct ``spectrum`` of lists flux, ivar, lsf_sigma, lambda and mask.

    The layout is that of the Multimodal Universe (2024, arXiv:2412.02527): wavelengths in Angstrom in
    vacuum, fluxes in 1e-17 erg/s/cm2/Angstrom, ``lsf_sigma`` in pixels (one number or one for each pixel),
    ``mask`` true for bad pixels, padding with lambda -1. Flat columns ``spectrum_flux`` and so on are read
    too.
    """
    with opened_parquet(path, error=SpectrumError) as file:
        table = file.read()
    if not len(table):
        raise SpectrumError(str(path), "has no rows", "check how it was made")
    lists = _lists(table)
    names = found_names(lists, LISTS)
    _check_layout(path, table, names)
    told = _declared_units(table.schema)
    units = {key: told.get(name, "") for key, name in names.items()}
    values = {key: _array(path, lists[name], key, lists[names["flux"]]) for key, name in names.items()}
    if "lsf" in values and units["lsf"] in ("", "pixel") and "wave" in values:
        wave = np.where(values["wave"] > 0, values["wave"], np.nan)
        values["lsf"] = values["lsf"] * (np.gradient(wave, axis=1) if wave.shape[1] > 1 else 1.0)
    plain = [name for name in table.column_names if not pa.types.is_nested(table[name].type)]
    beside = _columns(path, table, plain)
    named = id_name(plain, declared.id_column)
    if named is not None:
        values["id"] = to_numpy(table[named], str(path), named)
    elif declared.id_column is not None:
        raise no_such_ids(str(path), declared.id_column, plain)
    air = None if "air" not in told else told["air"] == "true"
    columns = {key: beside[key] for key in KEPT_COLUMNS if key in beside}
    about = own_metadata(table.schema).get("metadata", {}) | {"format": "Multimodal Universe"}
    raw = RawSpectra(
        str(path), values | beside, units, air, columns, about, id_column=named or ID, there=tuple(plain)
    )
    return checked_spectra(raw, declared)


def write_mmu(parts: Iterator[Spectra], partial: Path, rows: int) -> None:
    """Write spectra of one form to Parquet, in the layout of the Multimodal Universe."""
    with ExitStack() as stack:
        writer = None
        for table in map(spectra_to_arrow, parts):
            if writer is None:
                writer = stack.enter_context(
                    pyarrow.parquet.ParquetWriter(
                        partial, table.schema, compression="zstd", use_dictionary=["object_id"]
                    )
                )
            writer.write_table(table.cast(writer.schema))


def spectra_to_arrow(spectra: Spectra) -> pa.Table:
    """Spectra and the columns beside them as an Arrow table in the layout of the Multimodal Universe."""
    lists = {"flux": spectra.flux_lambda, "ivar": spectra.ivar}
    if spectra.lsf_sigma_aa is not None:
        step = np.gradient(spectra.wave_aa.astype(np.float64), axis=1)
        lists["lsf_sigma"] = (spectra.lsf_sigma_aa / step).astype(np.float32)
    lists |= {"lambda": spectra.wave_aa, "mask": spectra.ivar <= 0}
    units = {"flux": FLUX_UNIT, "lambda": WAVE_UNIT, "lsf_sigma": "pixel", "air": "false"}
    spectrum = pa.StructArray.from_arrays([_list_array(values) for values in lists.values()], list(lists))
    columns = {
        "object_id": pa.array(spectra.ids.astype(np.str_)),
        "spectrum": spectrum,
        "Z": pa.array(spectra.redshift),
        **{name: pa.array(values) for name, values in spectra.columns.items()},
    }
    about = json.dumps({"units": units, "metadata": spectra.metadata})
    return pa.table(columns).replace_schema_metadata({METADATA_KEY: about})


def _list_array(values: np.ndarray) -> pa.Array:
    """A row for each spectrum, without a copy of the pixels."""
    offsets = np.arange(len(values) + 1, dtype=np.int64) * values.shape[1]
    return pa.LargeListArray.from_arrays(offsets, np.ascontiguousarray(values).ravel())


def _lists(table: pa.Table) -> dict[str, Any]:
    """Columns of lists by lower-case name: fields of ``spectrum``, ``spectrum_flux``, or ``flux``."""
    found = {name.lower(): table[name] for name in table.column_names if is_list(table[name].type)}
    found |= {name.removeprefix("spectrum_"): values for name, values in found.items()}
    return found | (lists_by_field(table["spectrum"]) if "spectrum" in table.column_names else {})


def _check_layout(path: Path, table: pa.Table, found: Mapping[str, str]) -> None:
    for keys, name in ((WAVES, "lambda"), (("flux",), "flux")):
        if not set(keys) & set(found):
            problem = f"has no spectra in the Multimodal Universe layout ({name} is missing"
            problem += f"; it has {', '.join(table.column_names[:12])})"
            mend = "give a column spectrum: struct of the lists flux, ivar, lambda"
            raise SpectrumError(str(path), problem, mend)


def _array(path: Path, lists: Any, key: str, flux: Any) -> np.ndarray:
    """Lists as the rows of one array, shorter ones filled up with NaN; lengths must be those of the flux."""
    if key == "lsf" and not is_list(lists.type):
        # One number for all pixels of a spectrum.
        width = int(list_lengths(flux).max())
        return np.repeat(to_numpy(lists, str(path), "lsf_sigma")[:, None], width, axis=1)
    if not is_list(lists.type):
        problem = f"has {lists.type} for {key}, expected a list a row"
        raise SpectrumError(str(path), problem, "check how the file was made")
    lengths, expected = list_lengths(lists), list_lengths(flux)
    bad = np.flatnonzero(lengths != expected)
    if len(bad):
        row = int(bad[0])
        problem = f"has {lengths[row]} values of {key} for {expected[row]} of flux"
        raise SpectrumError(f"{path}, row {row}", problem, "check how the file was made")
    flat = pc.list_flatten(lists)
    try:
        values = flat.cast(pa.float64()) if not pa.types.is_boolean(flat.type) else flat.cast(pa.int8())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        problem = f"has lists of {flat.type} for {key}, expected numbers"
        raise SpectrumError(str(path), problem, "check how the file was made") from error
    width = int(lengths.max(initial=0))
    array = np.full((len(lengths), width), np.nan)
    array[np.arange(width) < lengths[:, None]] = values.to_numpy(zero_copy_only=False)
    return array


def _columns(path: Path, table: pa.Table, plain: list[str]) -> dict[str, np.ndarray]:
    """Columns beside the spectrum; the layout's flag ZWARN is true where the redshift is good."""
    names = found_names(plain, COLUMNS)
    found = {key: to_numpy(table[name], str(path), name) for key, name in names.items()}
    if "redshift" in found and found["redshift"].dtype.kind not in "iuf":
        problem = f"holds {table[names['redshift']].type}, expected numbers"
        raise SpectrumError(f"{path}, column {names['redshift']}", problem, "check how the file was made")
    return {key: (~one).astype(np.int64) if one.dtype == bool else one for key, one in found.items()}


def _declared_units(schema: pa.Schema) -> dict[str, str]:
    """Units that nebulium wrote into the schema, or the writer into the fields."""
    spectrum = schema.field("spectrum").type if "spectrum" in schema.names else None
    flat = {name.lower().removeprefix("spectrum_"): unit for name, unit in declared_units(schema).items()}
    declared = declared_units(spectrum) if spectrum is not None and pa.types.is_struct(spectrum) else {}
    declared = flat | {name.lower(): unit for name, unit in declared.items()}
    return declared | dict(own_metadata(schema).get("units", {}))
