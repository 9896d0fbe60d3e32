"""A rubric: which behaviors and disclosures a call is judged by, and how.

Rubrics are YAML files that QA people write (`services/score/rubrics` holds commented ones). `load`
turns the text into frozen values and reports every problem at once, each with its line. The
digest covers the canonical content, so comments, key order and spelled-out defaults leave it
unchanged, and two records with the same digest were judged by the same rules.

What the fields mean for the score is in `docs/rubrics.md`.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from callscope import rubric_checks, strict_yaml
from callscope.acts import AgentAct, Cue, CustomerAct
from callscope.errors import InvalidRubric
from callscope.strict_yaml import Document, Path, Problem
from callscope.types import RubricRef

__all__ = [
    "ActPoints",
    "Behavior",
    "Deadline",
    "Disclosure",
    "Element",
    "Event",
    "MetricPoints",
    "Opportunity",
    "OwnAct",
    "Penalty",
    "Rubric",
    "Thresholds",
    "Window",
    "load",
    "load_own_acts",
    "problems",
]

MAX_PROBLEMS_SHOWN = 50

T = TypeVar("T")

_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False, strict=True)

Id = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Name = str
"""The id of something else. No pattern: `rubric_checks` says what is not there, and suggests."""
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
Wording = Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=300)]
Wordings = Annotated[tuple[Wording, ...], Field(max_length=120)]
Points = Annotated[float, Field(ge=0, le=100)]
Seconds = Annotated[float, Field(gt=0, le=24 * 3600)]
Share = Annotated[float, Field(ge=0, le=1)]
AgentActs = Annotated[tuple[Name, ...], Field(min_length=1)]
"""Names of acts: of `AgentAct`, or of the rubric's `own_acts`."""
Sentences = Annotated[tuple[Wording, ...], Field(min_length=5, max_length=500)]
Speaker = Literal["agent", "customer", "anyone"]
Metric = Literal[
    "interruptions_per_minute",  # the agent's, per minute in which the customer talks
    "backchannels_per_minute",  # the agent's, per minute in which the customer talks
    "response_latency",  # seconds, median
    "talk_share",  # the agent's, 0-1
]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where the lines are drawn: scores of 0-100, and the confidence below which people look."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    delivered: Points = 70
    partial: Points = 35
    review_confidence: Share = 0.6


@dataclass(frozen=True, slots=True)
class Window:
    """The part of the call that counts; no field set means the whole call.

    `first_seconds` run from the agent's first live words (ringing, IVR and backchannels apart),
    `last_seconds` back from the last words of the call, `last_share` too, as a share of the time
    since the agent's first live words, `after` from the first time that event is heard, for
    `seconds` or to the end.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    first_seconds: Seconds | None = None
    last_seconds: Seconds | None = None
    last_share: Annotated[float, Field(gt=0, lt=1)] | None = None
    after: Name | None = None
    seconds: Seconds | None = None


@dataclass(frozen=True, slots=True)
class Opportunity:
    """What the customer must have done for the behavior to be called for.

    Looked for inside the window and up to `before` seconds ahead of it. What the agent does counts
    without it as well, unless it is `needed`: who brings no problem need not be asked about it.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    any_of: Annotated[tuple[CustomerAct, ...], Field(min_length=1)]
    before: Annotated[float, Field(ge=0, le=600)] = 15
    needed: bool = False


@dataclass(frozen=True, slots=True)
class ActPoints:
    """Points for any of these acts; in full at `count` sentences, in proportion below.

    A sentence that is one of `unless`, acts or cues, as well does not count.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    any_of: AgentActs
    points: Points
    count: Annotated[int, Field(ge=1, le=20)] = 1
    unless: tuple[Name, ...] = ()


@dataclass(frozen=True, slots=True)
class AnswerPoints:
    """Points for leaving nothing of the customer's unanswered.

    All of them while each turn in which the customer shows one of `to` is answered with one of
    `any_of` in the agent's next turn; in proportion less for each that is not, none from `none_at`
    on.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    to: Annotated[tuple[CustomerAct, ...], Field(min_length=1)]
    any_of: AgentActs
    points: Points
    none_at: Annotated[int, Field(ge=1, le=20)] = 5


