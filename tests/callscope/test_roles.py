"""Agent, customer and recorded voices are told apart by what they say."""

import csv
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callscope import dialogue
from callscope.conversation.cues import cues, normalize
from callscope.conversation.ivr import announcements
from callscope.conversation.passages import Passage
from callscope.conversation.roles import MOST_CERTAIN, agent_evidence, infer
from callscope.types import ChannelLayout, Role, Word

A, C = "a", "c"


def passages(*lines: tuple[str, str]) -> list[Passage]:
    """What speakers said, one after another."""
    return [
        Passage(speaker, tuple(Word(word, i, i + 0.5, 0.9, 0) for word in text.split()))
        for i, (speaker, text) in enumerate(lines)
    ]


def roles(*lines: tuple[str, str]) -> dict[str, Role]:
    said = passages(*lines)
    return {speaker: each.role for speaker, each in infer(said, announcements(said)).items()}


CALLS = {
    "retail": [
        (A, "Hi, welcome to Oak and Ember, you're speaking with Dana. How may I assist you?"),
        (C, "Yeah, I ordered a lamp two weeks ago and it still hasn't arrived."),
        (A, "Let me pull that up. Could you give me the order number?"),
        (C, "It's four four nine two one."),
    ],
    "repair shop": [
        (A, "Fifth Street Auto, Manny here. What can I do for you?"),
        (C, "Hey, so my truck's making this grinding noise when I brake."),
        (A, "What year and model is it? We can take a look Thursday, it's no charge to check."),
        (C, "How long will it take? I have to be at work by nine."),
    ],
    "telecom, a curt agent": [
        (A, "Phone number?"),
        (C, "Um, it's five five five, oh one two two. My internet keeps dropping."),
        (A, "Did you restart the router?"),
        (C, "I already did that. The last guy told me someone would call me back."),
    ],
    "collections, outbound": [
        (A, "Good evening, am I speaking with Mr. Ellis?"),
        (C, "Yes. Who is this?"),
        (A, "This is Rita from Corbin Associates. I'm calling about your past due balance."),
        (C, "I lost my job in May. I can't afford to pay that right now."),
    ],
    "clinic": [
        (A, "Lakeview Pediatrics, this is Tom. Are you calling to schedule?"),
        (C, "Yes, my daughter has had a fever since Sunday."),
        (A, "I'm sorry to hear that. What's her date of birth? And is this the best number?"),
        (C, "The third of June, twenty nineteen. Do I need to bring her in today?"),
    ],
    "bank": [
        (C, "Hi, I'm calling because somebody used my debit card in another state."),
        (A, "I understand how worrying that is. For verification purposes, your last four?"),
        (C, "One nine nine oh. Am I going to get my money back?"),
        (A, "You will receive a temporary credit. I'm required to inform you it may be reversed."),
    ],
    "travel": [
        (A, "Reservations, may I have your booking reference?"),
        (C, "R as in Robert, T, seven, nine. We wanted to change our flight, my wife is ill."),
        (
            A,
            "I can move you to Tuesday. Would you like aisle seats? Anything else I can help with?",
        ),
        (C, "No, that's it. Thank you so much for your help."),
    ],
    "utility": [
        (C, "Is there somebody I can talk to about my bill? It doubled."),
        (A, "Certainly, ma'am. Bear with me while I look at your account."),
        (C, "I've been on hold for forty minutes."),
        (A, "I apologize for the wait. Our records show an estimated reading."),
    ],
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_agent_and_customer_are_told_apart(call: list[tuple[str, str]]) -> None:
    assert roles(*call) == {A: Role.AGENT, C: Role.CUSTOMER}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_exchanged_labels_exchange_the_roles(call: list[tuple[str, str]]) -> None:
    other = {A: C, C: A}
    exchanged = [(other[speaker], text) for speaker, text in call]
    before, after = infer(passages(*call)), infer(passages(*exchanged))
    assert {other[speaker]: casting for speaker, casting in before.items()} == after


def test_small_talk_leaves_roles_unknown() -> None:
    chat = [
        (A, "Hello? Oh, hello. I heard a beep. I'm in New Jersey."),
        (C, "I'm in Texas. It is hot down here, so what can I say?"),
        (A, "So how are things going these days?"),
        (C, "Very well, thanks. The kids are back in school."),
    ]
    assert roles(*chat) == {A: Role.UNKNOWN, C: Role.UNKNOWN}


def test_the_same_words_from_both_leave_roles_unknown() -> None:
    assert roles((A, "How can I help you?"), (C, "How can I help you?")) == {
        A: Role.UNKNOWN,
        C: Role.UNKNOWN,
    }


def test_a_transfer_has_two_agents() -> None:
    assert roles(
        *CALLS["retail"],
        (A, "I'll transfer you to our billing team, please hold."),
        ("b", "Thank you for holding, this is Lou in billing. How can I help you today?"),
        (C, "I was charged twice for my order and I want a refund."),
        ("b", "Let me look into that for you. I can see the charge here."),
    ) == {A: Role.AGENT, C: Role.CUSTOMER, "b": Role.AGENT}


def test_one_voice_alone_gets_its_role_from_its_words() -> None:
    assert roles((A, "Thank you for calling Acme, how can I help you?")) == {A: Role.AGENT}
    assert roles((A, "Hi, I'm calling because my card doesn't work and I was charged.")) == {
        A: Role.CUSTOMER
    }
    assert roles((A, "The birch canoe slid on the smooth planks.")) == {A: Role.UNKNOWN}


def test_who_says_nothing_gets_the_role_the_other_leaves() -> None:
    said = passages((A, "Thank you for calling Acme, how can I help you? Hello?"))
    assert infer(said, silent=["quiet"])["quiet"].role is Role.CUSTOMER


def test_a_menu_is_the_ivr_and_does_not_make_its_owner_an_agent() -> None:
    assert roles(
        ("m", "Thank you for calling Acme. Para español, oprima dos."),
        ("m", "For billing, press one. For support, press two."),
        *CALLS["retail"],
    ) == {"m": Role.IVR, A: Role.AGENT, C: Role.CUSTOMER}


def test_announcements_are_found_where_they_share_the_agents_voice_label() -> None:
    said = passages(
        (A, "Thank you for calling Acme."),
        (A, "Please listen carefully as our menu options have changed."),
        (A, "All of our agents are currently busy, please stay on the line."),
        (A, "Thanks for calling Acme, this is Bo, how can I help you?"),
        (C, "My phone is dead."),
        (A, "One moment, please hold."),
        (A, "Your call is important to us."),
        (A, "Thanks for holding. On that menu, press two for repairs, okay?"),
        (C, "Okay, press two."),
    )
    assert sorted(announcements(said)) == [0, 1, 2, 6]
    assert infer(said, announcements(said))[A].role is Role.AGENT


def test_a_person_who_explains_a_menu_is_a_person() -> None:
    said = passages(*CALLS["retail"], (A, "When you call back, press one and I'll pick up."))
    assert not announcements(said)


def test_hearing_a_cue_again_counts_less_each_time() -> None:
    once, twice, often = (agent_evidence(["How can I help you?"] * n) for n in (1, 2, 9))
    assert twice == pytest.approx(1.5 * once)
    assert twice < often < 2 * once


def test_every_cue_says_something_and_every_piece_is_known() -> None:
    table = cues(Role.AGENT, Role.CUSTOMER, Role.IVR)
    assert len({cue.name for cue in table}) == len(table)
    for cue in table:
        assert 0 < cue.weight <= 3
        assert "<" not in cue.pattern.pattern.replace("(?<", "")
        assert not cue.pattern.search("")


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("How can I help you, Mr. Smith?", "how can i help you mr smith ?"),
        ("It\u2019s $1,200.50. Okay!", "it's 120050 . okay ."),
        ("Wait... what?!", "wait . what ?"),
        ("bo@acme.com, please", "bo@acme.com please"),
    ],
)
def test_normalized_text_keeps_words_and_sentence_ends(written: str, normal: str) -> None:
    assert normalize(written) == normal


