"""Write what Grafana and the Prometheus Operator read: `python tools/write_monitoring.py`.

Dashboards are described in `grafana/dashboards.yml` and written as Grafana's JSON; the recording
and alert rules are put into the operator's PrometheusRule. A test compares the committed files.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

__all__ = ["files"]

_COMPONENTS = Path(__file__).parents[1] / "k8s/components"
_MONITORING = _COMPONENTS / "monitoring"
_COLUMNS = 24  # of Grafana's grid
_SOURCE = {"type": "prometheus", "uid": "prometheus"}


def files() -> Iterator[tuple[Path, str]]:
    """Every file to write, with its text."""
    dashboards = yaml.safe_load((_MONITORING / "grafana/dashboards.yml").read_text("utf-8"))
    for name, page in dashboards.items():
        path = _MONITORING / f"grafana/dashboards/{name}.json"
        yield path, json.dumps(_dashboard(name, page), indent=1) + "\n"
    head = "# Written by tools/write_monitoring.py from components/monitoring/prometheus/rules.\n"
    rule = yaml.safe_dump(_prometheus_rule(), sort_keys=False, width=10_000)
    yield _COMPONENTS / "prometheus-operator/prometheusrule.yaml", head + rule


def _prometheus_rule() -> dict[str, Any]:
    sources = sorted((_MONITORING / "prometheus/rules").glob("*.yml"))
    parts = [yaml.safe_load(path.read_text("utf-8")) for path in sources]
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "callscope"},
        "spec": {"groups": [group for part in parts for group in part["groups"]]},
    }


def _dashboard(name: str, page: Mapping[str, Any]) -> dict[str, Any]:
    boxes = [
        {"type": "textbox", "name": variable, "query": value, "current": {"value": value}}
        for variable, value in page.get("variables", {}).items()
    ]
    return {
        "uid": f"callscope-{name}",
        "title": page["title"],
        "tags": ["callscope"],
        "editable": False,
        "schemaVersion": 41,
        "time": {"from": "now-6h", "to": "now"},
        "refresh": "30s",
        "templating": {"list": boxes},
        "links": [
            {"type": "dashboards", "tags": ["callscope"], "title": "Callscope", "asDropdown": True}
        ],
        "panels": list(_panels(page["rows"])),
    }


def _panels(rows: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Rows from top to bottom, panels from left to right, each with its place in the grid."""
    number = top = 0
    for title, panels in rows.items():
        number += 1
        place = {"x": 0, "y": top, "w": _COLUMNS, "h": 1}
        yield {"id": number, "type": "row", "title": title, "gridPos": place, "panels": []}
        left, top, tallest = 0, top + 1, 0
        for panel in panels:
            width, height = panel.get("width", 8), 5 if panel.get("kind") == "stat" else 8
            if left + width > _COLUMNS:
                left, top, tallest = 0, top + tallest, 0
            number += 1
            place = {"x": left, "y": top, "w": width, "h": height}
            yield {"id": number, "gridPos": place, **_panel(panel)}
            left, tallest = left + width, max(tallest, height)
        top += tallest


def _panel(panel: Mapping[str, Any]) -> dict[str, Any]:
    kind = panel.get("kind", "timeseries")
    targets = [
        {
            "refId": chr(ord("A") + number),
            "datasource": _SOURCE,
            "expr": query,
            "legendFormat": legend or "__auto",
            "instant": kind != "timeseries",
            "range": kind == "timeseries",
            "format": "table" if kind == "table" else "time_series",
        }
        for number, (legend, query) in enumerate(panel["queries"].items())
    ]
    return {
        "type": kind,
        "title": panel["title"],
        "description": panel.get("help", ""),
        "datasource": _SOURCE,
        "fieldConfig": {"defaults": {"unit": panel.get("unit", "short")}, "overrides": []},
        "targets": targets,
    }


def main() -> None:
    """Write all files."""
    for path, text in files():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
