"""Acts in sentences that no example of ours holds, as the shipped heads find them."""

import pytest

from callscope.types import Role
from services.score.formulas import announces_recap, is_hedged, was_said
from services.score.reading import FOUND, Reader
from tests.score.conversations import Line, conversation


def acts_of(reader: Reader, *lines: Line) -> set[str]:
    """The acts found in the last line."""
    read = reader.read(conversation(lines), lambda _: None)
    last = len(lines) - 1
    return {
        act
        for finding in read.findings
        if finding.sentence.utterance == last
        for act, probability in finding.probabilities.items()
        if probability >= FOUND
    }


TOLD = [
    ("My mother-in-law had a stroke on Sunday.", "That's such a frightening thing to go through."),
    ("The bus never came and I missed the exam.", "How upsetting, after all that studying."),
    ("I lost my sister in January.", "I'm so sorry for the loss of your sister."),
    ("They gave my seat to somebody else.", "I can hear how angry that made you."),
    ("i can't stop worrying about the letter", "it sounds like you've been really anxious"),
]


@pytest.mark.parametrize(("customer", "agent"), TOLD)
def test_an_answer_to_a_feeling_is_emotional_acknowledgement(
    reader: Reader, customer: str, agent: str
) -> None:
    found = acts_of(reader, ("customer", customer), ("agent", agent))
    assert "emotional_acknowledgement" in found


EMPATHY = {"emotional_acknowledgement", "understanding", "apology", "reassurance"}


@pytest.mark.parametrize(
    "said",
    [
        "Sorry, that color is unavailable.",
        "Sorry, what was that last digit?",
        "I'm sorry, could you say the name once more?",
        "Sorry, we have no rooms for the fourth.",
        "I'm sorry, I can't find a reservation under that number.",
        "Okay, and the model number?",
        "Your parcel left the depot this morning.",
        "That's a feature of the larger plan.",
        "This call may be monitored or recorded for quality and training purposes.",
        "one moment while i pull that up",
    ],
)
def test_procedure_is_no_empathy(reader: Reader, said: str) -> None:
    assert not acts_of(reader, ("customer", "Hi, it's about my order."), ("agent", said)) & EMPATHY


@pytest.mark.parametrize(
    ("act", "customer", "agent"),
    [
        ("apology", "Nobody rang me back.", "I apologize that nobody returned your call."),
        ("understanding", "I need it by noon.", "I completely understand, noon matters to you."),
        ("reassurance", "What if it fails again?", "Don't worry, I'll take care of it for you."),
        ("reflection", "It only rattles when it's cold.", "So it just rattles in the cold."),
        ("paraphrase_check", "And only then.", "Have I got that right?"),
        ("open_question", "Hello.", "What can I do for you this morning?"),
        ("closed_question", "Hello.", "Could I take your surname, please?"),
        ("discovery_question", "It stopped.", "When did it first stop working?"),
        ("greeting_name", "Hello.", "Thanks for calling Oakfield Water, this is Tariq."),
        ("rapport", "It's our anniversary.", "Happy anniversary, have a wonderful dinner!"),
        ("proposal", "It's too much.", "I could split the payment over three months."),
        ("next_steps", "And now?", "You'll get the new router by Thursday."),
        ("confirm_resolved", "Okay.", "Is there anything else I can do for you today?"),
        ("recap", "Great.", "So to sum up, I've moved the date and waived the fee."),
        ("dismissive", "I waited all day.", "That's not my problem."),
        ("blaming", "It doesn't start.", "You should have read the manual first."),
        ("name_use", "My name is Veronica Hale.", "Thanks a lot, Veronica."),
        ("stock_phrase", "My father died.", "Okay, I'm very sorry to hear that, sir."),
        ("hedge", "When will it be here?", "Thursday, probably."),
        ("uptake", "The blue kettle leaks.", "A leaking kettle, and the blue one."),
    ],
)
def test_an_act_is_found(reader: Reader, act: str, customer: str, agent: str) -> None:
    assert act in acts_of(reader, ("customer", customer), ("agent", agent))


def test_a_greeting_with_the_agents_name_opens_a_call(reader: Reader) -> None:
    said = "Thanks for calling Oakfield Water, this is Tariq."
    assert "greeting_name" in acts_of(reader, ("agent", said))


@pytest.mark.parametrize(
    "asked",
    [
        ("what do you usually use the boat for", "open_question"),
        ("could you give me your postcode", "closed_question"),
        ("tell me how it all started", "open_question"),
        ("is the green lamp blinking", "closed_question"),
        ("do you still have the old card", "closed_question"),
    ],
)
def test_a_question_needs_no_question_mark(reader: Reader, asked: tuple[str, str]) -> None:
    said, act = asked
    assert act in acts_of(reader, ("customer", "hello there"), ("agent", said))


