"""Whose names come up in a call, also where nobody writes capitals."""

import pytest

from services.score.names import COMMON_WORDS, all_names, customer_names, introductions
from services.score.sentences import split
from tests.score.conversations import Line, conversation
from training import common_words, corpus


def names(*lines: Line) -> set[str]:
    return {*customer_names(split(conversation(lines)))}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("It's Mireille Gagnon from the garage.", {"mireille", "gagnon"}),
        ("it's mireille gagnon from the garage", {"mireille", "gagnon"}),
        ("i am hortensia from puebla i want lessons", {"hortensia"}),
        ("it's terrible", set()),
        ("i'm fixin the kinds of pipes we have", set()),
        ("i am absolutely knackered", set()),
    ],
)
def test_who_calls_is_heard_at_first(said: str, expected: set[str]) -> None:
    lines = [("agent", "hello how can i help"), ("customer", said)]
    assert names(*lines) == expected
    assert bool(introductions(split(conversation(lines)))) == bool(expected)


def test_later_an_uncommon_word_without_a_capital_is_no_name() -> None:
    before = [("agent", "hello"), ("customer", "hello"), ("agent", "yes"), ("customer", "well")]
    assert names(*before, ("agent", "so"), ("customer", "it's scunnered i am")) == set()
    assert names(*before, ("agent", "so"), ("customer", "It's Una, by the way.")) == {"una"}


@pytest.mark.parametrize("answer", ["Una Macaskill.", "una macaskill"])
def test_a_name_that_is_asked_for_may_come_at_any_time(answer: str) -> None:
    before = [("agent", "hello"), ("customer", "hello"), ("agent", "yes"), ("customer", "well")]
    lines = [*before, ("agent", "what's your name please"), ("customer", answer)]
    assert names(*lines) == {"una", "macaskill"}


def test_an_agents_own_name_is_known_and_is_no_customers() -> None:
    said = split(conversation([("agent", "machair broadband iain speaking"), ("customer", "hi")]))
    assert all_names(said) == {"iain"}
    assert customer_names(said) == frozenset()


def test_the_common_words_are_those_of_the_corpus() -> None:
    found = common_words.words(item.text for item in corpus.load())
    assert COMMON_WORDS.read_text().split() == found, "run `python -m training.common_words`"
    assert {"terrible", "garage"} <= {*found}
    assert not {"una", "macaskill"} & {*found}
