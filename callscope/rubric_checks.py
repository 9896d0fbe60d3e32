"""What a rubric's types cannot say: ids that are unique, names that exist, sums that add up.

Works on the plain data, so that these problems are reported beside the wrong types and unknown
fields of the same file, all at once. Anything of the wrong type is passed over here.
"""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from enum import StrEnum
from itertools import chain
from typing import Any

from callscope.acts import AgentAct, Cue, CustomerAct
from callscope.strict_yaml import Path
from callscope.tokens import tokens

__all__ = ["close", "misplaced", "run"]

_POINTS = ("acts", "answers", "metrics")
_STARTS = ("first_seconds", "last_seconds", "last_share", "after")

Finding = tuple[Path, str]
Fields = Mapping[str, Any]
Found = Iterator[tuple[Path, Fields]]


def run(data: object) -> Iterator[Finding]:
    """Every inconsistency in a rubric's data: where it is, and what."""
    if not isinstance(data, dict):
        return
    behaviors = tuple(_each(data, (), "behaviors"))
    disclosures = tuple(_each(data, (), "disclosures"))
    events = tuple(_each(data, (), "events"))
    own_acts = tuple(_each(data, (), "own_acts"))
    for items in (behaviors, disclosures, events, own_acts):
        yield from _unique(items)
    yield from _weights(behaviors)
    yield from _thresholds(data)
    names = _ids(events)
    acts = {*AgentAct, *_ids(own_acts)}
    yield from _own_acts(own_acts)
    for path, behavior in behaviors:
        yield from _acts(path, behavior, acts)
        yield from chain(_points(path, behavior), _metrics(path, behavior))
        yield from _window(path, behavior, names)
        if behavior.get("detector") == "disclosures" and not disclosures:
            yield (*path, "detector"), "the rubric has no disclosures to judge by"
    for path, disclosure in disclosures:
        elements = tuple(_each(disclosure, path, "elements"))
        yield from _elements(elements)
        yield from _wordless(path, disclosure, "script")
        for place, element in elements:
            yield from _wordless(place, element, "wordings", "mentions", "unlike")
        yield from _after(path, disclosure, _ids(disclosures))
        yield from chain(_deadline(path, disclosure, names), _required(path, disclosure, names))
    for path, event in events:
        if not any(map(event.get, ("wordings", "words", "cues"))):
            yield path, "needs wordings, words or cues to be heard by"
        yield from _wordless(path, event, "wordings", "words", "unlike")


def _each(fields: Fields, path: Path, name: str) -> Found:
    """The mappings in the list `name`."""
    items = fields.get(name)
    for place, item in enumerate(items if isinstance(items, list) else ()):
        if isinstance(item, dict):
            yield (*path, name, place), item


def _ids(items: Iterable[tuple[Path, Fields]]) -> set[str]:
    return {item["id"] for _, item in items if isinstance(item.get("id"), str)}


def _texts(fields: Fields, path: Path, name: str) -> Iterator[tuple[Path, str]]:
    """The texts in the list `name`, or the one text that it is."""
    found = fields.get(name)
    if isinstance(found, str):
        yield (*path, name), found
    for place, text in enumerate(found if isinstance(found, list) else ()):
        if isinstance(text, str):
            yield (*path, name, place), text


def _wordless(path: Path, fields: Fields, *names: str) -> Iterator[Finding]:
    """Texts without a token: they would match any speech that has none."""
    for name in names:
        for place, text in _texts(fields, path, name):
            if text.strip() and not tokens(text):
                yield place, "has no word of the letters a-z and no number: write it in English"


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _unique(items: tuple[tuple[Path, Fields], ...]) -> Iterator[Finding]:
    seen: set[str] = set()
    for path, item in items:
        name = item.get("id")
        if isinstance(name, str):
            if name in seen:
                yield (*path, "id"), f"{name} is used twice"
            seen.add(name)


def _weights(behaviors: tuple[tuple[Path, Fields], ...]) -> Iterator[Finding]:
    weights = [behavior.get("weight") for _, behavior in behaviors]
    numbers = [float(weight) for weight in weights if _number(weight)]  # type: ignore[arg-type]
    if numbers and len(numbers) == len(weights) and abs(sum(numbers) - 100) > 1e-6:
        yield ("behaviors",), f"the weights add up to {sum(numbers):g}, not 100"


def _thresholds(data: Fields) -> Iterator[Finding]:
    thresholds = data.get("thresholds")
    if isinstance(thresholds, dict):
        partial, delivered = thresholds.get("partial", 35), thresholds.get("delivered", 70)
        if _number(partial) and _number(delivered) and partial >= delivered:
            yield ("thresholds",), f"partial ({partial:g}) must be below delivered ({delivered:g})"


def _points(path: Path, behavior: Fields) -> Iterator[Finding]:
    parts = [part for kind in _POINTS for part in _each(behavior, path, kind)]
    points: list[Any] = [part.get("points") for _, part in parts]
    match behavior.get("detector", "acts"):
        case "disclosures":
            for name in (*_POINTS, "penalties", "opportunity", "window"):
                if behavior.get(name):
                    yield (*path, name), "has no effect with the detector disclosures"
        case "acts" if all(_number(each) for each in points) and sum(points) < 100:
            yield path, f"its points add up to {sum(points):g}: 100 are needed for a full score"


