"""Words become what each said in one go; back channels stand apart."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callscope.conversation.attribution import SpokenWord, attribute
from callscope.conversation.passages import PAUSE, Passage, cut
from callscope.types import Diarization, Transcript, Word

Heard = tuple[Transcript, Diarization]
Call = Callable[[Sequence[tuple[int, float, str]]], Heard]


def passages(heard: Heard) -> list[tuple[str, str, bool]]:
    transcript, diarization = heard
    cuts = cut(attribute(transcript.words, diarization))
    return [(each.speaker[-1], each.text, each.backchannel) for each in cuts]


@pytest.fixture(params=["two_party", "mono"])
def call(request: pytest.FixtureRequest) -> Call:
    call: Call = request.getfixturevalue(request.param)
    return call


def test_a_change_of_speaker_cuts(call: Call) -> None:
    heard = call(
        [(0, 0.0, "How can I help?"), (1, 1.5, "My phone is dead."), (0, 3.0, "I see it.")]
    )
    assert passages(heard) == [
        ("0", "How can I help?", False),
        ("1", "My phone is dead.", False),
        ("0", "I see it.", False),
    ]


def test_a_long_pause_cuts_and_a_short_one_does_not(call: Call) -> None:
    heard = call([(0, 0.0, "Let me look."), (0, 2.2, "Right here."), (0, 5.0, "Found it.")])
    assert [text for _, text, _ in passages(heard)] == ["Let me look. Right here.", "Found it."]


def test_a_backchannel_between_words_leaves_the_others_turn_whole(call: Call) -> None:
    heard = call(
        [(1, 0.0, "It came on Monday and"), (0, 1.6, "Mm-hmm."), (1, 2.1, "then it stopped.")]
    )
    assert passages(heard) == [
        ("1", "It came on Monday and then it stopped.", False),
        ("0", "Mm-hmm.", True),
    ]


def test_a_backchannel_over_the_others_words_is_its_own_passage(two_party: Call) -> None:
    heard = two_party([(1, 0.0, "It came on Monday and then it just stopped."), (0, 1.3, "I see.")])
    assert passages(heard) == [
        ("1", "It came on Monday and then it just stopped.", False),
        ("0", "I see.", True),
    ]


@pytest.mark.parametrize(
    ("before", "reply", "after"),
    [
        ("Is that the right number?", "Yes.", "Thank you so much."),  # an answer
        ("Was it the eleventh?", "Okay.", "I can see it here."),
        ("And that is your number.", "Yes.", "Thank you so much."),  # an answer without a question
        ("I sent it on Monday.", "No way, you did not.", "I did send it."),  # no listener's words
    ],
)
def test_an_answer_is_no_backchannel(call: Call, before: str, reply: str, after: str) -> None:
    heard = call([(0, 0.0, before), (1, 1.7, reply), (0, 3.6, after)])
    assert [backchannel for *_, backchannel in passages(heard)] == [False] * 3


def test_okay_that_opens_ones_own_turn_is_no_backchannel(call: Call) -> None:
    heard = call([(1, 0.0, "It came on Monday."), (0, 1.4, "Okay."), (0, 2.2, "What color is it?")])
    assert passages(heard)[1:] == [("0", "Okay. What color is it?", False)]


def test_okay_after_which_the_other_stays_silent_is_no_backchannel(call: Call) -> None:
    heard = call([(0, 0.0, "I will put you on hold."), (1, 2.0, "Okay."), (0, 30.0, "Thank you.")])
    assert [backchannel for *_, backchannel in passages(heard)] == [False] * 3


def test_talk_that_runs_on_while_another_talks_is_one_passage(two_party: Call) -> None:
    heard = two_party(
        [(1, 0.0, "and I told you twice already that it"), (0, 1.5, "Sir I need it.")]
    )
    assert [text for _, text, _ in passages(heard)] == [
        "and I told you twice already that it",
        "Sir I need it.",
    ]


@st.composite
def spoken_words(draw: st.DrawFn) -> list[SpokenWord]:
    texts = st.sampled_from(["okay", "mm-hmm", "so", "no.", "yes", "really?", "seven"])
    times = st.floats(0, 40, allow_nan=False)
    lines = draw(st.lists(st.tuples(texts, times, st.floats(0, 1), st.sampled_from("ab"))))
    spoken = [SpokenWord(Word(t, s, s + length, 0.9, 0), who) for t, s, length, who in lines]
    return sorted(spoken, key=lambda each: each.word.start)


@given(spoken_words())
def test_passages_hold_every_word_once_in_order(spoken: list[SpokenWord]) -> None:
    found = cut(spoken)
    assert sorted(id(w) for each in found for w in each.words) == sorted(
        id(each.word) for each in spoken
    )
    assert [each.start for each in found] == sorted(each.start for each in found)
    speakers = {id(each.word): each.speaker for each in spoken}
    for passage in found:
        assert passage.words
        assert {speakers[id(word)] for word in passage.words} == {passage.speaker}
        assert longest_gap(passage) < PAUSE
        assert passage.start <= passage.end


def longest_gap(passage: Passage) -> float:
    pairs = zip(passage.words, passage.words[1:], strict=False)
    return max((after.start - before.end for before, after in pairs), default=0.0)
