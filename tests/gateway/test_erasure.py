"""Calls that are erased are gone everywhere, whatever fails meanwhile."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import grpc
import pytest
import sqlalchemy as sa

from callscope.errors import AudioNotFound, Unavailable
from callscope.v1 import gateway_pb2 as pb
from services.gateway import audit, database
from services.gateway.erasure import Eraser, Retention
from services.gateway.ledger import Ledger, NewCall
from services.gateway.query import CallQuery, PageQuery
from services.gateway.store import LocalStore
from services.gateway.tables import CallRow, ErasureRow
from services.gateway.webhooks.event import nobody
from tests.gateway.conftest import Up, gateway_settings, noise, running, send
from tests.gateway.engines import Engines, eventually
from tests.gateway.test_ledger import MINE, ledger, new_call

__all__ = ["ledger"]  # a fixture


class Failing(LocalStore):
    """A store that does not answer for a while."""

    away = False

    def remove(self, key: str) -> None:
        if self.away:
            raise Unavailable("the store is away")
        super().remove(key)


@pytest.fixture
def store(tmp_path: Path) -> Failing:
    return Failing(tmp_path / "blobs")


def eraser_of(engine: sa.Engine, store: LocalStore, **days: int | None) -> Eraser:
    kept = Retention(days.get("audio_days"), days.get("record_days"))
    return Eraser(engine, store, nobody, kept, 3600)


def stored(ledger: Ledger, store: LocalStore, tmp_path: Path, days_ago: float = 0) -> NewCall:
    """A call accepted so many days ago, with its audio."""
    new = new_call()
    if days_ago:
        milliseconds = int(datetime.now(UTC).timestamp() * 1000 - days_ago * 86_400_000)
        rest = int(UUID(new.id)) & ((1 << 80) - 1)
        old_id = str(UUID(int=milliseconds << 80 | rest))
        new = replace(new, id=old_id, blob=f"audio/{old_id}")
    (tmp_path / "sent").write_bytes(b"audio")
    store.keep(tmp_path / "sent", new.blob or "")
    ledger.add(new)
    return new


def finish(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.update(CallRow).values(status="done"))


def waiting(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(ErasureRow)) or 0


def files(store: LocalStore, calls: list[NewCall]) -> list[bool]:
    def there(call: NewCall) -> bool:
        try:
            return store.size(call.blob or "") > 0
        except AudioNotFound:
            return False

    return [there(call) for call in calls]


def test_a_store_that_is_away_gets_its_audio_erased_when_it_is_back(
    engine: sa.Engine, ledger: Ledger, store: Failing, tmp_path: Path
) -> None:
    call = stored(ledger, store, tmp_path)
    eraser = eraser_of(engine, store)
    store.away = True
    eraser.erase(MINE, call.id, "key 1")
    assert ledger.find(MINE, call.id) is None
    assert waiting(engine) == 1
    store.away = False
    _make_due(engine)
    eraser_of(engine, store).sweep()  # by this gateway or by another
    assert files(store, [call]) == [False]
    assert waiting(engine) == 0


def _make_due(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        past = datetime.now(UTC) - timedelta(seconds=1)
        connection.execute(sa.update(ErasureRow).values(due_at=past))


def test_what_is_kept_for_long_enough_is_erased_and_nothing_else(
    engine: sa.Engine, ledger: Ledger, store: Failing, tmp_path: Path
) -> None:
    ages = (0, 9, 11, 99, 101)
    calls = [stored(ledger, store, tmp_path, age) for age in ages]
    finish(engine)
    eraser_of(engine, store, audio_days=10, record_days=100).sweep()
    assert files(store, calls) == [True, True, False, False, False]
    assert [ledger.find(MINE, call.id) is not None for call in calls] == [True] * 4 + [False]
    assert ledger.get(MINE, calls[2].id).recording.uri is None
    with pytest.raises(AudioNotFound, match="erased"):
        ledger.blob(MINE, calls[2].id)
    done = {(entry.subject, entry.action, entry.actor) for entry in audit.entries(engine, MINE, 9)}
    assert done == {
        (calls[2].id, "erase_audio", "retention"),
        (calls[3].id, "erase_audio", "retention"),
        (calls[4].id, "delete_call", "retention"),
    }


def test_a_call_that_is_not_finished_is_left_alone(
    engine: sa.Engine, ledger: Ledger, store: Failing, tmp_path: Path
) -> None:
    call = stored(ledger, store, tmp_path, 50)
    eraser_of(engine, store, audio_days=1, record_days=1).sweep()
    assert files(store, [call]) == [True]


def test_more_calls_than_a_batch_are_all_erased(
    engine: sa.Engine, ledger: Ledger, store: Failing, tmp_path: Path
) -> None:
    for _ in range(120):
        stored(ledger, store, tmp_path, 5)
    finish(engine)
    eraser_of(engine, store, record_days=1).sweep()
    assert ledger.page(MINE, PageQuery(CallQuery.read({}), 9)) == []
    assert waiting(engine) == 0


def test_erased_words_are_not_left_in_the_databases_file(
    start: Callable[..., Up],
) -> None:
    up = start()
    call_id = up.upload(noise(), metadata='{"customer": "Zebulon Quux"}').json()["id"]
    up.finished(call_id)
    assert up.http.delete(f"/v1/calls/{call_id}").status_code == 204
    engine = database.connect(up.settings.database_urls()[0])
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    for file in up.data.glob("*.db*"):
        assert b"Zebulon" not in file.read_bytes(), file


@contextmanager
def _gateway(engines: Engines, data: Path, **values: Any) -> Iterator[Up]:
    with running(gateway_settings(data, engines, **values), engines) as up:
        yield up


def test_an_erasure_that_was_cut_short_is_completed_by_the_next_gateway(
    engines: Engines, tmp_path: Path
) -> None:
    with _gateway(engines, tmp_path / "data") as up:
        call_id = send(up)
        up.finished(call_id)
        url = up.settings.database_urls()[0]
    engine = database.connect(url)
    with database.transaction(engine) as session:  # the process ends right after this
        row = session.get_one(CallRow, call_id)
        now = datetime.now(UTC)
        erasure = ErasureRow(
            blob=row.blob, tenant=row.tenant, call_id=row.id, attempts=0, due_at=now, created_at=now
        )
        session.add(erasure)
        session.delete(row)
    engine.dispose()
    with _gateway(engines, tmp_path / "data") as up:
        assert up.http.get(f"/v1/calls/{call_id}").status_code == 404
        eventually(lambda: up.files() == [])


def test_a_tenants_own_choice_wins_over_the_settings(start: Callable[..., Up]) -> None:
    up = start(audio_days=90)
    assert up.http.get("/v1/retention").json() == {"audio_days": 90, "record_days": None}
    chosen = {"audio_days": None, "record_days": 730}
    assert up.http.put("/v1/retention", json=chosen).json() == chosen
    assert up.http.get("/v1/retention").json() == chosen
    assert up.grpc.GetRetention(pb.GetRetentionRequest()).retention.record_days == 730
    for bad in ({"audio_days": 0, "record_days": None}, {"audio_days": 1}, {"days": 3}):
        assert up.http.put("/v1/retention", json=bad).status_code == 400
    with pytest.raises(grpc.RpcError) as refused:
        up.grpc.SetRetention(pb.SetRetentionRequest(retention=pb.Retention(audio_days=-1)))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_audio_that_is_erased_leaves_the_record_readable(start: Callable[..., Up]) -> None:
    up = start(retention_sweep_seconds=0.05)
    call_id = send(up)
    up.finished(call_id)
    up.http.put("/v1/retention", json={"audio_days": 1, "record_days": None})
    engine = database.connect(up.settings.database_urls()[0])
    old = "00000000-0000-7000-8000-" + call_id[-12:]
    with engine.begin() as connection:  # as if it had been accepted in 1970
        connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
        for table in ("records", "artifacts", "behaviors", "disclosures", "call_texts"):
            connection.execute(
                sa.text(f"UPDATE {table} SET call_id = :old WHERE call_id = :new"),  # noqa: S608
                {"old": old.replace("-", ""), "new": call_id.replace("-", "")},
            )
        connection.execute(
            sa.text("UPDATE calls SET id = :old WHERE id = :new"),
            {"old": old.replace("-", ""), "new": call_id.replace("-", "")},
        )
    engine.dispose()
    eventually(lambda: up.files() == [])
    assert up.http.get(f"/v1/calls/{old}/audio").json()["code"] == "audio_not_found"
    assert up.http.get(f"/v1/calls/{old}/record").status_code == 200
    assert up.http.get(f"/v1/calls/{old}").json()["recording"]["uri"] is None
