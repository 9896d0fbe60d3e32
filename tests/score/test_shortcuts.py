"""What is left out to save time changes nothing: the same judged the plain way."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from rapidfuzz import fuzz

from bench.fairness import calls
from callscope.pipeline import RubricSource
from callscope.rubric import Element
from callscope.types import DisclosureResult, Role, Scorecard
from services.score import passages, reading
from services.score.engine import ScoreEngine
from services.score.layers import Packing
from services.score.passages import Passage, PassageFinder
from services.score.reading import Reader
from services.score.sentences import Sentence, split
from services.score.vocabulary import ALIKE, Vocabulary
from tests.score.conversations import Line, conversation, talk

NAMES = {"customer": "Laura", "surname": "Bennett", "agent": "Marcus"}
CALL: list[Line] = [  # statements in the middle of sentences, and what nearly makes them
    ("agent", "Thank you for calling Oakfield Water, this is Tariq, how can I help you today?"),
    ("customer", "Hello, I have moved, and I would like to tell you my new address."),
    ("agent", "Sure, can I take your full name, and you may cancel the order within two weeks?"),
    ("customer", "It's Laura Bennett. Can I pay the last bill with my card?"),
    ("agent", "Of course, is it all right if I charge the forty pounds to your card now?"),
    ("agent", "And I do need to verify that I'm speaking with the account holder here, so please."),
    ("customer", "And does my home insurance policy cover the flood in the cellar, by the way?"),
    (
        "agent",
        "Well, I've put the claim in for you this morning with the photos of the cellar that you"
        " sent, but nothing about your cover changes until we've written to you about it, and"
        " that goes out by the end of the week with a list of all the things they still need.",
    ),
]


def told(lines: list[str]) -> list[Line]:
    return [
        ("customer" if line.startswith("> ") else "agent", line.removeprefix("> ").format(**NAMES))
        for line in lines
    ]


def judged(engine: ScoreEngine) -> list[Scorecard]:
    general = RubricSource(name="general")
    conversations = [CALL, *map(told, calls())]
    return [
        engine.score(conversation(each), talk(), general, lambda _: None) for each in conversations
    ]


def assert_same_disclosures(cards: Sequence[Scorecard], others: Sequence[Scorecard]) -> None:
    """But for how sure they are: a vector depends in its last digits on what goes with it."""
    for card, other in zip(cards, others, strict=True):
        for found, expected in zip(card.disclosures, other.disclosures, strict=True):
            assert unsure(found) == unsure(expected)
            assert found.confidence == pytest.approx(expected.confidence, abs=0.01)


def unsure(result: DisclosureResult) -> DisclosureResult:
    evidence = tuple(replace(each, probability=0.0) for each in result.evidence)
    return replace(result, confidence=0.0, evidence=evidence)


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many windows are encoded, each time."""
    counts: list[int] = []
    scored = PassageFinder._scored

    def counted(
        self: PassageFinder, element: Element, windows: Sequence[Any], vectors: Any
    ) -> Iterator[Passage]:
        counts.append(len(windows))
        return scored(self, element, windows, vectors)

    monkeypatch.setattr(PassageFinder, "_scored", counted)
    return counts


def test_windows_that_are_not_encoded_would_not_have_been_chosen(
    engine: ScoreEngine, encoded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = judged(engine)
    spared = sum(encoded)
    monkeypatch.setattr(passages, "_worthy", lambda windows: windows)
    assert_same_disclosures(quick, judged(engine))
    assert sum(encoded) > 1.5 * spared


def test_a_vocabulary_finds_what_a_comparison_of_each_word_finds() -> None:
    chance = random.Random(1)  # noqa: S311 - the same words each time
    words = ["".join(chance.choices("abcde", k=chance.randint(2, 12))) for _ in range(300)]
    words += [each[:-1] + "x" for each in words] + ["abcdefghijklm", "abcdefghijkl", "recorder"]
    vocabulary = Vocabulary(words)
    for wanted in [*words[:50], "abcdefghijklx", "recorded", ""]:
        expected = {each for each in words if fuzz.ratio(wanted, each) >= ALIKE}
        assert vocabulary.alike(wanted) == expected
        assert vocabulary.alike(wanted, "recorded") == expected | vocabulary.alike("recorded")


def test_texts_that_share_a_row_do_not_see_each_other() -> None:
    lengths = [3, 5, 20, 30, 31, 40]
    packing = Packing.of(lengths, torch.device("cpu"))
    states = torch.arange(sum(lengths), dtype=torch.float32).unsqueeze(1)
    rows = packing.rows(states)
    assert rows.shape == (4, max(lengths), 1)
    assert torch.equal(packing.packed(rows), states)
    texts = torch.arange(len(lengths)).repeat_interleave(torch.tensor(lengths))
    seen = packing.mask.flatten(0, 1)[packing.places]  # (tokens, longest)
    assert torch.equal(seen.sum(dim=1), torch.tensor(lengths)[texts])
    means = [float(states[texts == each].mean()) for each in range(len(lengths))]
    assert np.allclose(packing.means(states).squeeze(1), means)


def test_what_the_customer_said_last_is_what_looking_back_finds() -> None:
    chance = random.Random(1)  # noqa: S311 - the same conversations each time
    said = ["Please.", "Okay. Thank you.", "It broke. It really did."]
    for _ in range(100):
        lines = [
            (chance.choice(["agent", "customer", "ivr"]), chance.choice(said)) for _ in range(20)
        ]
        sentences = split(
            [replace(each, backchannel=chance.random() < 0.2) for each in conversation(lines)]
        )
        vectors = np.arange(len(sentences), dtype=np.float32)
        texts = [each.text for each in sentences]
        found = reading._customers(sentences, texts, vectors)
        live = {row for row, each in enumerate(sentences) if not each.backchannel}
        assert {*found} == {row for row in live if sentences[row].role is Role.AGENT}
        for row, (text, rows) in found.items():
            back = looking_back(sentences, row)
            assert (text, [*rows]) == (" ".join(texts[each] for each in back), back)


def looking_back(sentences: Sequence[Sentence], row: int) -> list[int]:
    """The customer's last turn before a sentence, mere courtesies left out."""
    said: list[int] = []
    for before in range(row - 1, -1, -1):
        role = None if sentences[before].backchannel else sentences[before].role
        if role is Role.CUSTOMER:
            said.insert(0, before)
        elif said and role is Role.AGENT:
            break
    return [each for each in said if sentences[each].text not in ("Please.", "Thank you.")]


def test_sentences_are_read_in_steps_as_many_as_they_are(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent who talks alone: looking back to the beginning from each takes their square."""
    looked = []
    headed = reading._headed

    def counted(sentence: Sentence, role: Role) -> bool:
        looked.append(sentence)
        return headed(sentence, role)

    monkeypatch.setattr(reading, "_headed", counted)
    read = reader.read(conversation([("agent", "Let me see. " * 200)]), lambda _: None)
    assert len(looked) < 10 * len(read.findings)
