"""Stretches go to the speakers they sound like, however long the call is."""

import numpy as np

from services.diarize.clustering import SpeakerRange
from services.diarize.embedding import Embeddings
from services.diarize.speakers import name_turns
from services.diarize.stretches import Piece, Stretch


def conversation(turns: int, seconds: float = 3.0) -> tuple[list[Stretch], Embeddings]:
    """Two voices in turn, each on a slot of its own, and their embeddings."""
    stretches = []
    for turn in range(turns):
        start = turn * (seconds + 0.5)
        piece = Piece(start, start + seconds)
        stretches.append(Stretch(turn % 2, piece.start, piece.end, (piece,)))
    chance = np.random.default_rng(0)
    voices = np.eye(2, 192)[[turn % 2 for turn in range(turns)]]
    noisy = voices + chance.normal(0, 0.02, voices.shape)
    return stretches, (noisy / np.linalg.norm(noisy, axis=1, keepdims=True)).astype(np.float32)


def test_two_voices_are_two_speakers_in_order_of_first_speech() -> None:
    stretches, embeddings = conversation(6)
    turns = name_turns(stretches, embeddings, SpeakerRange(1, 4))
    assert [turn.speaker for turn in turns] == ["speaker_0", "speaker_1"] * 3


def test_a_stretch_without_a_clean_piece_is_not_the_speaker_beside_it() -> None:
    stretches, embeddings = conversation(6)
    inside = Stretch(2, 0.5, 1.5, ())  # while speaker_0 talks
    stretches.insert(1, inside)
    turns = name_turns(stretches, embeddings, SpeakerRange(1, 4))
    (found,) = [turn for turn in turns if (turn.start, turn.end) == (0.5, 1.5)]
    assert found.speaker == "speaker_1"
