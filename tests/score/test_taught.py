"""Events that are taught by sentences: ways to tell of them that no wording has."""

import re
from pathlib import Path

import pytest

from callscope import rubric
from services.score.encoder import Encoder
from services.score.library import SHIPPED
from services.score.taught import TEACHING, taught
from services.score.wordings import Wordings, WordingsCache

GENERAL = (SHIPPED / "general.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def wordings(encoder: Encoder) -> Wordings:
    return WordingsCache(encoder).of(rubric.load(GENERAL), lambda _: None)


def chance(encoder: Encoder, wordings: Wordings, event: str, said: str) -> float:
    vectors = encoder.encode([said], lambda _: None)
    return float(wordings.taught[event].probabilities(vectors, [said])[0])


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ("fraud", "There's a payment in Lisbon on my card that I know nothing about."),
        ("fraud", "Somebody took a loan out pretending to be me."),
        ("card_payment", "Can we just put it on my MasterCard?"),
        ("refund", "I'd like what I paid for the cabin returned to me."),
        ("credit_given", "I'll take six dollars off your next bill for the outage."),
    ],
)
def test_what_is_told_in_new_words_is_heard(
    encoder: Encoder, wordings: Wordings, event: str, said: str
) -> None:
    assert chance(encoder, wordings, event, said) >= 0.5


@pytest.mark.parametrize("event", ["fraud", "card_payment", "refund", "credit_given"])
@pytest.mark.parametrize(
    "said",
    [
        "Our office is open until six.",
        "I've lost my umbrella on the bus.",
        "The engineer comes on Friday between eight and noon.",
        "Could you spell your surname for me?",
    ],
)
def test_business_of_another_kind_is_not(
    encoder: Encoder, wordings: Wordings, event: str, said: str
) -> None:
    assert chance(encoder, wordings, event, said) < 0.5


def test_few_sentences_teach_nothing(encoder: Encoder) -> None:
    few = re.sub(r"    unlike:\n(      - .*\n)+", "", GENERAL)
    learned = rubric.load(few)
    assert taught(learned, WordingsCache(encoder).of(learned, lambda _: None)) == {}


def test_the_same_rubric_hears_the_same(encoder: Encoder, wordings: Wordings) -> None:
    again = WordingsCache(encoder).of(rubric.load(GENERAL), lambda _: None)
    said = "There's a payment that neither of us can place."
    assert chance(encoder, again, "fraud", said) == chance(encoder, wordings, "fraud", said)


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_events_are_taught_by_enough_of_both(path: Path) -> None:
    for event in rubric.load(path.read_text(encoding="utf-8")).events:
        if event.unlike:
            assert min(len(event.wordings), len(event.unlike)) >= TEACHING
            assert not {*event.wordings} & {*event.unlike}
