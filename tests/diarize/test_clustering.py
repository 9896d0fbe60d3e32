"""How many speakers there are follows from how unlike voices are, and how much of each is heard."""

import numpy as np
import pytest

from services.diarize.clustering import SpeakerRange, find_voices
from services.diarize.embedding import Embeddings

PIECE = 2.0  # seconds


def speakers(distance: float, *seconds: float, expected: SpeakerRange | None = None) -> int:
    """How many are found of voices that are so far from each other, heard so long each."""
    voices = _voices(distance, len(seconds))
    pieces = [
        (voice, min(PIECE, long - at))
        for voice, long in zip(voices, seconds, strict=True)
        for at in np.arange(0, long, PIECE)
    ]
    embeddings, weights = zip(*pieces, strict=True)
    return len(find_voices(embeddings, weights, expected or SpeakerRange(1, 4)))


def _voices(distance: float, count: int) -> Embeddings:
    """Vectors of unit length with that cosine distance between any two."""
    likeness = np.full((count, count), 1 - distance) + distance * np.eye(count)
    return np.asarray(np.pad(np.linalg.cholesky(likeness), ((0, 0), (0, 192 - count))), np.float32)


@pytest.mark.parametrize(
    ("distance", "seconds", "found"),
    [
        pytest.param(0.3, (60, 40), 1, id="one voice in two moods"),
        pytest.param(0.6, (60, 40), 2, id="two parties"),
        pytest.param(0.6, (60, 4), 2, id="one who says little"),
        pytest.param(0.8, (60, 2), 2, id="one who says a word, in a very different voice"),
        pytest.param(0.7, (40, 30, 30), 3, id="a transfer"),
        pytest.param(0.66, (40, 30, 8.2), 3, id="a transfer to somebody brief"),
        pytest.param(0.75, (40, 30, 5), 3, id="an announcement"),
        pytest.param(0.66, (40, 30, 5), 2, id="five seconds of a voice not so different"),
        pytest.param(0.8, (40, 30, 2), 2, id="a cough"),
    ],
)
def test_the_number_of_speakers(distance: float, seconds: tuple[float, ...], found: int) -> None:
    assert speakers(distance, *seconds) == found


@pytest.mark.parametrize(
    ("distance", "spread", "found"),
    [
        pytest.param(0.45, 0.25, 3, id="alike, but each by itself"),
        pytest.param(0.45, 0.35, 2, id="one voice in two moods"),
        pytest.param(0.6, 0.45, 2, id="voices too scattered to tell"),
        pytest.param(0.35, 0.1, 2, id="one voice on two lines"),
    ],
)
def test_a_third_voice_like_anothers_lies_apart_from_it(
    distance: float, spread: float, found: int
) -> None:
    one, other, third = (_scattered(distance, spread, which) for which in range(3))
    assert len(find_voices([*one, *other, *third], [2.0] * 36, SpeakerRange(1, 4))) == found


def _scattered(distance: float, spread: float, which: int) -> list[Embeddings]:
    """Twelve pieces of a voice: two of them are `distance` apart, the first is unlike both."""
    alike = _voices((distance - spread) / (1 - spread), 2)
    voice = np.eye(1, 192, k=2)[0] if which == 0 else alike[which - 1]
    own = np.eye(12, 192, k=3 + 12 * which)
    return list(np.sqrt(1 - spread) * voice + np.sqrt(spread) * own)


def test_the_number_asked_for_is_kept() -> None:
    assert speakers(0.8, 40, 30, 30, expected=SpeakerRange(2, 2)) == 2
    assert speakers(0.3, 40, 30, 30, expected=SpeakerRange(3, 3)) == 3


def test_voices_are_of_unit_length_and_none_without_pieces() -> None:
    (one, other) = find_voices(list(_voices(0.7, 2)), [5.0, 5.0], SpeakerRange(1, 4))
    assert np.linalg.norm(one) == pytest.approx(1.0)
    assert float(one @ other) == pytest.approx(0.3, abs=1e-5)
    assert find_voices([], [], SpeakerRange(1, 4)).shape == (0, 192)
