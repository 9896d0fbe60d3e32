"""Probabilities and their log-odds."""

from math import exp, log

__all__ = ["log_odds", "logistic", "moved"]


def logistic(log_odds: float) -> float:
    """The probability of which these are the log-odds."""
    return 1 / (1 + exp(-log_odds))


def log_odds(probability: float, least: float, most: float) -> float:
    """Of a probability that is kept between two bounds, since certainty has none."""
    bounded = min(max(probability, least), most)
    return log(bounded / (1 - bounded))


def moved(probability: float, line: float) -> float:
    """The probability of which one half is at `line`: odds are divided by those of the line."""
    for_it, against = probability * (1 - line), line * (1 - probability)
    return for_it / (for_it + against)
