"""What is said around a sentence tells what it does: the second reading."""

import numpy as np
import pytest

from callscope.acts import AgentAct, Cue
from callscope.types import Role
from services.score.heads import Heads
from services.score.reading import FOUND, Reader
from services.score.rereading import Lines, surroundings
from tests.score.conversations import Line, conversation

BEFORE: tuple[Line, ...] = (
    ("agent", "Harlow Water, this is Sam."),
    ("customer", "Hi, my bill looks wrong, it has doubled."),
)


def told(reader: Reader, act: str, said: str, answer: str) -> float:
    """The probability of an act in what an agent says, by what the customer answers."""
    lines = [*BEFORE, ("agent", said), ("customer", answer)]
    findings = reader.read(conversation(lines), lambda _: None).findings
    return next(each.probabilities[act] for each in findings if each.sentence.text == said)


@pytest.mark.parametrize(
    ("said", "answer", "other", "act"),
    [
        ("And the last four?", "Nine nine one two.", "The last four weeks, yes.", Cue.PROOF_ASKED),
        ("And the other half?", "BN two, four RT.", "The other half is mine.", Cue.PROOF_ASKED),
    ],
)
def test_the_answer_tells_what_was_asked(
    reader: Reader, said: str, answer: str, other: str, act: Cue
) -> None:
    assert told(reader, act, said, answer) > told(reader, act, said, other)


def test_a_scrap_is_heard_after_what_it_goes_on_with(reader: Reader) -> None:
    scraps = [*BEFORE, ("agent", "Date of birth?"), ("customer", "Third of May, seventy-one.")]
    lines = [*scraps, ("agent", "And the last four?"), ("customer", "Nine nine one two.")]
    findings = reader.read(conversation(lines), lambda _: None).findings
    assert findings[-2].probabilities[Cue.PROOF_ASKED] >= FOUND


def test_what_a_customer_brings_does_not_depend_on_the_agent_who_answers(reader: Reader) -> None:
    warm, cold = (
        reader.read(conversation([*BEFORE, ("agent", said)]), lambda _: None).findings
        for said in ("Oh no, that must have been a shock.", "Account number.")
    )
    customers = [
        [each.probabilities for each in findings if each.sentence.role is Role.CUSTOMER]
        for findings in (warm, cold)
    ]
    assert customers[0] == customers[1]


@pytest.mark.parametrize(
    "lines",
    [
        [("agent", "Hello?")],
        [("agent", "Hello?"), ("agent", "Is anybody there?")],
        [("customer", "Hello?")],
        [("ivr", "Press one for sales."), ("agent", "Sales, this is Kim.")],
    ],
)
def test_a_conversation_may_be_one_sided(reader: Reader, lines: list[Line]) -> None:
    findings = reader.read(conversation(lines), lambda _: None).findings
    assert len(findings) == len(lines)
    for finding in findings:
        known = finding.sentence.role in (Role.AGENT, Role.CUSTOMER)
        assert bool(finding.probabilities) is known
        assert all(0 <= each <= 1 for each in finding.probabilities.values())


def test_each_sentence_of_the_agent_has_its_surroundings() -> None:
    by_agent = [True, False, True, True, False, False]
    agent = np.array([[0.1], [0.0], [0.3], [0.4], [0.0], [0.0]])
    customer = np.array([[0.0], [0.2], [0.0], [0.0], [0.5], [0.6]])
    lines = Lines(by_agent, ["word"] * 6, np.eye(6, dtype=np.float32), agent, customer)
    found = surroundings(lines, np.eye(6))
    own, before, after, asked, answered, said_near, heard_near = found[:, :7].T.tolist()
    assert own == [0.1, 0.3, 0.4]
    assert before == [0.0, 0.1, 0.3]
    assert after == [0.3, 0.4, 0.0]
    assert asked == [0.0, 0.2, 0.2]
    assert answered == [0.2, 0.6, 0.6]
    assert said_near == [0.4, 0.4, 0.3]
    assert heard_near == [0.2, 0.2, 0.2]
    meaning = found[:, -11:-5].tolist()
    assert meaning == [[0, 1, 0, 0, 0, 0], *[[0, 0, 0, 0, 0.5, 0.5]] * 2]
    places = found[:, -5:].tolist()  # first, last, begins and ends its turn, has no answer
    assert places == [[1, 0, 1, 1, 0], [0, 0, 1, 0, 0], [0, 1, 0, 1, 0]]


def test_the_second_reading_knows_the_acts_of_the_first() -> None:
    heads = Heads.read()
    assert heads.correction.trust.shape == (len(heads.groups["agent"].acts),)
    assert (heads.correction.trust > 0).all()
    assert AgentAct.EMOTIONAL_ACKNOWLEDGEMENT in heads.groups["agent"].acts
