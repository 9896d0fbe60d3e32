"""Exports, written a batch at a time in every form."""

import csv
import io
import json
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pyarrow.parquet as pq
import pytest

from callscope import dialogue
from callscope.pipeline import assemble
from callscope.types import (
    BehaviorScore,
    CallRecord,
    DisclosureResult,
    DisclosureStatus,
    Outcome,
    Recording,
)
from services.gateway.exports.render import COLUMNS, Exported, ExportFormat, render, rows
from tests.gateway.engines import DIARIZATION, TRANSCRIPT, scorecard

MADE = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)


def made(number: int = 0, **facts: str) -> Exported:
    talk = dialogue.build(TRANSCRIPT, DIARIZATION, TRANSCRIPT.duration, 0)
    recording = Recording(
        f"call-{number}", None, "ab" * 32, 2.0, 8000, 2, "pcm_s16le", metadata=facts
    )
    card = replace(
        scorecard("general"),
        behaviors=(
            BehaviorScore(
                "discovery", "Finds out", Outcome.PARTIAL, 62.5, 0.8, 1.0, (), "Asked once."
            ),
            BehaviorScore(
                "rapport", "Rapport", Outcome.NOT_ASSESSABLE, None, 0.9, 1.0, (), "Too short."
            ),
        ),
        disclosures=(
            DisclosureResult(
                disclosure="recording",
                title="Recording",
                status=DisclosureStatus.PARTIAL,
                coverage=0.5,
                missing_elements=("purpose", "consent"),
                start=0.1,
                end=0.5,
                on_time=True,
                words_per_minute=180.0,
                confidence=0.7,
                evidence=(),
                explanation="Half of it.",
            ),
        ),
    )
    record = assemble(recording, TRANSCRIPT, DIARIZATION, talk, card)
    return Exported(f"call-{number}", f"pbx-{number}", MADE, record)


def exported(form: ExportFormat, batches: Sequence[Sequence[Exported]]) -> bytes:
    return b"".join(render(form, batches))


def test_jsonl_has_a_record_a_line() -> None:
    first, second = exported(ExportFormat.JSONL, [[made(0)], [made(1)]]).splitlines()
    assert json.loads(first)["record"]["recording"]["id"] == "call-0"
    assert json.loads(second)["external_id"] == "pbx-1"


def test_csv_has_a_row_for_each_call_and_judgement() -> None:
    text = exported(ExportFormat.CSV, [[made(0, agent="a-17")], [made(1)]]).decode()
    table = list(csv.DictReader(io.StringIO(text)))
    assert list(table[0]) == list(COLUMNS)
    assert [(row["call_id"], row["kind"], row["id"]) for row in table[:4]] == [
        ("call-0", "behavior", "discovery"),
        ("call-0", "behavior", "rapport"),
        ("call-0", "disclosure", "recording"),
        ("call-1", "behavior", "discovery"),
    ]
    assert table[0]["agent"] == "a-17"
    assert (table[1]["outcome"], table[1]["score"]) == ("not_assessable", "")
    assert (table[2]["score"], table[2]["on_time"]) == ("50.0", "true")
    assert table[2]["missing_elements"] == "purpose; consent"


@pytest.mark.parametrize(
    ("fact", "cell"),
    [
        ('=HYPERLINK("http://x")', '\'=HYPERLINK("http://x")'),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-2+3+cmd|' /C calc'!A0", "'-2+3+cmd|' /C calc'!A0"),
        ("+49 30 1234-56", "+49 30 1234-56"),
        ("billing", "billing"),
    ],
)
def test_no_fact_becomes_a_formula_in_a_spreadsheet(fact: str, cell: str) -> None:
    text = exported(ExportFormat.CSV, [[made(agent=fact)]]).decode()
    assert next(csv.DictReader(io.StringIO(text)))["agent"] == cell


def test_parquet_has_the_same_table_with_types() -> None:
    batches = [[made(0, queue="billing")], [made(1)]]
    table = pq.read_table(io.BytesIO(exported(ExportFormat.PARQUET, batches))).to_pylist()
    expected: list[dict[str, Any]] = [
        {name: row.get(name) for name in COLUMNS} for batch in batches for row in rows(batch[0])
    ]
    assert table == expected
    assert table[0]["made_at"] == MADE


@pytest.mark.parametrize("form", ExportFormat)
def test_an_export_of_nothing_is_a_valid_file(form: ExportFormat) -> None:
    content = exported(form, [])
    if form is ExportFormat.PARQUET:
        assert pq.read_table(io.BytesIO(content)).num_rows == 0
    elif form is ExportFormat.CSV:
        assert content.decode().strip().split(",") == list(COLUMNS)
    else:
        assert content == b""


@pytest.mark.parametrize("form", [ExportFormat.JSONL, ExportFormat.CSV])
def test_memory_does_not_grow_with_the_number_of_calls(form: ExportFormat) -> None:
    batch = [made(number) for number in range(20)]

    def peak(count: int) -> int:
        def batches() -> Iterator[Sequence[Exported]]:
            for _ in range(count):
                yield batch

        tracemalloc.start()
        for _ in render(form, batches()):
            pass
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(1)
    assert peak(30) < 1.5 * peak(2)


def test_a_record_that_judged_nothing_still_has_a_row() -> None:
    item = made()
    bare: CallRecord = replace(item.record, behaviors=(), disclosures=())
    (row,) = rows(replace(item, record=bare))
    assert "kind" not in row
    assert row["call_id"] == "call-0"
