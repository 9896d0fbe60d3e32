"""Disclosures: in other words, misheard, half read, absent, late, or in the wrong mouth."""

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from callscope.pipeline import RubricSource
from callscope.types import (
    DisclosureResult,
    DisclosureStatus,
    Interruption,
    Polarity,
    Role,
    Utterance,
)
from services.score.engine import ScoreEngine
from services.score.library import RubricLibrary
from tests.score.conversations import Line, conversation, disclosed, talk

MIRANDA = (
    "This is an attempt to collect a debt, and any information obtained will be used for that"
    " purpose. This communication is from a debt collector."
)
OWING: Line = ("agent", "I'm calling about the four hundred dollars you owe.")


def recording(engine: ScoreEngine, said: str) -> DisclosureResult:
    return disclosed(
        engine, "recording", [("agent", said), ("customer", "Hi, it's about my bill.")]
    )


@pytest.mark.parametrize(
    "said",
    [
        "This call may be monitored or recorded for quality and training purposes.",
        "Just to let you know, we record all our calls to help us improve our service.",
        "You're on a recorded line, and we use the recordings for training our staff.",
        "for quality assurance your call is being recorded today",
    ],
)
def test_the_notice_counts_in_other_words(engine: ScoreEngine, said: str) -> None:
    notice = recording(engine, said)
    assert notice.status is DisclosureStatus.DELIVERED
    assert (notice.coverage, notice.missing_elements, notice.on_time) == (1.0, (), True)


@pytest.mark.parametrize("said", ["Hello, calls are recorded here.", "We're on a recorded line."])
def test_half_a_notice_is_partial(engine: ScoreEngine, said: str) -> None:
    notice = recording(engine, said)
    assert notice.status is DisclosureStatus.PARTIAL
    assert (notice.coverage, notice.missing_elements) == (0.5, ("purpose",))


@pytest.mark.parametrize(
    "said",
    [
        "Hello, Oakfield Water, how can I help?",
        "I'll make a record of that on the account.",
        "Your meter reading was recorded in June.",
    ],
)
def test_what_only_sounds_alike_is_no_notice(engine: ScoreEngine, said: str) -> None:
    notice = recording(engine, said)
    assert (notice.status, notice.evidence) == (DisclosureStatus.MISSING, ())


def test_the_customer_cannot_say_it_for_the_agent(engine: ScoreEngine) -> None:
    said = "This call may be monitored or recorded for quality and training purposes."
    lines: list[Line] = [("agent", "Hello, how can I help?"), ("customer", said)]
    assert disclosed(engine, "recording", lines).status is DisclosureStatus.MISSING


def test_a_notice_that_comes_too_late_says_so(engine: ScoreEngine) -> None:
    said = "This call may be recorded for quality and training purposes."
    lines: list[Line] = [
        ("agent", "Hello."),
        ("customer", "so " * 250 + "yes."),
        ("agent", said),
    ]
    notice = disclosed(engine, "recording", lines)
    assert (notice.status, notice.on_time) == (DisclosureStatus.DELIVERED, False)
    assert "too late" in notice.explanation


def test_halves_that_are_far_apart_are_told_with_both_their_times(engine: ScoreEngine) -> None:
    lines: list[Line] = [
        ("agent", "Can I take your full name, please?"),
        ("customer", "It's Laura Bennett, and I'm calling about my bill, " + "well " * 80),
        ("agent", "And what's your date of birth?"),
    ]
    identity = disclosed(engine, "identity", lines)
    assert identity.status is DisclosureStatus.DELIVERED
    assert "said in full between 0:01 and 0:" in identity.explanation


def test_each_element_is_quoted_where_it_was_said(engine: ScoreEngine) -> None:
    lines: list[Line] = [("agent", "Good morning."), ("customer", "Hi."), OWING, ("agent", MIRANDA)]
    miranda = disclosed(engine, "mini_miranda", lines)
    quotes = {each.label: each.quote for each in miranda.evidence}
    assert set(quotes) == {"attempt", "use"}
    assert "attempt to collect a debt" in quotes["attempt"]
    assert "used for that purpose" in quotes["use"]
    assert miranda.words_per_minute == pytest.approx(60 / 0.3, rel=0.05)


def test_a_missing_one_quotes_what_called_for_it(engine: ScoreEngine) -> None:
    miranda = disclosed(engine, "mini_miranda", [OWING, ("customer", "What for?")])
    assert miranda.status is DisclosureStatus.MISSING
    assert [each.quote for each in miranda.evidence] == [OWING[1]]


def test_a_half_read_script_names_what_is_missing(engine: ScoreEngine) -> None:
    half = ("agent", "This is an attempt to collect a debt.")
    miranda = disclosed(engine, "mini_miranda", [OWING, ("customer", "What for?"), half])
    assert miranda.status is DisclosureStatus.PARTIAL
    assert miranda.missing_elements == ("use",)


