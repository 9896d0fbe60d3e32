"""What is believed of a reading, and what counts as passed over."""

import pytest

from callscope.types import Word
from services.transcribe.hearing import (
    is_aside,
    is_convincing,
    is_invented,
    is_repeat,
    is_sound,
    longest,
    missed,
    says_twice,
    words_in,
)
from services.transcribe.recognizer import Heard, HeardWord
from services.transcribe.windows import Stretch

RATE = 16_000


def heard(text: str, confidence: float = -0.2, silence: float = 0.1) -> Heard:
    words = tuple(
        HeardWord(word, at * 0.3, at * 0.3 + 0.3, 0.9) for at, word in enumerate(text.split())
    )
    return Heard(words, confidence, silence, repetition=1.0, complete=True)


@pytest.mark.parametrize(
    ("text", "twice"),
    [
        ("I'll write that down. I'll write that down. Thanks.", True),
        ("So, let me check, let me check it", True),
        ("no, no, no, I said no", False),
        ("bye bye thank you thank you", False),
        ("five five five zero one four three", False),
        ("", False),
    ],
)
def test_a_phrase_twice_in_a_row_is_looked_at_again(text: str, twice: bool) -> None:
    assert says_twice(heard(text)) is twice


def test_a_guess_at_silence_is_invented_and_an_unlikely_text_is_only_doubtful() -> None:
    assert is_invented(heard("Thank you.", confidence=-1.5, silence=0.8))
    assert not is_invented(heard("Thank you.", confidence=-1.5, silence=0.1))
    assert not is_sound(heard("Thank you.", confidence=-1.5, silence=0.1))
    assert is_sound(heard("Thank you."))


def test_a_fluent_second_reading_of_silence_convinces_nobody() -> None:
    assert is_convincing(heard("Thank you.", confidence=-0.5, silence=0.3))
    assert not is_convincing(heard("Thank you.", confidence=-0.5, silence=0.8))


def word(start: float, end: float, probability: float = 0.9) -> Word:
    return Word("word", start, end, probability, 0)


def test_speech_without_words_is_missed() -> None:
    silent = Stretch(10 * RATE, 12 * RATE)
    assert missed(silent, []) == [silent]


def test_a_long_pause_amid_speech_is_missed_and_a_short_one_is_not() -> None:
    words = [word(0.2, 1.0), word(1.9, 3.0), word(5.0, 7.5)]
    assert missed(Stretch(0, 8 * RATE), words) == [Stretch(3 * RATE, 5 * RATE)]


def test_a_click_is_neither_missed_nor_an_aside() -> None:
    click = Stretch(0, int(0.6 * RATE))
    assert missed(click, []) == []
    assert not is_aside(click, [])


def test_a_short_utterance_that_nobody_is_sure_of_is_an_aside() -> None:
    short = Stretch(0, RATE)
    assert is_aside(short, [])
    assert is_aside(short, [word(0.2, 0.4, 0.4), word(0.4, 0.8, 0.8)])
    assert not is_aside(short, [word(0.2, 0.8, 0.9)])
    assert not is_aside(Stretch(0, 3 * RATE), [word(0.2, 0.8, 0.1)])


def test_a_word_belongs_to_the_stretch_its_middle_is_in() -> None:
    words = [word(0.8, 1.4), word(1.5, 2.0)]
    assert words_in(Stretch(0, RATE), words) == []
    assert words_in(Stretch(RATE, 2 * RATE), words) == words


def test_a_stretched_word_hides_no_gap() -> None:
    assert longest("Like") < 1.0
    assert longest("550-312-881.") > 4.0  # digits take their time


def test_a_gap_that_says_what_its_neighbors_say_is_no_find() -> None:
    def spoken(text: str) -> list[Word]:
        return [Word(each, 0.0, 0.5, 0.9, 0) for each in text.split()]

    around = spoken("It says sixty four dollars on the second")
    assert is_repeat(spoken("sixty-four dollars on"), spoken("sixtyfour dollars on the second"))
    assert is_repeat(spoken("four dollars, on the"), around)
    assert not is_repeat(spoken("and both say your company's name"), around)
