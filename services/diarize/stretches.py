"""Stretches of activity, and the clean pieces of them in which one person is heard alone."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from services.diarize.segmentation import Activity, runs, time_of

__all__ = ["Piece", "Stretch", "find_stretches"]

_ACTIVE = 0.5  # share of windows: the majority
_LONGEST = 4.5  # seconds; a longer run is cut, since it may hide a change of speaker
_USUAL = 3.0  # seconds of a piece cut from a longer run


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a stretch in which nobody else is active, in seconds."""

    start: float
    end: float

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Stretch:
    """Uninterrupted activity of one slot, in seconds, and its clean pieces, which may be none."""

    slot: int
    start: float
    end: float
    pieces: tuple[Piece, ...]


def find_stretches(activity: Activity) -> list[Stretch]:
    """Every stretch of every slot, in order of start."""
    active = activity > _ACTIVE
    alone = active.sum(axis=1) == 1
    stretches = [
        Stretch(slot, time_of(first), time_of(end), tuple(_pieces(alone, first, end)))
        for slot in range(active.shape[1])
        for first, end in runs(active[:, slot])
    ]
    return sorted(stretches, key=lambda stretch: (stretch.start, stretch.slot))


def _pieces(alone: np.ndarray, first: int, end: int) -> Iterator[Piece]:
    for clean, until in runs(alone[first:end]):
        start, duration = time_of(first + clean), time_of(until) - time_of(clean)
        parts = 1 if duration <= _LONGEST else round(duration / _USUAL)
        part = duration / parts
        yield from (Piece(start + n * part, start + (n + 1) * part) for n in range(parts))
