"""Arrivals and deliveries shared by several gateways, on SQLite and on PostgreSQL."""

import contextlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest
import sqlalchemy as sa

from callscope.errors import Forbidden, NotFound
from services.gateway.access import Caller, Role
from services.gateway.database import transaction
from services.gateway.inbound.arrivals import Arrivals, ArrivalState, arrivals_of, retry
from services.gateway.inbound.place import Found, Place
from services.gateway.tables import ArrivalRow, DeliveryRow
from services.gateway.webhooks.courier import Courier, Patience
from services.gateway.webhooks.event import EventType, Happening, new_event_id
from services.gateway.webhooks.outside import Outside
from services.gateway.webhooks.registry import Registry
from tests.gateway.engines import eventually
from tests.gateway.receivers import receiving
from tests.gateway.test_ledger import MINE, THEIRS

PLACE = Place("inbox", "", (".wav",), MINE, sidecars_required=False)
ADMIN = Caller(MINE, Role.ADMIN, "1")
LOOPBACK = Outside([ip_network("127.0.0.0/8"), ip_network("::1/128")], 5.0)


@pytest.fixture
def arrivals(engine: sa.Engine) -> Arrivals:
    return Arrivals(engine, PLACE, 60)


def test_a_version_of_an_object_is_entered_once(arrivals: Arrivals, engine: sa.Engine) -> None:
    found = [Found(f"{number}.wav", "1") for number in range(3)]
    assert arrivals.enter([]) == 0
    assert arrivals.enter(found) == 3
    assert arrivals.enter([*found, Found("0.wav", "2")]) == 1
    assert len(arrivals_of(engine, ADMIN, 9)) == 4


def test_many_at_once_enter_and_take_each_once(arrivals: Arrivals) -> None:
    found = [Found(f"{number}.wav", "1") for number in range(40)]
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(lambda _: arrivals.enter(found), range(4))) == 40
        taken = Counter(
            each.name for batch in pool.map(lambda _: arrivals.take(1), range(48)) for each in batch
        )
    assert set(taken.values()) == {1}
    rest = arrivals.take(99)
    assert len(taken) + len(rest) == 40
    assert arrivals.take(99) == []


def test_what_a_dead_gateway_had_taken_falls_due_again(engine: sa.Engine) -> None:
    dying = Arrivals(engine, PLACE, -1)  # its lease is over at once
    dying.enter([Found("a.wav", "1")])
    (first,) = dying.take(9)
    (second,) = Arrivals(engine, PLACE, 60).take(9)
    assert (second.id, second.attempts) == (first.id, 2)


def test_a_sidecar_hastens_its_recording_and_no_other(arrivals: Arrivals) -> None:
    arrivals.enter([Found(name, "1") for name in ("a.wav", "b_.wav", "bx.wav")])
    for arrival in arrivals.take(9):
        arrivals.postpone(arrival, 600)
    arrivals.hasten("a.wav.json")
    arrivals.hasten("b_.json")
    assert sorted(each.name for each in arrivals.take(9)) == ["a.wav", "b_.wav"]


def test_only_what_is_ones_own_is_seen_and_retried(arrivals: Arrivals, engine: sa.Engine) -> None:
    arrivals.enter([Found("a.wav", "1")])
    (arrival,) = arrivals.take(1)
    arrivals.settle(arrival, ArrivalState.REFUSED)
    stranger = Caller(THEIRS, Role.ADMIN, "2")
    assert arrivals_of(engine, stranger, 9) == []
    with pytest.raises(NotFound):
        retry(engine, stranger, arrival.id)
    with pytest.raises(Forbidden):
        retry(engine, Caller(MINE, Role.READ, "3"), arrival.id)
    with pytest.raises(Forbidden):
        arrivals_of(engine, Caller(MINE, Role.INGEST, "4"), 9)
    assert retry(engine, ADMIN, arrival.id).state is ArrivalState.PENDING
    assert len(arrivals.take(9)) == 1


@contextlib.contextmanager
def couriers(engine: sa.Engine, count: int) -> Iterator[None]:
    all_of_them = [Courier(engine, LOOPBACK, Patience(3, 0.05), 0.02) for _ in range(count)]
    for courier in all_of_them:
        courier.start()
    try:
        yield
    finally:
        for courier in all_of_them:
            courier.stop()


def test_two_gateways_bring_each_event_once(engine: sa.Engine) -> None:
    registry = Registry(engine, LOOPBACK, "")
    with receiving() as receiver:
        registry.create(ADMIN, receiver.url, [EventType.DONE])
        with transaction(engine) as session:
            for _ in range(30):
                happening = Happening(new_event_id(), EventType.DONE, datetime.now(UTC))
                registry.announce(session, MINE, happening)
                registry.announce(session, THEIRS, happening)
        with couriers(engine, 2):
            eventually(lambda: _states(engine) == {"delivered": 30}, 20)
        ids = [headers["webhook-id"] for headers, _ in receiver.got]
    assert len(ids) == len(set(ids)) == 30


def test_what_a_dead_gateway_was_sending_is_sent_again(engine: sa.Engine) -> None:
    registry = Registry(engine, LOOPBACK, "")
    with receiving() as receiver:
        webhook, _ = registry.create(ADMIN, receiver.url, [EventType.DONE])
        registry.ping(ADMIN, webhook.id)
        # Taken by a courier whose process then died; its lease is over.
        with engine.begin() as connection:
            past = datetime.now(UTC) - timedelta(seconds=1)
            connection.execute(sa.update(DeliveryRow).values(due_at=past))
        with couriers(engine, 1):
            eventually(lambda: _states(engine) == {"delivered": 1})
        assert len(receiver.got) == 1


def _states(engine: sa.Engine) -> Counter[str]:
    with engine.connect() as connection:
        return Counter(connection.scalars(sa.select(DeliveryRow.state)))


def test_nothing_is_left_of_a_webhook_that_was_removed(engine: sa.Engine) -> None:
    registry = Registry(engine, LOOPBACK, "")
    webhook, _ = registry.create(ADMIN, "http://127.0.0.1:9/", [EventType.DONE])
    registry.ping(ADMIN, webhook.id)
    with pytest.raises(NotFound):
        registry.remove(Caller(THEIRS, Role.ADMIN, "2"), webhook.id)
    with pytest.raises(Forbidden):
        registry.get(Caller(MINE, Role.READ, "2"), webhook.id)
    registry.remove(ADMIN, webhook.id)
    assert _states(engine) == {}
    with engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(ArrivalRow)) == 0
