"""The harness from a folder to a table, and the tables in the documentation."""

import json
import re
from pathlib import Path

import pytest

from bench import speech, table

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/benchmarks.md"
SHOWN = re.findall(r"^<!-- ([\w-]+) -->$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("name", SHOWN)
def test_a_table_in_the_docs_is_what_its_results_give(name: str) -> None:
    kept = json.loads((ROOT / f"bench/results/{name}.json").read_text(encoding="utf-8"))
    _, _, rest = PAGE.read_text(encoding="utf-8").partition(f"<!-- {name} -->")
    shown, found, _ = rest.partition(f"<!-- /{name} -->")
    assert found
    assert shown.strip() == table.render(kept)


def test_a_folder_is_measured_kept_and_shown(
    models_dir: Path, sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "figures.json"
    asked = [str(sample), "--only", "*/mono.wav", "--runs", "2", "--models", str(models_dir)]
    asked += ["--systems", "faster-whisper", "--model", "whisper-tiny.en", "--out", str(out)]
    speech.main(asked)
    assert "| `faster-whisper` |" in capsys.readouterr().out
    kept = json.loads(out.read_text(encoding="utf-8"))
    (figures,) = kept["recordings"]["sample/mono.wav"]["systems"].values()
    assert figures["repeats"]
    assert len(figures["seconds"]) == 2
    wrong, words = figures["word_errors"]
    assert 0 < wrong < 0.2 * words
    assert figures["time_errors"]["median"] < 0.3
    assert "der" not in figures
    assert set(kept["models"]) == {"whisper-tiny.en"}
    assert kept["machine"]["cores"] >= 1


def test_what_was_measured_otherwise_is_not_added_to(sample: Path, tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    out.write_text(json.dumps({"systems": ["stock"], "runs": 3, "threads": 1, "recordings": {}}))
    with pytest.raises(SystemExit, match="measured otherwise"):
        speech.main([str(sample), "--systems", "pyannote", "--out", str(out), "--add"])


def test_a_folder_without_recordings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no recordings"):
        speech.main([str(tmp_path)])


def test_an_unknown_system_is_refused(sample: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        speech.main([str(sample), "--systems", "siri"])
    assert "there are callscope" in capsys.readouterr().err


def test_a_page_without_markers_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("No table here.")
    with pytest.raises(ValueError, match="no markers"):
        table.write_into(page, "speech", "| a |")


def test_a_table_replaces_what_stood_between_its_markers(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Before\n<!-- speech -->\nold\n<!-- /speech -->\nAfter\n")
    table.write_into(page, "speech", "| new |")
    assert page.read_text() == ("Before\n<!-- speech -->\n\n| new |\n\n<!-- /speech -->\nAfter\n")
