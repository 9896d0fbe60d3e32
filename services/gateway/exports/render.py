"""Records of a stretch of time in the forms that other systems load: JSONL, CSV and Parquet.

JSONL has a whole record a line. CSV and Parquet have one flat table: a row for each call and each
behavior and disclosure judged in it, the call's own columns repeated. All are written as they are
read, a batch at a time, whatever their length.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

from callscope.errors import Unavailable
from callscope.record import to_dict
from callscope.types import CallRecord, ParticipantMetrics, Role

__all__ = ["COLUMNS", "MEDIA_TYPES", "ExportFormat", "Exported", "Pieces", "render", "rows"]


class ExportFormat(StrEnum):
    """How an export is written."""

    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


MEDIA_TYPES: Mapping[ExportFormat, str] = {
    ExportFormat.JSONL: "application/jsonl",
    ExportFormat.CSV: "text/csv; charset=utf-8",
    ExportFormat.PARQUET: "application/vnd.apache.parquet",
}


@dataclass(frozen=True, slots=True)
class Exported:
    """A call's newest record, and when it was made."""

    call_id: str
    external_id: str | None
    made_at: datetime
    record: CallRecord


Batches: TypeAlias = Iterable[Sequence[Exported]]

Pieces: TypeAlias = Generator[bytes, None, None]
"""A file's bytes as they come; closing it ends the work."""

COLUMNS: Mapping[str, type] = {
    "call_id": str,
    "external_id": str,
    "made_at": datetime,
    "started_at": str,  # as the sender wrote it, with its offset
    "agent": str,
    "customer": str,
    "queue": str,
    "direction": str,
    "metadata": str,  # every fact, as a JSON object
    "duration": float,  # seconds
    "language": str,
    "overall_score": float,  # 0-100
    "auto_fail": str,
    "review_needed": bool,
    "review_reasons": str,
    "agent_talk_share": float,  # 0-1
    "customer_talk_share": float,
    "agent_words_per_minute": float,
    "agent_response_latency": float,  # seconds
    "agent_interruptions": int,
    "customer_interruptions": int,
    "silence_share": float,
    "hold": float,  # seconds
    "overtalk": float,  # seconds
    "rubric": str,
    "rubric_version": str,
    "kind": str,  # behavior or disclosure; null for a call in which nothing was judged
    "id": str,
    "title": str,
    "outcome": str,
    "score": float,  # 0-100; of a disclosure, how much of it was said
    "confidence": float,  # 0-1
    "on_time": bool,
    "missing_elements": str,
    "explanation": str,
}
"""The flat table's columns in order, and what they hold; all may be absent."""

_ROW_GROUP = 10_000  # rows of a Parquet file that are compressed together
_FORMULA = re.compile(r"\s*[=+\-@\t\r]")
_NUMBER = re.compile(r"\+?[\d\s()./-]+")


def render(form: ExportFormat, batches: Batches) -> Pieces:
    """The export's bytes, a piece per batch."""
    return _WRITERS[form](batches)


def rows(item: Exported) -> Iterator[dict[str, Any]]:
    """The rows of one call in the flat table; columns without a value are left out."""
    call = _call_columns(item)
    judged = [*_behaviors(item.record), *_disclosures(item.record)]
    for judgement in judged or [{}]:
        yield call | judgement


def _call_columns(item: Exported) -> dict[str, Any]:
    record = item.record
    facts = record.recording.metadata
    rubric = record.provenance.rubric
    columns = {
        "call_id": item.call_id,
        "external_id": item.external_id,
        "made_at": item.made_at,
        "started_at": record.recording.started_at,
        **{name: facts.get(name) for name in ("agent", "customer", "queue", "direction")},
        "metadata": json.dumps(dict(sorted(facts.items())), ensure_ascii=False),
        "duration": _rounded(record.recording.duration),
        "language": record.language,
        "overall_score": _rounded(record.overall.score),
        "auto_fail": record.overall.auto_fail,
        "review_needed": record.review.needed,
        "review_reasons": "; ".join(record.review.reasons),
        "silence_share": _rounded(record.metrics.silence_share),
        "hold": _rounded(record.metrics.hold),
        "overtalk": _rounded(record.metrics.overtalk),
        "rubric": rubric.id,
        "rubric_version": rubric.version,
    }
    parties = {each.role: each for each in record.metrics.participants}
    return columns | _talk(parties.get(Role.AGENT), parties.get(Role.CUSTOMER))


