"""Rules of the code that no linter of ours knows."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ("ctranslate2", "faster_whisper", "onnxruntime", "pyannote", "torch", "transformers")
FORBIDDEN = {
    "a path of somebody's machine": r"/(work|home|Users)/(?!USER)[a-z]+/|/opt/(pypi|wheels)",
    "a mark for later": r"\b(TODO|FIXME|XXX)\b",
}


def test_import_fences_hold() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    outcome = subprocess.run(
        [lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0, outcome.stdout


@pytest.mark.parametrize("command", [["--help"], ["analyze", "--help"], ["models", "--help"]])
def test_help_comes_without_loading_an_engine(command: list[str]) -> None:
    script = (
        "import sys; from services.__main__ import cli; "
        f"cli.main({command}, standalone_mode=False); "
        f"print(sorted(set({HEAVY}) & set(sys.modules)))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert shown.startswith("Usage:")
    assert shown.splitlines()[-1] == "[]"


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what: str) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("needs the git repository, to know which files are ours")
    found = [
        f"{name}:{number}"
        for name in listed.stdout.split("\0")
        if name and (ROOT / name).is_file() and ROOT / name != Path(__file__)
        for number, line in enumerate(_lines(ROOT / name), start=1)
        if re.search(FORBIDDEN[what], line)
    ]
    assert found == []


def _lines(path: Path) -> list[str]:
    data = path.read_bytes()
    return [] if b"\0" in data else data.decode("utf-8").splitlines()
