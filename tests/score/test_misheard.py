"""Misheard words put right, and what is not taken for one."""

import pytest

from services.score.misheard import Heard, restored, wrong_share

NEVER = ["we", "will", "never", "ask", "you", "for", "your", "full", "password"]


def said(text: str) -> list[Heard]:
    """Words; a doubted one has a `?`."""
    return [Heard(word.rstrip("?"), not word.endswith("?")) for word in text.split()]


@pytest.mark.parametrize(
    ("heard", "right"),
    [
        ("calls may be house?", "calls may be recorded"),
        ("calls may be reported", "calls may be recorded"),
        ("calls may be house", None),  # a word the recognizer is sure of, and that sounds unlike
        ("calls house? be recorded", "calls may be recorded"),
        ("so? house? be recorded", None),  # too little was heard right
        ("calls may be recorded", None),  # nothing to put right
    ],
)
def test_a_word_is_put_right_where_its_neighbors_were_heard(heard: str, right: str | None) -> None:
    assert restored(["calls", "may", "be", "recorded"], said(heard)) == right


def test_a_word_that_turns_the_meaning_around_is_never_supplied() -> None:
    heard = said("we will well? ask you for your full password")
    assert restored(NEVER, heard) is None
    assert wrong_share(NEVER, heard) is None


def test_what_is_missing_in_one_piece_was_left_out() -> None:
    assert wrong_share(NEVER, said("we will never ask you for")) is None
    scattered = wrong_share(NEVER, said("will never ask for your full password"))
    assert scattered == pytest.approx(2 / 9)


def test_a_doubted_word_is_half_an_error() -> None:
    assert wrong_share(NEVER, said("we will never ask you for mower? full password")) == 0.5 / 9
