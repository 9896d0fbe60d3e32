"""The labeled corpus, and that the shipped weights are its."""

import math

import pytest

from callscope.acts import AgentAct, Cue, CustomerAct
from callscope.models import load_manifest
from services.score.heads import Heads
from training import corpus
from training.corpus import ACTS, Item, Part

RULED = {
    *(AgentAct.HEDGE, AgentAct.NAME_USE, AgentAct.STOCK_PHRASE, AgentAct.UPTAKE),
    *(CustomerAct.NAME_GIVEN, CustomerAct.SAID_AGAIN, CustomerAct.SAID_BEFORE),
}

BLOCK = """
# a comment
>RE I waited in all day and nobody came.
ea I'm so sorry, a whole day of your time.
- The visit was on Monday.
F You feel forgotten.

>? 15213
c Can I have your name?

>
g This is Priya.
"""


COMPLETE = """# complete
>-/pay I've got my card here.
c/nam,prf Your name and postcode?
"""


def labels(item: Item) -> set[str]:
    return {act for act, label in zip(ACTS, item.labels, strict=True) if label == 1}


def decided(item: Item) -> set[str]:
    pairs = zip(ACTS, item.labels, strict=True)
    return {act for act, label in pairs if not math.isnan(label)}


def test_a_line_is_read_with_its_codes_and_the_customers_words() -> None:
    read = {item.text: item for item in corpus.parse(BLOCK, "here")}
    assert labels(read["I waited in all day and nobody came."]) == {"problem", "emotion"}
    assert labels(read["The visit was on Monday."]) == set()
    assert read["The visit was on Monday."].customer == "I waited in all day and nobody came."
    assert read["This is Priya."].customer == ""
    assert "15213" not in read


def test_a_complex_reflection_is_a_reflection() -> None:
    read = {item.text: labels(item) for item in corpus.parse(BLOCK, "here")}
    assert read["You feel forgotten."] == {"reflection", "complex_reflection"}


def test_the_other_speakers_acts_are_undecided() -> None:
    (said, *_) = corpus.parse(">Q Why?\n", "here")
    assert decided(said) >= set(CustomerAct) - RULED
    assert not decided(said) & set(AgentAct)
    assert not said.by_agent


def test_a_complete_file_decides_every_cue_of_its_speaker() -> None:
    read = {each.text: each for each in corpus.parse(COMPLETE, "here")}
    asked, said = read["Your name and postcode?"], read["I've got my card here."]
    assert labels(asked) == {"closed_question", "name_asked", "proof_asked"}
    assert labels(said) == {"card_payment"}
    assert decided(asked) == {*AgentAct, *Cue} - RULED
    assert decided(said) == {*CustomerAct, Cue.OWN_BUSINESS, Cue.CARD_PAYMENT, Cue.FRAUD} - RULED


def test_a_line_without_cues_lacks_those_for_which_it_has_no_words() -> None:
    (asked,) = corpus.parse(">\nc What's your name?\n", "here")
    assert Cue.RECORDING_NOTICE in decided(asked)
    assert Cue.NAME_ASKED not in decided(asked)
    assert not labels(asked) & set(Cue)


@pytest.mark.parametrize("line", ["z Hello.", "c", "e; Hello."])
def test_a_line_that_cannot_be_read_is_quoted(line: str) -> None:
    with pytest.raises(ValueError, match=line):
        list(corpus.parse(line, "here"))


CALLS = """# complete
# call: water, punctuated
>
g Water, Sam here.
>R No water.
# call: gas
>
g Gas, Ola here.
"""


def test_a_call_is_a_call_of_its_file_and_its_lines_follow_each_other() -> None:
    items = [*corpus.parse(CALLS, "calls_here")]
    assert [item.call for item in items] == ["calls_here 1", "calls_here 1", "calls_here 2"]
    assert [item.line for item in items] == sorted({item.line for item in items})
    assert items[-1].customer == ""
    assert {corpus.part_of(item) for item in items} == {Part.TRAIN}


def test_what_is_said_to_the_same_words_stays_together() -> None:
    """Calls apart, which train whole."""
    parts: dict[str, set[Part]] = {}
    for item in corpus.load():
        if item.customer and item.source != "acts" and not item.call:
            parts.setdefault(item.customer.lower(), set()).add(corpus.part_of(item))
    assert {len(each) for each in parts.values()} == {1}
    assert set.union(*parts.values()) == set(Part)


def test_no_sentence_of_the_held_out_file_is_in_the_corpus() -> None:
    from tests.training.held_out import ROWS

    known = {item.text.lower().strip(".?!") for item in corpus.load()}
    both = known & {row["text"].lower().strip(".?!") for row in ROWS}
    # A writer who had not seen the file asked it too; it leaves the corpus with the next refit.
    assert both <= {"is it plugged in"}


def test_every_file_of_calls_can_be_read_also_what_waits_for_the_next_heads() -> None:
    learned, waiting = corpus.FOLDER.glob("calls_*.txt"), (corpus.FOLDER / "next").glob("*.txt")
    paths = [*learned, *waiting]
    assert paths
    for path in paths:
        items = [*corpus.parse(path.read_text(encoding="utf-8"), path.stem)]
        assert all(item.call for item in items)
        assert {item.by_agent for item in items} == {True, False}


def test_every_act_of_the_vocabulary_is_learned_but_those_of_rules() -> None:
    assert set(ACTS) == {*AgentAct, *CustomerAct, *Cue} - RULED


def test_the_shipped_weights_were_trained_on_this_corpus_and_encoder() -> None:
    heads = Heads.read()
    assert heads.corpus_digest == corpus.digest(), "run `python -m training.heads`"
    assert heads.encoder_digest == load_manifest()[heads.encoder].digest
    for speaker, group in heads.groups.items():
        assert group.acts == tuple(ACTS[place] for place in corpus.PLACES[speaker])
