"""Strictness for every test and every docstring example; the package itself sets nothing global."""

import importlib
import os
from collections.abc import Iterator
from pathlib import Path

# Most of a test's time is compilation: what one test, worker or subprocess compiled, the others read here.
# JAX reads these variables when it is imported; a folder that is set already is kept.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parent / ".jax_cache"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
# Loops are emitted the older way, and machine code is not optimised: programs are compiled in a third of the
# time, and run nearly as fast on few galaxies. What needs better code asks for `optimised_programs`.
# A jaxlib that has lost the second flag stops and names it: then drop it here.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=1 --xla_cpu_use_fusion_emitters=false")
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "true")

import jax  # noqa: E402
import pytest  # noqa: E402
from jaxtyping import install_import_hook  # noqa: E402

SRC = Path(__file__).parent / "src"
#: Memory mappings of a process at which compiled programs are dropped.
MOST_MAPPINGS = 16_000

# A silent (n,) - (n, 1) broadcast is the classic bug of a loss; a silent float64 the classic one of a chain.
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")

# The shapes and dtypes in the annotations are checked at each call.
install_import_hook("nebulium", "beartype.beartype")


def pytest_collect_file(file_path: Path) -> None:
    """Import a module by its name, lest pytest run it again by its path, after its room."""
    if file_path.suffix == ".py" and SRC in file_path.parents:
        parts = file_path.relative_to(SRC).with_suffix("").parts
        importlib.import_module(".".join(parts).removesuffix(".__init__"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the pages of the documentation first, which take minutes, and the modules' examples last.

    The Makefile deals the tests out by files, so that each process makes the fixtures of its own files only.
    """
    items.sort(key=lambda item: (item.path.stem != "test_docs", SRC in item.path.parents))


@pytest.fixture(scope="module", autouse=True)
def _compiled_programs_are_dropped() -> Iterator[None]:
    """Drop what JAX compiled once there is much of it: until then modules of tests share their programs.

    Each program takes some thirty memory mappings, and Linux grants a process 65,530: one that runs
    the whole suite would end with "LLVM compilation error: Cannot allocate memory".
    """
    yield
    mappings = Path("/proc/self/maps")
    if not mappings.exists() or mappings.read_text().count("\n") > MOST_MAPPINGS:
        jax.clear_caches()
