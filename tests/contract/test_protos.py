"""The committed stubs are those of the protos, and the protos keep buf's rules."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_committed_stubs_are_what_the_protos_generate(tmp_path: Path) -> None:
    subprocess.run([sys.executable, ROOT / "protos/generate.py", tmp_path], check=True)
    generated = {path.name: path.read_text() for path in (tmp_path / "callscope/v1").iterdir()}
    committed = {path.name: path.read_text() for path in (ROOT / "callscope/v1").glob("*_pb2*")}
    assert generated.keys() == committed.keys()
    stale = sorted(name for name, text in generated.items() if committed[name] != text)
    assert stale == [], "run `make protos` and commit the stubs"


def test_protos_are_clean() -> None:
    buf = Path(sys.executable).with_name("buf")
    outcome = subprocess.run(
        [buf, "lint", ROOT / "protos"], capture_output=True, text=True, check=False
    )
    assert (outcome.stdout + outcome.stderr, outcome.returncode) == ("", 0)
