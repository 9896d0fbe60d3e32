"""Sentences: where one ends, and that nothing is lost between them."""

from collections.abc import Sequence, Set

from hypothesis import given
from hypothesis import strategies as st

from callscope.types import Role, Utterance, Word
from services.score.sentences import LONGEST, runs, split, split_text


def utterance(words: list[tuple[str, float]]) -> Utterance:
    """Words with the pause before each."""
    at, spoken = 0.0, []
    for text, pause in words:
        at += pause
        spoken.append(Word(text, at, at + 0.2, 0.9, 0))
        at += 0.2
    return Utterance(0, "channel_0", Role.AGENT, 1.0, 0.0, at, tuple(spoken))


def texts(words: list[tuple[str, float]]) -> list[str]:
    return [sentence.text for sentence in split([utterance(words)])]


def spoken(text: str) -> list[tuple[str, float]]:
    return [(word, 0.1) for word in text.split()]


def test_punctuation_ends_a_sentence() -> None:
    assert texts(spoken("Thank you. How can I help?")) == ["Thank you.", "How can I help?"]


def test_titles_initials_and_hesitations_do_not() -> None:
    text = "Is that Mr. J. Smith, or... or Dr. Lee?"
    assert texts(spoken(text)) == [text]


def test_an_hour_does_only_before_a_capital() -> None:
    assert texts(spoken("Between 8 a.m. and 10 a.m. then?")) == ["Between 8 a.m. and 10 a.m. then?"]
    assert texts(spoken("It opens at 9 a.m. Shall I call?")) == [
        "It opens at 9 a.m.",
        "Shall I call?",
    ]


def test_a_long_pause_does() -> None:
    words = [*spoken("let me look"), ("okay", 2.0), ("found", 0.1), ("it", 0.1)]
    assert texts(words) == ["let me look", "okay found it"]


def test_speech_without_punctuation_is_cut() -> None:
    assert [len(each.split()) for each in texts(spoken("word " * 100))] == [45, 45, 10]


def test_words_without_marks_may_be_cut_by_what_they_say() -> None:
    asked: list[list[str]] = []

    def ends(words: Sequence[str]) -> Set[int]:
        asked.append([*words])
        return {2}

    said = [*spoken("Right then. let me look okay"), ("found", 2.0), ("it,", 0.1), ("yes", 0.1)]
    cut = [sentence.text for sentence in split([utterance(said)], ends)]
    assert cut == ["Right then.", "let me", "look okay", "found it, yes"]
    assert asked == [["let", "me", "look", "okay"]]
    marked = 'so she told me "no," and went'
    assert [each.text for each in split([utterance(spoken(marked))], ends)] == [marked]


def test_what_neither_a_mark_nor_a_pause_parts_may_be_one_sentence() -> None:
    said = [*spoken("Right. let me look okay then"), ("found", 2.0), ("it", 0.1)]
    cut = split([utterance(said)], lambda words: {*range(1, len(words))})
    assert [sentence.text for sentence in cut][:3] == ["Right.", "let", "me"]
    assert [*runs(cut)] == [
        *(range(first, first + size) for first in (1, 2, 3) for size in (2, 3)),
        range(4, 6),
        range(6, 8),
    ]


def test_a_sentence_knows_its_seconds_and_its_place() -> None:
    _, second = split([utterance(spoken("Thank you. How can I help?"))])
    assert second.first == 2
    assert (round(second.start, 2), round(second.end, 2)) == (0.7, 1.8)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["yes", "no.", "Mr.", "well...", "A.", "so?"]),
            st.sampled_from([0.0, 0.1, 3.0]),
        ),
        max_size=120,
    )
)
def test_sentences_hold_every_word_once_in_order(words: list[tuple[str, float]]) -> None:
    said = utterance(words)
    sentences = split([said])
    assert tuple(word for sentence in sentences for word in sentence.words) == said.words
    assert all(0 < len(sentence.words) <= LONGEST for sentence in sentences)
    assert [sentence.first for sentence in sentences] == [
        sum(len(before.words) for before in sentences[:place]) for place in range(len(sentences))
    ]


@given(st.text(alphabet="ab .?!", max_size=60))
def test_plain_text_is_cut_the_same_way(text: str) -> None:
    assert " ".join(split_text(text)) == " ".join(text.split())
