"""Pictures as bytes in a column of Parquet, as Hugging Face's data sets have them."""

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

import numpy as np
import pyarrow as pa

from nebulium.data.files import is_bytes, is_list, stored_as
from nebulium.data.glossary import found_names
from nebulium.data.ids import ids_or_places
from nebulium.data.images.pictures import decoded

#: Names of columns of bytes that are taken for pictures; a struct of bytes and path is one by any name.
NAMES = ("image", "images", "img", "picture", "cutout", "thumbnail", "png", "jpg", "jpeg")
#: Names of columns of ids of such files, in any case, the first that is there.
IDS = ("object_id", "target_id", "targetid", "objid", "dr7objid", "dr8objid", "iauname", "id_str", "id")
BYTES, PATH = "bytes", "path"


def picture_column(schema: pa.Schema) -> str | None:
    """The column of pictures, if there is one: of structs of bytes and path, of lists of one, or of bytes."""
    structs = [field.name for field in schema if _has_bytes(stored_as(field.type))]
    plain = {field.name.lower(): field.name for field in schema if is_bytes(stored_as(field.type))}
    return next(iter((*structs, *(plain[name] for name in NAMES if name in plain))), None)


def id_column(schema: pa.Schema) -> str | None:
    """The column of ids, if there is one of the usual names."""
    return found_names(schema.names, {"id": IDS}).get("id")


def pictures_of(values: pa.ChunkedArray) -> list[np.ndarray | str]:
    """The pixels of each picture, or why there are none."""
    return [_decoded(value) for value in values.to_pylist()]


def ids_of_paths(values: pa.ChunkedArray) -> np.ndarray:
    """Ids from the names of the files that the pictures were, if each has one of its own; else places."""
    paths = [_path(value) for value in values.to_pylist()]
    stems = [PurePath(path).stem for path in paths if path]
    unique = len(set(stems)) == len(paths)
    return ids_or_places(np.array(stems) if unique else None, len(paths))


def _has_bytes(kind: pa.DataType) -> bool:
    if is_list(kind):
        return _has_bytes(stored_as(kind.value_type))
    return pa.types.is_struct(kind) and any(
        field.name == BYTES and is_bytes(stored_as(field.type)) for field in kind
    )


def _decoded(value: Any) -> np.ndarray | str:
    if isinstance(value, list):
        if len(value) != 1:
            return f"has {len(value)} pictures, expected one"
        value = value[0]
    if isinstance(value, dict):
        value = value[BYTES]
    return "has no picture in the file" if value is None else decoded(value)


def _path(value: Any) -> str | None:
    value = value[0] if isinstance(value, list) and len(value) == 1 else value
    return value.get(PATH) if isinstance(value, dict) else None


def paths_alone(schema: pa.Schema, column: str) -> Sequence[str]:
    """What to read of a column of pictures for their paths: without the bytes, where these can be left."""
    kind = stored_as(schema.field(column).type)
    if is_list(kind):
        return [column]
    return [f"{column}.{PATH}"] if pa.types.is_struct(kind) and PATH in [field.name for field in kind] else []
