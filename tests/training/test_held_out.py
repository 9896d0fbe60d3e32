"""How well the shipped heads do on utterances by other hands, which it never saw."""

from collections.abc import Callable

import numpy as np
import pytest

from services.score.reading import FOUND
from tests.training.held_out import ROWS
from training import metrics
from training.corpus import ACTS
from training.evaluate import EMPATHY, QUESTION, REFLECTION
from training.examples import bare
from training.finder import ActFinder
from training.states import Pair


def found(finder: ActFinder, acts: tuple[str, ...], change: Callable[[str], str]) -> list[bool]:
    pairs = [Pair(change(row["ctx"]), change(row["text"])) for row in ROWS]
    places = [ACTS.index(act) for act in acts]
    return list(finder.probabilities(pairs)[:, places].max(axis=1) >= FOUND)


@pytest.mark.parametrize("change", [str, bare], ids=["as written", "without punctuation"])
@pytest.mark.parametrize(
    ("column", "acts", "least"),
    [("emp", EMPATHY, 0.7), ("q", QUESTION, 0.8), ("refl", REFLECTION, 0.6)],
)
def test_the_f1_of_utterances_by_other_hands_stays_up(
    finder: ActFinder,
    column: str,
    acts: tuple[str, ...],
    least: float,
    change: Callable[[str], str],
) -> None:
    truth = [row[column] not in ("0", "none") for row in ROWS]
    assert metrics.f1(truth, found(finder, acts, change))["f1"] >= least


def test_the_same_pairs_give_the_same_bytes_in_any_order(finder: ActFinder) -> None:
    pairs = [Pair(row["ctx"], row["text"]) for row in ROWS]
    once = finder.probabilities(pairs)
    again = finder.probabilities(pairs[::-1])[::-1]
    assert np.array_equal(once, again)


def test_nothing_to_judge_gives_no_rows(finder: ActFinder) -> None:
    assert finder.probabilities([]).shape == (0, len(ACTS))
