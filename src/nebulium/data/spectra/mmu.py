"""Spectra in Parquet, in the layout of the Multimodal Universe."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from nebulium.data.files.arrow import (
    METADATA_KEY,
    declared_units,
    is_list,
    list_lengths,
    lists_by_field,
    opened_parquet,
    own_metadata,
    reading_parquet,
    to_numpy,
)
from nebulium.data.glossary import FLUX_UNIT, WAVE_UNIT
from nebulium.data.output import replace_on_success
from nebulium.data.spectra.checks import Declared, RawSpectra, checked_spectra
from nebulium.data.spectra.sdss import ids_from_text
from nebulium.data.spectra.spectrum_set import Spectra
from nebulium.errors import SpectrumError

#: Columns beside the spectrum, by our name; letter case does not count.
ID_NAMES = ("object_id", "target_id", "targetid", "id")
REDSHIFT_NAMES = ("redshift", "z")
#: Lists of the spectrum, by our name.
PARTS = {
    "wave": ("lambda", "wave", "wavelength"),
    "flux": ("flux",),
    "ivar": ("ivar",),
    "mask": ("mask",),
    "lsf": ("lsf_sigma",),
}
#: What a spectrum without a mask, or an id, is worth keeping of.
KEPT_COLUMNS = ("ra", "dec", "ebv", "zwarn", "objtype")


def read_mmu(path: Path, declared: Declared) -> Spectra:
    """Read spectra from Parquet: a struct ``spectrum`` of lists flux, ivar, lsf_sigma, lambda and mask.

    The layout is that of the Multimodal Universe (2024, arXiv:2412.02527): wavelengths in Angstrom in
    vacuum, fluxes in 1e-17 erg/s/cm2/Angstrom, ``lsf_sigma`` in pixels (one number or one for each pixel),
    ``mask`` true for bad pixels, padding with lambda -1. Flat columns ``spectrum_flux`` and so on are read
    too.
    """
    with reading_parquet(path, SpectrumError), opened_parquet(path, error=SpectrumError) as file:
        table = file.read()
    if not len(table):
        raise SpectrumError(str(path), "has no rows", "check how it was made")
    lists = _lists(path, table)
    wave = _array(path, lists, "wave")
    wave[wave <= 0] = np.nan
    mask = _array(path, lists, "mask") if "mask" in lists else None
    units = _declared_units(table.schema)
    raw = RawSpectra(
        name=str(path),
        ids=_ids(path, table),
        wave=_shared(wave),
        flux=_array(path, lists, "flux"),
        ivar=_array(path, lists, "ivar") if "ivar" in lists else None,
        mask=None if mask is None else np.nan_to_num(mask, nan=1.0) != 0,
        lsf_sigma=_lsf(path, table, lists, wave, units),
        redshift=_column(path, table, REDSHIFT_NAMES),
        wave_unit=units.get("lambda", ""),
        flux_unit=units.get("flux", ""),
        air=None if "air" not in units else units["air"] == "true",
        columns=_kept(path, table),
        metadata=own_metadata(table.schema).get("metadata", {})
        | {"format": "Multimodal Universe", "file": path.name},
    )
    return checked_spectra(raw, declared)


def write_mmu(spectra: Spectra, path: str | Path) -> None:
    """Write spectra to Parquet, in the layout of the Multimodal Universe."""
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
    table = pa.table(columns).replace_schema_metadata({METADATA_KEY: about})
    with replace_on_success(path) as partial:
        pyarrow.parquet.write_table(table, partial, compression="zstd", use_dictionary=["object_id"])


def _list_array(values: np.ndarray) -> pa.Array:
    """A row for each spectrum, without a copy of the pixels."""
    offsets = np.arange(len(values) + 1, dtype=np.int64) * values.shape[1]
    return pa.LargeListArray.from_arrays(offsets, np.ascontiguousarray(values).ravel())


def _lists(path: Path, table: pa.Table) -> dict[str, Any]:
    """The lists of the spectra by our name, from whichever of the layouts the file has."""
    found = _fields(table)
    lists = {
        part: next((found[name] for name in names if name in found), None) for part, names in PARTS.items()
    }
    for part in ("wave", "flux"):
        if lists[part] is None:
            problem = f"has no spectra in the Multimodal Universe layout ({PARTS[part][0]} is missing"
            problem += f"; it has {', '.join(table.column_names[:12])})"
            mend = "give a column spectrum: struct of the lists flux, ivar, lambda"
            raise SpectrumError(str(path), problem, mend)
    return {part: values for part, values in lists.items() if values is not None}


def _fields(table: pa.Table) -> dict[str, Any]:
    """Columns of lists by lower-case name: fields of ``spectrum``, ``spectrum_flux``, or ``flux``."""
    found = {name.lower(): table[name] for name in table.column_names if is_list(table[name].type)}
    found |= {name.removeprefix("spectrum_"): values for name, values in found.items()}
    return found | (lists_by_field(table["spectrum"]) if "spectrum" in table.column_names else {})


def _array(path: Path, lists: dict[str, Any], part: str) -> np.ndarray:
    """Lists as the rows of one array, shorter ones filled up with NaN; lengths must be those of the flux."""
    lengths, values = _flat(path, lists[part], part)
    if part != "flux":
        expected = list_lengths(lists["flux"])
        bad = np.flatnonzero(lengths != expected)
        if len(bad):
            row = int(bad[0])
            problem = f"has {lengths[row]} values of {part} for {expected[row]} of flux"
            raise SpectrumError(f"{path}, row {row}", problem, "check how the file was made")
    width = int(lengths.max(initial=0))
    array = np.full((len(lengths), width), np.nan)
    array[np.arange(width) < lengths[:, None]] = values
    return array


def _flat(path: Path, lists: Any, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Lengths of the lists, and all their values behind one another."""
    if not is_list(lists.type):
        problem = f"has {lists.type} for {part}, expected a list a row"
        raise SpectrumError(str(path), problem, "check how the file was made")
    lengths = list_lengths(lists)
    flat = pc.list_flatten(lists)
    try:
        values = flat.cast(pa.float64()) if not pa.types.is_boolean(flat.type) else flat.cast(pa.int8())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        problem = f"has lists of {flat.type} for {part}, expected numbers"
        raise SpectrumError(str(path), problem, "check how the file was made") from error
    return lengths, values.to_numpy(zero_copy_only=False).astype(np.float64)


