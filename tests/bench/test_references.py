"""Truth is read from the formats of the field."""

import json
from pathlib import Path

import pytest

from bench.references import Account, Said, find_cases, read_ctm, read_rttm, read_stm
from callscope.types import Role, Turn


def placed(folder: Path, **files: str) -> Path:
    """A recording `call.wav` and files beside it; `__` in a name stands for a dot."""
    (folder / "call.wav").write_bytes(b"")
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


def truth_in(folder: Path) -> Account:
    (case,) = find_cases(folder)
    return case.truth


def test_rttm_gives_turns_in_order_of_start() -> None:
    text = (
        "SPKR-INFO a 1 <NA> <NA> <NA> unknown b <NA> <NA>\n"
        "SPEAKER a 1 2.500 1.250 <NA> <NA> b <NA> <NA>\n"
        "SPEAKER a 1 0.500 1.000 <NA> <NA> a <NA> <NA>\n"
    )
    assert read_rttm(text) == (Turn("a", 0.5, 1.5), Turn("b", 2.5, 3.75))


def test_stm_gives_words_with_speakers_and_roles_and_turns() -> None:
    text = (
        ";; a comment\n"
        "call 1 customer 2.0 3.0 <o,f0,female> Hello there.\n"
        "call 0 agent 0.5 1.5 Good morning.\n"
        "call 0 inter_segment_gap 3.0 4.0 IGNORE_TIME_SEGMENT_IN_SCORING\n"
    )
    account = read_stm(text)
    assert account.turns == (Turn("agent", 0.5, 1.5, 0), Turn("customer", 2.0, 3.0, 1))
    assert account.words == (
        Said("Good", speaker="agent", channel=0, role=Role.AGENT),
        Said("morning.", speaker="agent", channel=0, role=Role.AGENT),
        Said("Hello", speaker="customer", channel=1, role=Role.CUSTOMER),
        Said("there.", speaker="customer", channel=1, role=Role.CUSTOMER),
    )


def test_stm_of_one_channel_leaves_the_channel_open() -> None:
    account = read_stm("call 1 Diane 0 1 Hello?\ncall 1 Sheila 1 2 Hello.\n")
    assert {word.channel for word in account.words or ()} == {None}
    assert {word.role for word in account.words or ()} == {None}


def test_ctm_gives_words_with_times() -> None:
    assert read_ctm("call A 1.50 0.25 there 0.98\ncall A 1.00 0.50 hello\n") == (
        Said("hello", 1.0, 1.5),
        Said("there", 1.5, 1.75),
    )


def test_text_beside_a_recording_says_only_the_words(tmp_path: Path) -> None:
    account = truth_in(placed(tmp_path, call__txt="Hello there.\n"))
    assert account == Account((Said("Hello"), Said("there.")), None)


def test_empty_text_means_that_nobody_speaks(tmp_path: Path) -> None:
    assert truth_in(placed(tmp_path, ref__txt="")) == Account((), ())


def test_what_several_files_know_is_put_together(tmp_path: Path) -> None:
    folder = placed(
        tmp_path,
        ref__rttm="SPEAKER call 1 0.5 1.0 <NA> <NA> a <NA> <NA>\n",
        ref__stm="call 1 a 0.0 2.0 Hello there.\n",
        ref__txt="Something else.",
    )
    account = truth_in(folder)
    assert account.turns == (Turn("a", 0.5, 1.5),)
    assert [word.text for word in account.words or ()] == ["Hello", "there."]


def test_a_file_named_as_the_recording_is_its_own_and_others_are_not(tmp_path: Path) -> None:
    placed(tmp_path, call__txt="Hello.", other__txt="Goodbye.", script__txt="A script.")
    (tmp_path / "second.wav").write_bytes(b"")
    words = {case.id: case.truth.words for case in find_cases(tmp_path)}
    assert words == {
        f"{tmp_path.name}/call.wav": (Said("Hello."),),
        f"{tmp_path.name}/second.wav": None,
    }


def test_a_manifest_may_expect_no_words(tmp_path: Path) -> None:
    manifest = {"call.wav": {"what": "music", "expect": "no words, no speakers"}}
    assert truth_in(placed(tmp_path, manifest__json=json.dumps(manifest))) == Account((), ())


def test_a_damaged_reference_is_named(tmp_path: Path) -> None:
    folder = placed(tmp_path, ref__rttm="SPEAKER call 1\n")
    with pytest.raises(ValueError, match=r"ref\.rttm is no RTTM"):
        list(find_cases(folder))


def test_the_sample_call_has_two_recordings_with_words_turns_and_roles(sample: Path) -> None:
    cases = {case.id: case.truth for case in find_cases(sample)}
    assert set(cases) == {"sample/mono.wav", "sample/stereo.flac"}
    for truth in cases.values():
        words = truth.words or ()
        assert {word.role for word in words} == {Role.AGENT, Role.CUSTOMER}
        assert all(word.start is not None and word.end is not None for word in words)
        assert {turn.speaker for turn in truth.turns or ()} == {"agent", "customer"}
