"""What all tests share: where the recordings with truth are, and the sample call."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def sample() -> Path:
    """The folder of our own sample call."""
    return ROOT / "tests/data/sample"


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """The models that `make test` pulled."""
    return Path(os.environ.get("CALLSCOPE_MODELS_DIR", ROOT / ".models"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Recordings with truth that are not ours to ship; tests of them are marked `shared`."""
    folder = Path(os.environ.get("CALLSCOPE_SHARED_DATA", ROOT.parent / "shared/data"))
    if not folder.is_dir():
        pytest.skip(f"needs the recordings of {folder}")
    return folder
