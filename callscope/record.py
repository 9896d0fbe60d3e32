"""The call record as JSON, and back.

The JSON has the names and the order of the fields of `callscope.types`, plus `text` on each
utterance for readers who don't care for words. It is the same byte for byte for the same record:
floats are rounded here and nowhere else, keys come in a fixed order.
"""

import contextlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from callscope.conversation.lines import place
from callscope.errors import InvalidInput
from callscope.types import SCHEMA_VERSION, CallRecord, Timing

__all__ = ["from_json", "json_schema", "to_dict", "to_json"]

_RECORD = TypeAdapter(CallRecord)

_SECONDS = frozenset(
    {
        "start",
        "end",
        "duration",
        "talk",
        "longest_monologue",
        "response_latency",
        "silence",
        "hold",
        "overtalk",
        "overlap",
    }
)
"""Fields in seconds, rounded to milliseconds; all other floats keep four digits."""

SCHEMA_ID = f"urn:callscope:call-record:{SCHEMA_VERSION}"


def to_dict(record: CallRecord) -> dict[str, Any]:
    """The record as the JSON's objects, floats rounded."""
    content: dict[str, Any] = _rounded(_RECORD.dump_python(record, mode="json"))
    content["utterances"] = [
        {**utterance, "text": each.text}
        for utterance, each in zip(content["utterances"], record.utterances, strict=True)
    ]
    if record.metrics.timing is Timing.NONE:
        for utterance in content["utterances"]:
            for each in (utterance, *utterance["words"]):
                each |= {"start": None, "end": None}
    metadata = content["recording"]["metadata"]
    content["recording"]["metadata"] = {key: metadata[key] for key in sorted(metadata)}
    return content


def to_json(record: CallRecord, indent: int | None = 2) -> str:
    """The record as JSON text."""
    return json.dumps(to_dict(record), ensure_ascii=False, allow_nan=False, indent=indent)


def from_json(text: str | bytes) -> CallRecord:
    """The record that the JSON text holds. Fields this version does not know are left out.

    Raises:
        InvalidInput: it is no record, or one of another major version of the schema.
    """
    try:
        record = _RECORD.validate_python(_with_clock(json.loads(text)))
    except (ValueError, RecursionError) as error:
        if not isinstance(error, ValidationError):
            raise InvalidInput("this is no call record: the text: Invalid JSON") from None
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the text"
        raise InvalidInput(f"this is no call record: {place}: {first['msg']}") from None
    if record.schema_version.partition(".")[0] != SCHEMA_VERSION.partition(".")[0]:
        raise InvalidInput(
            f"the record has schema version {record.schema_version}, "
            f"this software reads {SCHEMA_VERSION}",
            remedy="Read it with a version of Callscope of its time, or analyze the call again.",
        )
    return record


def _with_clock(content: Any) -> Any:
    """The JSON's objects, with the reading clock where the conversation has no times."""
    match content:
        case {"metrics": {"timing": Timing.NONE}, "utterances": [*utterances]}:
            with contextlib.suppress(AttributeError, KeyError, TypeError):  # validation will say
                _set_clock(utterances)
    return content


def _set_clock(utterances: Iterable[dict[str, Any]]) -> None:
    read = 0
    for utterance in utterances:
        words = utterance["words"]
        for at, word in enumerate(words, start=read):
            word.update(start=place(at), end=place(at + 1))
        utterance.update(start=place(read), end=place(read + len(words)))
        read += len(words)


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) that every record's JSON satisfies."""
    schema = _RECORD.json_schema(mode="serialization")
    utterance = schema["$defs"]["Utterance"]
    utterance["properties"]["text"] = {
        "description": "The words as written, joined by spaces.",
        "title": "Text",
        "type": "string",
    }
    utterance["required"].append("text")
    for timed in (utterance, schema["$defs"]["Word"]):
        for name in ("start", "end"):
            timed["properties"][name] = {
                "anyOf": [{"type": "number"}, {"type": "null"}],
                "description": "Seconds; null where the conversation has no times.",
                "title": name.title(),
            }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        **schema,
    }


def _rounded(value: Any, name: str = "") -> Any:
    if isinstance(value, float):
        return round(value, 3 if name in _SECONDS else 4) + 0.0  # never -0.0
    if isinstance(value, Mapping):
        return {key: _rounded(content, key) for key, content in value.items()}
    if isinstance(value, list):
        return [_rounded(content, name) for content in value]
    return value
