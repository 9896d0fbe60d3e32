"""A vCon of somebody else's as a call: its recording or its text, and what it says of the two.

Reads the unsigned form of draft-ietf-vcon-vcon-core (syntax 0.0.1 to 0.4.0), with `role` of the
contact-center extension. One call is one conversation: a vCon with several recordings is several.
Nothing is fetched here: where a recording is linked, its URI is handed on, to be opened like any
other that a sender names.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from callscope.errors import InvalidInput
from callscope.transcripts import checked
from callscope.types import Role, TextConversation, TextParticipant, TextUtterance
from callscope.vcon import UNKNOWN_TIME

__all__ = ["VconAudio", "VconCall", "read_vcon"]

EXTENSIONS = frozenset({"CC"})
"""Extensions that a vCon may call critical: those that are understood here."""

_HASHES = {"sha256": 32, "sha384": 48, "sha512": 64}  # bytes
_ROLES = {"agent": Role.AGENT, "customer": Role.CUSTOMER, "ivr": Role.IVR}
_DIRECTIONS = {Role.CUSTOMER: "inbound", Role.AGENT: "outbound"}
_OURS = re.compile(r"callscope-transcript-1\.\d+")


@dataclass(frozen=True, slots=True)
class VconAudio:
    """A recording: its bytes, or where they are.

    `hashes` are digests that the bytes must have, by algorithm. Where the recording has `channels`
    channels, the agent is on `agent_channel`.
    """

    data: bytes | None
    uri: str | None
    hashes: Mapping[str, bytes] = field(default_factory=dict)
    file_name: str | None = None
    channels: int | None = None
    agent_channel: int | None = None


@dataclass(frozen=True, slots=True)
class VconCall:
    """What a vCon says of its call: either `audio` or `text` is there."""

    audio: VconAudio | None
    text: TextConversation | None
    uuid: str | None
    started_at: str | None  # RFC 3339
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Party:
    """Who takes part, by their place in the vCon's list."""

    speaker: str
    role: Role | None
    bot: bool | None
    name: str | None


def read_vcon(content: Any) -> VconCall:
    """The call in a vCon's JSON text, or in the objects it is made of.

    Raises:
        InvalidInput: it is none, or of a kind that cannot be read; what to do is said.
    """
    vcon = _object(content)
    _check_kind(vcon)
    parties = [_party(place, each) for place, each in enumerate(_list(vcon, "parties"))]
    dialogs = [_dialog(place, each) for place, each in enumerate(_list(vcon, "dialog"))]
    recordings = [each for each in dialogs if each[1].get("type") == "recording"]
    texts = [each for each in dialogs if each[1].get("type") == "text"]
    if len(recordings) > 1:
        raise InvalidInput(
            f"the vCon has {len(recordings)} recordings, and a call is one",
            remedy="Send a vCon for each recording.",
        )
    audio = _audio(*recordings[0], parties) if recordings else None
    text = None
    if audio is None:
        text = _written(texts, parties) if texts else _transcribed(vcon, parties)
    if audio is None and text is None:
        raise InvalidInput(
            "the vCon has neither audio, inline or linked, nor text",
            remedy="Send one with a dialog of type recording with body or url, with dialogs of "
            "type text, or with Callscope's own transcript.",
        )
    return VconCall(
        audio, text, _uuid(vcon), _began(recordings or texts), _facts(parties, recordings)
    )


def _object(content: Any) -> dict[str, Any]:
    if isinstance(content, str | bytes):
        try:
            content = json.loads(content)
        except (ValueError, RecursionError):
            raise InvalidInput("the vCon is no JSON", remedy="Send the vCon as JSON.") from None
    if not isinstance(content, dict):
        raise InvalidInput("the vCon is no JSON object", remedy="Send one vCon at a time.")
    return content


