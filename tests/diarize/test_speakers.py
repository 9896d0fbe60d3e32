"""Stretches go to the speakers they sound like, however long the call is."""

import time

import numpy as np
import pytest

from services.diarize.clustering import SpeakerRange
from services.diarize.embedding import Embeddings
from services.diarize.speakers import name_turns, telling_pieces
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


@pytest.mark.parametrize("short", [0.4, 3.0], ids=["short pieces", "long pieces"])
def test_naming_takes_time_in_proportion_to_the_call(short: float) -> None:
    def seconds(turns: int) -> float:
        stretches, embeddings = conversation(turns, short)
        pieces = telling_pieces(stretches)
        assert len(pieces) == turns
        began = time.process_time()
        name_turns(stretches, embeddings, SpeakerRange(1, 4))
        return time.process_time() - began

    seconds(50)
    # 8 times as long: a comparison of all pieces with all would take 64 times as long.
    assert seconds(2000) < 24 * max(seconds(250), 0.01)