def test_who_says_that_they_collect_debts_need_not_say_that_they_try_to(
    engine: ScoreEngine,
) -> None:
    named = ("agent", "This communication is from a debt collector.")
    use = ("agent", "Any information obtained will be used for that purpose.")
    miranda = disclosed(engine, "mini_miranda", [OWING, ("customer", "What for?"), named, use])
    assert miranda.status is DisclosureStatus.DELIVERED


def test_nothing_that_called_for_it_leaves_it_not_required(engine: ScoreEngine) -> None:
    lines: list[Line] = [
        ("agent", "Hello."),
        ("customer", "When do you open?"),
        ("agent", "At ten."),
    ]
    miranda = disclosed(engine, "mini_miranda", lines)
    assert (miranda.status, miranda.coverage) == (DisclosureStatus.NOT_REQUIRED, None)
    assert miranda.missing_elements == ()


def test_said_in_full_it_counts_though_nothing_called_for_it(engine: ScoreEngine) -> None:
    said = "We will never ask you for your full password or your one time passcode."
    warned = disclosed(engine, "bank_never_ask", [("agent", said), ("customer", "I'll wait.")])
    assert warned.status is DisclosureStatus.DELIVERED


def test_before_an_event_means_before(engine: ScoreEngine) -> None:
    early = [("agent", MIRANDA), ("customer", "I see."), OWING]
    late = [OWING, ("customer", "I see."), ("agent", MIRANDA)]
    times = [
        disclosed(engine, "mini_miranda", lines, "collections").on_time for lines in (early, late)
    ]
    assert times == [True, False]


ACCOUNT: Line = ("agent", "You owe us thirty pounds on the March bill, and I've taken the fee off.")
PROOF: Line = ("agent", "Can I take your date of birth and the account number?")
NAME: Line = ("agent", "And who am I speaking to, please?")


def test_an_identity_check_is_complete_before_anything_is_told(engine: ScoreEngine) -> None:
    answer: Line = ("customer", "Third of May, seventy-one, and it's eight eight oh one.")
    checked = [NAME, ("customer", "Grace Okonkwo."), PROOF, answer, ACCOUNT]
    half = [NAME, ("customer", "Grace Okonkwo."), ACCOUNT, ("customer", "Why?"), PROOF, answer]
    early, late = (disclosed(engine, "identity", lines) for lines in (checked, half))
    assert (early.status, early.on_time) == (DisclosureStatus.DELIVERED, True)
    assert (late.status, late.on_time) == (DisclosureStatus.DELIVERED, False)


@pytest.mark.parametrize(
    ("said", "quote"),
    [
        ("Hello, my name's Grace Okonkwo.", "Hello, my name's Grace Okonkwo."),
        ("hello this is mrs okonkwo my bill is wrong", "hello this is mrs okonkwo"),
    ],
)
def test_who_has_given_their_name_need_not_be_asked(
    engine: ScoreEngine, said: str, quote: str
) -> None:
    check = disclosed(engine, "identity", [("customer", said), PROOF])
    assert check.status is DisclosureStatus.DELIVERED
    quoted = {each.label: each.quote for each in check.evidence}
    assert quoted["person"] == quote


def test_who_only_greets_must_be_asked(engine: ScoreEngine) -> None:
    greeted: Line = ("customer", "Hello, it's my bill, it's wrong.")
    check = disclosed(engine, "identity", [greeted, PROOF])
    assert check.status is DisclosureStatus.PARTIAL
    assert check.missing_elements == ("person",)


def test_permission_is_asked_before_the_card_is_charged(engine: ScoreEngine) -> None:
    asked: Line = ("agent", "Are you happy for me to charge thirty pounds to your card today?")
    number: Line = ("agent", "What's the long number on the card?")
    done: Line = ("agent", "That payment has gone through on your card now.")
    yes: Line = ("customer", "Yes, go on.")
    times = [
        disclosed(engine, "payment_auth", [number, yes, *lines]).on_time
        for lines in ((asked, yes, done), (done, yes, asked))
    ]
    assert times == [True, False]


