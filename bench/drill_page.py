"""Writes docs/drill.md from what the drill saw: `python -m bench.drill_page`."""

import inspect
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench import drill

__all__ = ["page"]

_RESULTS = Path("bench/results/drill.json")
_PAGE = Path("docs/drill.md")
_HEAD = """\
# Fault drill

What happens when something breaks, as it was seen and not as it should be.
`python -m bench.drill` (as root, with Prometheus installed; about seven minutes) starts the four
services as processes with real models, an S3 server, and a Prometheus with the shipped rules;
then it breaks one thing after the other while a call of 94 seconds is in work. The rules run
{faster} times as fast, or the drill would take a day: an alert that waits for five minutes waits
for five seconds here. Limits on how long calls take (10 minutes) are as they are, so the alerts
of the objective have no part in this. Seconds are of {cores} busy cores.

No fault lost a call: what was accepted before or while something was broken had its record once
it was mended. Figures: [bench/results/drill.json](../bench/results/drill.json), from which this
page is written.
"""
_TITLES = {
    "kill": "A process is killed",
    "pause": "A process hangs",
    "full_disk": "The disk is full",
    "slow_network": "The network is slow",
    "wrong_key_of_a_stage": "A stage has a wrong key for the store",
    "wrong_key_of_the_gateway": "The gateway has a wrong key for the store",
    "damaged_model": "A model's file is damaged",
}
_LESSONS = {
    "kill": "Nothing is to be done for the call: it is tried again until the "
    "service is back, and goes on from there. Recordings go on being "
    "accepted.",
    "pause": "The call waits, and goes on where it was when the process is woken. In "
    "Kubernetes the liveness probe restarts what has hung for two minutes, "
    "and the call is tried again elsewhere.",
    "full_disk": "A recording that does not fit is refused before it is accepted, so its "
    "sender knows and sends it again. Accepted calls lie in the bucket and "
    "the database.",
    "slow_network": "What goes between gateway and services is small: audio travels by its "
    "address, and a slow line costs words on their way back. No alert is "
    "right: the call was done.",
    "wrong_key_of_a_stage": "A store that refuses is treated as one that is away: the call is "
    "tried again for about 17 minutes, time enough to mend a secret. After that "
    "it is a dead letter, which can be retried.",
    "wrong_key_of_the_gateway": "No recording is accepted, and each sender is told why.",
    "damaged_model": "The service refuses to start: a model that is not the one it should be "
    "would give records that nobody could explain. Calls wait for it.",
}


def page() -> str:
    """The page, from the results as they lie there."""
    seen = json.loads(_RESULTS.read_text(encoding="utf-8"))
    head = _HEAD.format(faster=seen["rules_faster"], cores=seen["machine"]["cores"])
    return "\n".join([head, *(_section(name, seen["faults"][name]) for name in drill.FAULTS)])


def _section(name: str, seen: Mapping[str, Any]) -> str:
    what = inspect.getdoc(drill.FAULTS[name]) or ""
    rows = "\n".join(f"| {key} | {value} |" for key, value in _rows(seen))
    return f"## {_TITLES[name]}\n\n{what}\n\n| | |\n|---|---|\n{rows}\n\n{_LESSONS[name]}\n"


def _rows(seen: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if "upload_meanwhile" in seen:
        yield "a recording sent meanwhile", f"answered with {seen['upload_meanwhile']}"
    if "uploads_meanwhile" in seen:
        yield "recordings sent meanwhile", f"answered with {_list(seen['uploads_meanwhile'])}"
    if seen.get("problem"):
        yield "the sender was told", f"{seen['problem']['detail']}. {seen['problem']['remedy']}"
    if "exit_status" in seen:
        yield "the process", f"ended with status {seen['exit_status']}"
    if seen.get("log"):
        yield "its log", f"`{seen['log']}`"
    if "call_meanwhile" in seen:
        yield "the call meanwhile", seen["call_meanwhile"]
    yield "alerts, and the runbook", _alerts(seen["alerts"])
    if "seconds_before" in seen:
        yield "from acceptance to record, on a quick line", f"{seen['seconds_before']} s"
    yield (
        "the call in the end",
        f"{seen['call']}, {seen['seconds_to_record']} s after it was accepted",
    )
    after = seen["seconds_until_alerts_end"]
    yield "alerts went on for", "over a minute" if after is None else f"{after} s after that"


def _alerts(alerts: Mapping[str, float]) -> str:
    if not alerts:
        return "none"
    return ", ".join(
        f"[{name}](runbook/{name}.md) after {seconds} s"
        for name, seconds in sorted(alerts.items(), key=lambda each: each[1])
    )


def _list(values: list[int]) -> str:
    return ", ".join(map(str, values))


def main() -> None:
    """Write it."""
    _PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
