"""Recorded and synthetic voices: menus, queue announcements, voicemail.

They often share the agent's channel, so they are found passage by passage, by what they say.
"""

import re
from collections.abc import Sequence

from callscope.conversation.cues import cues, normalize
from callscope.conversation.passages import Passage
from callscope.types import Role

__all__ = ["announcements"]

EARLY = 1.0
LATER = 2.0
"""Weight of the phrases that make an announcement, before two have conversed and after."""

_PERSON = re.compile(r"(?<![\w'])(?:i|i'm|i'll|i've|i'd|my|me)(?![\w'])")


def announcements(passages: Sequence[Passage]) -> frozenset[int]:
    """Indices of the passages that are no live speech.

    Before anybody converses, one phrase of a menu or a queue will do, and everything that
    speaker said before it in one run is the announcement's as well ("Thank you for calling").
    Later, a person may be helping with some other menu: it takes a queue's phrase, or two of a
    menu's. Who says "I" is a person.
    """
    found: set[int] = set()
    conversing = False
    for i, passage in enumerate(passages):
        if _is_announcement(passage, conversing):
            found.add(i)
            if not conversing:
                found.update(_run_before(passages, i))
        elif not passage.backchannel and any(
            j not in found and passages[j].speaker != passage.speaker for j in range(i)
        ):
            conversing = True  # two have spoken live
    return frozenset(found)


def _is_announcement(passage: Passage, conversing: bool) -> bool:
    text = normalize(passage.text)
    rest = text
    said = 0.0
    for cue in cues(Role.IVR):
        said += cue.weight * cue.heard(text)
        rest = cue.pattern.sub(" ", rest)
    return said >= (LATER if conversing else EARLY) and not _PERSON.search(rest)


def _run_before(passages: Sequence[Passage], at: int) -> list[int]:
    run: list[int] = []
    for i in range(at - 1, -1, -1):
        if passages[i].speaker != passages[at].speaker:
            break
        run.append(i)
    return run
