"""YAML that people write and strangers send: plain data, with the line of every value.

Read by composing nodes, never by constructing objects. Refused, with the line: what is no YAML,
more than one document, duplicate keys, keys that are no text, anchors and aliases (a few lines of
them unfold to gigabytes), tags, and text too large or too deep. Scalars follow YAML's core schema,
so `no`, `12:30` and `2024-05-01` stay text.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

__all__ = ["MAX_CHARACTERS", "MAX_DEPTH", "Document", "Path", "Problem", "read"]

MAX_CHARACTERS = 256 * 1024
MAX_DEPTH = 20

Path = tuple[str | int, ...]
"""Where a value is: keys and list positions from the top."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, at which line (from 1), under which path (`behaviors[0] (rapport).weight`)."""

    line: int
    where: str
    message: str

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"line {self.line}: {place}{self.message}"


@dataclass(frozen=True, slots=True)
class Document:
    """Plain data (dict, list, str, int, float, bool, None), and the line of each path in it."""

    data: object
    lines: Mapping[Path, int]
    problems: tuple[Problem, ...]

    def problem(self, path: Path, message: str) -> Problem:
        """A problem at `path`, or at the nearest enclosing value that is written there."""
        written = path
        while written not in self.lines:
            written = written[:-1]
        return Problem(self.lines[written], dotted(path, self.data), message)


def dotted(path: Path, data: Any = None) -> str:
    """`("behaviors", 0, "weight")` as `behaviors[0].weight`.

    With the data, an item of a list that has an `id` is named by it, since people do not count
    from 0: `behaviors[0] (rapport).weight`.
    """
    place = ""
    for part in path:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):  # is not written
            data = None
        place += f".{part}" if isinstance(part, str) else f"[{part}]{_name(data)}"
    return place.removeprefix(".")


def _name(item: object) -> str:
    name = item.get("id") if isinstance(item, dict) else None
    return f" ({name})" if isinstance(name, str) and name.isidentifier() else ""


def read(text: str) -> Document:
    """Read one YAML document.

    What cannot be read at all gives a document without data and one problem.
    """
    if len(text) > MAX_CHARACTERS:
        return _unreadable(1, f"the text is longer than {MAX_CHARACTERS:,} characters")
    try:
        refusal = _refusal(text)
        if refusal is not None:
            return refusal
        node = yaml.compose(text, Loader=_CoreSchemaLoader)
    except yaml.MarkedYAMLError as error:
        return _not_yaml(error)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        return _unreadable(line, f"a character that YAML does not allow: U+{error.character:04X}")
    if node is None:
        return _unreadable(1, "the text is empty")
    builder = _Builder()
    data = builder.value(node, ())
    return Document(data, builder.lines, tuple(builder.problems))


_SURROGATE = re.compile("[\ud800-\udfff]")  # an escape without its other half


class _CoreSchemaLoader(yaml.SafeLoader):
    """SafeLoader's scanner and parser, with YAML 1.2's core schema for plain scalars."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


for _tag, _pattern, _first in (
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^[-+]?[0-9]{1,18}$", list("-+0123456789")),
    (
        "float",
        r"^[-+]?(?:(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|\.inf|\.nan)$",
        list("-+.0123456789"),
    ),
):
    _CoreSchemaLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _first
    )


def _line(mark: Any) -> int:
    # Any: PyYAML's C and Python marks share no type.
    return mark.line + 1 if mark is not None else 1


def _unreadable(line: int, message: str) -> Document:
    return Document(None, {(): line}, (Problem(line, "", message),))


_QUOTE = "put the whole text in quotes, double ones unless it holds some"
# What PyYAML says, context and problem, and what people who meet it have most likely done.
_LIKELY = (
    (
        r"<block end>, but found '(<block |\?|-)",
        "this line is not indented like those it belongs to: begin it in the same column",
    ),
    (
        r"<block end>, but found",
        f"more follows where a quotation mark or a bracket closes: {_QUOTE}"
        " (it may open on a line above)",
    ),
    (r"quoted scalar: found unexpected", f"a quotation mark opens here, none closes: {_QUOTE}"),
    (r"character '\\t' that cannot", "a tab: write spaces instead"),
    (r"character '.' that cannot", f"a text may not begin with this character: {_QUOTE}"),
    (
        r"mapping values are not allowed",
        f"a colon where none can be: if it is part of a text, {_QUOTE}; if not, indent this line"
        " like those around it, and put a space after the colon of the line above",
    ),
    (r"simple key: could not", "neither a field (`name: value`) nor an item of a list (`- value`)"),
    (r"sequence entries are not allowed", "a list (`- value`) must begin on a line of its own"),
    (
        r"flow (sequence|mapping): expected",
        "a bracket is not closed, or a comma is missing; if they are part of a text, " + _QUOTE,
    ),
)


def _not_yaml(error: yaml.MarkedYAMLError) -> Document:
    said = f"{error.context}: {error.problem}"
    likely = (words for pattern, words in _LIKELY if re.search(pattern, said))
    # The scanner's context is where a quotation mark opens; its problem, the end of the file.
    scanned = isinstance(error, yaml.scanner.ScannerError)
    mark = (scanned and error.context_mark) or error.problem_mark
    return _unreadable(_line(mark), f"not valid YAML: {next(likely, error.problem)}")


def _refusal(text: str) -> Document | None:
    """What must not even be composed: aliases, tags, depth, several documents."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=_CoreSchemaLoader):
        line = _line(event.start_mark)
        if isinstance(event, yaml.NodeEvent) and event.anchor is not None:  # an AliasEvent too
            return _unreadable(line, "anchors and aliases are not accepted: write the value out")
        tag = getattr(event, "tag", None)
        if tag is not None:
            return _unreadable(line, f"tags are not accepted: {tag}")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            return _unreadable(line, f"nested deeper than {MAX_DEPTH} levels")
        documents += isinstance(event, yaml.DocumentStartEvent)
        if documents > 1:
            return _unreadable(line, "a second document: keep one in a file")
    return None


class _Builder:
    """Walks composed nodes; collects lines and problems on the way."""

    def __init__(self) -> None:
        self.lines: dict[Path, int] = {}
        self.problems: list[Problem] = []

    def value(self, node: yaml.Node, path: Path) -> object:
        self.lines.setdefault(path, _line(node.start_mark))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, place)) for place, item in enumerate(node.value)]
        if _SURROGATE.search(node.value):
            self.problems.append(Problem(self.lines[path], dotted(path), "half a character"))
        return _scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, object]:
        content: dict[str, object] = {}
        for key, item in node.value:
            line = _line(key.start_mark)
            if not isinstance(key, yaml.ScalarNode):
                self.problems.append(Problem(line, dotted(path), "a key must be text"))
            elif key.value in content:
                first = self.lines[(*path, key.value)]
                message = f"written twice, first on line {first}"
                self.problems.append(Problem(line, dotted((*path, key.value)), message))
            else:
                self.lines[(*path, key.value)] = line
                content[key.value] = self.value(item, (*path, key.value))
        return content


def _scalar(node: yaml.Node) -> object:
    text: str = node.value
    kind = node.tag.rpartition(":")[2]
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind == "int":
        return int(text)
    if kind == "float":
        return float(text.replace(".inf", "inf").replace(".nan", "nan"))
    return text
