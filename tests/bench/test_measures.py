"""The measures count what their definitions say."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import measures
from bench.measures import Share, Speakers
from bench.references import Account, Said
from callscope.types import Role, Turn


def words(text: str, speaker: str | None = None, channel: int | None = None) -> tuple[Said, ...]:
    role = Role(speaker) if speaker in set(Role) else None
    return tuple(
        Said(word, float(at), at + 0.5, speaker, channel, role)
        for at, word in enumerate(text.split())
    )


def said(text: str) -> Account:
    return Account(words(text))


def talk(*parts: tuple[str, str]) -> Account:
    """Speakers and their words, one after the other."""
    everything: list[Said] = []
    for speaker, text in parts:
        everything += words(text, speaker)
    return Account(tuple(everything))


def turns(*spans: tuple[str, float, float]) -> Account:
    return Account(turns=tuple(Turn(*span) for span in spans))


def assert_share(found: Share | None, part: float, whole: float) -> None:
    assert found is not None
    assert (found.part, found.whole) == pytest.approx((part, whole))


def test_word_errors_count_substitutions_insertions_and_deletions() -> None:
    assert measures.word_errors(said("one cat sat here"), said("one bat here too")) == Share(3, 4)


def test_case_punctuation_and_written_numbers_are_no_errors() -> None:
    true = said("That's three hundred and twelve dollars, Mr. Smith.")
    assert measures.word_errors(true, said("that is $312 mister smith")) == Share(0, 5)


def test_words_where_there_are_none_are_errors() -> None:
    assert measures.word_errors(Account((), ()), said("thanks for watching")) == Share(3, 0)


def test_channels_are_compared_each_by_itself() -> None:
    true = Account(words("yes of course", channel=0) + words("go on please", channel=1))
    mixed = Account(tuple(sorted(true.words or (), key=lambda word: word.start or 0.0)))
    assert measures.word_errors(true, mixed) == Share(0, 6)


def test_cpwer_matches_speakers_whatever_they_are_called() -> None:
    true = talk(("agent", "good morning"), ("customer", "my bill is wrong"))
    found = talk(("B", "my bill is wrong"), ("A", "good morning"))
    assert measures.speaker_word_errors(true, found) == Share(0, 6)


def test_cpwer_counts_a_word_of_the_wrong_speaker_twice() -> None:
    true = talk(("agent", "good morning"), ("customer", "my bill is wrong"))
    found = talk(("A", "good morning my"), ("B", "bill is wrong"))
    assert measures.speaker_word_errors(true, found) == Share(2, 6)


def test_cpwer_counts_all_words_of_a_speaker_too_many() -> None:
    true = talk(("agent", "good morning to you"))
    found = talk(("A", "good morning"), ("B", "to you"))
    assert measures.speaker_word_errors(true, found) == Share(4, 4)


def test_wder_counts_words_with_the_wrong_speaker_among_those_recognized() -> None:
    true = talk(("agent", "good morning sir"), ("customer", "my bill is wrong"))
    found = talk(("x", "good morning my"), ("y", "bill is long"))
    # "sir" was not recognized or is "my"; the least edits drop "sir"
    assert measures.speaker_errors(true, found) == Share(1, 6)


def test_role_errors_count_unknown_roles_too() -> None:
    true = talk(("agent", "good morning"), ("customer", "my bill is wrong"))
    found = Account(words("good morning", "agent") + words("my bill is wrong", "unknown"))
    assert measures.role_errors(true, found) == Share(4, 6)
    assert measures.parties(true, found) == Share(1, 2)


def test_roles_are_not_asked_of_who_names_none() -> None:
    assert measures.role_errors(talk(("agent", "hello")), talk(("A", "hello"))) is None


def test_time_errors_are_of_the_words_recognized_right() -> None:
    true = Account((Said("hello", 1.0, 1.5), Said("there", 2.0, 2.5)))
    found = Account((Said("Hello,", 1.1, 1.5), Said("bear", 9.0, 9.5)))
    assert measures.time_errors(true, found) == pytest.approx([0.1, 0.0])


def test_der_adds_up_missed_false_and_confused_seconds() -> None:
    true = turns(("a", 0, 4), ("b", 4, 8))
    found = turns(("x", 0, 3), ("x", 4, 5), ("y", 5, 9))
    found_der = measures.der(true, found, 10.0, collar=0.0)
    assert_share(found_der, 1 + 1 + 1, 8)


def test_a_collar_forgives_boundaries_that_are_a_little_off() -> None:
    true, found = turns(("a", 1, 4), ("b", 4, 8)), turns(("x", 1.2, 4.2), ("y", 4.2, 7.8))
    assert_share(measures.der(true, found, 10.0, collar=0.0), 0.6, 7.0)
    assert_share(measures.der(true, found, 10.0, collar=0.25), 0.0, 7.0 - 4 * 0.25)


def test_words_far_from_speech_are_invented() -> None:
    true = Account((), (Turn("a", 10.0, 20.0),))
    found = Account((Said("hm", 0.0, 0.4), Said("hi", 9.4, 9.8), Said("you", 50.0, 50.2)))
    share = measures.invented(true, found, 60.0)
    assert_share(share, 2, (60 - 11) / 60)


def test_speech_far_from_words_is_uncovered() -> None:
    true = turns(("a", 0.0, 4.0), ("b", 3.0, 20.0))
    found = Account((Said("hi", 1.0, 1.5), Said("you", 15.0, 16.0)))
    # covered: 0 to 2.5 and 14 to 17
    assert_share(measures.uncovered(true, found), 14.5, 20.0)


def test_speakers_are_counted_by_their_turns() -> None:
    assert measures.speakers(turns(("a", 0, 1), ("b", 1, 2)), turns(("x", 0, 2))) == Speakers(2, 1)


@pytest.mark.parametrize(
    "measure",
    [
        measures.word_errors,
        measures.speaker_word_errors,
        measures.speaker_errors,
        measures.role_errors,
        measures.time_errors,
        measures.speakers,
        measures.uncovered,
    ],
)
def test_where_the_truth_does_not_say_there_is_no_figure(measure: object) -> None:
    assert callable(measure)
    assert measure(Account(), said("hello")) is None


SPEAKERS = ("agent", "customer", "third")
conversations = st.lists(
    st.tuples(st.sampled_from(SPEAKERS), st.sampled_from(["yes", "no", "my bill", "go on"])),
    min_size=1,
    max_size=8,
)


@given(conversations, st.permutations(SPEAKERS))
def test_other_names_for_the_same_speakers_change_nothing(
    parts: list[tuple[str, str]], names: Sequence[str]
) -> None:
    renamed = dict(zip(SPEAKERS, names, strict=True))
    found = talk(*((renamed[speaker], text) for speaker, text in parts))
    assert measures.speaker_word_errors(talk(*parts), found).part == 0  # type: ignore[union-attr]
    assert measures.speaker_errors(talk(*parts), found).part == 0  # type: ignore[union-attr]
