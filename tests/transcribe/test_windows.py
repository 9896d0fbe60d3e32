"""Speech packed into windows: nothing lost, nothing too long, little room left."""

from hypothesis import given
from hypothesis import strategies as st

from services.transcribe.windows import Stretch, Window, pack

LIMIT = 100


def stretches(*lengths: int) -> list[Stretch]:
    """Stretches of these lengths, with a pause of 10 between them."""
    found, at = [], 0
    for length in lengths:
        found.append(Stretch(at, at + length))
        at += length + 10
    return found


def packed(*lengths: int) -> list[list[int]]:
    return [[len(s) for s in window.stretches] for window in pack(0, stretches(*lengths), LIMIT)]


def test_a_long_stretch_does_not_leave_the_window_before_it_half_empty() -> None:
    assert packed(60, 90, 40) == [[60, 40], [90]]


def test_what_follows_goes_back_to_recent_windows_only() -> None:
    assert packed(90, 90, 90, 95, 10) == [[90], [90, 10], [90], [95]]


def test_a_stretch_longer_than_a_window_is_cut_up() -> None:
    assert packed(250, 50) == [[100], [100], [50, 50]]


@given(st.lists(st.integers(1, 250), max_size=30))
def test_each_sample_is_in_one_window_and_time_runs_on_within_it(lengths: list[int]) -> None:
    windows = pack(1, stretches(*lengths), LIMIT)
    heard = sorted(at for w in windows for s in w.stretches for at in range(s.start, s.end))
    assert heard == [at for s in stretches(*lengths) for at in range(s.start, s.end)]
    for window in windows:
        assert 0 < len(window) <= LIMIT
        assert window == Window(1, tuple(sorted(window.stretches)))
