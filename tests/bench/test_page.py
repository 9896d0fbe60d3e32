"""The documentation's tables are what the results give."""

import json
from pathlib import Path

import pytest

from bench import page


def test_the_tables_in_the_docs_are_what_their_results_give() -> None:
    committed = page.PAGE.read_text(encoding="utf-8")
    assert "<!-- diarize -->" in committed
    assert page.written(committed, page.RESULTS) == committed


def test_a_table_replaces_what_stood_between_its_markers(tmp_path: Path) -> None:
    lengths = {"cpu_seconds": 10.0, "peak_mb": 900}
    machine = {"cpu": "a CPU", "load": 0.1}
    result = {"short": 300, "long": 7200, "threads": 2, "machine": machine}
    result["systems"] = {"stock": {"short": lengths, "long": {**lengths, "cpu_seconds": 480.0}}}
    (tmp_path / "long.json").write_text(json.dumps(result))
    text = "Before\n<!-- long -->\nold\n<!-- /long -->\nAfter\n"
    written = page.written(text, tmp_path)
    assert written.startswith("Before\n<!-- long -->\n\n| system |")
    assert "| `stock` | 120 min | 4.00 | 2.00 | 900 |" in written
    assert written.endswith("\n\n<!-- /long -->\nAfter\n")
    assert page.written(written, tmp_path) == written


def test_a_table_without_results_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.json"):
        page.written("<!-- none -->\n<!-- /none -->\n", tmp_path)
