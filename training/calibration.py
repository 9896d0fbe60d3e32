"""Where a head decides, and how sure it is: both from logits of what it was not fitted on."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from callscope.acts import AgentAct, Cue

__all__ = ["Figures", "calibrate"]

PLATEAU = 0.02  # how far below the best F1 a cut is as good
# What costs an agent points, or is listened for in every sentence though it hardly ever comes, is
# decided for precision.
CAREFUL, CAUTION = frozenset({AgentAct.DISMISSIVE, AgentAct.BLAMING, *Cue}), 0.75

Array = npt.NDArray[np.float64]
Figures = dict[str, dict[str, float]]


def calibrate(acts: Sequence[str], logits: Array, labels: Array) -> tuple[Array, Array, Figures]:
    """Each head's slope, and its best cut, which is taken off first.

    `logits` and `labels` are (sentences, acts), NaN for what is not known; two rows are a sentence.
    """
    shifts, slopes, figures = [], [], {}
    for place, act in enumerate(acts):
        known = ~np.isnan(labels[:, place])
        truth, values = labels[known, place] == 1, logits[known, place]
        beta = CAUTION if act in CAREFUL else 1.0
        shift = _cut(truth, values, beta)
        shifts.append(shift)
        slopes.append(_slope(truth, values - shift))
        f1 = round(_f(truth, values >= shift, 1.0), 3)
        figures[act] = {"f1": f1, "examples": float(truth.sum() / 2)}
    return np.array(slopes), np.array(shifts), figures


def _cut(truth: npt.NDArray[np.bool_], values: Array, beta: float) -> float:
    """The middle of the cuts that are as good as the best: the very best is an accident."""
    order = np.argsort(-values, kind="stable")
    last = np.flatnonzero(np.append(np.diff(values[order]) != 0, True))  # of those with one value
    right = (1 + beta**2) * truth[order].cumsum()[last]
    scores = right / (beta**2 * truth.sum() + last + 1)
    return float(np.median(values[order][last][scores >= scores.max() - PLATEAU]))


def _f(truth: npt.NDArray[np.bool_], found: npt.NDArray[np.bool_], beta: float) -> float:
    """The F measure; `beta` below 1 weighs precision more."""
    right = (1 + beta**2) * (truth & found).sum()
    return float(right / (beta**2 * truth.sum() + found.sum()))


def _slope(truth: npt.NDArray[np.bool_], values: Array) -> float:
    """The slope through the decision that makes the held-out labels likeliest."""
    grid = np.linspace(0.2, 4, 77)
    signed = np.where(truth, values, -values)
    return float(min(grid, key=lambda slope: np.logaddexp(0, -slope * signed).sum()))
