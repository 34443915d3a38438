"""The house keeps its promises: imports change nothing, strictness is on, functions show an example."""

import inspect
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

import nebulium

IMPORT_CHANGES_NOTHING = """
import warnings
import jax
import numpy as np

def state():
    return dict(jax.config.values), np.get_printoptions(), np.geterr(), list(warnings.filters)

before = state()
import nebulium
assert state() == before, "importing nebulium changed a global setting"
"""


def test_importing_changes_nothing_global():
    done = subprocess.run([sys.executable, "-c", IMPORT_CHANGES_NOTHING], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_extras_are_not_imported_with_the_package():
    extras = {"dsps", "h5py", "sedpy", "sklearn", "galsim", "flowjax", "speclite", "qp", "tables_io"}
    extras |= {"dash", "plotly", "umap"}
    code = f"import sys, nebulium; print(*{extras} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_ranks_are_not_promoted():
    with pytest.raises(ValueError, match="rank"):
        jnp.ones(3) - jnp.ones((3, 1))


def test_dtypes_are_not_promoted():
    with pytest.raises(jax.dtypes.TypePromotionError):
        jnp.ones(3, jnp.float32) + jnp.ones(3, jnp.int32)


def exported() -> dict[str, object]:
    """What the public pages of the rooms export, by its full name."""
    rooms = {name: getattr(nebulium, name) for name in nebulium._ROOMS}
    return {
        f"{name}.{entry}": getattr(room, entry)
        for name, room in rooms.items()
        for entry in getattr(room, "__all__", ())
    }


EXPORTED = exported()


@pytest.mark.parametrize("name", EXPORTED)
def test_exported_functions_show_an_example(name):
    value = EXPORTED[name]
    if inspect.isfunction(value):
        assert "Examples\n" in inspect.getdoc(value)


@pytest.mark.parametrize("name", nebulium._ROOMS)
def test_rooms_are_there_and_no_function_hides_a_module(name):
    room = getattr(nebulium, name)
    folder = Path(room.__file__).parent
    modules = {path.stem for path in folder.glob("*.py")} if room.__file__.endswith("__init__.py") else set()
    assert not modules & set(getattr(room, "__all__", ()))
