"""The ledger on SQLite and on PostgreSQL, by the same code."""

import contextlib
import uuid
from dataclasses import asdict, replace
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import given
from hypothesis import strategies as st

from callscope.errors import CallNotFound, InvalidSetting, NotReady, Unavailable
from callscope.pipeline import AnalyzeOptions, DiarizeOptions, RubricSource, TranscribeOptions
from callscope.types import MediaInfo, Transcript
from services.gateway import audit, database, tables
from services.gateway.archive import pack, unpack
from services.gateway.call import CallStatus, Lane, Problem, checked_id, new_id
from services.gateway.erasure import Eraser
from services.gateway.journal import Journal
from services.gateway.ledger import Ledger, NewCall
from services.gateway.query import CallQuery, PageQuery
from tests.gateway.engines import TRANSCRIPT
from tests.gateway.records import record

MINE, THEIRS = "mine", "theirs"
ME = "key 1"
MEDIA = MediaInfo("ab" * 32, 2.0, 8000, 2, "pcm_s16le")
OPTIONS = AnalyzeOptions(
    rubric=RubricSource(yaml="id: mine"),
    agent_channel=1,
    transcribe=TranscribeOptions("en", ("Callscope",), None),
    diarize=DiarizeOptions(1, 3),
)
ALL = CallQuery.read({})
PROBLEM = Problem("unavailable", "away", "Wait.")


def new_call(key: str | None = None, tenant: str = MINE) -> NewCall:
    call_id = new_id()
    return NewCall(
        id=call_id,
        tenant=tenant,
        lane=Lane.BACKFILL,
        blob=f"audio/{call_id}",
        media=replace(MEDIA, sha256=2 * call_id.replace("-", "")),
        options=OPTIONS,
        metadata={"queue": "ä"},
        started_at=None,
        idempotency_key=key,
    )


@pytest.fixture
def ledger(engine: sa.Engine) -> Ledger:
    return Ledger(engine, lambda key: f"file:///store/{key}")


@pytest.fixture
def journal(engine: sa.Engine) -> Journal:
    return Journal(engine, lambda key: f"file:///store/{key}")


def unfinished(journal: Journal) -> list[str]:
    return [call.id for calls in journal.unfinished(2) for call in calls]


def test_what_was_entered_comes_back_equal(ledger: Ledger) -> None:
    new = new_call("key")
    assert ledger.add(new)
    call = ledger.get(MINE, new.id)
    assert call.status is CallStatus.QUEUED
    assert call.options == OPTIONS
    assert call.recording.metadata == {"queue": "ä"}
    assert call.recording.uri == f"file:///store/{new.blob}"
    assert call.created_at.tzinfo is not None
    assert (call.tenant, call.lane, call.run) == (MINE, Lane.BACKFILL, 1)
    assert ledger.by_key(MINE, "key") == call
    assert ledger.blob(MINE, new.id) == new.blob


def test_a_recording_is_entered_once_unless_its_sender_says_it_is_another(ledger: Ledger) -> None:
    first = new_call()
    assert ledger.add(first)
    again = replace(first, id=new_id())
    assert not ledger.add(again)
    assert ledger.add(replace(again, external_id="pbx-1"))
    assert not ledger.add(replace(new_call(), external_id="pbx-1"))
    assert ledger.add(replace(again, id=new_id(), tenant=THEIRS))
    assert (known := ledger.by_recording(MINE, first.sha256)) is not None
    assert known.id == first.id
    assert (known := ledger.by_external_id(MINE, "pbx-1")) is not None
    assert known.id == again.id
    assert ledger.by_external_id(THEIRS, "pbx-1") is None


def test_a_key_is_taken_once(ledger: Ledger) -> None:
    assert ledger.add(new_call("key"))
    assert not ledger.add(new_call("key"))
    assert ledger.add(new_call())
    assert ledger.add(new_call())


