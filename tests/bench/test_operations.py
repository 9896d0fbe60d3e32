"""What the pages say about load, restarts and capacity is what was measured."""

import json
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from bench.drill_page import page

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "bench/results"
STAGES = ("transcribe", "diarize", "score")


def results(name: str) -> Any:
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def words(page: str) -> str:
    """A page's text without its line breaks."""
    return " ".join((ROOT / "docs" / page).read_text(encoding="utf-8").split())


def soak() -> Any:
    """The phase of the load test that saw most calls."""
    return max(results("load")["phases"], key=lambda phase: phase["done"])


def row(*cells: object) -> str:
    """A line of a table."""
    return f"| {' | '.join(map(str, cells))} |"


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


@pytest.mark.parametrize("found", results("capacity")["nodes"], ids=lambda found: found["nodes"])
def test_the_table_of_nodes_is_the_simulations(found: Any) -> None:
    assert row(
        f"{found['nodes']:,}",
        " / ".join(f"{found['pods'][name]:,}" for name in (*STAGES, "gateway")),
        f"{found['calls_a_second']:.1f}",
        f"{found['audio_hours_a_day']:,}",
        f"{found['p99_seconds']:.0f}",
        found["bottleneck"],
    ) in words("capacity.md")


@pytest.mark.parametrize("phase", results("load")["phases"], ids=lambda phase: phase["rate"])
def test_the_table_of_load_is_what_was_measured(phase: Any) -> None:
    record = phase["record_seconds"]
    assert phase["complete"]
    assert row(
        f"{phase['rate']} for {phase['sent_for_seconds']:.0f} s",
        f"{phase['accepted']} / {phase['done']} / {sum(phase['errors'].values())}",
        f"{phase['upload_seconds']['p99']:.2f}",
        f"{record['p50']:.0f} / {record['p95']:.0f} / {record['p99']:.0f}",
        max(phase["open_calls_every_5_s"]),
        f"{phase['audio_hours_a_day']:.0f}",
        phase["work"]["cores_busy"],
    ) in words("capacity.md")


def test_what_the_soak_says_of_memory_is_what_was_measured() -> None:
    for name, samples in soak()["memory_mib_every_15_s"].items():
        half = len(samples) // 2
        middle, end = (round(median(part)) for part in (samples[:half], samples[half:]))
        assert row(name, middle, end, max(samples)) in words("capacity.md")


def test_no_probe_failed_in_two_hours_and_the_page_says_so() -> None:
    found = results("probes")
    probes = [probe for each in found["probes"].values() for probe in each.values()]
    assert not any(probe["would_act"] for probe in probes)
    slowest = max(probes, key=lambda probe: probe["answer_seconds"]["slowest"])
    said = (
        f"with a load of {found['machine']['load']:.0f}",
        f"Of {sum(p['asked'] for p in probes):,}, {sum(p['failed'] for p in probes)} failed",
        f"took {slowest['answer_seconds']['slowest']:.1f} s of {slowest['timeout_seconds']} (",
    )
    for each in said:
        assert each in words("kubernetes.md")


@pytest.mark.parametrize("calls", [100_000, 1_000_000])
def test_what_a_look_at_the_queue_costs_is_what_was_measured(calls: int) -> None:
    found = [results("backlog")[name][str(calls)] for name in ("sqlite", "postgresql")]
    looks = [each["look_milliseconds"] for each in found]
    cells = (f"{look['p50']:.1f} / {look['p95']:.1f}" for look in looks)
    assert row(f"{calls:,}", *cells) in words("operations.md")
    assert all(each["scrape_milliseconds"]["slowest"] < 1000 for each in found)  # of 10 s


def test_the_formulas_figures_are_measured_ones() -> None:
    page = words("capacity.md")
    spent = soak()["work"]["cpu_seconds_an_audio_hour"]
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
