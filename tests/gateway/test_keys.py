"""API keys: made once, kept as digests, known again, ended; and who may come in without one."""

import asyncio
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import grpc
import pytest
import sqlalchemy as sa

from callscope.errors import (
    InvalidInput,
    InvalidSetting,
    KeyNotFound,
    RateLimited,
    Unauthenticated,
)
from callscope.v1 import gateway_pb2 as pb
from services.gateway import audit, database
from services.gateway.access import OPERATOR, Caller, Role
from services.gateway.doorkeeper import Doorkeeper, Rate
from services.gateway.keys import Keys
from tests.gateway.conftest import Up, free_port, noise

Policy = Literal["auto", "keys", "none"]


@pytest.fixture
def keys(engine: sa.Engine) -> Keys:
    return Keys(engine)


def in_an_hour() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)


def test_a_key_is_known_again_and_nothing_in_the_database_is_the_key(
    keys: Keys, engine: sa.Engine
) -> None:
    new = keys.create("acme", Role.INGEST, "pbx", "me", in_an_hour())
    known = keys.recognize(new.secret)
    assert known.caller == Caller("acme", Role.INGEST, new.key.id)
    random_part = new.secret.rpartition(new.key.id)[2]
    with engine.connect() as connection:
        rows = str(connection.execute(sa.text("SELECT * FROM api_keys")).all())
    assert new.key.id in rows
    assert random_part not in rows
    (listed,) = keys.all("acme")
    assert listed.last_used_at is not None
    assert keys.all("other") == []


@pytest.mark.parametrize(
    "change",
    [
        lambda secret: secret[:-1] + ("A" if secret[-1] != "A" else "B"),
        lambda secret: secret[:-1],
        lambda secret: secret + "A",
        lambda secret: secret.upper(),
        lambda secret: secret.replace("callscope_", ""),
        lambda _: "callscope_aaaaaaaaaaaa_" + "A" * 43,
        lambda _: "",
        lambda _: "\x00' OR 1=1",
    ],
)
def test_what_is_not_quite_a_key_is_none(keys: Keys, change: Callable[[str], str]) -> None:
    secret = keys.create("acme", Role.ADMIN, "key", "me").secret
    with pytest.raises(Unauthenticated):
        keys.recognize(change(secret))


def test_an_ended_key_opens_nothing_and_says_why(keys: Keys, engine: sa.Engine) -> None:
    expired = keys.create("acme", Role.READ, "a", "me", in_an_hour())
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE api_keys SET expires_at = '2026-01-01 00:00:00+00:00'"))
    revoked = keys.create("acme", Role.READ, "b", "me")
    assert keys.revoke(revoked.key.id, "me") == keys.revoke(revoked.key.id, "again")
    for new, state in ((expired, "expired"), (revoked, "revoked")):
        with pytest.raises(Unauthenticated, match=state):
            keys.recognize(new.secret)
        with pytest.raises(InvalidInput, match=state):
            keys.rotate(new.key.id, "me", timedelta(0))


def test_a_rotated_key_works_until_its_end(keys: Keys) -> None:
    old = keys.create("acme", Role.REVIEW, "qa", "me", in_an_hour())
    new = keys.rotate(old.key.id, "me", timedelta(minutes=5))
    assert (new.key.tenant, new.key.role, new.key.name) == ("acme", Role.REVIEW, "qa")
    assert keys.recognize(old.secret).id == old.key.id
    assert keys.recognize(new.secret).id == new.key.id
    ends = {key.id: key.expires_at for key in keys.all()}
    for key_id, minutes in ((old.key.id, 5), (new.key.id, 60)):
        end = ends[key_id]
        assert end is not None
        assert abs(end - datetime.now(UTC) - timedelta(minutes=minutes)) < timedelta(minutes=1)
    at_once = keys.rotate(new.key.id, "me", timedelta(0))
    with pytest.raises(Unauthenticated, match="expired"):
        keys.recognize(new.secret)
    assert keys.recognize(at_once.secret).id == at_once.key.id


def test_what_is_done_to_keys_is_in_the_trail(keys: Keys, engine: sa.Engine) -> None:
    old = keys.create("acme", Role.READ, "a", "command line")
    new = keys.rotate(old.key.id, "command line", timedelta(0))
    keys.revoke(new.key.id, "command line")
    trail = [(entry.action, entry.subject) for entry in audit.entries(engine, "acme", 9)]
    assert sorted(trail) == sorted(
        [
            ("create_key", old.key.id),
            ("rotate_key", old.key.id),
            ("create_key", new.key.id),
            ("revoke_key", new.key.id),
        ]
    )


@pytest.mark.parametrize("tenant", ["", "Acme", "a.b", "-a", "a-", "a/b", "..", "a" * 64, "ä"])
def test_a_name_that_is_not_safe_everywhere_is_no_tenants(keys: Keys, tenant: str) -> None:
    with pytest.raises(InvalidInput, match="no tenant's name"):
        keys.create(tenant, Role.READ, "key", "me")


def test_wrong_names_ends_and_ids_are_refused(keys: Keys) -> None:
    for name in ("", "n" * 65, "a\nb"):
        with pytest.raises(InvalidInput):
            keys.create("acme", Role.READ, name, "me")
    with pytest.raises(InvalidInput, match="expired already"):
        keys.create("acme", Role.READ, "late", "me", datetime.now(UTC))
    for act in (keys.revoke, lambda key_id, by: keys.rotate(key_id, by, timedelta(0))):
        with pytest.raises(KeyNotFound):
            act("nobodys", "me")