def test_what_is_anothers_is_not_found_like_what_does_not_exist(
    ledger: Ledger, journal: Journal, eraser: Eraser
) -> None:
    theirs = new_call("key", THEIRS)
    ledger.add(theirs)
    journal.keep(theirs.id, "transcribe", TRANSCRIPT)
    for ask in (ledger.get, ledger.blob, ledger.record):
        with pytest.raises(CallNotFound) as anothers:
            ask(MINE, theirs.id)
        nobodys_id = new_id()
        with pytest.raises(CallNotFound) as nobodys:
            ask(MINE, nobodys_id)
        assert str(anothers.value) == str(nobodys.value).replace(nobodys_id, theirs.id)
    assert ledger.find(MINE, theirs.id) is None
    assert ledger.by_key(MINE, "key") is None
    assert ledger.page(MINE, PageQuery(ALL, 9)) == []
    with pytest.raises(CallNotFound):
        eraser.erase(MINE, theirs.id, ME)
    assert ledger.get(THEIRS, theirs.id).tenant == THEIRS
    assert ledger.add(new_call("key", MINE))


def test_a_call_moves_on_and_never_back(ledger: Ledger, journal: Journal) -> None:
    new = new_call()
    ledger.add(new)
    assert (unfinished(journal), journal.standings()[0].calls) == ([new.id], 1)
    journal.start(new.id)
    assert (ledger.get(MINE, new.id).status, journal.standings()) == (CallStatus.RUNNING, [])
    assert journal.fail(new.id, PROBLEM)
    assert not journal.fail(new.id, replace(PROBLEM, code="internal"))
    journal.start(new.id)
    call = ledger.get(MINE, new.id)
    assert (call.status, call.problem) == (CallStatus.FAILED, PROBLEM)
    assert call.updated_at > call.created_at
    assert unfinished(journal) == []
    more = [new_call() for _ in range(5)]
    for each in more:
        ledger.add(each)
    assert unfinished(journal) == sorted(each.id for each in more)
    with pytest.raises(NotReady, match="away"):
        ledger.record(MINE, new.id)


def test_artifacts_are_kept_and_replaced(ledger: Ledger, journal: Journal) -> None:
    new = new_call()
    ledger.add(new)
    assert not journal.has(new.id, "transcribe")
    with pytest.raises(NotReady):
        journal.kept(new.id, "transcribe", Transcript)
    journal.keep(new.id, "transcribe", TRANSCRIPT)
    journal.keep(new.id, "transcribe", replace(TRANSCRIPT, language="de"))
    assert journal.has(new.id, "transcribe")
    assert journal.kept(new.id, "transcribe", Transcript).language == "de"


def test_nothing_is_kept_for_a_call_that_is_gone(
    ledger: Ledger, journal: Journal, eraser: Eraser, engine: sa.Engine
) -> None:
    new = new_call()
    ledger.add(new)
    journal.keep(new.id, "transcribe", TRANSCRIPT)
    eraser.erase(MINE, new.id, ME)
    with pytest.raises(CallNotFound):
        journal.keep(new.id, "transcribe", TRANSCRIPT)
    with pytest.raises(CallNotFound):
        eraser.erase(MINE, new.id, ME)  # again, and nothing more to note
    (entry,) = audit.entries(engine, MINE, 9)
    assert (entry.actor, entry.action, entry.subject) == (ME, "delete_call", new.id)
    assert audit.entries(engine, THEIRS, 9) == []
    with engine.connect() as connection:
        for table in ("calls", "artifacts", "records", "erasures"):
            count = sa.select(sa.func.count()).select_from(sa.table(table))
            assert connection.scalar(count) == 0


