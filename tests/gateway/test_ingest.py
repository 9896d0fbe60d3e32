"""`callscope ingest` and `callscope export` against a running gateway."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from minio import Minio

from tests.gateway.conftest import Up, gateway_settings, noise, running
from tests.gateway.engines import Engines
from tests.gateway.test_inbound import inbox, put

__all__ = ["inbox"]  # a fixture

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "recordings"
    (folder / "billing").mkdir(parents=True)
    (folder / "billing/a-1_20260131T093000Z.wav").write_bytes(noise())
    (folder / "billing/a-2_20260131T094500Z.wav").write_bytes(noise())
    (folder / "billing/a-2_20260131T094500Z.json").write_text('{"customer": "c-2"}')
    (folder / "billing/notes.txt").write_text("no recording")
    return folder


@pytest.fixture
def callscope(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command for a user of its own."""

    def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        plain = {name: text for name, text in os.environ.items() if "CALLSCOPE" not in name}
        return subprocess.run(
            [sys.executable, "-m", "services", *map(str, arguments)],
            env={**plain, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT), **environment},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture(scope="module")
def shared(all_engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    settings = gateway_settings(tmp_path_factory.mktemp("ingest") / "data", all_engines)
    with running(settings, all_engines) as up:
        yield up


@pytest.fixture
def up(shared: Up, engines: Engines) -> Iterator[Up]:
    """A gateway without calls."""
    assert shared.engines is engines
    yield shared
    for call in calls(shared):
        shared.http.delete(f"/v1/calls/{call['id']}")


def calls(up: Up) -> list[dict[str, Any]]:
    return list(up.http.get("/v1/calls").json()["calls"])


def url(up: Up) -> str:
    return str(up.http.base_url)


PATTERN = r"(?P<queue>[^/]+)/(?P<agent>[^_]+)_(?P<started_at>[^.]+)\.wav"


def test_a_folder_is_taken_in_with_facts_from_names_sidecars_and_a_table(
    up: Up, folder: Path, callscope: Callable[..., Any], tmp_path: Path
) -> None:
    table = tmp_path / "details.csv"
    table.write_text("file;direction\na-1_20260131T093000Z;inbound\n")
    ran = callscope(
        "ingest", folder, "--gateway", url(up), "--pattern", PATTERN, "--details", table
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == (
        "2 taken in, 0 known from before, 0 refused; 1 have facts that could not be read\n"
    )
    known = {call["recording"]["metadata"]["agent"]: call for call in calls(up)}
    assert known["a-1"]["recording"]["metadata"] == {
        "queue": "billing",
        "agent": "a-1",
        "direction": "inbound",
    }
    assert known["a-1"]["recording"]["started_at"] == "2026-01-31T09:30:00+00:00"
    assert known["a-2"]["recording"]["metadata"]["customer"] == "c-2"
    assert known["a-2"]["notes"] == [
        {"source": "details", "fact": None, "reason": "no row for this recording"}
    ]


def test_a_second_run_sends_only_what_is_new(
    up: Up, folder: Path, callscope: Callable[..., Any]
) -> None:
    callscope("ingest", folder, "--gateway", url(up))
    (folder / "new.wav").write_bytes(noise())
    ran = callscope("ingest", folder, "--gateway", url(up))
    assert ran.stdout == "1 taken in, 2 known from before, 0 refused\n"
    assert len(calls(up)) == 3


def test_without_its_journal_a_run_makes_no_second_calls(
    up: Up, folder: Path, callscope: Callable[..., Any], tmp_path: Path
) -> None:
    for number in range(2):
        ran = callscope("ingest", folder, "--gateway", url(up), "--journal", f"{number}.jsonl")
        assert ran.returncode == 0, ran.stderr
    assert len(calls(up)) == 2
    whole = (tmp_path / "0.jsonl").read_bytes()
    (tmp_path / "0.jsonl").write_bytes(whole[:-20])  # the machine went down
    ran = callscope("ingest", folder, "--gateway", url(up), "--journal", "0.jsonl")
    assert ran.stdout == "1 taken in, 1 known from before, 0 refused\n"
    ran = callscope("ingest", folder, "--gateway", url(up), "--journal", "0.jsonl")
    assert ran.stdout == "0 taken in, 2 known from before, 0 refused\n"


def test_what_is_refused_is_named_with_its_reason_and_the_rest_goes_in(
    up: Up, folder: Path, callscope: Callable[..., Any], tmp_path: Path
) -> None:
    (folder / "broken.wav").write_bytes(b"no audio at all" * 40)
    ran = callscope("ingest", folder, "--gateway", url(up), "--report", tmp_path / "report.jsonl")
    assert ran.returncode == 3
    assert "2 taken in, 0 known from before, 1 refused" in ran.stdout
    assert "broken.wav: " in ran.stderr
    (line,) = (tmp_path / "report.jsonl").read_text().splitlines()
    assert json.loads(line)["code"] == "undecodable_audio"
    assert len(calls(up)) == 2


def test_a_bucket_is_taken_in(
    up: Up, inbox: Minio, bucket: dict[str, str], callscope: Callable[..., Any]
) -> None:
    put(inbox, "old/a.wav", noise(), agent="a-3")
    put(inbox, "other/b.wav", noise())
    s3 = {f"CALLSCOPE_{name.upper()}": text for name, text in bucket.items() if name != "bucket"}
    ran = callscope("ingest", "s3://inbox/old/", "--gateway", url(up), **s3)
    assert ran.returncode == 0, ran.stderr
    (call,) = calls(up)
    assert call["recording"]["metadata"] == {"agent": "a-3"}
    assert call["lane"] == "backfill"


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("ingest", "nowhere"), 3, "nowhere is no folder"),
        (("ingest", "s3://bucket/x"), 3, "CALLSCOPE_S3_ENDPOINT"),
        (("ingest", ".", "--pattern", "("), 3, "no regular expression"),
        (("ingest", ".", "--time-zone", "Mars"), 3, "no time zone 'Mars'"),
        (("ingest", ".", "--gateway", "localhost"), 3, "no URL"),
        (("export", "--gateway", "http://127.0.0.1:9", "-o", "x"), 4, "does not answer"),
        (("export", "-o", "x", "--format", "xml"), 2, "xml"),
    ],
)
def test_what_cannot_work_is_said_in_a_line(
    callscope: Callable[..., Any], arguments: tuple[str, ...], status: int, says: str
) -> None:
    ran = callscope(*arguments)
    assert ran.returncode == status, ran.stderr
    assert says in ran.stderr
    assert "Traceback" not in ran.stderr


def test_an_export_is_written_whole_or_not_at_all(
    up: Up, callscope: Callable[..., Any], tmp_path: Path
) -> None:
    call_id = up.upload(noise()).json()["id"]
    up.finished(call_id)
    ran = callscope("export", "--gateway", url(up), "--format", "csv", "-o", "night.csv")
    assert ran.returncode == 0, ran.stderr
    assert call_id in (tmp_path / "night.csv").read_text()
    ran = callscope("export", "--gateway", url(up), "-o", "-", "--to", "2020-01-01T00:00:00Z")
    assert (ran.returncode, ran.stdout) == (0, "")
    ran = callscope("export", "--gateway", url(up), "-o", "bad.jsonl", "--from", "yesterday")
    assert ran.returncode == 3
    assert sorted(path.name for path in tmp_path.glob("*.jsonl*")) == []
