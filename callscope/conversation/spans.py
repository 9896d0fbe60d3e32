"""Arithmetic on stretches of time. All functions take and return sorted, disjoint spans."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from callscope.types import Span

__all__ = ["difference", "intersection", "total", "touching", "union"]


def union(spans: Iterable[Span], bridge: float = 0.0) -> tuple[Span, ...]:
    """The spans (in any order) merged where they touch or lie at most `bridge` seconds apart."""
    merged: list[Span] = []
    for span in sorted(spans, key=lambda each: (each.start, each.end)):
        if merged and span.start - merged[-1].end <= bridge:
            if span.end > merged[-1].end:
                merged[-1] = Span(merged[-1].start, span.end)
        else:
            merged.append(Span(span.start, span.end))
    return tuple(merged)


def intersection(first: Sequence[Span], second: Sequence[Span]) -> tuple[Span, ...]:
    """The time that lies in both."""
    common: list[Span] = []
    i = j = 0
    while i < len(first) and j < len(second):
        start = max(first[i].start, second[j].start)
        end = min(first[i].end, second[j].end)
        if start < end:
            common.append(Span(start, end))
        if first[i].end < second[j].end:
            i += 1
        else:
            j += 1
    return tuple(common)


def difference(spans: Sequence[Span], taken: Sequence[Span]) -> tuple[Span, ...]:
    """The time of `spans` that does not lie in `taken`."""
    left: list[Span] = []
    j = 0
    for span in spans:
        start = span.start
        while j < len(taken) and taken[j].end <= start:
            j += 1
        k = j
        while k < len(taken) and taken[k].start < span.end:
            if taken[k].start > start:
                left.append(Span(start, taken[k].start))
            start = max(start, taken[k].end)
            k += 1
        if start < span.end:
            left.append(Span(start, span.end))
    return tuple(left)


def touching(spans: Sequence[Span], start: float, end: float) -> Sequence[Span]:
    """Those of the spans that have time in common with start to end."""
    first = bisect_right(spans, start, key=lambda span: span.end)
    return spans[first : bisect_left(spans, end, key=lambda span: span.start)]


def total(spans: Iterable[Span]) -> float:
    """Seconds in all."""
    return sum(span.duration for span in spans)