def test_pages_follow_each_other_without_gap_or_overlap(ledger: Ledger, journal: Journal) -> None:
    calls = [new_call() for _ in range(7)]
    for new in calls:
        ledger.add(new)
    journal.fail(calls[3].id, PROBLEM)
    newest_first = sorted((new.id for new in calls), reverse=True)
    seen: list[str] = []
    while page := ledger.page(MINE, PageQuery(ALL, 3, seen[-1] if seen else None))[:3]:
        seen += [call.id for call in page]
    assert seen == newest_first
    assert [
        call.id for call in ledger.page(MINE, PageQuery(CallQuery.read({"status": "failed"}), 9))
    ] == [calls[3].id]


@pytest.mark.parametrize("call_id", ["", "1", "not-an-id", "\x00", "'; drop table calls; --"])
def test_what_is_no_id_is_not_found(ledger: Ledger, call_id: str) -> None:
    with pytest.raises(CallNotFound):
        ledger.get(MINE, call_id)


def test_the_migrations_make_exactly_the_tables_of_the_model(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": _is_ours})
        differences = compare_metadata(context, tables.Base.metadata)
    assert differences == []


def test_a_call_of_an_earlier_version_is_kept(url: str) -> None:
    engine = database.connect(url)
    database.migrate(engine, "0001")
    call_id, now = new_id(), "2026-01-31 09:30:00"
    kept = record(call_id)
    columns = {
        "id": call_id.replace("-", "") if url.startswith("sqlite") else call_id,
        "tenant": MINE,
        "status": "queued",
        "blob": "audio/it",
        **{name: value for name, value in asdict(MEDIA).items() if name != "doubts"},
        "metadata": "{}",
        "options": "{}",
        "created_at": now,
        "updated_at": now,
    }
    names = ", ".join(columns)
    values = ", ".join(f":{name}" for name in columns)
    with engine.begin() as connection:
        connection.execute(sa.text(f"INSERT INTO calls ({names}) VALUES ({values})"), columns)  # noqa: S608
        connection.execute(
            sa.insert(tables.RecordRow).values(
                call_id=call_id, version=1, content=pack(kept), created_at=datetime.now(UTC)
            )
        )
    database.migrate(engine)
    with engine.connect() as connection:
        assert connection.scalar(sa.select(tables.RecordRow.content)) == pack(kept)
    call = Ledger(engine, str).get(MINE, call_id)
    assert (call.lane, call.run, call.recording.sha256) == (Lane.LIVE, 1, MEDIA.sha256)
    engine.dispose()


def _is_ours(item: object, name: str | None, kind: str, reflected: bool, _: object) -> bool:
    """Not what SQLite's FTS5 makes for itself, nor the index PostgreSQL has instead."""
    del item
    if kind == "table" and reflected:
        return not str(name).startswith("call_words")
    return name != "ix_call_texts_words"


def test_migrating_again_changes_nothing(engine: sa.Engine, ledger: Ledger) -> None:
    new = new_call()
    ledger.add(new)
    database.migrate(engine)
    assert ledger.get(MINE, new.id).id == new.id


def test_tables_of_a_newer_version_are_left_as_they_are(engine: sa.Engine, ledger: Ledger) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
        connection.execute(sa.text("ALTER TABLE calls ADD COLUMN of_a_later_version VARCHAR(9)"))
    database.migrate(engine)
    new = new_call()
    assert ledger.add(new)
    assert ledger.get(MINE, new.id).id == new.id
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT version_num FROM alembic_version")) == "9999"


def test_a_database_that_is_away_is_unavailable() -> None:
    engine = database.connect("postgresql+psycopg://nobody@127.0.0.1:9/none")
    for use in (database.migrate, lambda engine: Ledger(engine, str).get(MINE, new_id())):
        with pytest.raises(Unavailable, match="does not answer"):
            use(engine)


@pytest.mark.parametrize("url", ["nonsense", "oracle9://x/y", "mysql+nothing://x/y"])
def test_a_url_that_cannot_be_used_is_named(url: str) -> None:
    with pytest.raises(InvalidSetting, match="CALLSCOPE_GATEWAY_DATABASE_URL"):
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
