"""The examples run as they are written."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.gateway.conftest import Up, free_port, gateway_settings, noise, running
from tests.gateway.engines import Engines, eventually

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


@pytest.fixture(scope="module")
def shared(all_engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    data = tmp_path_factory.mktemp("examples") / "data"
    port = free_port()
    settings = gateway_settings(
        data,
        all_engines,
        http_port=port,
        public_url=f"http://127.0.0.1:{port}",
        webhook_networks=("127.0.0.0/8", "::1/128"),
    )
    with running(settings, all_engines) as up:
        yield up


@pytest.fixture
def up(shared: Up, engines: Engines) -> Up:
    assert shared.engines is engines
    return shared


@pytest.fixture
def call(tmp_path: Path) -> Path:
    (tmp_path / "call.wav").write_bytes(noise())
    return tmp_path / "call.wav"


def run(up: Up, *command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(each) for each in command],
        env={**os.environ, "CALLSCOPE_URL": str(up.http.base_url), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_curl_sends_a_recording_and_reads_what_became_of_it(up: Up, call: Path) -> None:
    ran = run(up, EXAMPLES / "send_and_read.sh", call)
    assert ran.returncode == 0, ran.stderr
    assert "Hello." in ran.stdout
    assert ran.stdout.splitlines()[-1].startswith("overall")
    again = run(up, EXAMPLES / "send_and_read.sh", call)
    assert again.stdout == ran.stdout


def test_curl_says_why_a_recording_is_refused(up: Up, tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_bytes(b"no audio at all" * 9)
    ran = run(up, EXAMPLES / "send_and_read.sh", tmp_path / "bad.wav")
    assert ran.returncode != 0


def test_python_uploads_over_grpc(up: Up, call: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_bytes(b"no audio at all" * 9)
    target = f"127.0.0.1:{up.settings.port}"
    ran = run(up, sys.executable, EXAMPLES / "upload.py", target, call, tmp_path / "bad.wav")
    assert ran.returncode == 1
    assert "call.wav: call " in ran.stdout
    assert "bad.wav: " in ran.stderr


def test_the_nightly_export_takes_each_record_once_and_misses_none(up: Up, tmp_path: Path) -> None:
    database = tmp_path / "scores.db"

    def night() -> set[str]:
        now = datetime.now(UTC).isoformat()
        ran = run(up, sys.executable, EXAMPLES / "nightly_export.py", database, now)
        assert ran.returncode == 0, ran.stderr
        db = sqlite3.connect(database)
        found = {call_id for (call_id,) in db.execute("SELECT DISTINCT call_id FROM scores")}
        assert db.execute("SELECT count(*) FROM scores").fetchone()[0] == len(found)
        db.close()
        return found

    before = night()
    call_id = up.upload(noise()).json()["id"]
    up.finished(call_id)
    assert night() == before | {call_id}
    assert night() == before | {call_id}


def test_the_receiver_takes_what_is_signed_and_fetches_the_record(up: Up, tmp_path: Path) -> None:
    port = free_port()
    webhook = up.http.post("/v1/webhooks", json={"url": f"http://127.0.0.1:{port}/"}).json()
    log = tmp_path / "log"
    with log.open("w") as out:
        receiver = subprocess.Popen(
            [sys.executable, EXAMPLES / "webhook_receiver.py", str(port)],
            env={**os.environ, "CALLSCOPE_WEBHOOK_SECRET": webhook["secret"]},
            stdout=out,
            stderr=subprocess.DEVNULL,
        )
    try:
        call_id = up.upload(noise()).json()["id"]
        eventually(lambda: f"call {call_id} scored" in log.read_text(), 20)
    finally:
        receiver.kill()
        receiver.wait()
        up.http.delete(f"/v1/webhooks/{webhook['id']}")
