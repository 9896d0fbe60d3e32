"""How good judgements are: F1, calibration, agreement, and how far chance may have moved them."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

__all__ = [
    "alpha",
    "calibration_by_chance",
    "calibration_error",
    "f1",
    "interval",
    "kappa",
    "macro_f1",
    "reliability",
]

Array = npt.NDArray[np.float64]
BINS = 10
DRAWS = 1000


def f1(truth: npt.ArrayLike, found: npt.ArrayLike) -> dict[str, float]:
    """Precision, recall, F1 and the count of what is true."""
    right, told = np.asarray(truth, dtype=bool), np.asarray(found, dtype=bool)
    both = float((right & told).sum())
    return {
        "f1": 2 * both / max(float(right.sum() + told.sum()), 1.0),
        "precision": both / max(float(told.sum()), 1.0),
        "recall": both / max(float(right.sum()), 1.0),
        "true": float(right.sum()),
    }


def macro_f1(truth: npt.ArrayLike, found: npt.ArrayLike) -> float:
    """The mean F1 of the classes that occur in the truth."""
    right, told = np.asarray(truth), np.asarray(found)
    return float(np.mean([f1(right == each, told == each)["f1"] for each in np.unique(right)]))


def calibration_error(truth: npt.ArrayLike, probability: npt.ArrayLike) -> float:
    """Expected calibration error over ten bins of equal width (Guo et al., ICML 2017)."""
    rows = reliability(truth, probability)
    total = sum(count for _, _, count in rows)
    return sum(count * abs(said - was) for said, was, count in rows) / max(total, 1)


def calibration_by_chance(probability: npt.ArrayLike, seed: int = 0) -> tuple[float, float]:
    """The calibration error of probabilities that are right: its mean, and its 95th percentile.

    In a few hundred items it is not 0, since the share that comes true varies (Bröcker and Smith,
    Weather and Forecasting 2007).
    """
    likely = np.asarray(probability, dtype=float)
    drawn = np.random.default_rng(seed).random((DRAWS, len(likely))) < likely
    errors = [calibration_error(truth, likely) for truth in drawn]
    return float(np.mean(errors)), float(np.percentile(errors, 95))


def reliability(truth: npt.ArrayLike, probability: npt.ArrayLike) -> list[tuple[float, float, int]]:
    """For each bin that holds any: the mean probability, the share that was true, how many."""
    right, likely = np.asarray(truth, dtype=float), np.asarray(probability, dtype=float)
    places = np.minimum((likely * BINS).astype(int), BINS - 1)
    return [
        (float(likely[places == b].mean()), float(right[places == b].mean()), int(count))
        for b in range(BINS)
        if (count := (places == b).sum())
    ]


def interval(
    measure: Callable[[npt.NDArray[np.int64]], float],
    count: int,
    seed: int = 0,
    groups: Sequence[object] | None = None,
) -> tuple[float, float]:
    """A 95% bootstrap interval of a measure of the rows at some places, of `count` rows.

    Rows of one of the `groups` are drawn together, since they are alike.
    """
    chance = np.random.default_rng(seed)
    if groups is None:
        drawn = [measure(chance.integers(0, count, count)) for _ in range(DRAWS)]
    else:
        _, of = np.unique([str(group) for group in groups], return_inverse=True)
        rows = [np.flatnonzero(of == each) for each in range(of.max() + 1)]
        drawn = [
            measure(np.concatenate([rows[i] for i in chance.integers(0, len(rows), len(rows))]))
            for _ in range(DRAWS)
        ]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)


def kappa(first: Sequence[object], second: Sequence[object]) -> float:
    """Cohen's kappa of two labelings of the same items."""
    labels = sorted({*map(str, first), *map(str, second)})
    one = np.array([labels.index(str(each)) for each in first])
    two = np.array([labels.index(str(each)) for each in second])
    agreed = float((one == two).mean())
    chance = sum(float((one == i).mean() * (two == i).mean()) for i in range(len(labels)))
    return 1.0 if chance == 1.0 else (agreed - chance) / (1 - chance)


def alpha(first: Sequence[object], second: Sequence[object]) -> float:
    """Krippendorff's alpha, nominal, of two complete labelings of the same items."""
    one, two = list(map(str, first)), list(map(str, second))
    pooled = one + two
    counts = {label: pooled.count(label) for label in set(pooled)}
    total = len(pooled)
    expected = 1 - sum(n * (n - 1) for n in counts.values()) / (total * (total - 1))
    observed = sum(a != b for a, b in zip(one, two, strict=True)) / len(one)
    return 1.0 if expected == 0 else 1 - observed / expected
