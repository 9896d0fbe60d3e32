"""Every route and RPC, for every caller: generated from the OpenAPI and the descriptor.

A route or RPC that is not in the tables below fails: whoever adds one says here which permission
it needs, and the tests try it with all the wrong callers.
"""

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import grpc
import httpx
import pytest
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Route

from callscope.errors import Conflict, Forbidden, NotFound, Unauthenticated
from callscope.v1 import gateway_pb2 as pb
from services.gateway import database
from services.gateway.access import Permission, Role
from services.gateway.desks import Desks
from services.gateway.http.app import build_app
from services.gateway.keys import Keys
from tests.gateway.conftest import Up, gateway_settings, noise, running
from tests.gateway.engines import Engines
from tests.gateway.test_flow import parts

ROUTES: Mapping[str, Permission] = {
    "POST /v1/calls": Permission.SEND,
    "GET /v1/calls": Permission.READ,
    "GET /v1/calls/{call_id}": Permission.FOLLOW,
    "DELETE /v1/calls/{call_id}": Permission.MANAGE,
    "GET /v1/calls/{call_id}/record": Permission.READ,
    "GET /v1/calls/{call_id}/transcript": Permission.READ,
    "GET /v1/calls/{call_id}/audio": Permission.READ,
    "GET /v1/calls/{call_id}/events": Permission.FOLLOW,
    "POST /v1/calls/{call_id}/retry": Permission.MANAGE,
    "GET /v1/calls/{call_id}/clip": Permission.READ,
    "GET /v1/calls/{call_id}/records": Permission.READ,
    "GET /v1/calls/{call_id}/diff": Permission.READ,
    "POST /v1/calls/{call_id}/rescore": Permission.REVIEW,
    "POST /v1/rescorings": Permission.REVIEW,
    "GET /v1/rescorings/{rescoring_id}": Permission.READ,
    "DELETE /v1/rescorings/{rescoring_id}": Permission.REVIEW,
    "GET /v1/calls/{call_id}/vcon": Permission.READ,
    "GET /v1/schemas/record": Permission.FOLLOW,
    "GET /v1/exports": Permission.READ,
    "GET /v1/arrivals": Permission.READ,
    "POST /v1/arrivals/{arrival_id}/retry": Permission.MANAGE,
    "POST /v1/webhooks": Permission.MANAGE,
    "GET /v1/webhooks": Permission.MANAGE,
    "GET /v1/webhooks/{webhook_id}": Permission.MANAGE,
    "PATCH /v1/webhooks/{webhook_id}": Permission.MANAGE,
    "DELETE /v1/webhooks/{webhook_id}": Permission.MANAGE,
    "POST /v1/webhooks/{webhook_id}/rotate": Permission.MANAGE,
    "POST /v1/webhooks/{webhook_id}/ping": Permission.MANAGE,
    "GET /v1/webhooks/{webhook_id}/deliveries": Permission.MANAGE,
    "POST /v1/webhooks/{webhook_id}/deliveries/{delivery_id}/retry": Permission.MANAGE,
    "GET /v1/audit": Permission.MANAGE,
    "GET /v1/retention": Permission.READ,
    "PUT /v1/retention": Permission.MANAGE,
    "GET /v1/deadletters": Permission.READ,
    "POST /v1/deadletters/retry": Permission.MANAGE,
}
RPCS: Mapping[str, Permission] = {
    "SubmitCall": Permission.SEND,
    "UploadCall": Permission.SEND,
    "GetCall": Permission.FOLLOW,
    "WatchCall": Permission.FOLLOW,
    "ListCalls": Permission.READ,
    "GetRecord": Permission.READ,
    "GetClip": Permission.READ,
    "ListRecords": Permission.READ,
    "DiffRecords": Permission.READ,
    "RescoreCall": Permission.REVIEW,
    "RescoreCalls": Permission.REVIEW,
    "GetRescoring": Permission.READ,
    "CancelRescoring": Permission.REVIEW,
    "DeleteCall": Permission.MANAGE,
    "GetVcon": Permission.READ,
    "ExportRecords": Permission.READ,
    "ListArrivals": Permission.READ,
    "RetryArrival": Permission.MANAGE,
    "CreateWebhook": Permission.MANAGE,
    "ListWebhooks": Permission.MANAGE,
    "GetWebhook": Permission.MANAGE,
    "UpdateWebhook": Permission.MANAGE,
    "DeleteWebhook": Permission.MANAGE,
    "RotateWebhookSecret": Permission.MANAGE,
    "PingWebhook": Permission.MANAGE,
    "ListDeliveries": Permission.MANAGE,
    "RetryDelivery": Permission.MANAGE,
    "ListAudit": Permission.MANAGE,
    "GetRetention": Permission.READ,
    "SetRetention": Permission.MANAGE,
    "ListDeadLetters": Permission.READ,
    "RetryCall": Permission.MANAGE,
    "RetryDeadLetters": Permission.MANAGE,
}
PUBLIC = {"/openapi.json", "/docs", "/docs/oauth2-redirect"}  # what there is to ask, no answers
BODIES: Mapping[str, Callable[[], dict[str, Any]]] = {
    "POST /v1/calls": lambda: {"files": {"audio": noise(0.2)}},
    "POST /v1/webhooks": lambda: {"json": {"url": WEBHOOK}},
    "PATCH /v1/webhooks/{webhook_id}": lambda: {"json": {}},
    "PUT /v1/retention": lambda: {"json": {"audio_days": None, "record_days": None}},
    "GET /v1/calls/{call_id}/clip": lambda: {"params": {"start": 0, "end": 1}},
    "GET /v1/calls/{call_id}/diff": lambda: {"params": {"before": 1, "after": 1}},
    "POST /v1/calls/{call_id}/rescore": lambda: {"json": {}},
    "POST /v1/rescorings": lambda: {"json": {}},
}
WEBHOOK = "https://8.8.8.8/"  # public; nothing is ever told to it here
OWN_TOKEN = {"POST /v1/bucket-events"}  # for a bucket's server, which has no API key
FIELDS: Mapping[str, dict[str, Any]] = {  # that requests need besides
    "CreateWebhook": {"url": WEBHOOK},
    "GetClip": {"start": 0, "end": 1},
    "DiffRecords": {"before": 1, "after": 1},
}
NOT_CALLS = (
    "Webhook",
    "Arrival",
    "Deliver",
    "Rescoring",
)  # RPCs whose ids are those of other things
CALL_FIELDS = ("id", "call_id")  # of requests, that name a call

