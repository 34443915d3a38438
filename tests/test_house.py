"""The house keeps its promises: imports change nothing, strictness is on, functions show an example."""

import ast
import inspect
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from benchmarks.house.code import body_lengths, read_sources
from benchmarks.house.imports import circles
from benchmarks.settings import REPOSITORY

import nebulium

PACKAGE = Path(nebulium.__file__).parent
#: Lines of code of a function; Python files in a folder.
LONGEST_BODY, MOST_FILES = 60, 16

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
    return {
        f"{name}.{entry}": getattr(room, entry)
        for name, room in ROOMS.items()
        for entry in getattr(room, "__all__", ())
    }


ROOMS = {name: room for name in nebulium.__all__ if inspect.ismodule(room := getattr(nebulium, name))}
EXPORTED = exported()
#: Rooms on which the subjects stand.
FOUNDATIONS = {"data", "metrics", "nn", "photometry", "sed", "training"}


def section(docstring: str, name: str) -> str:
    """The text of a section of a numpydoc docstring; empty if it has none."""
    found = re.search(rf"^{name}\n-+\n(.*?)(?=^\w[\w ]*\n-+\n|\Z)", docstring, re.DOTALL | re.MULTILINE)
    return found[1] if found else ""


@pytest.mark.parametrize("name", [name for name, value in EXPORTED.items() if inspect.isfunction(value)])
def test_exported_functions_say_how_they_are_called(name):
    docstring = inspect.getdoc(EXPORTED[name]) or ""
    assert ">>>" in section(docstring, "Examples")
    lines = re.findall(r"^(\S.*?) : \S", section(docstring, "Parameters"), re.MULTILINE)
    described = {parameter.strip("* ") for line in lines for parameter in line.split(",")}
    assert set(inspect.signature(EXPORTED[name]).parameters) <= described


@pytest.mark.parametrize("name", [name for name in EXPORTED if name.split(".")[0] in FOUNDATIONS])
def test_foundations_do_not_send_the_reader_elsewhere(name):
    assert not re.search(r"^\s*(See|As in|As for) ", inspect.getdoc(EXPORTED[name]) or "", re.MULTILINE)


@pytest.mark.parametrize("name", ROOMS)
def test_rooms_are_there_and_no_function_hides_a_module(name):
    room = ROOMS[name]
    folder = Path(room.__file__).parent
    modules = {path.stem for path in folder.glob("*.py")} if room.__file__.endswith("__init__.py") else set()
    assert not modules & set(getattr(room, "__all__", ()))


@pytest.fixture(scope="module")
def sources():
    return read_sources(PACKAGE)


def test_no_imports_run_in_a_circle(sources):
    assert circles({module_name(source.path): source for source in sources}) == []


def module_name(path: Path) -> str:
    parts = ("nebulium", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(part for part in parts if part != "__init__")


def test_functions_are_short(sources):
    assert max(body_lengths(sources)) <= LONGEST_BODY


@pytest.mark.parametrize("folder", [PACKAGE, REPOSITORY / "tests", REPOSITORY / "benchmarks"])
def test_no_folder_holds_more_files_than_one_looks_through(folder):
    counts = Counter(path.parent for path in folder.rglob("*.py"))
    assert {str(room): count for room, count in counts.items() if count > MOST_FILES} == {}


def names_that_benchmarks_import():
    """Modules and names that the benchmarks import from nebulium."""
    found = set()
    for path in (REPOSITORY / "benchmarks").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("nebulium"):
                found |= {(node.module, alias.name) for alias in node.names}
    return found


def defined_in(module: str) -> set[str]:
    """Names at the top of a module, and the modules below it, from its source."""
    place = PACKAGE.parent / module.replace(".", "/")
    source = next(
        path
        for path in (place / "__init__.pyi", place / "__init__.py", place.with_suffix(".py"))
        if path.exists()
    )
    found = {path.stem for path in place.iterdir()} if place.is_dir() else set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return found


def test_benchmarks_import_what_is_there():
    """They run for hours, and so not in the tests."""
    imported = sorted(names_that_benchmarks_import())
    assert imported
    assert [f"{module}.{name}" for module, name in imported if name not in defined_in(module)] == []