def _talk(agent: ParticipantMetrics | None, customer: ParticipantMetrics | None) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    if agent is not None:
        columns |= {
            "agent_talk_share": _rounded(agent.talk_share),
            "agent_words_per_minute": _rounded(agent.words_per_minute),
            "agent_response_latency": _rounded(agent.response_latency),
            "agent_interruptions": agent.interruptions,
        }
    if customer is not None:
        columns |= {
            "customer_talk_share": _rounded(customer.talk_share),
            "customer_interruptions": customer.interruptions,
        }
    return columns


def _behaviors(record: CallRecord) -> Iterator[dict[str, Any]]:
    for each in record.behaviors:
        yield {
            "kind": "behavior",
            "id": each.behavior,
            "title": each.title,
            "outcome": each.outcome.value,
            "score": _rounded(each.score),
            "confidence": _rounded(each.confidence),
            "explanation": each.explanation,
        }


def _disclosures(record: CallRecord) -> Iterator[dict[str, Any]]:
    for each in record.disclosures:
        yield {
            "kind": "disclosure",
            "id": each.disclosure,
            "title": each.title,
            "outcome": each.status.value,
            "score": None if each.coverage is None else _rounded(100 * each.coverage),
            "confidence": _rounded(each.confidence),
            "on_time": each.on_time,
            "missing_elements": "; ".join(each.missing_elements),
            "explanation": each.explanation,
        }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _jsonl(batches: Batches) -> Pieces:
    for batch in batches:
        lines = [
            json.dumps(
                {
                    "call_id": item.call_id,
                    "external_id": item.external_id,
                    "made_at": item.made_at.isoformat(),
                    "record": to_dict(item.record),
                },
                ensure_ascii=False,
                allow_nan=False,
            )
            for item in batch
        ]
        yield "".join(f"{line}\n" for line in lines).encode()


def _csv(batches: Batches) -> Pieces:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    for batch in batches:
        for item in batch:
            writer.writerows(
                {name: _cell(value) for name, value in row.items()} for row in rows(item)
            )
        yield _taken(text)
    yield _taken(text)


def _taken(text: io.StringIO) -> bytes:
    written = text.getvalue().encode()
    text.seek(0)
    text.truncate()
    return written


def _cell(value: Any) -> Any:
    """What a cell holds.

    Text that a spreadsheet would run as a formula gets a quote before it, as OWASP advises;
    telephone numbers are left as they are.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str) and _FORMULA.match(value) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value


def _parquet(batches: Batches) -> Pieces:
    try:
        import pyarrow as pa  # 170 MB, and needed here only
        from pyarrow import parquet
    except ImportError:
        raise Unavailable(
            "this gateway cannot write Parquet: pyarrow is not installed",
            remedy="Install callscope[gateway], or export CSV.",
        ) from None
    kinds = {
        str: pa.string(),
        float: pa.float64(),
        int: pa.int64(),
        bool: pa.bool_(),
        datetime: pa.timestamp("us", tz="UTC"),
    }
    schema = pa.schema([(name, kinds[kind]) for name, kind in COLUMNS.items()])
    sink = _Sink()
    with parquet.ParquetWriter(sink, schema, compression="zstd") as writer:
        for group in _groups(batches):
            writer.write_table(pa.Table.from_pylist(group, schema))
            yield sink.taken()
    yield sink.taken()


def _groups(batches: Batches) -> Iterator[list[dict[str, Any]]]:
    group: list[dict[str, Any]] = []
    for batch in batches:
        group += [row for item in batch for row in rows(item)]
        if len(group) >= _ROW_GROUP:
            yield group
            group = []
    if group:
        yield group


class _Sink(io.RawIOBase):
    """A file that only grows, and whose bytes are taken away as they come."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._gone = 0

    def writable(self) -> bool:
        return True

    def write(self, block: Any) -> int:
        self._bytes += block
        return len(block)

    def tell(self) -> int:
        return self._gone + len(self._bytes)

    def taken(self) -> bytes:
        taken = bytes(self._bytes)
        self._gone += len(taken)
        self._bytes.clear()
        return taken


_WRITERS: Mapping[ExportFormat, Callable[[Batches], Pieces]] = {
    ExportFormat.JSONL: _jsonl,
    ExportFormat.CSV: _csv,
    ExportFormat.PARQUET: _parquet,
}