def _metrics(path: Path, behavior: Fields) -> Iterator[Finding]:
    for place, metric in _each(behavior, path, "metrics"):
        full_at, none_at = metric.get("full_at"), metric.get("none_at")
        if _number(full_at) and full_at == none_at:
            yield (*place, "none_at"), "must differ from full_at"


# What rules may name beside the agent's acts.
_ALLOWED: Mapping[tuple[str, str], set[str]] = {
    ("acts", "unless"): {*Cue},
    ("penalties", "any_of"): {*CustomerAct},
}


def _acts(path: Path, behavior: Fields, known: set[str]) -> Iterator[Finding]:
    for kind in ("acts", "answers", "penalties"):
        for place, rule in _each(behavior, path, kind):
            for field in ("any_of", "unless"):
                names = rule.get(field)
                allowed = known | _ALLOWED.get((kind, field), set())
                for number, name in enumerate(names if isinstance(names, list) else ()):
                    if isinstance(name, str) and name not in allowed:
                        problem = misplaced(name) or f"no act is named {name}{close(name, allowed)}"
                        yield (*place, field, number), problem


def _own_acts(own_acts: tuple[tuple[Path, Fields], ...]) -> Iterator[Finding]:
    for path, act in own_acts:
        yield from _wordless(path, act, "for", "against")
        if act.get("id") in (*AgentAct, *CustomerAct, *Cue):
            yield (*path, "id"), f"{act['id']} is the name of a shipped act or cue: take another"
        yield from _repeated(path, act)


def _repeated(path: Path, act: Fields) -> Iterator[Finding]:
    """Sentences that are there already, but for case and punctuation: they prove nothing more."""
    known: dict[tuple[str, ...], str] = {}  # the list in which they are
    for name in ("for", "against"):
        for place, sentence in _texts(act, path, name):
            words = tokens(sentence)
            if words not in known:
                known[words] = name
            elif words and known[words] == name:
                yield place, f"{sentence!r} is there already: each sentence counts once"
            elif words:
                yield place, f"{sentence!r} is both for and against"


def _elements(elements: tuple[tuple[Path, Fields], ...]) -> Iterator[Finding]:
    yield from _unique(elements)
    alone = _ids(each for each in elements if not each[1].get("only_with"))
    for path, element in elements:
        name = element.get("only_with")
        if isinstance(name, str) and name not in alone:
            yield (*path, "only_with"), f"{name} is no other element that can stand alone"


def _after(path: Path, disclosure: Fields, known: set[str]) -> Iterator[Finding]:
    names = disclosure.get("after")
    for place, name in enumerate(names if isinstance(names, list) else ()):
        if isinstance(name, str) and (name == disclosure.get("id") or name not in known):
            yield (*path, "after", place), f"{name} is no other disclosure"


def close(name: str, known: Iterable[str]) -> str:
    """The one of `known` that `name` is a slip of, as a question; empty if there is none."""
    found = get_close_matches(name.lower(), sorted(known), n=1)
    return f" (did you mean {found[0]}?)" if found else ""


def misplaced(name: object) -> str:
    """Where the act or cue `name` belongs, for when it stands elsewhere; empty if it is neither."""
    for kind, place in _BELONGS.items():
        if name in tuple(kind):
            return f"{name} is {place}"
    return ""


_BELONGS: Mapping[type[StrEnum], str] = {
    AgentAct: "an act of the agent: it belongs in acts, answers.any_of or penalties",
    CustomerAct: "an act of the customer: it belongs in opportunity, answers.to or penalties",
    Cue: "a cue: it belongs in the unless of acts, or in the cues of events and elements",
}


def _window(path: Path, behavior: Fields, events: set[str]) -> Iterator[Finding]:
    window = behavior.get("window")
    if not isinstance(window, dict):
        return
    place = (*path, "window")
    starts = [name for name in _STARTS if name in window]
    if len(starts) != 1:
        yield place, f"needs exactly one of {', '.join(_STARTS)}"
    if "seconds" in window and "after" not in window:
        yield (*place, "seconds"), "goes with after only"
    if isinstance(window.get("after"), str) and window["after"] not in events:
        yield (*place, "after"), _no_event(window["after"])


def _deadline(path: Path, disclosure: Fields, events: set[str]) -> Iterator[Finding]:
    deadline = disclosure.get("deadline")
    if not isinstance(deadline, dict):
        return
    if len({"seconds", "before"} & deadline.keys()) != 1:
        yield (*path, "deadline"), "needs exactly one of seconds, before"
    if isinstance(deadline.get("before"), str) and deadline["before"] not in events:
        yield (*path, "deadline", "before"), _no_event(deadline["before"])


def _required(path: Path, disclosure: Fields, events: set[str]) -> Iterator[Finding]:
    required = disclosure.get("required_when")
    for place, name in enumerate(required if isinstance(required, list) else ()):
        if isinstance(name, str) and name not in events:
            yield (*path, "required_when", place), _no_event(name)


def _no_event(name: str) -> str:
    return f"no event {name} is defined under events"
