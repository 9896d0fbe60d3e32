"""`callscope rescore` and `callscope diff` against a running gateway."""

import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from callscope.diff import diff as difference
from callscope.types import CallRecord
from services import rescore_cli
from services.gateway_client import GatewayClient
from tests.gateway.conftest import Up, noise, send
from tests.gateway.records import behavior, disclosure, judged, record


def run(up: Up, *arguments: str) -> subprocess.CompletedProcess[str]:
    gateway = ("--gateway", f"http://127.0.0.1:{up.settings.http_port}")
    return subprocess.run(
        [sys.executable, "-m", "services", *arguments, *gateway],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def finished(up: Up) -> str:
    call_id = send(up)
    assert up.finished(call_id)["status"] == "done"
    return call_id


def versions(up: Up, call_id: str) -> int:
    return len(up.http.get(f"/v1/calls/{call_id}/records").json()["versions"])


def test_a_call_is_judged_again_and_the_difference_shown(up: Up) -> None:
    call_id = finished(up)
    nothing = run(up, "diff", call_id)
    assert nothing.returncode == 3
    assert "rescore" in nothing.stderr
    done = run(up, "rescore", call_id, "--rubric", "sales")
    assert (done.returncode, done.stdout) == (0, "1 judged again, 0 failed\n"), done.stderr
    shown = run(up, "diff", call_id)
    assert shown.returncode == 0, shown.stderr
    assert "Overall none → none" in shown.stdout
    whole = json.loads(run(up, "diff", call_id, "--before", "1", "--json").stdout)
    assert whole["rubric_after"]["id"] == "sales"


def test_all_calls_of_a_filter_are_judged_again(up: Up) -> None:
    answer = up.upload(noise(), metadata='{"queue": "again"}')
    call_id = answer.json()["id"]
    up.finished(call_id)
    other = finished(up)
    done = run(up, "rescore", "--all", "--where", "queue=again", "--rubric", "sales")
    assert done.stdout == "1 judged again, 0 failed\n", done.stderr
    assert [versions(up, each) for each in (call_id, other)] == [2, 1]


def test_an_order_can_be_left_to_itself(up: Up) -> None:
    left = run(up, "rescore", finished(up), "--no-wait")
    assert up.http.get(f"/v1/rescorings/{left.stdout.strip()}").is_success


def test_a_rubric_of_ones_own_is_sent_as_it_stands(up: Up, tmp_path: Path) -> None:
    missing = run(up, "rescore", finished(up), "--rubric", str(tmp_path / "own.yaml"))
    assert missing.returncode == 3
    assert "No such file" in missing.stderr


def test_what_cannot_be_meant_is_refused(up: Up) -> None:
    assert run(up, "rescore").returncode == 2
    assert run(up, "rescore", "--all", "--where", "queue").returncode == 2
    assert run(up, "rescore", "x", "--where", "queue=a").returncode == 2
    unknown = run(up, "rescore", "01980a4e-2f7c-7c7d-9d52-0a6f3f0c8b11")
    assert (unknown.returncode, "no call" in unknown.stderr) == (3, True)


def shown(before: CallRecord, after: CallRecord, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What `callscope diff` prints of two records."""
    found = json.loads(json.dumps(asdict(difference(before, after))))
    monkeypatch.setattr(GatewayClient, "ask", lambda *_, **__: found)
    return CliRunner().invoke(rescore_cli.diff, ["x"]).output.splitlines()


def test_only_what_is_judged_otherwise_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    rapport, closing = behavior("rapport", "delivered", 100.0), behavior("closing", "missed", 9.0)
    late = disclosure("recording", "delivered", False)
    before = record("x", behaviors=(rapport, closing), disclosures=(late,), **judged(50.0))
    other = behavior("closing", "missed", 9.0, "Goodbye.")
    changed = (replace(rapport, weight=20.0), replace(other, weight=30.0))
    after = record(
        "x", behaviors=changed, disclosures=(replace(late, on_time=True),), **judged(40.0)
    )
    assert shown(before, after, monkeypatch) == [
        "Overall 50.0 → 40.0",
        "Closing: missed 9.0, on other evidence",
        "  + act at 00:00",
        "Recording: delivered 50%, late → delivered 50%",
        "Weights: Rapport 50 → 20, Closing 50 → 30",
    ]
