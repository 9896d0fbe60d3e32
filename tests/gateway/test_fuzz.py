"""Whatever is sent is accepted or refused with a reason: no 500, no crash, nothing left behind."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from callscope.audio import AudioLimits, AudioReader
from callscope.errors import InvalidInput
from services.gateway import database
from services.gateway.facts import Clock, FactReader
from services.gateway.intake import Intake
from services.gateway.ledger import Ledger
from services.gateway.store import Inbox, LocalStore
from services.gateway.submission import Submission
from tests.gateway.mutants import mutants, seeds

FILES = int(os.environ.get("CALLSCOPE_TEST_FILES", "1000"))
SEED = 5


@pytest.fixture
def intake(tmp_path: Path) -> Iterator[Intake]:
    engine = database.connect(f"sqlite:///{tmp_path}/calls.db")
    database.migrate(engine)
    store = LocalStore(tmp_path / "blobs")
    limits = AudioLimits(max_bytes=1 << 20, max_seconds=600)
    inbox = Inbox(tmp_path / "incoming/gateway", limits.max_bytes)
    yield Intake(
        inbox=inbox,
        store=store,
        ledger=Ledger(engine, store.uri),
        reader=AudioReader(roots=(), limits=limits),
        limits=limits,
        default_rubric="general",
        facts=FactReader(None, Clock()),
        check_rubric=lambda _: None,
        enqueue=lambda _: None,
    )
    inbox.close()
    engine.dispose()


def test_a_thousand_damaged_recordings_are_accepted_or_refused_and_leave_nothing(
    intake: Intake, tmp_path: Path
) -> None:
    whole = seeds()
    assert len(whole) >= 15  # of the formats we can write
    first = _send(intake, whole[0])  # whatever opens files for good has opened them now
    handles = _handles()
    accepted, refused, slowest = {first}, list[InvalidInput](), 0.0
    for content in mutants(FILES, SEED):
        began = time.perf_counter()
        try:
            accepted.add(_send(intake, content))
        except InvalidInput as error:
            refused.append(error)
        slowest = max(slowest, time.perf_counter() - began)
    assert min(len(accepted), len(refused)) > FILES / 20  # both ways were gone
    assert all(error.message and error.remedy for error in refused)
    assert slowest < 20
    assert _handles() <= handles
    assert list((tmp_path / "incoming/gateway").iterdir()) == []
    kept = {path.name for path in (tmp_path / "blobs").rglob("*") if path.is_file()}
    assert kept == accepted


def _send(intake: Intake, content: bytes) -> str:
    with intake.begin("default") as incoming:
        incoming.write(content)
        return intake.accept(incoming, Submission.read({}), None).id


def _handles() -> int:
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0
