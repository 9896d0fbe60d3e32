"""`callscope analyze` on transcripts, with the real models: nothing is listened to."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Run

CHAT = """\
Agent: Thank you for calling Oakfield Water, this is Tariq. How can I help you today?
Customer: A pipe burst and my cellar is flooded. I am so upset.
Agent: Oh no, that must be so upsetting. May I have your account number?
Customer: It is 8814.
"""
CAPTIONS = """\
WEBVTT

00:00.000 --> 00:06.000
<v Agent>Thank you for calling Oakfield Water, this is Tariq. How can I help you today?</v>

00:07.000 --> 00:12.000
<v Customer>A pipe burst and my cellar is flooded. I am so upset.</v>

00:12.500 --> 00:18.000
<v Agent>Oh no, that must be so upsetting. May I have your account number?</v>
"""


@pytest.fixture(scope="module")
def records(callscope: Run, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    folder = tmp_path_factory.mktemp("transcripts")
    for name, content in (("chat.txt", CHAT), ("call.vtt", CAPTIONS), ("bad.srt", "nothing")):
        (folder / name).write_text(content, encoding="utf-8")
    files = [folder / name for name in ("chat.txt", "bad.srt", "call.vtt")]
    ran = callscope("analyze", *files, "--json", "-")
    assert ran.returncode == 3
    assert "bad.srt: the transcript has no captions" in ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


def test_a_chat_is_judged_but_for_what_needs_times(records: list[Any]) -> None:
    chat = records[0]
    outcomes = {each["behavior"]: each["outcome"] for each in chat["behaviors"]}
    assert outcomes["empathy_opening"] == "delivered"
    assert outcomes["active_listening"] == "not_assessable"
    assert chat["metrics"]["timing"] == "none"
    assert chat["recording"]["uri"].endswith("/chat.txt")  # by which the table calls it
    assert {model["stage"] for model in chat["provenance"]["models"]} == {"score"}


def test_captions_are_judged_with_their_times(records: list[Any]) -> None:
    call = records[1]
    outcomes = {each["behavior"]: each["outcome"] for each in call["behaviors"]}
    assert "not_assessable" not in outcomes.values()
    assert call["recording"]["duration"] == 18.0
    assert call["metrics"]["timing"] == "utterances"
    quoted = [each for judged in call["behaviors"] for each in judged["evidence"]]
    assert all(0 <= each["start"] < each["end"] <= 18 for each in quoted)


def test_a_transcript_has_no_channels(callscope: Run, tmp_path: Path) -> None:
    (tmp_path / "chat.txt").write_text(CHAT, encoding="utf-8")
    ran = callscope("analyze", tmp_path / "chat.txt", "--agent-channel", "0")
    assert ran.returncode == 3
    assert "--agent-channel" in ran.stderr
