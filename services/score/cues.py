"""What the probability of a cue is worth where more, or less, is asked of it than one half."""

__all__ = ["moved"]


def moved(probability: float, line: float) -> float:
    """The probability of which one half is at `line`: odds are divided by those of the line."""
    for_it, against = probability * (1 - line), line * (1 - probability)
    return for_it / (for_it + against)