OPERATIONS = sorted(ROUTES)
ABOUT_A_CALL = [operation for operation in OPERATIONS if "{call_id}" in operation]
METHODS = pb.DESCRIPTOR.services_by_name["Gateway"].methods_by_name
RPCS_ABOUT_A_CALL = [
    name
    for name in sorted(RPCS)
    if name in METHODS and {f.name for f in METHODS[name].input_type.fields} & {*CALL_FIELDS}
    if not any(thing in name for thing in NOT_CALLS)
]


RPCS_ABOUT_OTHERS = [
    name
    for name in RPCS
    if name in METHODS and {f.name for f in METHODS[name].input_type.fields} & {"id", "webhook_id"}
    if name not in RPCS_ABOUT_A_CALL
]


@dataclass(frozen=True)
class House:
    """A gateway that asks for keys, a call of tenant `acme`, and all kinds of keys."""

    up: Up
    keys: Keys
    theirs: str
    roles: Mapping[Role, str]
    stranger: str
    revoked: str
    expired: str

    def rest(self, operation: str, secret: str | None, call_id: str) -> httpx.Response:
        method, path = operation.split()
        header = {} if secret is None else {"Authorization": f"Bearer {secret}"}
        body = BODIES.get(operation, dict)()
        # Of webhooks and arrivals acme has none: who may ask for one is told that it isn't there.
        ids = defaultdict(nobodys, call_id=call_id)
        return self.up.http.request(method, path.format_map(ids), headers=header, **body)

    def rpc(self, name: str, secret: str | None, call_id: str) -> Any:
        """The answer, or the answers of a stream."""
        method = METHODS[name]
        kind = getattr(pb, method.input_type.name)
        named = [field.name for field in method.input_type.fields if field.name in CALL_FIELDS]
        request: Any = kind(**dict.fromkeys(named, call_id), **FIELDS.get(name, {}))
        if name == "SubmitCall":
            (root,) = self.up.settings.audio_roots
            request.uri = (root / "acme/call.wav").as_uri()
        if method.client_streaming:
            request = parts(noise(0.2))
        metadata = () if secret is None else (("authorization", f"Bearer {secret}"),)
        answer = getattr(self.up.grpc, name)(request, metadata=metadata, timeout=30)
        return list(answer) if method.server_streaming else answer


