"""What all tests share: where the recordings with truth are, and the sample call."""

import faulthandler
import os
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import thread as executors
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


LINGER = 90.0  # seconds a thread may go on when all is over


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """A thread that goes on would keep the process from ending: fail, and show where it is.

    Processes that share the tests wait for each other and are then ended by force, so each looks
    for such threads itself.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ:
        faulthandler.dump_traceback_later(LINGER, exit=True, file=sys.stderr)


@pytest.fixture(scope="session", autouse=True)
def _no_thread_goes_on() -> Iterator[None]:
    """Set up first, so that it looks when everything else is closed."""
    yield
    ends = time.monotonic() + LINGER
    while (left := _going_on()) and time.monotonic() < ends:
        time.sleep(0.1)
    if left:
        faulthandler.dump_traceback(file=sys.stderr)
        pytest.fail(f"threads go on: {', '.join(left)}")


def _going_on() -> list[str]:
    """The threads that the process would wait for; those that wait for work end with it."""
    frames = sys._current_frames()
    return [
        each.name
        for each in threading.enumerate()
        if each is not threading.main_thread()
        and not each.daemon
        and (frame := frames.get(each.ident or 0)) is not None
        and frame.f_code.co_filename != executors.__file__
    ]


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
