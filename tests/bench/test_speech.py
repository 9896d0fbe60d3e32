"""The harness from a folder to a table."""

import json
from pathlib import Path

import pytest

from bench import speech


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


def test_a_recording_that_cannot_be_read_is_left_out(
    models_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.wav").write_bytes(b"no audio at all")
    asked = [str(tmp_path), "--models", str(models_dir), "--systems", "faster-whisper"]
    with pytest.raises(SystemExit, match="none of the recordings"):
        speech.main([*asked, "--model", "whisper-tiny.en"])
    assert "broken.wav is left out: " in capsys.readouterr().err


def test_a_folder_without_recordings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no recordings"):
        speech.main([str(tmp_path)])


def test_an_unknown_system_is_refused(sample: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        speech.main([str(sample), "--systems", "siri"])
    assert "there are callscope" in capsys.readouterr().err
