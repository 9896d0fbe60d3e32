"""Facts in file names, read alike at every door."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.gateway.conftest import Up, gateway_settings, noise, running
from tests.gateway.engines import Engines
from tests.gateway.test_flow import parts

PATTERN = r"(.*/)?(?P<agent>[^_/]+)_(?P<language>[^_.]+)\.wav"


@pytest.fixture(scope="module")
def up(all_engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    folder = tmp_path_factory.mktemp("names")
    (folder / "drop").mkdir()
    settings = gateway_settings(
        folder / "data", all_engines, name_pattern=PATTERN, audio_roots=(folder / "drop",)
    )
    with running(settings, all_engines) as up:
        yield up


def by_form(up: Up, name: str) -> Any:
    return up.http.post("/v1/calls", files={"audio": (name, noise())})


def by_query(up: Up, name: str) -> Any:
    headers = {"content-type": "audio/wav"}
    return up.http.post("/v1/calls", content=noise(), headers=headers, params={"file_name": name})


def by_uri(up: Up, name: str) -> Any:
    file = up.settings.audio_roots[0] / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(noise())
    return up.http.post("/v1/calls", json={"uri": file.as_uri()})


def by_grpc(up: Up, name: str) -> Any:
    call = up.grpc.UploadCall(parts(noise(), file_name=name)).call
    return up.http.get(f"/v1/calls/{call.id}")


@pytest.mark.parametrize("send", [by_form, by_query, by_uri, by_grpc])
def test_a_files_name_tells_facts_at_every_door(up: Up, send: Callable[[Up, str], Any]) -> None:
    call = send(up, "Jürgen K_en.wav").json()
    assert call["recording"]["metadata"] == {"agent": "Jürgen K"}
    assert call["notes"] == []
    odd = send(up, "odd_english.wav").json()
    assert [(note["source"], note["fact"]) for note in odd["notes"]] == [("name", "language")]


@pytest.mark.parametrize(
    "name", ["a\x01b.wav", "x" * 2000, "\ud800.wav".encode("utf-8", "replace")]
)
def test_a_forms_odd_file_name_costs_nothing(up: Up, name: str) -> None:
    assert by_form(up, str(name)).status_code == 202