def _check_kind(vcon: Mapping[str, Any]) -> None:
    if "ciphertext" in vcon:
        raise InvalidInput(
            "the vCon is encrypted (JWE)", remedy="Decrypt it, and send the vCon inside."
        )
    if "payload" in vcon and ("signatures" in vcon or "signature" in vcon):
        raise InvalidInput(
            "the vCon is signed (JWS), and Callscope knows no signer to trust",
            remedy="Verify the signature, and send the vCon in its payload.",
        )
    version = vcon.get("vcon")
    if not isinstance(version, str):
        raise InvalidInput(
            "this is no vCon: it has no version under `vcon`",
            remedy="Send what draft-ietf-vcon-vcon-core describes; docs/vcon.md tells more.",
        )
    if not version.startswith("0."):
        raise InvalidInput(
            f"the vCon is of syntax {version[:20]!r}, and 0.0.1 to 0.4.0 are known",
            remedy="Send it in syntax 0.4.0.",
        )
    if vcon.get("group"):
        raise InvalidInput("the vCon is a group of others", remedy="Send each of them by itself.")
    critical = vcon.get("critical") or vcon.get("must_support") or []
    unknown = [str(each)[:64] for each in critical if each not in EXTENSIONS]
    if unknown:
        raise InvalidInput(
            f"the vCon says that its extension {unknown[0]!r} must be understood, and it is not",
            remedy="Send one without it, if the call can be understood without.",
        )


def _list(vcon: Mapping[str, Any], name: str) -> list[Any]:
    found = vcon.get(name) or []
    if not isinstance(found, list):
        raise InvalidInput(f"{name}: no array", remedy="Send a vCon as the draft describes it.")
    return found


def _party(place: int, content: Any) -> _Party:
    party = content if isinstance(content, dict) else {}
    names = (party.get(key) for key in ("name", "tel", "mailto"))
    name = next((each.strip() for each in names if isinstance(each, str) and each.strip()), None)
    return _Party(
        speaker=f"party_{place}",
        role=_ROLES.get(str(party.get("role")).lower()),
        bot={"bot": True, "person": False}.get(str(party.get("type")).lower()),
        name=name,
    )


def _dialog(place: int, content: Any) -> tuple[int, dict[str, Any]]:
    if not isinstance(content, dict):
        raise _wrong(place, "no object")
    return place, content


def _audio(place: int, dialog: Mapping[str, Any], parties: Sequence[_Party]) -> VconAudio | None:
    """The recording; None where the vCon only says that there is one."""
    body, url = dialog.get("body"), dialog.get("url")
    if not body and not url:
        return None
    if url is not None and not isinstance(url, str):
        raise _wrong(place, "url: no text")
    heard = dialog.get("parties")
    channels = heard if isinstance(heard, list) and len(heard) > 1 else []
    agents = [i for i, each in enumerate(channels) if _is_agent(each, parties)]
    name = dialog.get("filename")
    return VconAudio(
        data=_decoded(place, dialog) if body else None,
        uri=None if body else url,
        hashes=dict(_hashes(place, dialog)),
        file_name=name if isinstance(name, str) and name else None,
        channels=len(channels) or None,
        agent_channel=agents[0] if len(agents) == 1 else None,
    )


def _is_agent(index: Any, parties: Sequence[_Party]) -> bool:
    place = index[0] if isinstance(index, list) and len(index) == 1 else index
    return (
        isinstance(place, int) and 0 <= place < len(parties) and (parties[place].role is Role.AGENT)
    )


def _decoded(place: int, dialog: Mapping[str, Any]) -> bytes:
    body, encoding = dialog["body"], dialog.get("encoding")
    if encoding != "base64url" or not isinstance(body, str):
        raise _wrong(place, "an inline recording has the encoding base64url")
    try:
        return base64.b64decode(_padded(body), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _wrong(place, "body: no base64url") from None


def _padded(text: str) -> str:
    return text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4)


