"""Measures against values worked out by hand."""

import numpy as np
import numpy.typing as npt
import pytest

from training import metrics


def test_f1_counts_both_kinds_of_error() -> None:
    figures = metrics.f1([True, True, True, False], [True, False, False, True])
    assert figures["precision"] == pytest.approx(1 / 2)
    assert figures["recall"] == pytest.approx(1 / 3)
    assert figures["f1"] == pytest.approx(2 / 5)


def test_macro_f1_weighs_classes_alike() -> None:
    assert metrics.macro_f1([0, 0, 0, 1], [0, 0, 0, 0]) == pytest.approx((6 / 7 + 0) / 2)


def test_right_probabilities_of_few_items_have_an_error_by_chance() -> None:
    few, high = metrics.calibration_by_chance([0.5] * 40)
    assert few == pytest.approx(0.063, abs=0.005)  # the mean deviation of a share of 40
    assert high > few > metrics.calibration_by_chance([0.5] * 4000)[0]


def test_calibration_error_is_the_gap_between_said_and_true() -> None:
    assert metrics.calibration_error([1, 1, 1, 0], [0.75] * 4) == pytest.approx(0.0)
    assert metrics.calibration_error([1, 0], [0.95, 0.95]) == pytest.approx(0.45)


def test_kappa_and_alpha_take_chance_agreement_off() -> None:
    first, second = [1, 1, 0, 0], [1, 0, 0, 0]
    assert metrics.kappa(first, second) == pytest.approx(0.5)
    assert metrics.alpha(first, second) == pytest.approx(1 - 0.25 / (30 / 56))
    assert metrics.kappa(first, first) == metrics.alpha(first, first) == 1.0


def test_an_interval_holds_the_measure_of_all_rows() -> None:
    values = np.array([0.0, 1.0] * 50)
    low, high = metrics.interval(lambda rows: float(values[rows].mean()), len(values))
    assert 0.35 < low < 0.5 < high < 0.65


def test_rows_of_a_group_are_drawn_together() -> None:
    values = np.array([0.0] * 50 + [1.0] * 50)
    groups = [str(place // 25) for place in range(100)]  # four, each all 0 or all 1

    def mean(rows: npt.NDArray[np.int64]) -> float:
        return float(values[rows].mean())

    low, high = metrics.interval(mean, len(values), groups=groups)
    assert (low, high) == (0.0, 1.0)
    assert metrics.interval(mean, len(values))[0] > 0.35
