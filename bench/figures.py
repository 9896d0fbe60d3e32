"""Figures of one recording by one system, and of many together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from statistics import median, quantiles
from typing import Any

from bench import measures
from bench.measures import Share
from bench.references import Account
from bench.trials import Run

__all__ = ["Figures", "figures", "summary"]

Figures = dict[str, Any]
"""As kept in JSON. Counts stay counts, so that recordings can be added up."""

SHARES = (
    "word_errors", "speaker_word_errors", "speaker_errors", "role_errors", "parties_wrong",
    "der", "der_collar", "invented", "uncovered",
)  # fmt: skip
"""Measures that are so much of so much."""


def figures(truth: Account, runs: Sequence[Run], duration: float) -> Figures:
    """All that can be said of a system's runs on one recording."""
    heard = runs[0].account
    shares: dict[str, Share | None] = {
        "word_errors": measures.word_errors(truth, heard),
        "speaker_word_errors": measures.speaker_word_errors(truth, heard),
        "speaker_errors": measures.speaker_errors(truth, heard),
        "role_errors": measures.role_errors(truth, heard),
        "parties_wrong": measures.parties(truth, heard),
        "der": measures.der(truth, heard, duration, collar=0.0),
        "der_collar": measures.der(truth, heard, duration, collar=0.25),
        "invented": measures.invented(truth, heard, duration),
        "uncovered": measures.uncovered(truth, heard),
    }
    found: Figures = {
        name: [round(share.part, 3), round(share.whole, 3)]
        for name, share in shares.items()
        if share is not None and share.whole > 0
    }
    if (count := measures.speakers(truth, heard)) is not None:
        found["speakers"] = asdict(count)
    if errors := measures.time_errors(truth, heard):
        found["time_errors"] = {
            "median": round(median(errors), 3),
            "p90": round(quantiles(errors, n=10)[-1], 3),
        }
    return found | {
        "repeats": all(run.account == heard for run in runs),
        "seconds": [round(run.seconds, 2) for run in runs],
        "cpu_seconds": round(median(run.cpu_seconds for run in runs), 2),
        "peak_mb": round(max(run.peak_mb for run in runs)),
    }


def summary(recordings: Mapping[str, Figures]) -> list[Figures]:
    """Figures by group (top folder and number of channels) and system, and of all together."""
    groups: dict[str, list[Figures]] = {}
    for id_, each in recordings.items():
        name = id_.split("/")[0]
        kind = "one channel" if each["channels"] == 1 else "two channels"
        groups.setdefault(f"{name}, {kind}", []).append(each)
    return [
        _row(group, system, members)
        for group, members in groups.items()
        for system in members[0]["systems"]
    ]


def _row(group: str, system: str, members: Sequence[Figures]) -> Figures:
    own = [each["systems"][system] for each in members]
    first = [next(iter(each["systems"].values())) for each in members]
    audio = sum(each["duration"] for each in members)
    seconds = _seconds(own)
    row: Figures = {
        "group": group,
        "system": system,
        "recordings": len(members),
        "minutes": round(audio / 60, 1),
        "times_real_time": round(audio / seconds, 1),
        "of_first": round(seconds / _seconds(first), 2),
        "cpu_seconds_a_minute": round(sum(each["cpu_seconds"] for each in own) / audio * 60, 2),
        "peak_mb": max(each["peak_mb"] for each in own),
        "repeats": all(each["repeats"] for each in own),
    }
    for name in SHARES:
        counts = [each[name] for each in own if name in each]
        if counts:
            part, whole = (sum(count[n] for count in counts) for n in (0, 1))
            row[name] = round(part / whole, 4) if whole else None
    counted = [each["speakers"] for each in own if "speakers" in each]
    if counted:
        right = sum(each["true"] == each["found"] for each in counted)
        row["speakers_right"] = [right, len(counted)]
    times = [each["time_errors"] for each in own if "time_errors" in each]
    if times:
        row["time_error_median"] = round(median(each["median"] for each in times), 3)
        row["time_error_p90"] = round(median(each["p90"] for each in times), 3)
    return row


def _seconds(systems: Iterable[Figures]) -> float:
    return float(sum(median(each["seconds"]) for each in systems))
