"""A call that was sent before: found, told from others, and begun anew where it had failed."""

from collections.abc import Callable, Mapping

from callscope.errors import Conflict
from callscope.pipeline import AnalyzeOptions
from services.gateway.call import Call, CallStatus
from services.gateway.ledger import Ledger, NewCall

__all__ = ["resume_earlier"]

_MOST_NAMED = 5  # differences in a message
_NEW_KEY = "Use a new key for a new recording; rescore that call to analyze it otherwise."
_NEW_ID = "Send it under an id of its own, or delete that call first."
_OWN_ID = (
    "Rescore that call to analyze it otherwise, give this one an external_id of its own if it is "
    "another call, or delete that call first."
)


def resume_earlier(ledger: Ledger, new: NewCall, enqueue: Callable[[Call], None]) -> Call | None:
    """The call that was sent before and is this one, if there is one.

    One that failed starts anew as it is sent now, and is enqueued.

    Raises:
        Conflict: it is this one by its key, its id or its recording, and something differs.
    """

    def same(before: Call, how: str, remedy: str) -> Call:
        differing = _differing(new, before)
        if not differing:
            return before
        # A failed call has no record that other options and facts could belie.
        failed = before.status is CallStatus.FAILED
        same_call = not {"recording", "external_id"} & set(differing)
        if failed and same_call and (call := ledger.restart(before.id, new)) is not None:
            enqueue(call)
            return call
        named = differing[:_MOST_NAMED] + ["others"] * (len(differing) > _MOST_NAMED)
        raise Conflict(
            f"{how.format(before.id)}, which differs in its {', '.join(named)}", remedy=remedy
        )

    key = new.idempotency_key
    if key is not None and (before := ledger.by_key(new.tenant, key)) is not None:
        return same(before, "the idempotency key was used for call {}", _NEW_KEY)
    if new.external_id is not None:
        before = ledger.by_external_id(new.tenant, new.external_id)
        return before and same(before, "the external id is that of call {}", _NEW_ID)
    before = ledger.by_recording(new.tenant, new.sha256)
    return before and same(before, "the recording is that of call {}", _OWN_ID)


def _differing(new: NewCall, before: Call) -> list[str]:
    """What is not as it was, by the names that senders use."""
    was = before.recording
    now = {
        "recording": new.sha256,
        "external_id": new.external_id or before.external_id,
        **_said(new.options, new.started_at, new.metadata),
    }
    then = {
        "recording": was.sha256,
        "external_id": before.external_id,
        **_said(before.options, was.started_at, was.metadata),
    }
    return [name for name in {**now, **then} if now.get(name) != then.get(name)]


def _said(
    options: AnalyzeOptions, started_at: str | None, metadata: Mapping[str, str]
) -> dict[str, object]:
    return {
        "rubric": options.rubric,
        "agent_channel": options.agent_channel,
        "language": options.transcribe.language,
        "hotwords": options.transcribe.hotwords,
        "transcribe_model": options.transcribe.model,
        "min_speakers": options.diarize.min_speakers,
        "max_speakers": options.diarize.max_speakers,
        "started_at": started_at,
        **{f"metadata.{name}": fact for name, fact in metadata.items()},
    }