def _hashes(place: int, dialog: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    """The digests that its bytes must have; before 0.3 they were called `signature`."""
    given = dialog.get("content_hash")
    if given is None and isinstance(dialog.get("signature"), str):
        given = f"{dialog.get('alg')}-{dialog['signature']}".replace("SHA-", "sha")
    for each in given if isinstance(given, list) else [given] if given is not None else []:
        algorithm, _, digest = str(each).partition("-")
        if algorithm.lower() not in _HASHES:
            raise _wrong(place, f"content_hash: {algorithm[:20]!r} is none of {', '.join(_HASHES)}")
        try:
            value = base64.b64decode(_padded(digest), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            value = b""
        if len(value) != _HASHES[algorithm.lower()]:
            raise _wrong(place, f"content_hash: no {algorithm} in base64url")
        yield algorithm.lower(), value


def _written(
    texts: Sequence[tuple[int, Mapping[str, Any]]], parties: Sequence[_Party]
) -> TextConversation:
    """Dialogs of type text; their times count where each says when, and for how long."""
    starts = [_moment(place, each) for place, each in texts]
    lengths = [each.get("duration") for _, each in texts]
    timed = all(starts) and all(isinstance(each, int | float) and each >= 0 for each in lengths)
    first = min((each for each in starts if each), default=None)
    utterances = []
    for (place, each), start, length in zip(texts, starts, lengths, strict=True):
        at = (start - first).total_seconds() if timed and start and first else None
        utterances.append(
            TextUtterance(
                _author(place, each, parties),
                _text(place, each),
                at,
                None if at is None else at + (length or 0),
            )
        )
    return _conversation(utterances, parties)


def _author(place: int, dialog: Mapping[str, Any], parties: Sequence[_Party]) -> str:
    """Who wrote it: the originator, or the first of its parties."""
    named = dialog.get("parties")
    index = dialog.get("originator", named[0] if isinstance(named, list) and named else named)
    if not isinstance(index, int) or not 0 <= index < len(parties):
        raise _wrong(place, "it names no party as its originator")
    return parties[index].speaker


def _text(place: int, dialog: Mapping[str, Any]) -> str:
    media = str(dialog.get("mediatype") or dialog.get("mimetype") or "text/plain")
    if media.partition(";")[0].strip().lower() != "text/plain":
        raise _wrong(place, f"text is read as text/plain, not {media[:40]!r}")
    body = dialog.get("body")
    if not isinstance(body, str):
        raise _wrong(place, "its text is not inline")
    if dialog.get("encoding") == "base64url":
        try:
            return _decoded(place, dialog).decode()
        except UnicodeDecodeError:
            raise _wrong(place, "body: no UTF-8") from None
    return body


def _transcribed(vcon: Mapping[str, Any], parties: Sequence[_Party]) -> TextConversation | None:
    """Our own transcript of a recording that is not there."""
    for place, each in enumerate(_list(vcon, "analysis")):
        if isinstance(each, dict) and _OURS.fullmatch(str(each.get("schema"))):
            body = each.get("body")
            content = _object(body)
            try:
                utterances = [
                    TextUtterance(
                        parties[said["party"]].speaker, said["text"], said["start"], said["end"]
                    )
                    for said in content["utterances"]
                ]
            except (KeyError, IndexError, TypeError):
                raise InvalidInput(
                    f"analysis.{place}: its schema is {each['schema']}, and it is not made so",
                    remedy="Send it as Callscope wrote it; docs/vcon.md describes it.",
                ) from None
            return _conversation(utterances, parties, content.get("language"))
    return None


def _conversation(
    utterances: Sequence[TextUtterance], parties: Sequence[_Party], language: str | None = None
) -> TextConversation:
    return checked(
        TextConversation(
            tuple(utterances),
            tuple(TextParticipant(each.speaker, each.role, each.bot) for each in parties),
            language,
        )
    )


def _uuid(vcon: Mapping[str, Any]) -> str | None:
    try:
        return str(UUID(str(vcon.get("uuid"))))
    except ValueError:
        return None


def _began(dialogs: Sequence[tuple[int, Mapping[str, Any]]]) -> str | None:
    """When the first of them began, as it is written there."""
    moments = [
        (moment, str(each["start"]))
        for place, each in dialogs
        if (moment := _moment(place, each)) is not None
    ]
    return min(moments)[1] if moments else None


def _moment(place: int, dialog: Mapping[str, Any]) -> datetime | None:
    start = dialog.get("start")
    if start is None or start == UNKNOWN_TIME:
        return None
    try:
        moment = datetime.fromisoformat(str(start).upper())
    except ValueError:
        raise _wrong(place, "start: no RFC 3339 time") from None
    if moment.tzinfo is None:
        raise _wrong(place, "start: a time without its offset")
    return moment


def _facts(
    parties: Sequence[_Party], recordings: Sequence[tuple[int, Mapping[str, Any]]]
) -> dict[str, str]:
    """Who the only agent and the only customer are, and who called whom."""
    facts: dict[str, str] = {}
    for role in (Role.AGENT, Role.CUSTOMER):
        alone = [each for each in parties if each.role is role]
        if len(alone) == 1 and alone[0].name is not None:
            facts[role.value] = alone[0].name
    for _, dialog in recordings:
        caller = dialog.get("originator")
        if isinstance(caller, int) and 0 <= caller < len(parties):
            direction = _DIRECTIONS.get(parties[caller].role or Role.UNKNOWN)
            facts |= {"direction": direction} if direction else {}
    return facts


def _wrong(place: int, what: str) -> InvalidInput:
    return InvalidInput(
        f"dialog.{place}: {what}", remedy="Correct the vCon; docs/vcon.md tells what is read."
    )
