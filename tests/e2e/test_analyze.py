"""`callscope analyze` on the sample call with real models, and on what it must refuse."""

import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data.telephone import RATE, hold_music
from tests.e2e.conftest import Run


@pytest.fixture(scope="module")
def nobody(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Silence, and hold music."""
    folder = tmp_path_factory.mktemp("nobody")
    music = np.round(hold_music(15 * RATE) * 32_767 * 8).astype(np.int16)
    samples = {"silence": bytes(2 * RATE * 5), "music": music.tobytes()}
    for name, content in samples.items():
        with wave.open(str(folder / f"{name}.wav"), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(RATE)
            out.writeframes(content)
    return [folder / f"{name}.wav" for name in samples]


@pytest.fixture(scope="module")
def analyzed(callscope: Run, sample: Path, nobody: list[Path]) -> Any:
    """One run over the stereo call, an empty file, the mono mix, silence and hold music."""
    empty = nobody[0].with_name("empty.wav")
    empty.touch()
    files = (sample / "stereo.flac", empty, sample / "mono.wav", *nobody)
    return callscope("analyze", *files, "--json", "-")


@pytest.fixture(scope="module")
def records(analyzed: Any) -> list[Any]:
    return [json.loads(line) for line in analyzed.stdout.splitlines()]


@pytest.fixture(scope="module")
def stereo(records: list[Any]) -> Any:
    return records[0]


def test_one_bad_file_does_not_stop_the_others(analyzed: Any, records: list[Any]) -> None:
    assert analyzed.returncode == 3
    assert "empty.wav" in analyzed.stderr
    assert [record["layout"] for record in records] == ["two_party", *["mono"] * 3]


def test_the_sample_call_becomes_a_complete_record(stereo: Any, sample: Path) -> None:
    truth = json.loads((sample / "truth.json").read_text())
    assert stereo["layout"] == "two_party"
    assert stereo["recording"]["duration"] == pytest.approx(truth["duration_s"], abs=0.05)
    assert {each["role"] for each in stereo["participants"]} == {"agent", "customer"}
    assert [each["behavior"] for each in stereo["behaviors"]] == [
        "empathy_opening",
        "active_listening",
        "disclosure_delivery",
        "rapport",
        "discovery",
        "resolution",
    ]
    assert len(stereo["provenance"]["models"]) >= 2
    assert all(len(model["digest"]) == 64 for model in stereo["provenance"]["models"])


def test_roles_are_right_without_being_told(stereo: Any, sample: Path) -> None:
    truth = json.loads((sample / "truth.json").read_text())
    channels = {each["channel"]: each["role"] for each in stereo["participants"]}
    assert channels == {turn["channel"]: turn["speaker"] for turn in truth["turns"]}


def test_every_quote_is_in_the_transcript_at_its_seconds(stereo: Any) -> None:
    utterances = {each["index"]: each for each in stereo["utterances"]}
    evidence = [
        each
        for judged in (*stereo["behaviors"], *stereo["disclosures"])
        for each in judged["evidence"]
    ]
    assert evidence
    for each in evidence:
        words = [
            word["text"]
            for word in utterances[each["utterance"]]["words"]
            if each["start"] - 1e-3 <= word["start"] and word["end"] <= each["end"] + 1e-3
        ]
        assert each["quote"] == " ".join(words)


def test_the_mono_mix_gives_the_same_two_parties(records: list[Any]) -> None:
    assert sorted(each["role"] for each in records[1]["participants"]) == ["agent", "customer"]


@pytest.mark.parametrize("place", [2, 3], ids=["silence", "hold music"])
def test_where_nobody_speaks_nothing_is_found(records: list[Any], place: int) -> None:
    record = records[place]
    assert record["utterances"] == []
    assert {each["outcome"] for each in record["behaviors"]} == {"not_assessable"}
    assert {each["status"] for each in record["disclosures"]} == {"not_required"}
    assert record["review"]["needed"] is True


def test_the_same_call_twice_is_the_same_record_and_a_report_to_read(
    stereo: Any, callscope: Run, sample: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again.json"
    done = callscope("analyze", sample / "stereo.flac", "--json", again)
    assert done.returncode == 0, done.stderr
    assert json.loads(again.read_text()) == stereo
    for part in ("Agent", "Customer", "Dialogue", "Behaviors", "Disclosures", "confidence", "“"):
        assert part in done.stdout


@pytest.mark.parametrize(
    ("content", "name", "problem"),
    [
        (b"", "empty.wav", "empty"),
        (b"This is no recording.\n" * 40, "text.wav", "no recording"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00", "header.wav", "."),
    ],
)
def test_bad_audio_is_refused_with_reason_and_remedy(
    callscope: Run, tmp_path: Path, content: bytes, name: str, problem: str
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    done = callscope("analyze", file, "--json", "-")
    assert done.returncode == 3
    assert done.stdout == ""
    assert problem in done.stderr
    assert name in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "status", "problem"),
    [
        (["--agent-channel", "2"], 3, "channel"),
        (["--model", "whisper-enormous"], 3, "whisper-enormous"),
        (["--rubric", "nobodys"], 3, "nobodys"),
        (["--rubric", "missing.yaml"], 3, "missing.yaml"),
        (["--format", "docx"], 2, "docx"),
    ],
)
def test_a_bad_option_is_refused_with_its_name(
    callscope: Run, sample: Path, arguments: list[str], status: int, problem: str
) -> None:
    done = callscope("analyze", sample / "stereo.flac", *arguments)
    assert done.returncode == status, done.stderr
    assert problem in done.stderr


def test_a_rubric_with_mistakes_is_refused_with_their_lines(
    callscope: Run, sample: Path, tmp_path: Path
) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("id: mine\nversion: '1'\ntitle: Mine\ncolour: red\nbehaviors: []\n")
    done = callscope("analyze", sample / "stereo.flac", "--rubric", file)
    assert done.returncode == 3
    assert "line 4" in done.stderr
    assert "colour" in done.stderr


def test_a_missing_model_is_named_with_the_way_to_get_it(
    callscope: Run, sample: Path, tmp_path: Path
) -> None:
    done = callscope("analyze", sample / "stereo.flac", CALLSCOPE_MODELS_DIR=str(tmp_path))
    assert done.returncode == 4
    assert "callscope models pull" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_version_is_printed(callscope: Run) -> None:
    assert callscope("version").stdout.count(".") == 2
