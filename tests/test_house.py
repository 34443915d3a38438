"""The house keeps its promises: imports change nothing, strictness is on, functions show an example."""

import ast
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

PACKAGE = Path(__file__).parent.parent / "src" / "nebulium"
# The examples of the commands stand in the README and the docs, where they run as well.
MODULES = sorted(set(PACKAGE.rglob("*.py")) - set(PACKAGE.glob("cli/*.py")))

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


def public_functions(module: Path) -> list[ast.FunctionDef]:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    return [node for node in tree.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(PACKAGE)))
def test_public_functions_show_an_example(module):
    without = [
        function.name
        for function in public_functions(module)
        if "Examples\n" not in (ast.get_docstring(function) or "")
    ]
    assert without == []