def _shared(wave: np.ndarray) -> np.ndarray:
    """One grid for all, if it is the same for all: a fault is then one of the file and not of a row."""
    same = bool(np.all(np.isfinite(wave))) and bool(np.all(wave == wave[:1]))
    return wave[0] if same and len(wave) else wave


def _lsf(
    path: Path, table: pa.Table, lists: dict[str, Any], wave: np.ndarray, units: dict[str, str]
) -> np.ndarray | None:
    """The line-spread function in the unit of the wavelengths; the layout has it in pixels."""
    if "lsf" not in lists:
        return None
    if is_list(lists["lsf"].type):
        sigma = _array(path, lists, "lsf")
    else:
        sigma = np.broadcast_to(to_numpy(lists["lsf"], str(path), "lsf_sigma")[:, None], wave.shape)
    if units.get("lsf_sigma", "pixel") != "pixel":
        return np.asarray(sigma)
    return np.asarray(sigma) * (np.gradient(wave, axis=1) if wave.shape[1] > 1 else 1.0)


def _ids(path: Path, table: pa.Table) -> np.ndarray:
    """As numbers if they all are; rows of a file without ids go by their place."""
    for name in table.column_names:
        if name.lower() in ID_NAMES:
            return ids_from_text(to_numpy(table[name], str(path), name))
    return np.arange(len(table), dtype=np.int64)


def _column(path: Path, table: pa.Table, names: Sequence[str]) -> np.ndarray | None:
    """The first column of one of these names, letter case aside, as floats."""
    for wanted in names:
        for name in table.column_names:
            if name.lower() == wanted and not pa.types.is_nested(table[name].type):
                values = to_numpy(table[name], str(path), name)
                if values.dtype.kind not in "iuf":
                    problem = f"holds {table[name].type}, expected numbers"
                    raise SpectrumError(f"{path}, column {name}", problem, "check how the file was made")
                return values.astype(np.float64)
    return None


def _kept(path: Path, table: pa.Table) -> dict[str, np.ndarray]:
    """Columns beside the spectrum; the layout's flag ZWARN is true where the redshift is good."""
    kept = {}
    for name in table.column_names:
        if name.lower() in KEPT_COLUMNS and not pa.types.is_nested(table[name].type):
            values = to_numpy(table[name], str(path), name)
            kept[name.lower()] = (~values).astype(np.int64) if values.dtype == bool else values
    return kept


def _declared_units(schema: pa.Schema) -> dict[str, str]:
    """Units that nebulium wrote into the schema, or the writer into the fields of the struct."""
    spectrum = schema.field("spectrum").type if "spectrum" in schema.names else None
    declared = declared_units(spectrum) if spectrum is not None and pa.types.is_struct(spectrum) else {}
    return declared | dict(own_metadata(schema).get("units", {}))
