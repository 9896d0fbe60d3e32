"""Rubrics by name that the score service has found good, so that not every sender waits for it."""

import time
from collections.abc import Callable

from callscope.pipeline import RubricSource

__all__ = ["Vetting"]


class Vetting:
    """Asks about a rubric, and believes a good answer about a name for a while.

    Only an early answer to the sender rests on it: the score stage reads the rubric anew.

    Args:
        ask: raises what is wrong with a rubric.
        seconds: how long a good answer holds. A bad one does not: the rubric may be on its way.
        now: seconds that only grow.
    """

    def __init__(
        self,
        ask: Callable[[RubricSource], object],
        seconds: float = 60.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._seconds = seconds
        self._now = now
        self._good: dict[str, float] = {}  # no more names than the service has rubrics

    def check(self, rubric: RubricSource) -> None:
        """Raises what is wrong with it, as `ask`."""
        name = rubric.name
        if name is not None and self._now() < self._good.get(name, 0.0):
            return
        self._ask(rubric)
        if name is not None:
            self._good[name] = self._now() + self._seconds