@pytest.mark.parametrize(
    ("act", "said"),
    [
        ("emotion", "I'm so angry about this."),
        ("problem", "The dishwasher you sold me is flooding the kitchen."),
        ("question", "When does the office open?"),
        ("vulnerability", "My husband just died."),
    ],
)
def test_what_calls_for_an_answer_is_found(reader: Reader, act: str, said: str) -> None:
    assert act in acts_of(reader, ("agent", "Hello."), ("customer", said))


@pytest.mark.parametrize(
    ("said", "sums_up"),
    [
        ("to sum up, i've cancelled the old order and booked the new one", True),
        ("Let me just recap: new meter on the third, nothing to pay until then.", True),
        ("Do you want me to summarize?", False),
        ("It never sums up, does it.", False),
    ],
)
def test_who_says_that_it_is_a_recap_is_believed(said: str, sums_up: bool) -> None:
    assert announces_recap(said) is sums_up


@pytest.mark.parametrize(
    "said",
    [
        "I'm sorry to hear about your father.",
        "I'm so sorry to hear that, a week without heating.",
        "Oh, I'm so sorry.",
        "I understand your mother needs it on Friday.",
        "I'm sorry for your trouble.",
    ],
)
def test_what_fits_this_customer_is_no_stock_phrase(reader: Reader, said: str) -> None:
    assert "stock_phrase" not in acts_of(reader, ("customer", "My father died."), ("agent", said))


@pytest.mark.parametrize("said", ["It's for two people.", "Yes, that's me.", "A Visa card."])
def test_business_calls_for_none(reader: Reader, said: str) -> None:
    found = acts_of(reader, ("agent", "Hello."), ("customer", said))
    assert not found & {"emotion", "problem", "vulnerability"}


@pytest.mark.parametrize("speaker", ["ivr", "unknown"])
def test_voices_without_a_part_in_the_call_do_nothing(reader: Reader, speaker: str) -> None:
    assert acts_of(reader, (speaker, "I'm so sorry to hear that, how can I help?")) == set()


def test_backchannels_do_nothing(reader: Reader) -> None:
    from dataclasses import replace

    (line,) = conversation([("agent", "I understand.")])
    read = reader.read([replace(line, backchannel=True)], lambda _: None)
    assert [dict(finding.probabilities) for finding in read.findings] == [{}]
    assert read.by(Role.AGENT) == ()


@pytest.mark.parametrize("said", ["then?", "Mem,", "Yeah, again.", "No."])
def test_a_word_or_two_accuse_nobody(reader: Reader, said: str) -> None:
    found = acts_of(reader, ("customer", "I've been waiting for an hour."), ("agent", said))
    assert not found & {"dismissive", "blaming"}


@pytest.mark.parametrize(
    "said",
    [
        "I told you, it's the back door.",
        "No, I just said Thursday.",
        "it's red like i said",
        "No, that's what I'm saying, it never arrived.",
        "I've already explained all of this.",
        "Are you even listening?",
        "You already asked me that.",
        "yes I'm telling you the pad is dead",
    ],
)
def test_a_customer_points_out_what_was_said(reader: Reader, said: str) -> None:
    found = acts_of(reader, ("agent", "And which door is it?"), ("customer", said))
    assert "said_before" in found


@pytest.mark.parametrize(
    "said",
    [
        "I said to my husband we should ring.",
        "She told me to call you.",
        "Sorry, can you hear me?",
        "I said I'd pay on Friday.",
        "I have just given them the wrong number.",
        "I'm telling you honestly, I forgot.",
        "Nobody's asked me that all day.",
    ],
)
def test_a_customer_who_tells_a_story_points_out_nothing(said: str) -> None:
    assert not was_said(said)


@pytest.mark.parametrize(
    "said",
    [
        "It should be with you by Friday.",
        "I couldn't really tell you.",
        "somebody'll ring you when they get to it",
        "That depends on the depot.",
        "I'd imagine so.",
        "I'm not entirely sure.",
        "Hard to say.",
        "i dont know what theyll charge",
        "It may take longer.",
        "Try us again after the weekend.",
    ],
)
def test_who_leaves_it_open_hedges(said: str) -> None:
    assert is_hedged(said)


@pytest.mark.parametrize(
    "said",
    [
        "It will be with you by Friday.",
        "This call may be recorded for training.",
        "What you tell me may be used to collect it.",
        "The rate depends on your credit check.",
        "Should it be the blue one?",
        "Could it be the plug, maybe?",
        "You should have had a letter.",
        "I know, and I'll tell you what we do.",
    ],
)
def test_who_says_how_it_is_or_asks_does_not(said: str) -> None:
    assert not is_hedged(said)