@pytest.fixture(scope="module")
def house(all_engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    all_engines.reset()
    folder = tmp_path_factory.mktemp("house")
    settings = gateway_settings(
        folder / "data", all_engines, auth="keys", rate_limit=0, audio_roots=(folder / "drop",)
    )
    engine = database.connect(settings.database_urls()[0])
    database.migrate(engine)
    keys = Keys(engine)
    roles = {role: keys.create("acme", role, role, "test").secret for role in Role}
    revoked = keys.create("acme", Role.ADMIN, "revoked", "test")
    keys.revoke(revoked.key.id, "test")
    expired = keys.create("acme", Role.ADMIN, "expired", "test")
    keys.rotate(expired.key.id, "test", timedelta(0))
    stranger = keys.create("other", Role.ADMIN, "stranger", "test").secret
    (folder / "drop/acme").mkdir(parents=True)
    (folder / "drop/acme/call.wav").write_bytes(noise(0.2))
    with running(settings, all_engines) as up:
        house = House(up, keys, "", roles, stranger, revoked.secret, expired.secret)
        yield House(up, keys, finished(house), roles, stranger, revoked.secret, expired.secret)
    engine.dispose()


def finished(house: House) -> str:
    """A call of tenant acme that is done."""
    secret = house.roles[Role.ADMIN]
    call_id: str = house.rest("POST /v1/calls", secret, "").json()["id"]
    last = house.rpc("WatchCall", secret, call_id)[-1]
    assert last.call.status == pb.CALL_STATUS_DONE
    return call_id


def refused(ask: Callable[[], Any]) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        ask()
    return caught.value


def nobodys() -> str:
    return str(uuid.uuid4())


def test_every_route_and_rpc_is_in_the_tables() -> None:
    calls: Any = None
    app = build_app(calls, Desks(calls, calls, calls, calls, calls), lambda _: calls, 1)
    listed = {
        f"{method.upper()} {path}"
        for path, methods in app.openapi()["paths"].items()
        for method in methods
    }
    assert listed == set(ROUTES) | OWN_TOKEN
    assert {path for route in app.routes for path in paths(route)} == PUBLIC
    assert {method.name for method in METHODS.values()} == set(RPCS)


def paths(route: BaseRoute) -> list[str]:
    """A plain route's path; those under /v1 are FastAPI's own and in the OpenAPI."""
    return [route.path] if isinstance(route, Route) and not isinstance(route, APIRoute) else []


@pytest.mark.parametrize("operation", OPERATIONS)
def test_without_a_valid_key_no_route_answers(house: House, operation: str) -> None:
    wrong = house.stranger[:-1] + ("A" if house.stranger[-1] != "A" else "B")
    for secret in (None, "nonsense", wrong, house.revoked, house.expired):
        answer = house.rest(operation, secret, house.theirs)
        assert answer.status_code == Unauthenticated.http_status
        assert answer.json()["code"] == Unauthenticated.code
        assert answer.headers["www-authenticate"] == "Bearer"
        assert house.theirs not in answer.text


@pytest.mark.parametrize("name", sorted(RPCS))
def test_without_a_valid_key_no_rpc_answers(house: House, name: str) -> None:
    for secret in (None, "", "nonsense", house.revoked, house.expired):
        error = refused(lambda secret=secret: house.rpc(name, secret, house.theirs))  # type: ignore[misc]
        assert error.code() is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("operation", ABOUT_A_CALL)
def test_no_route_tells_anothers_call_from_one_that_does_not_exist(
    house: House, operation: str
) -> None:
    missing = nobodys()
    theirs = house.rest(operation, house.stranger, house.theirs)
    none = house.rest(operation, house.stranger, missing)
    assert (theirs.status_code, theirs.json()["code"]) == (404, "call_not_found")
    assert theirs.json() == {
        **none.json(),
        "detail": none.json()["detail"].replace(missing, house.theirs),
    }
    assert house.up.http.get(
        f"/v1/calls/{house.theirs}",
        headers={"Authorization": f"Bearer {house.roles[Role.READ]}"},
    ).is_success


@pytest.mark.parametrize("name", RPCS_ABOUT_A_CALL)
def test_no_rpc_tells_anothers_call_from_one_that_does_not_exist(house: House, name: str) -> None:
    missing = nobodys()
    theirs = refused(lambda: house.rpc(name, house.stranger, house.theirs))
    none = refused(lambda: house.rpc(name, house.stranger, missing))
    assert theirs.code() is none.code() is grpc.StatusCode.NOT_FOUND
    assert theirs.details() == str(none.details()).replace(missing, house.theirs)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("role", Role)
def test_a_route_opens_to_the_roles_that_may(house: House, operation: str, role: Role) -> None:
    call_id = finished(house) if operation.startswith("DELETE") else house.theirs
    answer = house.rest(operation, house.roles[role], call_id)
    if role.allows(ROUTES[operation]):
        # A call that is done is not retried, and that is said only to those who might.
        about_others = "_id}" in operation and "{call_id}" not in operation
        expected = NotFound.code if about_others else Conflict.code
        assert answer.is_success or answer.json()["code"] == expected, answer.text
    else:
        assert (answer.status_code, answer.json()["code"]) == (403, Forbidden.code)
        assert "role" in answer.json()["remedy"]


@pytest.mark.parametrize("name", sorted(RPCS))
@pytest.mark.parametrize("role", Role)
def test_an_rpc_opens_to_the_roles_that_may(house: House, name: str, role: Role) -> None:
    call_id = finished(house) if name.startswith("Delete") else house.theirs
    if role.allows(RPCS[name]) and name == "RetryCall":  # of a call that is done
        error = refused(lambda: house.rpc(name, house.roles[role], call_id))
        assert error.code() is Conflict.grpc_status
    elif role.allows(RPCS[name]) and name in RPCS_ABOUT_OTHERS:  # of which there is none
        error = refused(lambda: house.rpc(name, house.roles[role], nobodys()))
        assert error.code() is NotFound.grpc_status
    elif role.allows(RPCS[name]):
        house.rpc(name, house.roles[role], call_id)
    else:
        error = refused(lambda: house.rpc(name, house.roles[role], call_id))
        assert error.code() is grpc.StatusCode.PERMISSION_DENIED
        assert "role" in str(error.details())


def test_lists_hold_ones_own_calls_only(house: House) -> None:
    for token in (None, nobodys(), house.theirs):
        params = {} if token is None else {"page_token": token}
        answer = house.up.http.get(
            "/v1/calls",
            params={"page_size": 500, **params},
            headers={"Authorization": f"Bearer {house.stranger}"},
        )
        assert house.theirs not in answer.text
    assert house.theirs not in str(house.rpc("ListCalls", house.stranger, ""))
    assert house.theirs in str(house.rpc("ListCalls", house.roles[Role.READ], ""))


def test_the_same_key_and_recording_are_a_call_of_ones_own(house: House) -> None:
    def send(secret: str) -> str:
        headers = {"Authorization": f"Bearer {secret}", "Idempotency-Key": "shared"}
        answer = house.up.http.post("/v1/calls", files={"audio": noise(seed=5)}, headers=headers)
        return str(answer.json()["id"])

    mine, theirs = send(house.roles[Role.INGEST]), send(house.stranger)
    assert mine != theirs
    assert mine == send(house.roles[Role.INGEST])
    assert house.rest("GET /v1/calls/{call_id}", house.stranger, mine).status_code == 404


def test_a_uri_opens_ones_own_folder_only(house: House) -> None:
    (root,) = house.up.settings.audio_roots
    for folder in ("acme", "other", "."):
        (root / folder).mkdir(parents=True, exist_ok=True)
        (root / folder / "call.wav").write_bytes(noise(0.2))
    blob = house.rest("GET /v1/calls/{call_id}", house.roles[Role.ADMIN], house.theirs)

    def send(uri: str) -> httpx.Response:
        header = {"Authorization": f"Bearer {house.stranger}"}
        return house.up.http.post("/v1/calls", json={"uri": uri}, headers=header)

    assert send((root / "other/call.wav").as_uri()).status_code == 202
    for uri in (
        (root / "acme/call.wav").as_uri(),
        (root / "call.wav").as_uri(),
        f"{root.as_uri()}/other/../acme/call.wav",
        f"{root.as_uri()}/other/%2e%2e/acme/call.wav",
        f"{root.as_uri()}/acme/missing.wav",
        blob.json()["recording"]["uri"],
    ):
        answer = send(uri)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden_uri"), uri


def test_the_same_text_is_a_call_of_ones_own(house: House) -> None:
    said = {"utterances": [{"speaker": "a", "text": "The same words of two tenants."}]}

    def send(secret: str | None) -> httpx.Response:
        header = {} if secret is None else {"Authorization": f"Bearer {secret}"}
        return house.up.http.post("/v1/calls", json={"transcript": said}, headers=header)

    mine = send(house.roles[Role.INGEST]).json()["id"]
    assert mine != send(house.stranger).json()["id"]
    assert (send(None).status_code, send(house.roles[Role.READ]).status_code) == (401, 403)
    for path in ("/record", "/transcript", "/audio", "/vcon", ""):
        answer = house.rest(f"GET /v1/calls/{{call_id}}{path}", house.stranger, mine)
        assert (answer.status_code, answer.json()["code"]) == (404, "call_not_found")


def test_a_revoked_key_opens_nothing_from_that_moment(house: House) -> None:
    new = house.keys.create("acme", Role.READ, "short-lived", "test")
    assert house.rest("GET /v1/calls", new.secret, "").is_success
    house.keys.revoke(new.key.id, "test")
    answer = house.rest("GET /v1/calls", new.secret, "")
    assert answer.status_code == 401
    assert "revoked" in answer.json()["detail"]