@pytest.mark.parametrize("seed", range(6))
def test_one_word_in_ten_misheard_is_forgiven(engine: ScoreEngine, seed: int) -> None:
    words = MIRANDA.split()
    chance = random.Random(seed)  # noqa: S311 - a repeatable accident
    for place in chance.sample(range(len(words)), len(words) // 10):
        words[place] = chance.choice(["uh", "the", words[place][:-2] or "a", words[place] + "s"])
    lines = [OWING, ("customer", "What for?"), ("agent", " ".join(words))]
    assert disclosed(engine, "mini_miranda", lines).status is DisclosureStatus.DELIVERED


def test_a_script_read_out_counts_though_its_chief_word_was_misheard(engine: ScoreEngine) -> None:
    said = "This call may be monitored or accorded for quality and training purposes."
    assert recording(engine, said.replace("monitored", "motored")).status is (
        DisclosureStatus.DELIVERED
    )
    unread = "We will ask you for your full password or your one time passcode."
    lines: list[Line] = [
        ("agent", "First Oak Bank, fraud team."),
        ("customer", "Somebody stole money from my account."),
        ("agent", unread),
    ]
    assert disclosed(engine, "bank_never_ask", lines).status is not DisclosureStatus.DELIVERED


def doubting(engine: ScoreEngine, said: str, *doubted: str) -> DisclosureResult:
    """The recording notice of a call in which the recognizer doubts some words."""
    agent, customer = conversation([("agent", said), ("customer", "Hi, it's about my bill.")])
    words = tuple(replace(w, probability=0.4 if w.text in doubted else 0.9) for w in agent.words)
    card = engine.score(
        (replace(agent, words=words), customer),
        talk(),
        RubricSource(name="general"),
        lambda _: None,
    )
    return next(each for each in card.disclosures if each.disclosure == "recording")


def test_a_doubted_word_counts_as_the_one_that_belongs_in_its_place(engine: ScoreEngine) -> None:
    said = "This call is forwarded."
    assert doubting(engine, said, "forwarded.").status is DisclosureStatus.PARTIAL
    assert doubting(engine, said).status is DisclosureStatus.MISSING


def test_what_was_left_out_is_not_put_right_by_doubt_about_the_rest(engine: ScoreEngine) -> None:
    said = "This call may be monitored or sorted."
    assert doubting(engine, said, "sorted.").missing_elements == ("purpose",)


def test_a_script_with_scattered_errors_was_read_out(engine: ScoreEngine) -> None:
    said = "Of passcode. for be monitored or recorded for quality course training purposes."
    doubted = ("Of", "passcode.", "for", "course")
    assert doubting(engine, said, *doubted).status is DisclosureStatus.DELIVERED


def test_purposes_alone_are_no_notice(engine: ScoreEngine) -> None:
    """An element that counts only with another is looked for only beside it."""
    assert recording(engine, "For quality purposes, can I have your name?").evidence == ()
    lines: list[Line] = [
        ("agent", "This call is recorded."),
        ("customer", "so " * 120 + "yes."),
        ("agent", "We use it for quality and training purposes."),
    ]
    notice = disclosed(engine, "recording", lines)
    assert (notice.status, notice.missing_elements) == (DisclosureStatus.PARTIAL, ("purpose",))
    assert "for quality and training purposes" in notice.explanation


def test_a_near_miss_named_in_the_rubric_is_none(engine: ScoreEngine) -> None:
    said = "We will never ask you for your full password."
    lines: list[Line] = [
        ("agent", "First Oak Bank, fraud team."),
        ("customer", "Somebody stole money from my account."),
        ("agent", said),
    ]
    promise = disclosed(engine, "bank_never_ask", lines)
    assert (promise.status, promise.missing_elements) == (DisclosureStatus.PARTIAL, ("passcode",))


def test_what_the_customer_said_that_called_for_it_is_a_missed_opportunity(
    engine: ScoreEngine,
) -> None:
    lines: list[Line] = [
        ("agent", "Sunway Travel, hello."),
        ("customer", "I want a refund for my hotel. I want my money back for the booking."),
        ("agent", "I can't do that."),
    ]
    refund = disclosed(engine, "travel_refund", lines)
    assert refund.status is DisclosureStatus.MISSING
    missed = [each for each in refund.evidence if each.polarity is Polarity.MISSED_OPPORTUNITY]
    assert {each.utterance for each in missed} == {1}


NOTICE = "This call may be monitored or recorded for quality and training purposes."


def notice_of(
    utterances: Sequence[Utterance], engine: ScoreEngine, **changes: object
) -> DisclosureResult:
    rubric = RubricLibrary().get(RubricSource(name="general"))
    first, *others = rubric.disclosures
    changed = replace(rubric, disclosures=(replace(first, **changes), *others))  # type: ignore[arg-type]
    card = engine.judge(utterances, talk(), changed, lambda _: None)
    return card.disclosures[0]


def test_read_too_fast_it_is_rushed(engine: ScoreEngine) -> None:
    utterances = conversation([("agent", NOTICE), ("customer", "Hi.")])
    calm, rushed = (notice_of(utterances, engine, rushed_above=limit) for limit in (250.0, 180.0))
    assert (calm.rushed, rushed.rushed) == (False, True)
    assert "rushed (203 words a minute)" in rushed.explanation


def test_words_the_recognizer_doubts_are_mumbled(engine: ScoreEngine) -> None:
    clear = conversation([("agent", NOTICE), ("customer", "Hi.")])
    agent, customer = clear
    doubted = replace(agent, words=tuple(replace(w, probability=0.3) for w in agent.words))
    assert notice_of(clear, engine).mumbled is False
    unclear = notice_of((doubted, customer), engine)
    assert (unclear.mumbled, unclear.status) == (True, DisclosureStatus.DELIVERED)
    assert "unclearly" in unclear.explanation


def test_a_customer_who_cuts_in_interrupts_it(engine: ScoreEngine) -> None:
    utterances = conversation([("agent", NOTICE), ("customer", "Wait, wait.")])
    cut = Interruption(Role.CUSTOMER, Role.AGENT, utterances[0].end - 1.0, 0.8, 1, 0)
    metrics = replace(talk(), interruptions=(cut,))
    card = engine.score(utterances, metrics, RubricSource(name="general"), lambda _: None)
    assert card.disclosures[0].interrupted is True
    assert "while the customer cut in" in card.disclosures[0].explanation


def test_elements_may_have_an_order(engine: ScoreEngine) -> None:
    forward = conversation([("agent", NOTICE), ("customer", "Hi.")])
    backward = conversation(
        [("agent", "To help us improve our service, we record our calls."), ("customer", "Hi.")]
    )
    assert notice_of(forward, engine).in_order is None
    assert notice_of(forward, engine, ordered=True).in_order is True
    assert notice_of(backward, engine, ordered=True).status is DisclosureStatus.DELIVERED


def test_one_disclosure_may_have_to_come_after_another(engine: ScoreEngine) -> None:
    asked = "May I have your full name and your account number please?"
    first = conversation([("agent", NOTICE), ("customer", "Hi."), ("agent", asked)])
    last = conversation([("agent", asked), ("customer", "Hi."), ("agent", NOTICE)])
    orders = [notice_of(each, engine, after=("identity",)).in_order for each in (first, last)]
    assert orders == [False, True]


def test_a_name_that_is_volunteered_is_not_yet_the_agents_check(engine: ScoreEngine) -> None:
    given: Line = ("customer", "Hello, my name's Grace Okonkwo, my bill is wrong.")
    said = conversation([given, ("agent", NOTICE), ("customer", "Yes."), PROOF])
    assert notice_of(said, engine, after=("identity",)).in_order is False


@pytest.mark.parametrize(
    "said", ["my name's Grace Okonkwo", "name's Grace Okonkwo", "here is Grace"]
)
def test_a_name_that_is_volunteered_need_not_be_asked(engine: ScoreEngine, said: str) -> None:
    identity = disclosed(
        engine,
        "identity",
        [
            ("agent", "Lakeshore Broadband."),
            ("customer", f"{said} There's a mistake in my bill."),
            ("agent", "I see it on your account, you were charged twice, I'll take it off."),
        ],
    )
    assert identity.status is DisclosureStatus.PARTIAL
    assert identity.missing_elements == ("proof",)


def test_doubt_about_what_is_not_called_for_is_doubt_about_the_call_for_it(
    engine: ScoreEngine,
) -> None:
    """A refund half described in a call without a journey is none of its business."""
    lines: list[Line] = [
        ("agent", "Lakeshore Broadband."),
        ("customer", "You took money from my account."),
        ("agent", "I can refund it. It takes three business days."),
    ]
    refund = disclosed(engine, "travel_refund", lines)
    assert refund.status is DisclosureStatus.NOT_REQUIRED
    assert refund.confidence > 0.9


@pytest.mark.parametrize(
    "asked",
    [
        "You cancelled our flight and now I want a refund for both tickets.",
        "The trip is off, so what we would like is that you send us our money back.",
    ],
)
def test_a_refund_is_heard_in_the_middle_of_a_longer_sentence(
    engine: ScoreEngine, asked: str
) -> None:
    lines: list[Line] = [
        ("agent", "Northwind Airlines, about your flight?"),
        ("customer", asked),
        ("agent", "I see the trip here."),
    ]
    refund = disclosed(engine, "travel_refund", lines)
    assert refund.status is DisclosureStatus.MISSING
    assert asked in [each.quote for each in refund.evidence]


def test_an_event_is_heard_inside_a_longer_sentence_unless_it_is_rather_another(
    engine: ScoreEngine,
) -> None:
    def authorization(customer: str) -> DisclosureStatus:
        lines: list[Line] = [
            ("agent", "Union Bank."),
            ("customer", customer),
            ("agent", "One moment."),
        ]
        return disclosed(engine, "payment_auth", lines).status

    paying = "Fine, then let me just pay that by card now so that it is off my mind."
    assert authorization(paying) is DisclosureStatus.MISSING
    stolen = "Hello, I see that there is a charge on my card that I did not make."
    assert authorization(stolen) is DisclosureStatus.NOT_REQUIRED
