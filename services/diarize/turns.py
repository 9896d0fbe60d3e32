"""What makes a turn of activity: pauses of a breath belong to it, blips are none."""

from collections.abc import Iterable

from callscope.types import Turn

__all__ = ["tidy"]

_PAUSE = 0.2  # seconds; a turn goes on over shorter ones
_SHORTEST = 0.1  # seconds of a turn


def tidy(activity: Iterable[Turn]) -> tuple[Turn, ...]:
    """Each speaker's activity, joined over short pauses, without blips, in order of start."""
    turns: list[Turn] = []
    last: dict[str, int] = {}
    for each in sorted(activity, key=_order):
        at = last.get(each.speaker)
        if at is not None and each.start - turns[at].end <= _PAUSE:
            end = max(turns[at].end, each.end)
            turns[at] = Turn(each.speaker, turns[at].start, end, each.channel)
        else:
            last[each.speaker] = len(turns)
            turns.append(each)
    return tuple(turn for turn in turns if turn.end - turn.start >= _SHORTEST)


def _order(turn: Turn) -> tuple[float, str]:
    return turn.start, turn.speaker
