"""The light of galaxies and their physical properties, both ways, in JAX.

The names below are here; the rest is in the rooms `nebulium.mock`, `nebulium.lines`, `nebulium.properties`,
`nebulium.sed`, `nebulium.data`, `nebulium.nn`, `nebulium.metrics` and `nebulium.training`. Each is imported
when it is first asked for, so that the command line answers at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nebulium.data.spectra.reading import read_spectra, write_spectra
    from nebulium.data.tables.reading import Table, read_table, write_table
    from nebulium.errors import NebuliumError
    from nebulium.lines.continuum.line_list import LINES
    from nebulium.lines.injection.profiles import add_lines
    from nebulium.modelfile import describe_model, list_models, load_model, save_model

_HOMES = {
    "LINES": "nebulium.lines.continuum.line_list",
    "NebuliumError": "nebulium.errors",
    "Table": "nebulium.data.tables.reading",
    "add_lines": "nebulium.lines.injection.profiles",
    "describe_model": "nebulium.modelfile",
    "list_models": "nebulium.modelfile",
    "load_model": "nebulium.modelfile",
    "read_spectra": "nebulium.data.spectra.reading",
    "read_table": "nebulium.data.tables.reading",
    "save_model": "nebulium.modelfile",
    "write_spectra": "nebulium.data.spectra.reading",
    "write_table": "nebulium.data.tables.reading",
}
_ROOMS = (
    "data", "errors", "explore", "lines", "metrics", "mock", "modelfile", "nn", "photometry", "photoz",
    "properties", "sed", "training", "verbs",
)  # fmt: skip

__all__ = [
    "LINES",
    "NebuliumError",
    "Table",
    "add_lines",
    "describe_model",
    "list_models",
    "load_model",
    "read_spectra",
    "read_table",
    "save_model",
    "write_spectra",
    "write_table",
]


def __getattr__(name: str) -> Any:
    """Import a public name, or a room, when it is first used."""
    if name in _ROOMS:
        return import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES, *_ROOMS])
