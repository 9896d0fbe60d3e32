"""Names, dialects, accents, manners and an agent's history must not change a judgement.

Whether they do is a gate of `make check`; here is what the gate rests on.
"""

import pytest

from bench.fairness import (
    BARE_NAME,
    BOTH,
    Flips,
    Remembering,
    calls,
    complaints,
    count,
    without_capitals,
)
from callscope.models import ModelStore
from callscope.types import Utterance
from services.score.engine import ScoreEngine
from services.score.library import RubricLibrary
from services.score.plain_speech import plain, standard
from services.score.reading import Reader
from tests.score.conversations import Line, conversation


def by_kind(**flipped: int) -> dict[str, Flips]:
    """A hundred judgements of each kind, so many of which flipped."""
    kinds = ("accent", "dialect", "history", "name", BARE_NAME, "politeness")
    return {
        kind: Flips(100, tuple(f"{kind} {i}: call 0" for i in range(flipped.get(kind, 0))))
        for kind in kinds
    }


def test_the_gate_is_open_while_one_judgement_in_a_hundred_flips() -> None:
    assert complaints(by_kind(accent=4, politeness=1)) == []


def test_the_gate_names_every_pair_that_flips_too_often() -> None:
    first, *pairs = complaints(by_kind(accent=6, dialect=1))
    assert first == "More than 1% of judgements flip:"
    assert [pair.strip() for pair in pairs] == [
        *(f"accent {i}: call 0" for i in range(6)),
        "dialect 0: call 0",
    ]


@pytest.mark.parametrize("kind", ["name", BARE_NAME, "history"])
def test_no_judgement_may_flip_for_a_name_or_an_agents_history(kind: str) -> None:
    assert complaints(by_kind(**{kind: 1})) == [
        f"A judgement flips for {kind}:",
        f"  {kind} 0: call 0",
    ]


def test_each_call_is_told_again_in_every_way(models: ModelStore) -> None:
    engine = ScoreEngine(models, RubricLibrary(), "cpu", threads=1, encoder=Remembering)
    told = count(engine, calls()[:1], 2, rubrics=("general",), whose=(BOTH,))
    bared = count(engine, calls()[:1], 2, rubrics=("general",), whose=(), spelled=without_capitals)
    told = {**told, BARE_NAME: bared["name"]}
    assert told.keys() == by_kind().keys()
    assert all(flips.compared for flips in told.values())


CALL: list[Line] = [
    ("agent", "Oakfield Water, my name is Grace."),
    ("customer", "Hi, this is Oluwaseun Adeyemi. I ain't happy, dat's the truth."),
    ("agent", "Thank you, Oluwaseun's letter is here. Is that Mr. Adeyemi?"),
]


def read(lines: list[Line]) -> tuple[Utterance, ...]:
    return plain(conversation(lines))


def test_the_models_read_one_name_for_all_names() -> None:
    assert [each.text for each in read(CALL)] == [
        "Oakfield Water, my name is Taylor.",
        "Hi, this is Taylor Morgan. I isn't happy, that's the truth.",
        "Thank you, Taylor's letter is here. Is that Mr. Taylor?",
    ]


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Will May.", "This call may be recorded, and I will look."),
        ("Not here!", "I did not find it here."),
        ("It's Friday.", "We send it on Friday."),
    ],
)
def test_common_words_stay_though_somebody_is_called_so(said: str, kept: str) -> None:
    lines = [("agent", "What's your name?"), ("customer", said), ("agent", kept)]
    assert plain(conversation(lines))[2].text == kept


def test_word_stays_word() -> None:
    told = conversation(CALL)
    assert [[(w.start, w.end) for w in u.words] for u in plain(told)] == [
        [(w.start, w.end) for w in u.words] for u in told
    ]


@pytest.mark.parametrize(
    ("heard", "written"),
    [
        ("Gonna", "Going to"),
        ("callin'", "calling"),
        ("'cause", "because"),
        ("cause", "cause"),
        ("ain't,", "isn't,"),
        ("dat?", "that?"),
        ("began", "began"),
        ("in", "in"),
        ("$64.", "$64."),
        ("—", "—"),
    ],
)
def test_spellings_of_speech_become_standard(heard: str, written: str) -> None:
    assert standard(heard) == written


@pytest.mark.parametrize("opening", ["My name is", "Me name is", "Dis is", "My name ees", "Zis is"])
def test_a_name_is_known_in_any_accent(opening: str) -> None:
    told = read([("agent", "Hello."), ("customer", f"{opening} Oluwaseun Adeyemi.")])
    assert told[1].text.endswith("Taylor Morgan.")


@pytest.mark.parametrize(
    "said",
    [
        "Excuse me, my parcel is broken, please.",
        "Hello, my parcel is broken, thank you.",
        "Good morning, my parcel is broken",
    ],
)
def test_the_customers_manners_do_not_change_what_the_agent_did(reader: Reader, said: str) -> None:
    answer = "So it came broken, leave that with me."
    blunt, polite = (
        reader.read(conversation([("customer", text), ("agent", answer)]), lambda _: None)
        for text in ("my parcel is broken", said)
    )
    assert polite.findings[-1].probabilities == pytest.approx(
        blunt.findings[-1].probabilities, abs=0.05
    )
    assert polite.findings[0].sentence.text == said


def test_thanks_alone_are_still_words(reader: Reader) -> None:
    read = reader.read(conversation([("customer", "Thank you.")]), lambda _: None)
    assert read.findings[0].probabilities
