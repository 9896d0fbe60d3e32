"""Cues: what disclosures are made of and hang on, heard in words that no rubric lists."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from callscope import rubric
from callscope.acts import Cue
from callscope.types import DisclosureResult, DisclosureStatus, Polarity, Role
from services.score.disclosures import check_disclosures
from services.score.encoder import Encoder
from services.score.engine import ScoreEngine
from services.score.events import Heard, hear
from services.score.heads import Heads
from services.score.library import RubricLibrary
from services.score.passages import GIVEN, PassageFinder, as_match, likelihood
from services.score.wordings import WordingsCache
from tests.score.conversations import Line, conversation, disclosed, reading, talk

PAYING = """
id: paying
version: "1"
title: Paying
behaviors:
  - id: disclosures
    title: Disclosures
    question: Does the agent say what must be said?
    weight: 100
    detector: disclosures
events:
  - id: card_payment
    title: a card payment is asked for
    cues: [card_payment, charge_consent]
    words: [card]
disclosures:
  - id: consent
    title: Consent
    required_when: [card_payment]
    elements:
      - id: consent
        cues: [charge_consent]
        wordings: [you authorize us to charge your card]
"""
LINES: Sequence[Line] = (
    ("agent", "Westbrook Cabins, this is Ola."),
    ("customer", "I'd like to settle up."),
    ("agent", "And the long one across the middle?"),
)
ASKED = 2  # the sentence that asks for the number


def heard(
    encoder: Encoder,
    found: Mapping[int, Mapping[str, float]],
    lines: Sequence[Line] = LINES,
    text: str = PAYING,
) -> tuple[Heard | None, float]:
    """The event, if it was heard, and how likely it is, by given probabilities of cues."""
    rules = rubric.load(text)
    said = reading(conversation(lines), found)
    hearing = hear(rules, said, WordingsCache(encoder).of(rules, lambda _: None), encoder)
    return hearing.heard.get("card_payment"), hearing.chances["card_payment"]


def test_one_sure_sentence_tells_of_an_event(encoder: Encoder) -> None:
    event, likely = heard(encoder, {ASKED: {Cue.CARD_PAYMENT: 0.9}})
    assert event is not None
    assert event.finding.sentence.text == "And the long one across the middle?"
    assert likely > 0.5


def test_any_of_its_cues_will_do(encoder: Encoder) -> None:
    assert heard(encoder, {ASKED: {Cue.CHARGE_CONSENT: 0.9}})[0] is not None


def test_what_is_only_likely_is_not_enough(encoder: Encoder) -> None:
    event, likely = heard(encoder, {ASKED: {Cue.CARD_PAYMENT: 0.6}})
    assert event is None
    assert 0 < likely < 0.5


def test_what_is_usual_in_such_calls_is_believed_sooner(encoder: Encoder) -> None:
    usual = PAYING.replace("    words: [card]\n", "    words: [card]\n    usual: true\n")
    assert heard(encoder, {ASKED: {Cue.CARD_PAYMENT: 0.6}}, text=usual)[0] is not None
    assert heard(encoder, {}, text=usual)[0] is None


DEADLINE = PAYING.replace(
    "    required_when: [card_payment]\n", "    deadline: {before: card_payment, complete: true}\n"
)
CONSENT = 4  # the sentence that asks for it


def checked(
    encoder: Encoder, found: Mapping[int, Mapping[str, float]], text: str
) -> DisclosureResult:
    """The consent, asked for in the last sentence, by given probabilities of cues alone."""
    lines = (*LINES, ("customer", "Sure."), ("agent", "Permission, then, for the lot?"))
    rules = rubric.load(text)
    said = reading(conversation(lines), found)
    nothing = np.zeros((len(said.findings), encoder.dimensions), dtype=np.float32)
    said = replace(said, vectors=nothing)
    wordings = WordingsCache(encoder).of(rules, lambda _: None)
    finder = PassageFinder(encoder, wordings, said, Role.AGENT)
    hearing = hear(rules, said, wordings, encoder)
    (result,) = check_disclosures(rules.disclosures, finder, hearing, talk(), lambda _: None)
    return result


def consent(
    encoder: Encoder, found: Mapping[int, Mapping[str, float]], text: str = DEADLINE
) -> DisclosureResult:
    """The consent, which is heard."""
    told = {CONSENT: {Cue.CHARGE_CONSENT: 0.95, **found.get(CONSENT, {})}}
    only_cards = text.replace("[card_payment, charge_consent]", "[card_payment]")
    result = checked(encoder, {**found, **told}, only_cards)
    assert result.status is DisclosureStatus.DELIVERED
    return result


def test_what_is_said_before_a_statement_makes_it_late_and_is_quoted(encoder: Encoder) -> None:
    late = consent(encoder, {ASKED: {Cue.CARD_PAYMENT: 0.45}})
    assert late.on_time is False
    assert "too late (after a card payment is asked for, 0:" in late.explanation
    (against,) = [each for each in late.evidence if each.polarity is Polarity.AGAINST]
    assert (against.label, against.probability) == ("card_payment", 0.45)
    assert against.quote == "And the long one across the middle?"


def test_what_calls_for_a_statement_and_makes_it_late_is_quoted_once(encoder: Encoder) -> None:
    half = PAYING.replace(
        "    required_when: [card_payment]\n",
        "    required_when: [card_payment]\n    deadline: {before: card_payment}\n",
    ).rstrip()
    half += "\n      - id: amount\n        cues: [charge_amount]\n        wordings: [nine pounds]\n"
    told: Mapping[int, Mapping[str, float]] = {
        ASKED: {Cue.CARD_PAYMENT: 0.95},
        CONSENT: {Cue.CHARGE_CONSENT: 0.95},
    }
    result = checked(encoder, told, half)
    assert (result.status, result.on_time) == (DisclosureStatus.PARTIAL, False)
    assert [each.label for each in result.evidence] == ["card_payment", "consent"]


def test_what_is_unlikely_or_comes_later_leaves_a_statement_in_time(encoder: Encoder) -> None:
    assert consent(encoder, {ASKED: {Cue.CARD_PAYMENT: 0.3}}).on_time is True
    assert consent(encoder, {CONSENT: {Cue.CARD_PAYMENT: 0.95}}).on_time is True


def test_what_a_statement_reports_as_done_was_done_before_it(encoder: Encoder) -> None:
    done = DEADLINE.replace("    words: [card]\n", "    acts: [action_taken]\n")
    told: dict[str, float] = {Cue.CARD_PAYMENT: 0.99, "action_taken": 0.99}
    reported = told | {Cue.CHARGE_CONSENT: 0.7}
    assert consent(encoder, {CONSENT: reported}, done).on_time is False


def test_a_statement_that_is_surer_than_what_it_reports_asks_for_it(encoder: Encoder) -> None:
    done = DEADLINE.replace("    words: [card]\n", "    acts: [action_taken]\n")
    told: dict[str, float] = {Cue.CARD_PAYMENT: 0.8, "action_taken": 0.8}
    asked = told | {Cue.CHARGE_CONSENT: 0.99}
    assert consent(encoder, {CONSENT: asked}, done).on_time is True


def test_an_event_may_rule_out_a_cue(encoder: Encoder) -> None:
    told: dict[str, float] = {Cue.CARD_PAYMENT: 0.95, Cue.FRAUD: 0.95}
    other = PAYING.replace("    words: [card]\n", "    unless: [fraud]\n")
    assert heard(encoder, {ASKED: told}, text=other)[0] is None
    assert heard(encoder, {ASKED: told | {Cue.FRAUD: 0.0}}, text=other)[0] is not None


def test_an_event_may_have_to_be_an_act_as_well(encoder: Encoder) -> None:
    done = PAYING.replace("    words: [card]\n", "    acts: [action_taken]\n")
    told: dict[str, float] = {Cue.CARD_PAYMENT: 0.95}
    assert heard(encoder, {ASKED: told}, text=done)[0] is None
    assert heard(encoder, {ASKED: told | {"action_taken": 0.95}}, text=done)[0] is not None


def test_two_sentences_make_it_likelier(encoder: Encoder) -> None:
    """It is first heard in the earlier."""
    event, likely = heard(encoder, {1: {Cue.CARD_PAYMENT: 0.6}, ASKED: {Cue.CARD_PAYMENT: 0.7}})
    assert event is not None
    assert event.finding.sentence.role is Role.CUSTOMER
    assert likely > 0.5


def test_a_listed_word_tips_the_scale_and_no_more(encoder: Encoder) -> None:
    lines = (*LINES, ("customer", "It's on the card."))
    assert heard(encoder, {ASKED: {Cue.CARD_PAYMENT: 0.6}}, lines)[0] is not None
    assert heard(encoder, {}, lines)[0] is None


def test_cues_are_enough_for_an_event_and_must_be_known() -> None:
    alone = PAYING.replace("    words: [card]\n", "")
    assert rubric.problems(alone) == ()
    (problem,) = rubric.problems(alone.replace("[card_payment, charge", "[card_paiment, charge"))
    assert "did you mean card_payment?" in problem.message


def test_nobody_who_could_tell_leaves_it_untold(encoder: Encoder) -> None:
    assert heard(encoder, {}, [("ivr", "Welcome to Westbrook.")]) == (None, 0.0)


@pytest.mark.parametrize(
    ("called", "commonplace", "given"),
    [(True, False, True), (False, False, False), (True, True, False)],
)
def test_what_is_due_may_be_heard_less_surely_unless_such_calls_speak_of_it_anyway(
    encoder: Encoder, called: bool, commonplace: bool, given: bool
) -> None:
    sure: Mapping[int, Mapping[str, float]] = {
        ASKED: {Cue.CARD_PAYMENT: 0.9 * called},
        CONSENT: {Cue.CHARGE_CONSENT: 0.4},
    }
    text = PAYING.replace(
        "        cues: [charge_consent]",
        "        cues: [charge_consent]\n        mentions: [permission]\n"
        f"        commonplace: {str(commonplace).lower()}",
    )
    result = checked(encoder, sure, text)
    assert (result.status is DisclosureStatus.DELIVERED) == given


@pytest.mark.parametrize("probability", [0.001, 0.3, 0.5, 0.97])
def test_a_cue_counts_for_as_much_as_a_match_that_is_as_likely(probability: float) -> None:
    assert likelihood(as_match(probability)) == pytest.approx(probability)
    assert (as_match(probability) >= GIVEN) == (probability >= 0.5)


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_no_certainty_is_beyond_a_match(probability: float) -> None:
    assert as_match(probability) == pytest.approx(probability, abs=1e-6)


BUSINESS: Sequence[Line] = (
    ("customer", "Hello, the washing machine you brought me on Monday leaks all over my kitchen."),
)


@pytest.mark.parametrize(
    ("disclosure", "said", "status"),
    [
        ("recording", "They tape these by the way, it's so the new ones can learn.", "delivered"),
        ("recording", "Just so you know they tape these.", "partial"),
        ("identity", "Right, who've I got, and what's the postcode there?", "delivered"),
        ("identity", "And what do they call you?", "partial"),
    ],
)
def test_new_words_are_heard(engine: ScoreEngine, disclosure: str, said: str, status: str) -> None:
    lines = [("agent", "Hi, Brightwash."), *BUSINESS, ("agent", said), ("customer", "Okay.")]
    assert disclosed(engine, disclosure, lines).status is DisclosureStatus(status)


@pytest.mark.parametrize("rules", RubricLibrary().all(), ids=lambda rules: rules.id)
def test_every_cue_of_a_shipped_rubric_is_learned(rules: rubric.Rubric) -> None:
    learned = {act for group in Heads.read().groups.values() for act in group.acts}
    used = {cue for event in rules.events for cue in event.cues}
    used |= {cue for d in rules.disclosures for e in d.elements for cue in e.cues}
    assert used
    assert used <= learned
