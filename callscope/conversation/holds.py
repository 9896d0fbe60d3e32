"""When the customer was kept on hold.

A hold is a stretch of the call without the agent that the agent announced ("I'll put you on a
short hold") or thanks for ("thank you for holding"), of 5 seconds or more; or any silence of 20
seconds or more in the middle of a call, which nobody waits through off hold. What a recorded
voice says meanwhile belongs to the hold. Silences that are shorter, or announced without the word
("give me a few seconds"), are silences.
"""

import re
from collections.abc import Sequence
from itertools import pairwise

from callscope.conversation.cues import normalize
from callscope.conversation.spans import difference, union
from callscope.conversation.speech import Speech
from callscope.types import Role, Span, Utterance

__all__ = ["find"]

ANNOUNCED_SECONDS = 5.0
UNANNOUNCED_SECONDS = 20.0

_NOTICE = re.compile(
    r"(?<![\w'])(?:"
    r"on (?:an? )?(?:\w+ ){0,2}hold"
    r"|(?:please|(?:can|could|would|do|may) (?:you|i)(?: please| mind| just)?) hold(?:ing)?"
    r"|hold (?:on|the line|please) (?:for|one|an?|just|while)"
    r"|hold(?: please| the line| on)?(?= [.?]|$)"
    r"|(?:stay|remain) on the line"
    r"|transfer(?:ring)? you"
    r")(?![\w'])"
)
_THANKS = re.compile(r"(?<![\w'])for (?:holding|waiting|your patience)(?![\w'])")

_NOTICE_WORDS = 25
"""The notice is among this many last words before the hold, the thanks among the first after."""


def find(utterances: Sequence[Utterance], speech: Sequence[Speech]) -> tuple[Span, ...]:
    """The holds of a call, in order; `speech` says when each utterance was spoken."""
    live = [i for i, each in enumerate(utterances) if each.role is not Role.IVR]
    agents = [
        i for i in live if utterances[i].role is not Role.CUSTOMER and not utterances[i].backchannel
    ]
    talk = union(span for i in live for span in speech[i])
    holds: list[Span] = []
    for before, after in pairwise(agents):
        gap = Span(speech[before][-1].end, speech[after][0].start)
        if gap.duration >= ANNOUNCED_SECONDS and _announced(utterances[before], utterances[after]):
            holds += [s for s in difference((gap,), talk) if s.duration >= ANNOUNCED_SECONDS]
    for earlier, later in pairwise(talk):
        if later.start - earlier.end >= UNANNOUNCED_SECONDS:
            holds.append(Span(earlier.end, later.start))
    return union(holds)


def _announced(before: Utterance, after: Utterance) -> bool:
    last = " ".join(word.text for word in before.words[-_NOTICE_WORDS:])
    first = " ".join(word.text for word in after.words[:_NOTICE_WORDS])
    return bool(_NOTICE.search(normalize(last)) or _THANKS.search(normalize(first)))