def admit(keys: Keys, policy: Policy, authorization: str | None) -> Caller:
    return asyncio.run(Doorkeeper(keys, policy, Rate(0, 1))(authorization))


def test_everyone_is_let_in_until_the_first_key_is_made_and_never_again(keys: Keys) -> None:
    doorkeeper = Doorkeeper(keys, "auto", Rate(0, 1))
    assert asyncio.run(doorkeeper(None)) == OPERATOR
    new = keys.create("acme", Role.READ, "first", "me")
    for restarted in (doorkeeper, Doorkeeper(keys, "auto", Rate(0, 1))):
        with pytest.raises(Unauthenticated, match="no API key"):
            asyncio.run(restarted(None))
    keys.revoke(new.key.id, "me")
    with pytest.raises(Unauthenticated):
        admit(keys, "auto", None)
    assert admit(keys, "none", None) == OPERATOR


@pytest.mark.parametrize("header", ["", "Basic {0}", "Bearer", "Bearer ", "{0}", "Bearer{0}"])
def test_a_key_comes_as_a_bearer_or_not_at_all(keys: Keys, header: str) -> None:
    secret = keys.create("acme", Role.READ, "key", "me").secret
    assert admit(keys, "keys", f"bearer {secret}").tenant == "acme"
    with pytest.raises(Unauthenticated):
        admit(keys, "keys", header.format(secret))


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "::", "gateway.example"])  # noqa: S104
def test_an_open_gateway_listens_to_its_own_machine_alone(keys: Keys, host: str) -> None:
    for policy, exposed in (("auto", True), ("keys", False), ("none", False)):
        doorkeeper = Doorkeeper(keys, policy, Rate(0, 1))  # type: ignore[arg-type]
        doorkeeper.check_exposure("127.0.0.1", "::1", "localhost")
        if exposed:
            with pytest.raises(InvalidSetting, match="no API keys") as refused:
                doorkeeper.check_exposure("127.0.0.1", host)
            assert "callscope keys create" in refused.value.remedy
        else:
            doorkeeper.check_exposure("127.0.0.1", host)
    keys.create("acme", Role.READ, "key", "me")
    Doorkeeper(keys, "auto", Rate(0, 1)).check_exposure(host)


def test_a_bucket_gives_a_burst_and_then_its_rate() -> None:
    now = 100.0
    rate = Rate(2, 3, lambda: now)
    assert [rate.take("a") for _ in range(3)] == [0, 0, 0]
    assert rate.take("a") == pytest.approx(0.5)
    assert rate.take("b") == 0
    now += 0.5
    assert rate.take("a") == 0
    assert rate.take("a") == pytest.approx(0.5)
    now += 60
    assert [rate.take("a") for _ in range(4)] == [0, 0, 0, pytest.approx(0.5)]
    assert not any(Rate(0, 1).take("a") for _ in range(100))


def test_a_gateway_on_all_addresses_without_keys_does_not_start(start: Callable[..., Up]) -> None:
    with pytest.raises(InvalidSetting, match=r"0\.0\.0\.0"):
        start(http_host="0.0.0.0")  # noqa: S104


def test_who_asks_too_often_is_told_when_to_come_back_at_both_doors(
    start: Callable[..., Up], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    up = start(rate_limit=0.1, rate_burst=3)
    engine = database.connect(up.settings.database_urls()[0])
    secret = Keys(engine).create("acme", Role.ADMIN, "eager", "me").secret
    engine.dispose()
    header = {"Authorization": f"Bearer {secret}"}
    sent = up.http.post("/v1/calls", files={"audio": noise()}, headers=header)
    assert sent.status_code == 202
    assert up.http.get("/v1/calls", headers=header).is_success
    metadata = (("authorization", f"Bearer {secret}"),)
    assert up.grpc.ListCalls(pb.ListCallsRequest(), metadata=metadata).calls
    answer = up.http.get("/v1/calls", headers=header)
    assert (answer.status_code, answer.json()["code"]) == (429, RateLimited.code)
    assert 1 <= int(answer.headers["retry-after"]) <= 10
    with pytest.raises(grpc.RpcError) as refused:
        up.grpc.ListCalls(pb.ListCallsRequest(), metadata=metadata)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    # The logs of all libraries at their most talkative, and the test's own client's left out.
    lines = [r.getMessage() for r in caplog.records if not r.name.startswith(("httpx", "httpcore"))]
    assert lines
    assert not [line for line in lines if secret in line]


def test_an_upload_that_stalls_is_let_go(start: Callable[..., Up]) -> None:
    up = start(upload_idle_seconds=0.3)

    def stalling() -> Any:
        yield pb.UploadCallRequest(header=pb.UploadHeader())
        yield pb.UploadCallRequest(chunk=noise()[:1000])
        stopped.wait(10)

    stopped = threading.Event()
    with pytest.raises(grpc.RpcError) as refused:
        up.grpc.UploadCall(stalling())
    stopped.set()
    assert refused.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert up.files() == []


def test_settings_that_hold_secrets_do_not_show_them(start: Callable[..., Up]) -> None:
    with pytest.raises(InvalidSetting) as refused:
        start(database_url="postgresql+nothing://me:hunter2@127.0.0.1:9/none")
    assert "hunter2" not in f"{refused.value} {refused.value.remedy}"
    assert free_port()
