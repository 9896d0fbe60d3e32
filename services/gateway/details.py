"""A table of call details: a CSV with a row for each recording, found by a key column."""

import csv
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Self

from callscope.errors import InvalidInput
from services.gateway.facts import Said, Source

__all__ = ["Details", "DetailsFolder"]

_DELIMITERS = ",;\t|"
_LONGEST = 300  # characters of a note
_Row = Mapping[str, str]
_State = tuple[int, int, int]
"""Of a file: when it was written, its size, its inode."""


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


class DetailsFolder:
    """A table for each tenant, `<tenant>.csv`, read anew when it has changed. Thread-safe.

    Args:
        folder: where the tables are.
        key: the column that names recordings.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self._folder = folder
        self._key = key
        self._lock = threading.Lock()
        self._read: dict[str, tuple[_State, Details | str]] = {}

    def of(self, tenant: str, name: str) -> Said | None:
        """What the tenant's table says of the recording of that name; None without a table."""
        path = self._folder / f"{tenant}.csv"  # tenants' names are safe in paths
        try:
            found = path.stat()
        except OSError:
            return None
        state = (found.st_mtime_ns, found.st_size, found.st_ino)
        with self._lock:
            if tenant not in self._read or self._read[tenant][0] != state:
                self._read[tenant] = (state, self._load(path))
            table = self._read[tenant][1]
        return Said.unreadable(Source.DETAILS, table) if isinstance(table, str) else table.of(name)

    def _load(self, path: Path) -> Details | str:
        """The table, or why there is none: that never costs a recording."""
        try:
            return Details.load(path, self._key)
        except InvalidInput as error:
            return error.message.replace(f"{path}", path.name)[:_LONGEST]


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
