"""The ledger on SQLite and on PostgreSQL, by the same code."""

import contextlib
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import given
from hypothesis import strategies as st

from callscope.errors import CallNotFound, InvalidSetting, NotReady, Unavailable
from callscope.pipeline import AnalyzeOptions, DiarizeOptions, RubricSource, TranscribeOptions
from callscope.types import MediaInfo, Transcript
from services.gateway import database
from services.gateway.archive import pack, unpack
from services.gateway.call import CallStatus, Problem, checked_id, new_id
from services.gateway.ledger import Ledger, NewCall
from tests.gateway.engines import TRANSCRIPT

MEDIA = MediaInfo("ab" * 32, 2.0, 8000, 2, "pcm_s16le")
OPTIONS = AnalyzeOptions(
    rubric=RubricSource(yaml="id: mine"),
    agent_channel=1,
    transcribe=TranscribeOptions("en", ("Callscope",), None),
    diarize=DiarizeOptions(1, 3),
)
PROBLEM = Problem("unavailable", "away", "Wait.")


def new_call(key: str | None = None) -> NewCall:
    call_id = new_id()
    return NewCall(call_id, f"audio/{call_id}", MEDIA, OPTIONS, {"queue": "ä"}, None, key)


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/calls.db"
    else:
        url = _fresh_database(request.getfixturevalue("postgresql"))
    engine = database.connect(url)
    database.migrate(engine)
    yield engine
    engine.dispose()


def _fresh_database(server: str) -> str:
    name = f"t{uuid.uuid4().hex}"
    admin = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    admin.dispose()
    return server.rpartition("/")[0] + f"/{name}"


@pytest.fixture
def ledger(engine: sa.Engine) -> Ledger:
    return Ledger(engine, lambda key: f"file:///store/{key}")


def test_what_was_entered_comes_back_equal(ledger: Ledger) -> None:
    new = new_call("key")
    assert ledger.add(new)
    call = ledger.get(new.id)
    assert call.status is CallStatus.QUEUED
    assert call.options == OPTIONS
    assert call.recording.metadata == {"queue": "ä"}
    assert call.recording.uri == f"file:///store/{new.blob}"
    assert call.created_at.tzinfo is not None
    assert ledger.by_key("key") == call
    assert ledger.blob(new.id) == new.blob


def test_a_key_is_taken_once(ledger: Ledger) -> None:
    assert ledger.add(new_call("key"))
    assert not ledger.add(new_call("key"))
    assert ledger.add(new_call())
    assert ledger.add(new_call())


def test_a_call_moves_on_and_never_back(ledger: Ledger) -> None:
    new = new_call()
    ledger.add(new)
    assert (ledger.unfinished(), ledger.queued()) == ([new.id], 1)
    ledger.start(new.id)
    assert (ledger.get(new.id).status, ledger.queued()) == (CallStatus.RUNNING, 0)
    assert ledger.fail(new.id, PROBLEM)
    assert not ledger.fail(new.id, replace(PROBLEM, code="internal"))
    ledger.start(new.id)
    call = ledger.get(new.id)
    assert (call.status, call.problem) == (CallStatus.FAILED, PROBLEM)
    assert call.updated_at > call.created_at
    assert ledger.unfinished() == []
    with pytest.raises(NotReady, match="away"):
        ledger.record(new.id)


def test_artifacts_are_kept_and_replaced(ledger: Ledger) -> None:
    new = new_call()
    ledger.add(new)
    assert not ledger.has(new.id, "transcribe")
    with pytest.raises(NotReady):
        ledger.kept(new.id, "transcribe", Transcript)
    ledger.keep(new.id, "transcribe", TRANSCRIPT)
    ledger.keep(new.id, "transcribe", replace(TRANSCRIPT, language="de"))
    assert ledger.has(new.id, "transcribe")
    assert ledger.kept(new.id, "transcribe", Transcript).language == "de"


def test_nothing_is_kept_for_a_call_that_is_gone(ledger: Ledger, engine: sa.Engine) -> None:
    new = new_call()
    ledger.add(new)
    ledger.keep(new.id, "transcribe", TRANSCRIPT)
    ledger.remove(new.id)
    with pytest.raises(CallNotFound):
        ledger.keep(new.id, "transcribe", TRANSCRIPT)
    with engine.connect() as connection:
        for table in ("calls", "artifacts", "records"):
            count = sa.select(sa.func.count()).select_from(sa.table(table))
            assert connection.scalar(count) == 0


def test_pages_follow_each_other_without_gap_or_overlap(ledger: Ledger) -> None:
    calls = [new_call() for _ in range(7)]
    for new in calls:
        ledger.add(new)
    ledger.fail(calls[3].id, PROBLEM)
    newest_first = sorted((new.id for new in calls), reverse=True)
    seen: list[str] = []
    while page := ledger.page(3, seen[-1] if seen else None, None):
        seen += [call.id for call in page]
    assert seen == newest_first
    assert [call.id for call in ledger.page(9, None, CallStatus.FAILED)] == [calls[3].id]


@pytest.mark.parametrize("call_id", ["", "1", "not-an-id", "\x00", "'; drop table calls; --"])
def test_what_is_no_id_is_not_found(ledger: Ledger, call_id: str) -> None:
    with pytest.raises(CallNotFound):
        ledger.get(call_id)


def test_the_migrations_make_exactly_the_tables_of_the_model(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        differences = compare_metadata(context, database.Base.metadata)
    assert differences == []


def test_migrating_again_changes_nothing(engine: sa.Engine, ledger: Ledger) -> None:
    new = new_call()
    ledger.add(new)
    database.migrate(engine)
    assert ledger.get(new.id).id == new.id


def test_a_database_that_is_away_is_unavailable() -> None:
    engine = database.connect("postgresql+psycopg://nobody@127.0.0.1:9/none")
    for use in (database.migrate, lambda engine: Ledger(engine, str).get(new_id())):
        with pytest.raises(Unavailable, match="does not answer"):
            use(engine)


@pytest.mark.parametrize("url", ["nonsense", "oracle9://x/y", "mysql+nothing://x/y"])
def test_a_url_that_cannot_be_used_is_named(url: str) -> None:
    with pytest.raises(InvalidSetting, match="CALLSCOPE_DATABASE_URL"):
        database.connect(url)


def test_values_are_kept_as_the_same_bytes_and_come_back_equal() -> None:
    assert pack(TRANSCRIPT) == pack(TRANSCRIPT)
    assert unpack(Transcript, pack(TRANSCRIPT)) == TRANSCRIPT


def test_later_ids_sort_after_earlier_ones() -> None:
    first = new_id()
    while (second := new_id())[:13] == first[:13]:
        pass  # the same millisecond
    assert second > first
    assert uuid.UUID(second).version == 7
    assert uuid.UUID(second).variant == uuid.RFC_4122


@given(st.text())
def test_any_text_is_an_id_or_not_found(text: str) -> None:
    with contextlib.suppress(CallNotFound):
        assert uuid.UUID(checked_id(text))
