"""Whose names come up in a call, also where nobody writes capitals."""

import gzip

import pytest

from bench.fairness import NAMES
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
        ("it's mohammed o'brien", {"mohammed", "o'brien"}),
        ("this is grace hernandez", {"grace", "hernandez"}),
        ("it's grace we need", set()),
        ("it is me and i'm fixin the kinds of pipes we have", set()),
        ("It is Netflix that I'm ringing about.", set()),
    ],
)
def test_who_calls_is_heard_at_first(said: str, expected: set[str]) -> None:
    lines = [("agent", "hello how can i help"), ("customer", said)]
    assert names(*lines) == expected


@pytest.mark.parametrize(
    "word",
    [
        *("suicidal", "bankrupt", "homeless", "epileptic", "diabetic", "hypertensive"),
        *("distraught", "ludicrous", "terrible", "leaky", "knackered", "overdrawn", "widowed"),
        *("vegetarian", "seventy-eight"),
    ],
)
@pytest.mark.parametrize("opening", ["i'm", "i am", "it's", "it is"])
def test_what_customers_say_of_themselves_is_no_name(word: str, opening: str) -> None:
    said = split(conversation([("agent", "hello"), ("customer", f"{opening} {word} and alone")]))
    assert customer_names(said) == frozenset()
    assert introductions(said) == frozenset()


@pytest.mark.parametrize(("first", "last"), NAMES)
def test_the_names_of_the_fairness_gate_are_heard_without_capitals(first: str, last: str) -> None:
    lines = [("agent", "hello"), ("customer", f"this is {first} {last}".lower())]
    assert first.lower() in names(*lines)
    assert introductions(split(conversation(lines)))
    bare = [("agent", "hello"), ("customer", f"hello {first} {last}".lower())]
    assert introductions(split(conversation(bare)))


def test_a_fragment_without_capitals_is_no_conversation_without() -> None:
    """A pause cuts a sentence in two."""
    lines = [("agent", "Hello."), ("customer", "I am ringing about it."), ("customer", "it's Leky")]
    pause = [(role, text.replace("Leky", "leky")) for role, text in lines]
    assert names(*pause) == set()


@pytest.mark.parametrize("asked", ["are you hypertensive", "is this reimbursable", "is that wifi"])
def test_what_an_agent_asks_of_things_is_no_name(asked: str) -> None:
    assert names(("agent", "hello"), ("customer", "hello"), ("agent", asked)) == set()


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


def test_the_common_words_hold_what_the_corpus_says() -> None:
    found = {*gzip.decompress(COMMON_WORDS.read_bytes()).decode().split()}
    said = common_words.words(frozenset(), (item.text for item in corpus.load()))
    assert {*said} <= {word.lower() for word in found}, "run `python -m training.common_words`"
    assert not {"una", "macaskill", "marzena", "maria", "Maria"} & found


def test_common_words_are_small_in_the_dictionary_or_in_what_is_said() -> None:
    listed = {"Aaron", "Grace", "Maria", "garage", "garage's", "grace", "maria"}
    said = ["There is a grace period, and wifi, Maria, for Wren."]
    found = {*common_words.words(listed, said)}
    assert found >= {"garage", "Grace", "wifi"}
    assert not found & {"Aaron", "Maria", "Wren", "garage's", "grace", "maria"}