@dataclass(frozen=True, slots=True)
class MetricPoints:
    """Points by a metric: all of them at `full_at`, none at `none_at`, a straight line between."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    metric: Metric
    points: Points
    full_at: float
    none_at: float


@dataclass(frozen=True, slots=True)
class Penalty:
    """Points taken away for each sentence with any of these acts, `at_most` in all.

    They may be the customer's: whoever says "I just told you" was not listened to.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    any_of: Annotated[tuple[Name, ...], Field(min_length=1)]
    points: Points
    at_most: Points = 100


@dataclass(frozen=True, slots=True)
class Behavior:
    """A behavior, how much it weighs (percent of the overall score), and what it is judged by.

    The detector `acts` adds up `acts`, `answers`, `metrics` and `penalties`; `disclosures` takes
    the share of the required disclosures that were given.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    id: Id
    title: Text
    question: Text
    weight: Annotated[float, Field(ge=0, le=100)]
    detector: Literal["acts", "disclosures"] = "acts"
    applies_to: Literal["agent"] = "agent"
    window: Window = Window()
    opportunity: Opportunity | None = None
    acts: Annotated[tuple[ActPoints, ...], Field(max_length=12)] = ()
    answers: Annotated[tuple[AnswerPoints, ...], Field(max_length=12)] = ()
    metrics: Annotated[tuple[MetricPoints, ...], Field(max_length=12)] = ()
    penalties: Annotated[tuple[Penalty, ...], Field(max_length=12)] = ()
    auto_fail: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens in a call, known by what is said.

    It is heard where a sentence means the same as one of `wordings`, or once `at_least` of
    `words` have been said by then, in any sentences. `unlike` are sentences that come near without
    telling of it: ten of each and more teach what the wordings have in common. `cues` are what
    the service has learned to hear in any words, and less of them is enough where the event is
    `usual` in the calls that the rubric is for. With `acts`, the sentence must be one of these as
    well, and with `unless` none of those: to speak of an account is one thing, to do something on
    it another.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    id: Id
    title: Text
    said_by: Speaker = "anyone"
    wordings: Wordings = ()
    unlike: Wordings = ()
    words: Wordings = ()
    at_least: Annotated[int, Field(ge=1, le=20)] = 1
    cues: tuple[Cue, ...] = ()
    acts: tuple[AgentAct, ...] = ()
    unless: tuple[Cue, ...] = ()
    usual: bool = False


@dataclass(frozen=True, slots=True)
class Element:
    """A part of a disclosure that must be said, in any of the accepted wordings.

    `mentions` are words the passage must hold to count, alternatives separated by `|`: what
    tells this element from a sentence that merely sounds like it. `unlike` are such sentences: a
    passage that is nearer to one of them than to every wording does not count. `only_with` names
    an element without which this one means nothing: it counts only close to where that was said.
    `cues` are what the service has learned to hear in any words, each enough by itself; where
    nothing is mentioned that should be, it must be surer, and may be less sure where the
    disclosure was called for, unless it is `commonplace`: what such calls speak of anyway. What the
    customer does of `volunteered` stands for the element once another one is said: nobody asks for
    the name of those who have just given it.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    id: Id
    wordings: Annotated[Wordings, Field(min_length=1)]
    mentions: Annotated[tuple[Wording, ...], Field(max_length=8)] = ()
    unlike: Wordings = ()
    only_with: Name | None = None
    cues: tuple[Cue, ...] = ()
    commonplace: bool = False
    volunteered: tuple[CustomerAct, ...] = ()


