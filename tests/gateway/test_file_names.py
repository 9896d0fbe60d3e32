"""Facts in file names, read alike at every door."""

from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import trustme

from services.gateway.details import DetailsFolder
from tests.gateway.conftest import Up, gateway_settings, noise, running
from tests.gateway.engines import Engines
from tests.gateway.test_flow import parts
from tests.hosts import https_host

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


def test_a_tenants_table_is_its_own_and_read_anew_when_it_changes(tmp_path: Path) -> None:
    tables = tmp_path / "tables"
    tables.mkdir()
    (tables / "other.csv").write_text("file,agent\ncall.wav,nobody\n", encoding="utf-8")
    reader = DetailsFolder(tables, "file")
    assert reader.of("acme", "call.wav") is None
    (tables / "acme.csv").write_text("file;agent;queue\nold.wav;a-1;q\n", encoding="utf-8")
    assert _facts(reader, "in/old.wav") == {"agent": "a-1", "queue": "q"}
    (tables / "acme.csv").write_text("file;agent\nnew.wav;a-22\n", encoding="utf-8")
    assert _facts(reader, "new.wav") == {"agent": "a-22"}
    (tables / "acme.csv").write_text("name;agent\n", encoding="utf-8")
    broken = reader.of("acme", "new.wav")
    assert broken is not None
    assert [note.reason for note in broken.notes] == ["acme.csv has no column 'file'"]


def _facts(reader: DetailsFolder, name: str) -> dict[str, str]:
    said = reader.of("acme", name)
    assert said is not None
    return dict(said.facts)


def test_a_table_completes_what_is_sent(start: Callable[..., Up], tmp_path: Path) -> None:
    (tmp_path / "default.csv").write_text("file,agent,queue\ncall.wav,a-17,q\n", encoding="utf-8")
    up = start(details_dir=tmp_path)
    call = up.upload(noise(), metadata='{"queue": "billing"}').json()
    assert call["recording"]["metadata"] == {"agent": "a-17", "queue": "billing"}
    other = up.http.post("/v1/calls", files={"audio": ("other.wav", noise())}).json()
    assert [note["reason"] for note in other["notes"]] == ["no row for this recording"]


def test_a_links_path_tells_facts_and_its_signature_stays_nowhere(
    all_engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "host").mkdir()
    (tmp_path / "host/Jürgen K_en.wav").write_bytes(noise())
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with https_host(partial(_Quiet, directory=str(tmp_path / "host")), authority) as host:
        settings = gateway_settings(
            tmp_path / "data", all_engines, name_pattern=PATTERN, audio_hosts=(host,)
        )
        with running(settings, all_engines) as up:
            link = f"https://{host}/J%C3%BCrgen%20K_en.wav?signature=s3cr3t"
            call = up.http.post("/v1/calls", json={"uri": link}).json()
            assert call["recording"]["metadata"] == {"agent": "Jürgen K"}
            assert up.finished(call["id"])["status"] == "done"
    kept = [file for file in (tmp_path / "data").rglob("*") if file.is_file()]
    assert kept
    assert not [file for file in kept if b"s3cr3t" in file.read_bytes()]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Be quiet."""
