"""Names, dialects, accents, manners and an agent's history must not change a judgement."""

import pytest

from bench.fairness import BOTH, GATE, Remembering, calls, count
from callscope.models import ModelStore
from callscope.types import Utterance
from services.score.engine import ScoreEngine
from services.score.library import RubricLibrary
from services.score.plain_speech import plain, standard
from tests.score.conversations import Line, conversation


def test_hardly_a_judgement_flips_for_who_is_speaking(models: ModelStore) -> None:
    engine = ScoreEngine(models, RubricLibrary(), "cpu", threads=1, encoder=Remembering)
    by_kind = count(engine, calls(), 2, rubrics=("general",), whose=(BOTH,))
    assert by_kind.keys() == {"accent", "dialect", "history", "name", "politeness"}
    compared = sum(flips.compared for flips in by_kind.values())
    flipped = sum(flips.flipped for flips in by_kind.values())
    assert flipped <= GATE * compared, [flips.examples for flips in by_kind.values()]
    assert by_kind["name"].flipped == by_kind["history"].flipped == 0


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
        ("ain't,", "isn't,"),
        ("dat?", "that?"),
        ("'cause", "because"),
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
