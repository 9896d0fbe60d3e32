"""Figures as a table in Markdown, and pages that hold one."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["brief", "render", "write_into"]

Row = Mapping[str, Any]


def _percent(value: float) -> str:
    return f"{100 * value:.1f}%"


def _milliseconds(value: float) -> str:
    return f"{1000 * value:.0f} ms"


_COLUMNS: Sequence[tuple[str, str, Callable[[Any], str]]] = (
    ("WER", "word_errors", _percent),
    ("cpWER", "speaker_word_errors", _percent),
    ("WDER", "speaker_errors", _percent),
    ("role errors", "role_errors", _percent),
    ("DER", "der", _percent),
    ("DER, collar 0.25 s", "der_collar", _percent),
    ("number of speakers right", "speakers_right", lambda pair: f"{pair[0]} of {pair[1]}"),
    ("invented words a minute", "invented", lambda value: f"{value:.1f}"),
    ("speech without words", "uncovered", _percent),
    ("word times off, median", "time_error_median", _milliseconds),
    ("90%", "time_error_p90", _milliseconds),
    ("x real time", "times_real_time", lambda value: f"{value:.1f}"),
    ("time of first", "of_first", lambda value: f"{value:.2f}"),
    ("CPU s a minute", "cpu_seconds_a_minute", lambda value: f"{value:.1f}"),
    ("peak MB", "peak_mb", str),
)


def render(result: Row) -> str:
    """The summary's table, and under it what it was measured with."""
    rows = result["summary"]
    columns = [column for column in _COLUMNS if any(column[1] in row for row in rows)]
    titles = ["recordings", "system", *(title for title, _, _ in columns)]
    lines = [_line(titles), _line(["---", "---", *("--:" for _ in columns)])]
    group = ""
    for row in rows:
        same, group = row["group"] == group, row["group"]
        size = f"{group} ({row['recordings']}, {row['minutes']} min)"
        cells = [show(row[name]) if row.get(name) is not None else "" for _, name, show in columns]
        lines.append(_line(["" if same else size, f"`{row['system']}`", *cells]))
    return "\n".join([*lines, "", _conditions(result)])


def brief(recording: Row) -> str:
    """One recording's figures in one line, for the impatient."""
    parts = []
    for name, each in recording["systems"].items():
        speed = recording["duration"] / sorted(each["seconds"])[len(each["seconds"]) // 2]
        known = [
            f"{title} {_percent(each[key][0] / each[key][1])}"
            for title, key in (("WER", "word_errors"), ("WDER", "speaker_errors"), ("DER", "der"))
            if key in each
        ]
        parts.append(" ".join([name, *known, f"{speed:.1f}x"]))
    return "; ".join(parts)


def write_into(page: Path, name: str, shown: str) -> None:
    """Put a table between its markers, `<!-- NAME -->` and `<!-- /NAME -->`, on a page.

    Raises:
        ValueError: the page has no such markers.
    """
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    text = page.read_text(encoding="utf-8")
    before, found, rest = text.partition(begin)
    _, ended, after = rest.partition(end)
    if not found or not ended:
        raise ValueError(f"{page} has no markers {begin.strip()} and {end}")
    page.write_text(f"{before}{begin}\n{shown}\n\n{end}{after}", encoding="utf-8")


def _conditions(result: Row) -> str:
    machine = result["machine"]
    loads = sorted(each["load"] for each in result["recordings"].values())
    versions = ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
    instructions = ", ".join(machine["instructions"])
    return (
        f"Medians of {result['runs']} runs in turn, {result['threads']} threads on "
        f"{machine['cpu']} ({machine['cores']} cores, {instructions}); load before a recording "
        f"{loads[0]} to {loads[-1]}. Python {machine['python']}, {versions}."
    )


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
