"""Every word gets a speaker, and the right one where a diarizer's boundaries are off."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callscope.conversation.attribution import attribute
from callscope.types import ChannelLayout, ChannelReport, Diarization, Turn, Word

REPORTS = (ChannelReport(0, -20.0),)


def words(text: str, start: float = 0.0, step: float = 0.3, channel: int = 0) -> list[Word]:
    return [
        Word(word, start + step * i, start + step * i + 0.25, 0.9, channel)
        for i, word in enumerate(text.split())
    ]


def mono(*turns: Turn) -> Diarization:
    return Diarization(ChannelLayout.MONO, turns, REPORTS)


def said_by(spoken: list[Word], diarization: Diarization) -> str:
    """The speakers' last letters in the order of the words: "aaab"."""
    return "".join(each.speaker[-1] for each in attribute(spoken, diarization))


def test_a_channel_is_its_party_whatever_the_turns_say() -> None:
    spoken = words("Hello there") + words("Hi", 0.1, channel=1)
    turns = (Turn("channel_0", 50.0, 60.0, 0), Turn("channel_1", 0.0, 9.0, 1))
    diarization = Diarization(ChannelLayout.TWO_PARTY, turns, REPORTS)
    assert said_by(spoken, diarization) == "010"


def test_a_channel_without_turns_still_has_a_speaker() -> None:
    diarization = Diarization(ChannelLayout.TWO_PARTY, (), REPORTS)
    assert [each.speaker for each in attribute(words("Hello", channel=1), diarization)] == [
        "channel_1"
    ]


def test_a_word_goes_to_the_turn_that_covers_most_of_it() -> None:
    diarization = mono(Turn("a", 0.0, 0.9), Turn("b", 0.9, 2.0))
    assert said_by([Word("one", 0.7, 1.2, 1, 0)], diarization) == "b"
    assert said_by([Word("one", 0.5, 1.0, 1, 0)], diarization) == "a"


def test_a_word_outside_all_turns_goes_to_the_nearest() -> None:
    diarization = mono(Turn("a", 1.0, 2.0), Turn("b", 5.0, 6.0), Turn("a", 9.0, 9.5))
    spoken = [Word(f"w{i}.", t, t + 0.2, 1, 0) for i, t in enumerate((0.2, 2.3, 4.5, 6.4, 20.0))]
    assert said_by(spoken, diarization) == "aabba"


def test_words_without_any_turn_have_one_speaker() -> None:
    assert [each.speaker for each in attribute(words("Hello there"), mono())] == ["speaker_0"] * 2


def test_a_word_without_length_goes_to_the_turn_it_lies_in() -> None:
    diarization = mono(Turn("a", 0.0, 1.0), Turn("b", 1.0, 2.0))
    assert said_by([Word("No.", 1.5, 1.5, 1, 0)], diarization) == "b"


def test_a_single_word_does_not_change_sides_inside_a_sentence() -> None:
    spoken = words("I need to see it in writing please.")
    diarization = mono(Turn("a", 0.0, 0.85), Turn("b", 0.85, 1.2), Turn("a", 1.2, 3.0))
    assert said_by(spoken, diarization) == "a" * 8


def test_a_listeners_word_inside_a_sentence_stays_the_listeners() -> None:
    spoken = words("I need to mm-hmm see it in writing.")
    diarization = mono(Turn("a", 0.0, 0.85), Turn("b", 0.85, 1.2), Turn("a", 1.2, 3.0))
    assert said_by(spoken, diarization) == "aaabaaaa"


def test_a_listeners_word_in_overlap_is_the_listeners_and_other_words_are_not() -> None:
    diarization = mono(Turn("a", 0.0, 6.0), Turn("b", 0.85, 1.5))
    assert said_by(words("It came on okay Friday morning."), diarization) == "aaabaa"
    assert said_by(words("It came on the Friday morning."), diarization) == "aaaaaa"


def test_in_overlap_who_talks_goes_on() -> None:
    diarization = mono(Turn("a", 0.0, 2.1), Turn("b", 1.0, 4.0))
    assert said_by(words("I was told that it would be no you listen."), diarization) == "aaaaaaabbb"


def test_nobody_says_two_words_at_once() -> None:
    diarization = mono(Turn("a", 0.0, 3.0), Turn("b", 1.0, 3.0))
    spoken = [Word("would", 1.2, 1.5, 1, 0), Word("Ma'am,", 1.25, 1.55, 1, 0)]
    assert said_by([Word("it", 0.8, 1.1, 1, 0), *spoken], diarization) == "aab"


@pytest.mark.parametrize("boundary", [1.3, 1.45, 1.7])
def test_a_change_of_speaker_moves_to_the_end_of_the_sentence(boundary: float) -> None:
    spoken = words("Is that the right number? Yes it is.")
    diarization = mono(Turn("a", 0.0, boundary), Turn("b", boundary, 3.0))
    assert said_by(spoken, diarization) == "aaaaabbb"


def test_a_change_of_speaker_far_from_a_sentence_end_stays() -> None:
    spoken = words("I already told the last person that it was wrong. Okay.")
    diarization = mono(Turn("a", 0.0, 1.2), Turn("b", 1.2, 4.0))
    assert said_by(spoken, diarization) == "aaaa" + "b" * 7


def test_a_change_of_speaker_moves_to_a_pause() -> None:
    spoken = words("two two six") + words("thank you", 1.4)
    diarization = mono(Turn("a", 0.0, 0.55), Turn("b", 0.55, 3.0))
    assert said_by(spoken, diarization) == "aaabb"


TIMES = st.floats(0, 60, allow_nan=False).map(lambda t: round(t, 3))


@st.composite
def some_words(draw: st.DrawFn) -> list[Word]:
    texts = st.sampled_from(["okay", "so", "no.", "really?", "mm-hmm", "seven"])
    lines = draw(st.lists(st.tuples(texts, TIMES, st.floats(0, 1), st.integers(0, 1)), max_size=30))
    return [
        Word(text, start, start + length, 0.9, channel) for text, start, length, channel in lines
    ]


@st.composite
def some_turns(draw: st.DrawFn) -> tuple[Turn, ...]:
    names = st.sampled_from(["a", "b", "c"])
    lines = draw(st.lists(st.tuples(names, TIMES, st.floats(0.01, 20)), max_size=12))
    turns = (Turn(speaker, start, start + length) for speaker, start, length in lines)
    return tuple(sorted(turns, key=lambda turn: turn.start))


@given(some_words(), some_turns(), st.sampled_from(ChannelLayout))
def test_every_word_is_said_once_by_somebody(
    spoken: list[Word], turns: tuple[Turn, ...], layout: ChannelLayout
) -> None:
    attributed = attribute(spoken, Diarization(layout, turns, REPORTS))
    assert sorted(map(id, spoken)) == sorted(id(each.word) for each in attributed)
    assert [each.word.start for each in attributed] == sorted(word.start for word in spoken)
    if layout is ChannelLayout.MONO and turns:
        assert {each.speaker for each in attributed} <= {turn.speaker for turn in turns}
