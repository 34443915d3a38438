"""Where the tests find real data, and how many cases the property tests try."""

import os
from pathlib import Path

import hypothesis
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