@dataclass(frozen=True, slots=True)
class Deadline:
    """By when: `seconds` from the agent's first live words, or `before` an event is heard.

    By then it must have been begun, or be `complete`: half an identity check protects nothing.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    seconds: Seconds | None = None
    before: Name | None = None
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Disclosure:
    """A statement that must be made, element by element.

    Required when all events of `required_when` are heard; always, where it names none. `script` is
    the text that agents read out: all but word for word, it is every element at once. `ordered`
    asks for the elements in the order given; `after` names disclosures that must come before this
    one. Faster than `rushed_above` words a minute, nobody takes it in (comprehension falls off
    beyond some 250: Foulke & Sticht, "Review of research on the intelligibility and
    comprehension of accelerated speech", 1969).
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    id: Id
    title: Text
    elements: Annotated[tuple[Element, ...], Field(min_length=1, max_length=20)]
    speaker: Literal["agent"] = "agent"
    deadline: Deadline | None = None
    required_when: tuple[Name, ...] = ()
    script: Text | None = None
    ordered: bool = False
    after: tuple[Name, ...] = ()
    rushed_above: Annotated[float, Field(ge=100, le=1000)] = 250
    auto_fail: bool = False


@dataclass(frozen=True, slots=True)
class OwnAct:
    """An act of the agent that the rubric's author teaches by sentences, five or more of each kind.

    `positive` (in YAML `for`) are sentences that are the act; `negative` (`against`) are sentences
    that come near without being it.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    id: Id
    title: Text
    positive: Annotated[Sentences, Field(alias="for")]
    negative: Annotated[Sentences, Field(alias="against")]


@dataclass(frozen=True, slots=True)
class Rubric:
    """Everything a call is judged by."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    id: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
    version: Annotated[str, StringConstraints(min_length=1, max_length=40)]
    title: Text
    behaviors: Annotated[tuple[Behavior, ...], Field(min_length=1, max_length=40)]
    description: str = ""
    disclosures: Annotated[tuple[Disclosure, ...], Field(max_length=40)] = ()
    events: Annotated[tuple[Event, ...], Field(max_length=60)] = ()
    own_acts: Annotated[tuple[OwnAct, ...], Field(max_length=20)] = ()
    thresholds: Thresholds = field(default_factory=Thresholds)

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical content, hexadecimal."""
        # Defaults are left out, so a field added later changes no older rubric's digest.
        content = _ADAPTER.dump_python(self, mode="json", exclude_defaults=True)
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def ref(self) -> RubricRef:
        """How records name this rubric."""
        return RubricRef(self.id, self.version, self.digest)


@dataclass(frozen=True, slots=True)
class _OwnActs:
    """A file with nothing but own acts, to be tried before they go into a rubric."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    own_acts: Annotated[tuple[OwnAct, ...], Field(min_length=1, max_length=20)]


_ADAPTER: TypeAdapter[Rubric] = TypeAdapter(Rubric)
_OWN_ACTS: TypeAdapter[_OwnActs] = TypeAdapter(_OwnActs)


def load(text: str, name: str = "the rubric") -> Rubric:
    """Read a rubric.

    Args:
        text: its YAML.
        name: what messages call it: a file's name, for instance.

    Raises:
        InvalidRubric: it does not hold together; the message lists every problem with its line.
    """
    return _sound(*_read(text, _ADAPTER), name)


def _sound(value: T | None, found: tuple[Problem, ...], name: str) -> T:
    if value is not None:
        return value
    count = "1 problem" if len(found) == 1 else f"{len(found)} problems"
    shown = [str(problem) for problem in found[:MAX_PROBLEMS_SHOWN]]
    raise InvalidRubric(
        f"{name} has {count}: {'; '.join(shown)}", details={"problems": "\n".join(shown)}
    )


def load_own_acts(text: str, name: str = "the file") -> tuple[OwnAct, ...]:
    """Read the own acts of a rubric, or of a file that holds nothing but `own_acts`.

    Raises:
        InvalidRubric: it does not hold together, or holds none.
    """
    data = strict_yaml.read(text).data
    if isinstance(data, dict) and data.keys() == {"own_acts"}:
        return _sound(*_read(text, _OWN_ACTS), name).own_acts
    acts = load(text, name).own_acts
    if not acts:
        raise InvalidRubric(f"{name} describes no acts of its own: add them under own_acts")
    return acts


def problems(text: str) -> tuple[Problem, ...]:
    """Everything wrong with a rubric's text, in order of line; empty where it is sound."""
    return _read(text, _ADAPTER)[1]


def _read(text: str, adapter: TypeAdapter[T]) -> tuple[T | None, tuple[Problem, ...]]:
    document = strict_yaml.read(text)
    found = list(document.problems)
    value = None
    if document.data is not None or not found:
        try:
            # JSON mode: strict about types, yet lists become tuples and names become enums.
            value = adapter.validate_json(json.dumps(document.data))
        except ValidationError as error:
            found += _shape_problems(document, error)
        found += [document.problem(p, message) for p, message in rubric_checks.run(document.data)]
    ordered = tuple(sorted(found, key=lambda problem: problem.line))
    return (None if ordered else value), ordered


def _shape_problems(document: Document, error: ValidationError) -> Iterator[Problem]:
    for each in error.errors(include_url=False):
        path: Path = each["loc"]
        if each["type"] == "too_short" and _has_items(document, path, each["ctx"]["min_length"]):
            continue  # its items are there, and wrong: they have their own problems
        yield document.problem(path, _say(document, path, each["type"], each["msg"]))


def _has_items(document: Document, path: Path, least: int) -> bool:
    items = _at(document.data, path)
    return isinstance(items, list) and len(items) >= least


def _say(document: Document, path: Path, kind: str, message: str) -> str:
    """Pydantic's message in the words of someone who writes YAML."""
    if kind == "unexpected_keyword_argument":
        return f"unknown field{rubric_checks.close(str(path[-1]), _field_names())}"
    if kind == "too_short" and (least := re.search(r"at least (\d+)", message)):
        return f"should be a list with at least {least[1]} item{'s' * (least[1] != '1')}"
    if kind == "string_type":
        return _no_text(_at(document.data, path))
    if kind in {"enum", "literal_error"}:
        return _no_choice(_at(document.data, path), re.findall("'(.+?)'", message))
    if re.search("less than.* 1$", message):
        return "should be a share: 0.6, say, for 60%"
    return _SAYINGS.get(kind) or re.sub("^(Input|String|Tuple) | after validation", "", message)


def _no_choice(value: object, choices: list[str]) -> str:
    suggestion = rubric_checks.close(str(value), choices)
    known = f"{'one of ' * (len(choices) > 1)}{', '.join(choices)}"
    return rubric_checks.misplaced(value) or f"should be {known}{suggestion}"


def _no_text(value: object) -> str:
    if isinstance(value, dict):
        return "should be text, but its colon makes it a mapping: put the whole text in quotes"
    quoted = isinstance(value, int | float)
    return "should be text" + ": put it in quotes" * quoted


_SAYINGS = {
    "missing": "is missing",
    "tuple_type": "should be a list",
    "dataclass_type": "should be a mapping of fields",
    "float_type": "should be a number, without %, unit or quotes",
    "int_type": "should be a whole number, without unit or quotes",
    "bool_type": "should be true or false",
    "string_pattern_mismatch": "should be lower-case letters, digits and _, beginning with a letter"
    ", 64 at most",
}


@cache
def _field_names() -> list[str]:
    """Of everything that a rubric holds, as YAML calls them."""
    schema = _ADAPTER.json_schema()
    kinds = [schema, *schema["$defs"].values()]
    return sorted({name for kind in kinds for name in kind.get("properties", ())})


def _at(data: Any, path: Path) -> object:
    for part in path:
        data = data[part]
    return data
