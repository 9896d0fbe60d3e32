"""What all tests share: where the recordings with truth are, and the sample call."""

import faulthandler
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """A thread that goes on would keep the process from ending: fail, and show where it is."""
    faulthandler.dump_traceback_later(90, exit=True, file=sys.stderr)


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
