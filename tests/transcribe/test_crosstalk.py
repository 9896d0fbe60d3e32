"""One party's words on both channels."""

import numpy as np

from callscope.channels import FRAME, ChannelCheck
from callscope.types import ChannelLayout, ChannelReport, Word
from services.transcribe.crosstalk import without_crosstalk

RATE = 16_000
CHECK = ChannelCheck(
    ChannelLayout.TWO_PARTY, (0, 1), (ChannelReport(0, -20.0, ()), ChannelReport(1, -24.0, ()))
)


def levels(*loud: tuple[float, float, float]) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Ten seconds of frames at -70 dBFS but for (start, end, dBFS)."""
    frames = np.full(10 * RATE // FRAME, -70.0, dtype=np.float32)
    for start, end, level in loud:
        frames[int(start * RATE / FRAME) : int(end * RATE / FRAME)] = level
    return frames


def test_the_fainter_copy_of_a_word_goes() -> None:
    words = [Word("Balance", 2.0, 2.6, 0.9, 0), Word("balance.", 2.1, 2.6, 0.5, 1)]
    kept = without_crosstalk(words, {0: levels((2, 3, -20)), 1: levels((2, 3, -34))}, CHECK)
    assert kept == words[:1]


def test_both_may_say_yes_at_once() -> None:
    words = [Word("Yes.", 2.0, 2.4, 0.9, 0), Word("Yes.", 2.1, 2.5, 0.9, 1)]
    assert (
        without_crosstalk(words, {0: levels((2, 3, -17)), 1: levels((2, 3, -25))}, CHECK) == words
    )


def test_a_faint_word_of_its_own_stays() -> None:
    words = [Word("Balance", 2.0, 2.6, 0.9, 0), Word("Okay", 2.0, 2.6, 0.5, 1)]
    assert (
        without_crosstalk(words, {0: levels((2, 3, -20)), 1: levels((2, 3, -40))}, CHECK) == words
    )


def test_an_answer_that_repeats_the_word_later_stays() -> None:
    words = [Word("Friday?", 2.0, 2.6, 0.9, 0), Word("Friday.", 3.5, 4.0, 0.9, 1)]
    quiet = {0: levels((2, 3, -20)), 1: levels((3.5, 4, -34))}
    assert without_crosstalk(words, quiet, CHECK) == words
