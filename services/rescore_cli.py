"""`callscope rescore` and `callscope diff`: calls judged again, and what that changed."""

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from callscope.errors import EXIT_SERVICE_FAILED
from services.gateway_client import ClientSettings, GatewayClient
from services.report import clock
from services.rubric_files import rubric_source

__all__ = ["diff", "rescore"]

_POLL = 0.5  # seconds
_gateway = click.option("--gateway", metavar="URL", help="Default: CALLSCOPE_CLIENT_GATEWAY.")


@click.command()
@click.argument("call_ids", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All finished calls, or those of --where.")
@click.option(
    "--where",
    "filters",
    metavar="NAME=VALUE",
    multiple=True,
    help="With --all: a filter of GET /v1/calls, such as queue=billing; repeatable.",
)
@click.option("--rubric", metavar="NAME|FILE", help="A rubric's name or YAML file; else their own.")
@click.option(
    "--source",
    type=click.Choice(["transcript", "audio"]),
    default="transcript",
    show_default=True,
    help="Judge the words that are kept, or listen once more.",
)
@click.option("--model", help="Transcription model, with --source audio.")
@click.option("--no-wait", is_flag=True, help="Print the order's id, and leave.")
@_gateway
def rescore(
    call_ids: Sequence[str],
    everything: bool,
    filters: Sequence[str],
    gateway: str | None,
    no_wait: bool,
    **order: str | None,
) -> None:
    """Have the calls named judged again, or --all; each gets a new version of its record."""
    if bool(call_ids) == everything:
        raise click.UsageError("name calls, or give --all")
    if filters and not everything:
        raise click.UsageError("--where goes with --all")
    client = _client(gateway)
    body = _order(order["rubric"], order["source"], order["model"])
    if everything:
        placed = [client.ask("POST", "/v1/rescorings", {**body, "calls": _filters(filters)})]
    else:
        placed = [client.ask("POST", f"/v1/calls/{each}/rescore", body) for each in call_ids]
    if no_wait:
        for each in placed:
            click.echo(each["id"])
        return
    ended = _followed(client, placed)
    failures = [failure for each in ended for failure in each["failures"]]
    failed = sum(each["failed"] for each in ended)
    click.echo(f"{sum(each['done'] for each in ended)} judged again, {failed} failed")
    for failure in failures:
        problem = failure["problem"]
        click.echo(f"{failure['call_id']}: {problem['message']}. {problem['remedy']}", err=True)
    if failed:
        sys.exit(EXIT_SERVICE_FAILED)


@click.command()
@click.argument("call_id")
@click.option("--before", type=click.IntRange(min=1), help="Version; else the one before.")
@click.option("--after", type=click.IntRange(min=1), help="Version; else the newest.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole difference as JSON.")
@_gateway
def diff(
    call_id: str, before: int | None, after: int | None, as_json: bool, gateway: str | None
) -> None:
    """Show what a version of a call's record says otherwise than the one before, and why."""
    wanted = {"before": before, "after": after}
    query = {name: str(number) for name, number in wanted.items() if number is not None}
    found = _client(gateway).ask("GET", f"/v1/calls/{call_id}/diff", query=query)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        _show(found, Console(highlight=False))


def _client(gateway: str | None) -> GatewayClient:
    return GatewayClient(ClientSettings.load(**({} if gateway is None else {"gateway": gateway})))


def _order(rubric: str | None, source: str | None, model: str | None) -> dict[str, Any]:
    body: dict[str, Any] = {"source": source}
    if model is not None:
        body["transcribe_model"] = model
    if rubric is None:
        return body
    named = rubric_source(rubric)
    if named.yaml is None:
        return {**body, "rubric": named.name}
    return {**body, "rubric_yaml": named.yaml}


def _filters(filters: Iterable[str]) -> dict[str, str]:
    pairs = [each.partition("=") for each in filters]
    wrong = next((name for name, equals, _ in pairs if not name or not equals), None)
    if wrong is not None:
        raise click.UsageError(f"--where {wrong}: write NAME=VALUE, such as queue=billing")
    return {name: value for name, _, value in pairs}


def _followed(client: GatewayClient, orders: Sequence[Mapping[str, Any]]) -> list[Any]:
    """The orders as they ended, with a bar meanwhile."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    ended = []
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        for each in orders:
            order: Mapping[str, Any] = each
            task = progress.add_task("judging", total=order["calls"])
            while order["status"] == "running":
                time.sleep(_POLL)
                order = client.ask("GET", f"/v1/rescorings/{order['id']}")
                progress.update(task, completed=order["done"] + order["failed"])
            ended.append(order)
    return ended


def _show(found: Mapping[str, Any], console: Console) -> None:
    overall = [_score(found[name]["score"]) for name in ("overall_before", "overall_after")]
    console.print(f"Overall {overall[0]} → {overall[1]}")
    changes = [*_changes(found["behaviors"], _behavior)]
    changes += _changes(found["disclosures"], _disclosure)
    for line, details in changes:
        console.print(line, markup=False)
        for detail in details:
            console.print(f"  {detail}", style="dim", markup=False)
    weights = [*_weights(found["behaviors"])]
    if weights:
        console.print(f"Weights: {', '.join(weights)}", markup=False)
    for sign, name in (("+", "review_reasons_gained"), ("-", "review_reasons_lost")):
        for reason in found[name]:
            console.print(f"{sign} {reason}", markup=False)
    if not changes:
        console.print("No behavior and no disclosure is judged otherwise.")


def _changes(
    each_of: Iterable[Mapping[str, Any]], shown: Callable[[Mapping[str, Any] | None], str]
) -> Iterator[tuple[str, list[str]]]:
    """A line for what is judged otherwise, and why; what is only weighed otherwise is left out."""
    for each in each_of:
        before, after = shown(each["before"]), shown(each["after"])
        if before != after:
            yield f"{each['title']}: {before} → {after}", each["reasons"]
        elif each["gained"] or each["lost"]:
            signs = [("+", evidence) for evidence in each["gained"]]
            signs += [("-", evidence) for evidence in each["lost"]]
            details = [f"{sign} {_place(evidence)}" for sign, evidence in signs]
            yield f"{each['title']}: {after}, on other evidence", details


def _place(evidence: Mapping[str, Any]) -> str:
    """What it is evidence of, and when; without times, what was said."""
    label, start = evidence["label"].replace("_", " "), evidence["start"]
    return f"{label} “{evidence['quote']}”" if start is None else f"{label} at {clock(start)}"


def _weights(behaviors: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for each in behaviors:
        if each["before"] and each["after"]:
            was, now = each["before"]["weight"], each["after"]["weight"]
            if was != now:
                yield f"{each['title']} {was:g} → {now:g}"


def _score(score: float | None) -> str:
    return "none" if score is None else f"{score:.1f}"


def _behavior(verdict: Mapping[str, Any] | None) -> str:
    return "not judged" if verdict is None else f"{verdict['outcome']} {_score(verdict['score'])}"


def _disclosure(verdict: Mapping[str, Any] | None) -> str:
    if verdict is None:
        return "not checked"
    coverage = "" if verdict["coverage"] is None else f" {verdict['coverage']:.0%}"
    return f"{verdict['status']}{coverage}{', late' if verdict['on_time'] is False else ''}"
