"""Sentences that rationales point at, and what a text's likeliest sentence says of it."""

from functools import partial

import torch

from training import field
from training.passages import Passages, crossed
from training.states import Pair

TASK = field.FIELD["epitome"]
LOSSES = partial(field.balanced_loss, TASK)


def reply(*sentences: str, rests_on: str = "") -> Pair:
    """A reply to nothing, whose level of the first label rests on some words."""
    text = "  ".join(sentences)  # splitting makes one space of two
    start = text.find(rests_on)
    mark = ((start, start + len(rests_on)),) if rests_on else ()
    return Pair("", text, "", (mark, (), ()))


WARM = [reply(f"Try {thing}.", "I am so sorry.", rests_on="I am so sorry") for thing in "abcd"]
COLD = [reply(f"Try {thing}.", "It works for me.") for thing in "efgh"]
LEVELS = torch.tensor([[2, 0, 0]] * 4 + [[0, 0, 0]] * 4)


def test_the_sentence_that_a_rationale_names_makes_the_evidence() -> None:
    model = Passages.fit(WARM + COLD, LEVELS, TASK.sizes, LOSSES)
    warm, cold, only = model.evidence([WARM[0], COLD[0], reply("I am so sorry.")])
    assert warm.shape == (6,)  # two levels of three labels
    assert warm[1] > 1 > cold[1] + 1
    assert only[1] >= warm[1] - 0.1


def test_each_text_is_judged_by_a_model_that_has_not_seen_it() -> None:
    odd = reply("Zebra zebra.", rests_on="Zebra zebra.")
    pairs = [*WARM, *COLD, odd, odd, odd]  # of these, one in each of three folds
    levels = torch.cat([LEVELS, torch.tensor([[1, 0, 0]] * 3)])
    evidence = crossed(pairs, levels, TASK.sizes, LOSSES)
    whole = Passages.fit(pairs, levels, TASK.sizes, LOSSES).evidence(pairs)
    assert (evidence[8:, 0] < whole[8:, 0]).all()


def test_a_rationale_over_two_sentences_marks_both_and_no_text_is_one_sentence() -> None:
    text = "I hear you. That hurts. Bye now."
    pair = Pair("", text, "", (((0, 23),), (), ()))
    model = Passages.fit(
        [pair] * 3 + COLD, torch.tensor([[2, 0, 0]] * 3 + [[0, 0, 0]] * 4), TASK.sizes, LOSSES
    )
    first, second, third, empty = model.evidence(
        [reply(part) for part in text.split(". ")] + [reply("")]
    )
    assert min(first[1], second[1]) > max(third[1], 0)
    assert torch.isfinite(empty).all()