@settings(max_examples=40)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.text(max_size=40)), max_size=12))
def test_any_text_gives_roles_and_probabilities(lines: list[tuple[str, str]]) -> None:
    said = passages(*[(speaker, f"x{text}") for speaker, text in lines])
    cast = infer(said, announcements(said))
    assert set(cast) == {each.speaker for each in said}
    assert all(0.0 <= each.confidence <= MOST_CERTAIN for each in cast.values())


@pytest.mark.shared
@pytest.mark.parametrize("layout", ChannelLayout)
def test_roles_are_right_on_all_synthetic_calls(
    shared_data: Path, truth_call: Callable[..., Any], layout: ChannelLayout
) -> None:
    folders = sorted(path.parent for path in shared_data.glob("synth/*/truth.json"))
    for folder in folders:
        (transcript, diarization), _ = truth_call(folder, layout)
        call = dialogue.build(transcript, diarization, transcript.duration)
        found = {each.speaker[-1]: each.role for each in call.participants}
        assert found == {"0": Role.AGENT, "1": Role.CUSTOMER}, folder.name
        assert not call.doubts


@pytest.mark.shared
def test_roles_are_right_on_calls_written_by_others(shared_data: Path) -> None:
    for script in sorted(shared_data.glob("synth_thirdparty/*/script.json")):
        lines = [(turn["speaker"], turn["text"]) for turn in json.loads(script.read_text())]
        assert roles(*lines) == {"agent": Role.AGENT, "customer": Role.CUSTOMER}, script


@pytest.mark.shared
def test_named_roles_are_right_on_dialogues_of_another_field(shared_data: Path) -> None:
    """STAR: terse typed dialogues about anything; cues may be missing, but must not mislead."""
    right = wrong = 0
    for turns in islice(star_dialogues(shared_data), 0, 4000, 20):
        agent = [text for _, text in turns]
        customer = list(dict.fromkeys(text for text, _ in turns))
        named = roles(*((A, text) for text in agent), *((C, text) for text in customer))
        right += named[A] is Role.AGENT
        wrong += named[A] is Role.CUSTOMER
    assert right > 100
    assert wrong <= right / 100


def star_dialogues(shared_data: Path) -> Sequence[list[tuple[str, str]]]:
    """For each dialogue its first ten (customer's, agent's) texts."""
    dialogues: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    with (shared_data / "text/star_agent_turns.tsv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            if len(dialogues[row["dialog"]]) < 10:
                dialogues[row["dialog"]].append((row["ctx"], row["text"]))
    return list(dialogues.values())
