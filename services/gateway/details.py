"""A table of call details: a CSV with a row for each recording, found by a key column."""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Self

from callscope.errors import InvalidInput
from services.gateway.facts import Said, Source

__all__ = ["Details"]

_DELIMITERS = ",;\t|"
_Row = Mapping[str, str]


class Details:
    """The rows of a table by key: a recording's path, its file's name, or that without its ending.

    Args:
        rows: the facts by key; None where several rows differ.
    """

    def __init__(self, rows: Mapping[str, _Row | None]) -> None:
        self._rows = rows

    @classmethod
    def load(cls, path: Path, key: str) -> Self:
        """Read the file; the columns besides `key` become facts by their names.

        Raises:
            InvalidInput: it cannot be read, or has no column `key`.
        """
        rows: dict[str, _Row | None] = {}
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                for name, row in _read(file.readline(), file, key, path):
                    rows[name] = row if rows.get(name, row) == row else None
        except OSError as error:
            raise InvalidInput(f"cannot read {path}: {error.strerror}") from None
        except (UnicodeDecodeError, csv.Error) as error:
            raise InvalidInput(f"{path} is no CSV in UTF-8: {error}") from None
        return cls(rows)

    def of(self, name: str) -> Said:
        """What the table says of the recording of that name."""
        file = PurePosixPath(name)
        for key in (name, file.name, file.stem):
            if key in self._rows:
                row = self._rows[key]
                if row is None:
                    return Said.unreadable(Source.DETAILS, "several rows that differ")
                return Said(Source.DETAILS, row)
        return Said.unreadable(Source.DETAILS, "no row for this recording")


def _read(head: str, rest: Iterator[str], key: str, path: Path) -> Iterator[tuple[str, _Row]]:
    delimiter = next((each for each in _DELIMITERS if key in _cells(head, each)), None)
    if delimiter is None:
        raise InvalidInput(
            f"{path} has no column {key!r}",
            remedy="Name the column that holds the recordings' names with --key.",
        )
    for row in csv.DictReader(rest, _cells(head, delimiter), delimiter=delimiter):
        # A row with too many cells has some under None, one with too few lacks some.
        facts = {name: text for name, text in row.items() if name and text}
        if name := facts.pop(key, ""):
            yield name, facts


def _cells(line: str, delimiter: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]
