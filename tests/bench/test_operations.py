"""What the pages say about load, restarts and capacity is what was measured."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.drill_page import page

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "bench/results"


def results(name: str) -> Any:
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def words(page: str) -> str:
    """A page's text without its line breaks."""
    return " ".join((ROOT / "docs" / page).read_text(encoding="utf-8").split())


def test_rolling_restarts_lost_nothing_and_the_page_says_so() -> None:
    found = results("rolling")
    assert found["errors"] == []
    assert found["done"] == found["accepted"]
    said = (
        f"restarted in turn, {found['restarts']} times",
        f"{found['accepted']} recordings taken in, {found['done']} done, no error at the client",
        f"the slowest upload took {found['slowest_upload_seconds']:.1f} s",
    )
    for each in said:
        assert each in words("operations.md")


@pytest.mark.parametrize("row", results("capacity")["nodes"], ids=lambda row: row["nodes"])
def test_the_table_of_nodes_is_the_simulations(row: Any) -> None:
    pods = row["pods"]
    cells = (
        f"{row['nodes']:,}",
        f"{pods['transcribe']:,} / {pods['diarize']:,} / {pods['score']:,} / {pods['gateway']:,}",
        f"{row['calls_a_second']:.1f}",
        f"{row['audio_hours_a_day']:,}",
        f"{row['p99_seconds']:.0f}",
        row["bottleneck"],
    )
    assert f"| {' | '.join(cells)} |" in words("capacity.md")


@pytest.mark.parametrize("phase", results("load")["phases"], ids=lambda phase: phase["rate"])
def test_the_table_of_load_is_what_was_measured(phase: Any) -> None:
    record = phase["record_seconds"]
    cells = (
        f"{phase['rate']}",
        f"{phase['accepted']} / {phase['done']} / {sum(phase['errors'].values())}",
        f"{phase['upload_seconds']['p99']:.2f}",
        f"{record['p50']:.0f} / {record['p95']:.0f} / {record['p99']:.0f}",
        f"{max(phase['open_calls_every_5_s'])}",
        f"{phase['audio_hours_a_day']:.0f}",
        f"{phase['work']['cores_busy']}",
    )
    assert f"| {' | '.join(cells)} |" in words("capacity.md")


def test_the_formulas_figures_are_measured_ones() -> None:
    page = words("capacity.md")
    spent = results("load")["phases"][-1]["work"]["cpu_seconds_an_audio_hour"]
    for name, seconds in spent.items():
        assert f"| {name} | {seconds:.0f} |" in page
    assert f"**{results('capacity')['audio_hours_a_day_and_core']} audio hours a day**" in page
    database = results("database")
    for figure in ("commits_a_call", "small_transactions_a_second", "calls_a_second"):
        assert f"{database[figure]:,.0f}" in page


def test_the_drills_page_is_what_was_seen() -> None:
    assert (ROOT / "docs/drill.md").read_text(encoding="utf-8") == page()


def test_no_fault_lost_a_call_and_most_were_noticed() -> None:
    faults = results("drill")["faults"]
    assert {seen["call"] for seen in faults.values()} == {"done"}
    assert [name for name, seen in faults.items() if not seen["alerts"]] == ["slow_network"]
