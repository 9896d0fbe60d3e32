"""Rules and dashboards ask only for metrics that are exported, parse, and have their pages."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY, Metric

import callscope.serving.metrics
import services.gateway.metrics
import services.score.second_opinion
from tests.repo.deployment import ROOT, compose, one_of
from tests.repo.test_manifests import documents, only_container
from tools.write_monitoring import files

MONITORING = ROOT / "k8s/components/monitoring"
RULES = MONITORING / "prometheus/rules"
DASHBOARDS = sorted((MONITORING / "grafana/dashboards").glob("*.json"))
PANEL_VARIABLES = {"$__rate_interval": "5m", "$__range": "6h", "$core_hour": "0.04"}
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}


def groups() -> list[dict[str, Any]]:
    parts = [yaml.safe_load(path.read_text("utf-8")) for path in sorted(RULES.glob("*.yml"))]
    return [group for part in parts for group in part["groups"]]


RULE_LIST = [rule for group in groups() for rule in group["rules"]]
ALERTS = [rule for rule in RULE_LIST if "alert" in rule]


def panel_queries() -> Iterator[str]:
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text("utf-8"))["panels"]:
            for target in panel.get("targets", ()):
                query = target["expr"]
                for name, value in PANEL_VARIABLES.items():
                    query = query.replace(name, value)
                yield query


def scaling_queries() -> Iterator[str]:
    for document in documents("production"):
        if document["kind"] == "ScaledObject":
            for trigger in document["spec"]["triggers"]:
                yield trigger["metadata"]["query"]


QUERIES = [*(rule["expr"] for rule in RULE_LIST), *panel_queries(), *scaling_queries()]
# What has no series before it happens, and in a short test does not: a GPU, a second judge, an
# object in an inbound bucket, erasing, failing.
_NOTHING_YET = re.compile("gpu_memory|second_opinions|arrivals|erased|stage_(failures|retries)")
SHOWN = [
    query
    for query in (*panel_queries(), *(rule["record"] for rule in RULE_LIST if "record" in rule))
    if not _NOTHING_YET.search(query)
]
"""What has something to show as soon as a call was analyzed."""


def exported() -> set[str]:
    """The names of all time series that the services export."""
    assert callscope.serving.metrics.INFLIGHT
    assert services.gateway.metrics.CALLS
    assert services.score.second_opinion.OPINIONS
    return {name for metric in REGISTRY.collect() for name in series(metric)}


def series(metric: Metric) -> Iterator[str]:
    for suffix in SUFFIXES.get(metric.type, ()):
        yield metric.name + suffix


def promtool(*arguments: object) -> None:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("needs promtool, of Debian's package prometheus")
    done = subprocess.run(
        [program, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_metric_is_in_the_docs_and_every_one_there_is_exported() -> None:
    names = {
        f"{metric.name}_total" if metric.type == "counter" else metric.name
        for metric in REGISTRY.collect()
        if exported() and metric.name.startswith(("callscope_", "grpc_server_"))
    }
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    rows = "\n".join(re.findall(r"^\| (`(?:callscope|grpc_server)_.*?) \|", page, re.M))
    assert set(re.findall(r"`(\w+)`", rows)) == names


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_asks_only_for_what_is_exported_or_recorded(query: str) -> None:
    recorded = {rule["record"] for rule in RULE_LIST if "record" in rule}
    bare = re.sub(r'"[^"]*"', '""', query)
    asked = set(re.findall(r"\b(?:callscope|grpc_server|process)[a-z_]*(?::[a-z0-9_:]+)?", bare))
    asked.discard("callscope")
    assert asked <= exported() | recorded
    assert asked or "up{" in query


def test_the_objectives_limit_is_a_bucket() -> None:
    limits = [
        s.labels["le"]
        for m in REGISTRY.collect()
        for s in m.samples
        if s.name in ("callscope_call_seconds_bucket", "callscope_call_end_seconds_bucket")
    ]
    asked = set(
        re.findall(r'callscope_call_(?:end_)?seconds_bucket\{.*?le="([^"]*)"', " ".join(QUERIES))
    )
    assert asked == {"600.0"}
    assert asked <= set(limits)


def test_rules_do_what_their_tests_say() -> None:
    promtool("check", "rules", *sorted(RULES.glob("*.yml")))
    promtool("test", "rules", ROOT / "tests/monitoring/alerts_test.yml")


def test_every_query_parses(tmp_path: Path) -> None:
    rules = [{"record": f"query_{number}", "expr": query} for number, query in enumerate(QUERIES)]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": rules}]}))
    promtool("check", "rules", file)


def test_composes_prometheus_reads_its_configuration() -> None:
    promtool("check", "config", MONITORING / "prometheus/compose.yml")


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_has_its_severity_and_its_page(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in ("page", "ticket")
    page = f"docs/runbook/{alert['alert']}.md"
    assert alert["annotations"]["runbook"] == page
    text = (ROOT / page).read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.*)$", text, re.M)
    assert headings == [alert["alert"], "What it means", "Look", "Do"]


def test_every_page_of_the_runbook_has_its_alert() -> None:
    pages = {path.stem for path in (ROOT / "docs/runbook").glob("*.md")} - {"README"}
    assert pages == {alert["alert"] for alert in ALERTS}


def test_every_alert_is_tested() -> None:
    tests = yaml.safe_load((ROOT / "tests/monitoring/alerts_test.yml").read_text("utf-8"))
    fired = {
        check["alertname"]
        for test in tests["tests"]
        for check in test.get("alert_rule_test", ())
        if check["exp_alerts"]
    }
    assert fired == {alert["alert"] for alert in ALERTS}


@pytest.mark.parametrize(("path", "text"), [*files()], ids=lambda value: getattr(value, "name", ""))
def test_written_files_are_up_to_date(path: Path, text: str) -> None:
    assert path.read_text(encoding="utf-8") == text, "run tools/write_monitoring.py"


def provisioned(name: str, kind: str) -> dict[str, Any]:
    """The one entry of a file that Grafana is provisioned with."""
    (entry,) = yaml.safe_load((MONITORING / f"grafana/{name}.yml").read_text("utf-8"))[kind]
    found: dict[str, Any] = entry
    return found


def test_every_panel_asks_the_data_source_that_grafana_is_given() -> None:
    source = provisioned("datasources", "datasources")
    asked = {
        (panel["datasource"]["type"], panel["datasource"]["uid"])
        for path in DASHBOARDS
        for panel in json.loads(path.read_text("utf-8"))["panels"]
        if panel.get("targets")
    }
    assert asked == {(source["type"], source["uid"])}
    (port,) = one_of(documents("local"), "Service", "prometheus")["spec"]["ports"]
    assert source["url"] == f"http://prometheus:{port['port']}"
    assert compose()["services"]["prometheus"]["ports"][0].endswith(f":{port['port']}")


def test_grafana_finds_the_dashboards_where_it_is_told_to_look() -> None:
    folder = provisioned("providers", "providers")["options"]["path"]
    grafana = compose()["services"]["grafana"]
    assert f"./{DASHBOARDS[0].parent.relative_to(ROOT)}:{folder}:ro" in grafana["volumes"]
    container = only_container("local", "grafana")
    assert folder in {each["mountPath"] for each in container["volumeMounts"]}
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home.removeprefix(f"{folder}/") in {path.name for path in DASHBOARDS}
    assert home in {each.get("value") for each in container["env"]}
    uids = [json.loads(path.read_text("utf-8"))["uid"] for path in DASHBOARDS]
    assert len(set(uids)) == len(uids) == 4


def test_panels_do_not_overlap() -> None:
    for path in DASHBOARDS:
        taken: set[tuple[int, int]] = set()
        for panel in json.loads(path.read_text("utf-8"))["panels"]:
            place = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert not cells & taken
            assert max(x for x, _ in cells) < 24
            taken |= cells
