"""Where sentences end in words without punctuation, and what is heard across such ends."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callscope.models import load_manifest
from callscope.types import Role, Utterance, Word
from services.score.boundaries import FEWEST, Boundaries, bare_word
from services.score.encoder import Encoder
from services.score.reading import Finding, Reader
from services.score.sentences import split

NOTICE = "we do record these calls so that we can check what was said"
TURN = f"good morning thank you for calling my name is sandra {NOTICE} what can i do for you today"


@pytest.fixture(scope="module")
def boundaries(encoder: Encoder) -> Boundaries:
    return Boundaries(encoder)


def said(text: str, role: Role = Role.AGENT) -> Utterance:
    words = [
        Word(word, 0.3 * place, 0.3 * place + 0.25, 0.9, 0)
        for place, word in enumerate(text.split())
    ]
    return Utterance(0, "channel_0", role, 1.0, 0.0, words[-1].end, tuple(words))


def sentences(boundaries: Boundaries, text: str) -> list[str]:
    return [each.text for each in split([said(text)], boundaries.ends)]


def quiet(_: float) -> None:
    """Progress that nobody watches."""


def likeliest(findings: tuple[Finding, ...], cue: str) -> Finding:
    return max(findings, key=lambda each: each.probabilities[cue])


def test_a_turn_without_marks_is_cut_where_sentences_end(boundaries: Boundaries) -> None:
    found = sentences(boundaries, TURN)
    assert found[-1] == "what can i do for you today"
    assert NOTICE in found


def test_what_has_marks_is_left_as_it_is(boundaries: Boundaries) -> None:
    marked = TURN.replace("calling", "calling,") + "?"
    assert sentences(boundaries, marked) == [marked]


def test_the_rest_of_a_turn_may_lack_marks(boundaries: Boundaries) -> None:
    assert sentences(boundaries, f"Hello. {TURN}") == ["Hello.", *sentences(boundaries, TURN)]


def test_case_tells_nothing(boundaries: Boundaries) -> None:
    words = TURN.split()
    assert boundaries.ends(words) == boundaries.ends([word.title() for word in words])


def test_its_encoder_is_the_one_that_is_pulled(boundaries: Boundaries) -> None:
    assert boundaries.encoder_digest == load_manifest()["minilm-l6"].digest


def test_a_few_words_are_one_sentence(boundaries: Boundaries) -> None:
    assert not boundaries.ends(TURN.split()[: FEWEST - 1])
    assert not boundaries.ends([])


def test_a_long_speech_is_cut_all_along(boundaries: Boundaries) -> None:
    words = TURN.split() * 12
    ends = sorted(boundaries.ends(words))
    assert len(ends) >= 24
    assert max(ends) > len(words) - 2 * len(TURN.split())


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=8).filter(str.strip), max_size=200))
def test_any_words_at_all_can_be_cut(boundaries: Boundaries, words: list[str]) -> None:
    assert all(0 < end < len(words) for end in boundaries.ends(words))
    assert all(map(bare_word, words))


def test_words_of_many_pieces_are_all_looked_at(boundaries: Boundaries) -> None:
    words = ["\u200b", "pneumonoultramicroscopicsilicovolcanoconiosis" * 3, *TURN.split()] * 3
    ends = sorted(boundaries.ends(words))
    assert ends[-1] > 2 * len(words) / 3
    assert boundaries.ends(["\u200b"] * 200) <= {*range(1, 200)}


def test_a_statement_is_heard_in_the_middle_of_a_long_turn(reader: Reader) -> None:
    reading = reader.read([said(TURN)], quiet)
    notice = likeliest(reading.by(Role.AGENT), "recording_notice")
    assert notice.probabilities["recording_notice"] > 0.9
    assert notice.sentence.text == NOTICE


def test_a_statement_that_is_cut_in_two_is_heard_in_one_half(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    halves = "for the record you're okay that", "I charged ninety dollars to your card today"
    monkeypatch.setattr(Boundaries, "ends", lambda _, words: {6} if len(words) > FEWEST else set())
    joined = reader.read([said(" ".join(halves))], quiet).by(Role.AGENT)
    parted = reader.read([said(". ".join(halves))], quiet).by(Role.AGENT)
    assert [each.sentence.text for each in joined] == [*halves]
    consent = "charge_consent"
    assert likeliest(parted, consent).probabilities[consent] < 0.3
    assert likeliest(joined, consent).probabilities[consent] > 0.6
