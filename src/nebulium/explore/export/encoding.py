"""Numbers and texts as scripts that a browser reads from a file."""

import base64
import json
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

#: Bytes of numbers: whole, whole and large, half precision, single precision; little-endian.
Code = Literal["u1", "u4", "f2", "f4"]


def packed(values: np.ndarray, code: Code) -> dict[str, str]:
    """Numbers as a text of their bytes."""
    if code == "f2":
        largest = float(np.finfo(np.float16).max)
        values = np.clip(values, -largest, largest)
    with np.errstate(over="ignore"):
        numbers = np.ascontiguousarray(values.astype(f"<{code}"))
    return {"type": code, "data": base64.b64encode(numbers.tobytes()).decode("ascii")}


def script(name: str, data: Mapping[str, Any]) -> str:
    r"""Data as a script: a page that is opened as a file may not read other kinds of files."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    # Parsed, not written as an object: a key such as __proto__ is then a key like others.
    return f"nebulium.give({json.dumps(name)}, JSON.parse({json.dumps(text)}));\n"
