"""A call record as vCon, the IETF's container for conversations.

Written to draft-ietf-vcon-vcon-core-03, unsigned form, with `role` of the contact-center
extension (draft-ietf-vcon-cc-extension). The recording is referenced, never inlined; a
conversation that was sent as text has a dialog for each utterance.
"""

import base64
import hashlib
import json
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID

from callscope.record import to_dict
from callscope.types import CallRecord, ChannelFinding, Participant, Role, Timing

__all__ = ["to_vcon"]

SYNTAX = "0.4.0"
UNKNOWN_TIME = "1970-01-01T00:00:00Z"
"""Stands in where nobody said when the call was: the draft demands a date, a made-up one would
look like a fact, and the time of export would make each export different."""

_DIRECTIONS = {"inbound": Role.CUSTOMER, "outbound": Role.AGENT}


def to_vcon(record: CallRecord, *, url: str | None = None, created_at: str | None = None) -> str:
    """The record as vCon JSON.

    Args:
        record: the call.
        url: HTTPS address under which the recording may be fetched; by default the recording's
            own where that is HTTPS, else none is given.
        created_at: RFC 3339 date of this vCon; by default the call's own, so that the same
            record gives the same vCon, byte for byte.
    """
    created = created_at or record.recording.started_at or UNKNOWN_TIME
    content = {
        "vcon": SYNTAX,
        "uuid": str(_uuid(record, created)),
        "extensions": ["CC"],
        "created_at": created,
        "parties": [_party(record, participant) for participant in record.participants],
        "dialog": _texts(record) if record.recording.is_text else [_dialog(record, url)],
        "analysis": _analysis(record),
    }
    return json.dumps(content, ensure_ascii=False, allow_nan=False, indent=2)


def _uuid(record: CallRecord, created: str) -> UUID:
    """A version 8 UUID (RFC 9562): the date like version 7's, the rest from the recording."""
    try:
        milliseconds = int(datetime.fromisoformat(created).timestamp() * 1000)
    except ValueError:
        milliseconds = 0
    named = f"{record.recording.id}\n{record.recording.sha256}".encode()
    digest = int.from_bytes(hashlib.sha256(named).digest()[:16])
    stamped = (milliseconds & (1 << 48) - 1) << 80 | digest & (1 << 80) - 1
    version = stamped & ~(0xF << 76) | 8 << 76
    return UUID(int=version & ~(0b11 << 62) | 0b10 << 62)


def _party(record: CallRecord, participant: Participant) -> dict[str, Any]:
    party: dict[str, Any] = {
        "type": "bot" if participant.bot or participant.role is Role.IVR else "person",
        "role": participant.role.value,
    }
    alone = sum(each.role is participant.role for each in record.participants) == 1
    name = record.recording.metadata.get(participant.role.value)
    if name and alone:
        party |= {"name": name, "validation": "none"}
    return party


def _dialog(record: CallRecord, url: str | None) -> dict[str, Any]:
    recording = record.recording
    address = urlsplit(recording.uri or "")
    dialog: dict[str, Any] = {
        "type": "recording",
        "start": recording.started_at or UNKNOWN_TIME,
        "duration": None if recording.duration is None else round(recording.duration, 3),
        "parties": _parties(record),
    }
    caller = _DIRECTIONS.get(recording.metadata.get("direction", "").lower())
    indices = [i for i, each in enumerate(record.participants) if each.role is caller]
    if len(indices) == 1 and indices != [0]:
        dialog["originator"] = indices[0]
    if address.path:
        dialog["filename"] = PurePosixPath(unquote(address.path)).name
    if url or address.scheme == "https":
        dialog["url"] = url or recording.uri
        digest = base64.urlsafe_b64encode(bytes.fromhex(recording.sha256))
        dialog["content_hash"] = "sha256-" + digest.decode().rstrip("=")
    return dialog


def _parties(record: CallRecord) -> list[Any]:
    """Who is on which channel, by index: one entry a channel where there are several."""
    everyone = list(range(len(record.participants)))
    channels = record.recording.channels or 1
    if channels == 1:
        return everyone
    own = {each.channel: i for i, each in enumerate(record.participants)}
    dead = {each.channel for each in record.channels if ChannelFinding.DEAD in each.findings}
    return [own.get(channel, None if channel in dead else everyone) for channel in range(channels)]


def _texts(record: CallRecord) -> list[dict[str, Any]]:
    """A dialog per utterance, its speaker the first of the parties."""
    index = {each.speaker: i for i, each in enumerate(record.participants)}
    began = record.recording.started_at or UNKNOWN_TIME
    timed = record.metrics.timing is not Timing.NONE
    return [
        {
            "type": "text",
            "start": _after(began, each.start) if timed else began,
            **({"duration": round(each.end - each.start, 3)} if timed else {}),
            "parties": [
                index[each.speaker],
                *(i for speaker, i in index.items() if speaker != each.speaker),
            ],
            "mediatype": "text/plain",
            "body": each.text,
            "encoding": "none",
        }
        for each in record.utterances
    ]


def _after(began: str, seconds: float) -> str:
    """The moment so long after the call began, RFC 3339 to the millisecond."""
    moment = datetime.fromisoformat(began.upper()) + timedelta(seconds=seconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _analysis(record: CallRecord) -> list[dict[str, Any]]:
    content = to_dict(record)
    index = {each.speaker: i for i, each in enumerate(record.participants)}
    transcript = {
        "language": content["language"],
        "utterances": [
            {"party": index[each["speaker"]]}
            | {key: each[key] for key in ("role", "start", "end", "text", "backchannel")}
            for each in content["utterances"]
        ],
    }
    judged = ("metrics", "behaviors", "disclosures", "overall", "review", "provenance")
    report = {key: content[key] for key in judged}
    return [_entry(record, "transcript", transcript), _entry(record, "report", report)]


def _entry(record: CallRecord, kind: str, body: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": kind,
        "dialog": list(range(len(record.utterances))) if record.recording.is_text else 0,
        "vendor": "callscope",
        "product": f"callscope {record.provenance.software_version}",
        "schema": f"callscope-{kind}-{record.schema_version}",
        "encoding": "json",
        "body": body,
    }
