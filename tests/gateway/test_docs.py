"""What docs/api.md and docs/operations.md say of the gateway."""

import re
import subprocess
import sys
from pathlib import Path

from services.gateway.submission import Submission
from tests.gateway.conftest import Up, noise

DOCS = Path(__file__).parents[2] / "docs"
API = (DOCS / "api.md").read_text(encoding="utf-8")


def test_every_route_is_listed_and_every_listed_route_is_there(up: Up) -> None:
    paths = up.http.get("/openapi.json").json()["paths"]
    real = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    listed = set(re.findall(r"^\| `((?:GET|POST|PUT|PATCH|DELETE) [^`]+)`", API, re.MULTILINE))
    assert listed == real


def test_every_field_of_a_submission_is_listed() -> None:
    missing = [name for name in Submission.model_fields if f"`{name}`" not in API]
    assert missing == []


def test_the_client_shown_uploads_watches_and_reads_the_record(up: Up, tmp_path: Path) -> None:
    (shown,) = re.findall(r"^```python\n(.*?)^```", API, re.MULTILINE | re.DOTALL)
    (tmp_path / "client.py").write_text(shown, encoding="utf-8")
    (tmp_path / "call.wav").write_bytes(noise())
    ran = subprocess.run(
        [sys.executable, tmp_path / "client.py", f"127.0.0.1:{up.settings.port}", "call.wav"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(DOCS.parent)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[-1].endswith("100%")
    (call,) = up.http.get("/v1/calls", params={"page_size": 1}).json()["calls"]
    assert call["status"] == "done"


def test_requests_that_the_runbook_names_can_be_made(up: Up) -> None:
    paths = up.http.get("/openapi.json").json()["paths"]
    offered = {f"{method.upper()} {path}" for path, item in paths.items() for method in item}
    text = " ".join(page.read_text(encoding="utf-8") for page in (DOCS / "runbook").glob("*.md"))
    named = set(re.findall(r"`((?:GET|POST|PUT|PATCH|DELETE) /v1[^?`]*)", text))
    assert len(named) > 5
    assert named <= offered
