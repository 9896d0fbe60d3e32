"""What an agent takes up, and what a customer has to say again."""

from dataclasses import replace

from callscope.types import Role
from services.score.sentences import split
from services.score.uptake import said_again, taken_up
from tests.score.conversations import Line, conversation


def found(*lines: Line) -> list[dict[str, float]]:
    """The sentences that take up something, and those that say something again."""
    sentences = split(conversation(lines))
    return [
        {sentences[row].text: sure for row, sure in rule(sentences).items()}
        for rule in (taken_up, said_again)
    ]


HOB = ("customer", "The gas hob won't light and the oven door is stuck.")


def test_an_agent_takes_up_the_customers_words() -> None:
    taken, _ = found(HOB, ("agent", "Right. So the hob is dead and the oven door is jammed shut."))
    assert taken == {"So the hob is dead and the oven door is jammed shut.": 0.95}


def test_one_word_in_common_may_be_chance() -> None:
    taken, _ = found(HOB, ("agent", "Our gas team is out today."))
    assert list(taken.values()) == [0.45]


def test_what_everybody_says_is_not_taken_up() -> None:
    taken, _ = found(
        ("customer", "Hello, I need to know about that thing today, please."),
        ("agent", "Hello, thank you, I know that thing, let me look at that today."),
    )
    assert not taken


def test_manners_are_not_said_again() -> None:
    polite = [("customer", f"Excuse me, {each}, please.") for each in ("a kettle", "the lid")]
    _, again = found(polite[0], ("agent", "Hm?"), polite[1])
    assert not again


def test_names_are_not_taken_up() -> None:
    taken, _ = found(("customer", "Taylor Morgan."), ("agent", "Thank you, Taylor Morgan."))
    assert not taken


def test_only_the_last_turn_is_taken_up() -> None:
    taken, _ = found(
        HOB,
        ("agent", "Your account number?"),
        ("customer", "Four four one."),
        ("agent", "The gas hob, was it?"),
    )
    assert not taken


def test_what_was_said_long_before_is_taken_up_outright() -> None:
    said = "You said the door was stuck, so push it."
    taken, _ = found(HOB, ("agent", "Number?"), ("customer", "Four four one."), ("agent", said))
    assert taken == {said: 0.95}


def test_numbers_that_are_read_out_are_not_taken_up() -> None:
    card = "Four seven seven nine one one two three."
    taken, again = found(("customer", card), ("agent", card), ("customer", "No."))
    assert not taken
    assert not again


def test_who_is_not_heard_says_it_again() -> None:
    _, again = found(
        HOB,
        ("agent", "Have you seen our new fridges?"),
        ("customer", "No. It's the gas hob, it won't light."),
    )
    assert again == {"No. It's the gas hob, it won't light.": 0.95}


def test_what_was_taken_up_may_be_spoken_of_again() -> None:
    _, again = found(
        HOB,
        ("agent", "The gas hob won't light, and the door is stuck."),
        ("customer", "Yes, the gas hob, and the door."),
    )
    assert not again


def test_backchannels_are_no_turns() -> None:
    sentences = split(
        conversation([HOB, ("agent", "Mm-hmm."), ("customer", "The gas hob, the oven door.")])
    )
    heard = [replace(each, backchannel=each.role is Role.AGENT) for each in sentences]
    assert not said_again(heard)
