"""Where the tests find real data, how many cases the property tests try, and what makes these shorter."""

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import jax
import pytest

REPOSITORY = Path(__file__).parent.parent
IN_CI = os.environ.get("CI") == "true"

# No deadline: the first call of a jitted function compiles.
hypothesis.settings.register_profile("nebulium", deadline=None, print_blob=True)
hypothesis.settings.register_profile(
    "ci", parent=hypothesis.settings.get_profile("nebulium"), derandomize=True
)
hypothesis.settings.load_profile("ci" if IN_CI else "nebulium")


@pytest.fixture(scope="session")
def nebulium_data() -> Path:
    """Folder of real data; without it the tests that need it skip, and with CI=true they fail."""
    default = REPOSITORY.parent / "shared" / "data"
    folder = Path(os.environ.get("NEBULIUM_DATA", default))
    if folder.is_dir():
        return folder
    message = f"no data folder at {folder}: set $NEBULIUM_DATA to the folder with desi/, sdss/ and ssp/"
    if IN_CI:
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="module")
def small_batches() -> Iterator[None]:
    """The size of the batches of lines changes nothing but the time that a padded one takes."""
    from nebulium.lines import quantiles
    from nebulium.lines.scores import populations

    with pytest.MonkeyPatch.context() as patch:
        for module, name, size in (
            (quantiles, "BATCH", 64), (quantiles, "SMALL_BATCH", 16), (populations, "BATCH", 64)
        ):  # fmt: skip
            patch.setattr(module, name, size)
        yield


@pytest.fixture(scope="module")
def few_trees() -> Iterator[None]:
    """A small classifier is enough to tell small sets apart."""
    from nebulium.metrics import two_sample

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(two_sample, "ITERATIONS", 30)
        patch.setattr(two_sample, "LEARNING_RATE", 0.15)
        yield


@pytest.fixture(scope="module")
def optimised_programs() -> Iterator[None]:
    """Machine code as users run it, more nearly, also of commands: what it computes is rounded alike."""
    jax.clear_caches()
    as_set = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "false")
        yield
    jax.config.update("jax_disable_most_optimizations", as_set)
    jax.clear_caches()
