"""The part of a call that a behavior is judged on.

In a conversation without times, the seconds of a window are those of the reading clock
(`callscope.conversation.lines`), which is to say so many words.
"""

from collections.abc import Mapping
from math import inf

from callscope.conversation.lines import WORDS_PER_MINUTE
from callscope.rubric import Window
from callscope.types import Span, Timing
from services.score.events import Heard
from services.score.reading import Reading

__all__ = ["describe", "resolve"]


def resolve(window: Window, reading: Reading, heard: Mapping[str, Heard]) -> Span | None:
    """The span of `window` in this call; None where its event is not heard.

    What runs to the end of the call has no end of its own: a chat's last message may begin there.
    """
    end = reading.end
    if window.first_seconds is not None:
        start = reading.agent_start or 0.0
        return Span(start, start + window.first_seconds)
    if window.last_seconds is not None:
        return Span(max(0.0, end - window.last_seconds), inf)
    if window.last_share is not None:
        start = reading.agent_start or 0.0
        return Span(end - window.last_share * (end - start), inf)
    if window.after is not None:
        event = heard.get(window.after)
        if event is None:
            return None
        return Span(event.start, event.start + (inf if window.seconds is None else window.seconds))
    return Span(0.0, inf)


def describe(window: Window, timing: Timing) -> str:
    """The window in words, as the beginning of a sentence."""
    if window.first_seconds is not None:
        return f"In the first {_length(window.first_seconds, timing)}"
    if window.last_seconds is not None:
        return f"In the last {_length(window.last_seconds, timing)}"
    if window.last_share is not None:
        return f"In the last {window.last_share:.0%} of the call"
    if window.after is not None:
        return f"After {window.after.replace('_', ' ')}"
    return "In the call"


def _length(seconds: float, timing: Timing) -> str:
    if timing is Timing.NONE:
        return f"{seconds * WORDS_PER_MINUTE / 60:.0f} words"
    return f"{seconds:g} seconds"
