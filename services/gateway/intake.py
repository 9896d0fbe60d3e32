"""How a recording becomes an accepted call.

The bytes go to a file of their own while they are hashed; then the headers are looked into, the
recording is put into the store, and the call is entered in the database. The file's name is durable
before the store has the recording, and file and store are before the call is entered: so after a
crash at any point every trace of the recording can be removed (`Intake.recover`), or the call is
there and will be completed. Only then is the work enqueued, for which no sender waits (`Handover`).
"""

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote

from callscope.audio import AudioLimits, AudioReader, probe
from callscope.errors import (
    Conflict,
    DeadlineExceeded,
    InvalidAudio,
    InvalidInput,
    RubricNotFound,
    Unavailable,
    UnknownChannel,
)
from callscope.pipeline import AnalyzeOptions, RubricSource
from callscope.types import AudioSource, MediaInfo, TextConversation
from callscope.vcon_reading import read_vcon
from services.gateway import metrics
from services.gateway.call import Call, CallStatus, new_id
from services.gateway.facts import FactReader, Said, Source
from services.gateway.ledger import Ledger, NewCall
from services.gateway.store import BlobStore, Inbox, Incoming
from services.gateway.submission import Submission
from services.gateway.texts import Note, sound_file_name

__all__ = ["NOTHING", "Intake", "Promised"]

_log = logging.getLogger(__name__)
_BLOCK = 1 << 20  # bytes copied at a time
_MOST_NAMED = 5  # differences in a message
_NEW_KEY = "Use a new key for a new recording; rescore that call to analyze it otherwise."
_NEW_ID = "Send it under an id of its own, or delete that call first."
_OWN_ID = (
    "Rescore that call to analyze it otherwise, give this one an external_id of its own if it is "
    "another call, or delete that call first."
)


@dataclass(frozen=True, slots=True)
class Promised:
    """What a sender says of a recording's bytes.

    Attributes:
        hashes: their digests, by `hashlib`'s names.
        channels: how many channels they hold, should they hold `agent_channel`.
        agent_channel: the agent's, in a recording with so many.
    """

    hashes: Mapping[str, bytes] = field(default_factory=dict)
    channels: int | None = None
    agent_channel: int | None = None


NOTHING = Promised()


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes recordings in. Blocking.

    Attributes:
        inbox: where recordings arrive.
        store: where they are kept.
        ledger: where calls are entered.
        reader: opens recordings that are sent by URI.
        limits: what a recording may be at most.
        default_rubric: for calls that name none.
        facts: how file names are read.
        check_rubric: raises what is wrong with a rubric.
        enqueue: has a call enqueued, sooner or later, without keeping anybody waiting.
    """

    inbox: Inbox
    store: BlobStore
    ledger: Ledger
    reader: AudioReader
    limits: AudioLimits
    default_rubric: str
    facts: FactReader
    check_rubric: Callable[[RubricSource], object]
    enqueue: Callable[[Call], None]

    def begin(self, tenant: str) -> Incoming:
        """A place for the bytes of a new recording of that tenant."""
        return self.inbox.begin(tenant, new_id())

    def copy(
        self,
        tenant: str,
        uri: str,
        submission: Submission,
        key: str | None,
        folder: str | None = None,
        promised: Promised = NOTHING,
    ) -> Call:
        """Accept the recording at `uri`; its bytes are copied, so that they cannot change later.

        Args:
            tenant: whose it will be.
            uri: where it is.
            submission: what the sender says of it.
            key: the idempotency key.
            folder: the folder of each root and bucket that it must lie in; None for anywhere.
            promised: what its sender says of the bytes.

        Raises:
            ForbiddenUri, AudioNotFound, Unavailable: as `AudioReader.open`.
            CallscopeError: as `accept`.
        """
        if submission.file_name is None:
            submission = submission.model_copy(update={"file_name": _name_in(uri)})
        submission = self.facts.complete(tenant, submission)
        options = self._options(submission)
        audio = AudioSource(uri=uri)
        with self.reader.open(audio, folder) as source, self.begin(tenant) as incoming:
            while block := source.read(_BLOCK):
                incoming.write(block)
            incoming.seal()
            return self._accept(incoming, submission, options, key, promised)

    def accept(
        self,
        incoming: Incoming,
        submission: Submission,
        key: str | None,
        said: Sequence[Said] = (),
        promised: Promised = NOTHING,
    ) -> Call:
        """Accept what has arrived: when this returns, the call is durable and will be analyzed.

        Args:
            incoming: what has arrived.
            submission: what its sender asks for.
            key: the idempotency key.
            said: what is known of it besides.
            promised: what its sender says of the bytes.

        Raises:
            InvalidAudio, AudioTooLarge, AudioTooLong: no recording that can be analyzed.
            UnknownChannel: the recording has no such agent's channel.
            InvalidRubric, RubricNotFound: where the score service could be asked.
            Conflict: the idempotency key, the external id or the recording itself is known, not
                everything is as it was, and that call did not fail.
            Unavailable: disk, store or database fail.
        """
        incoming.seal()  # which goes on while the rubric is asked for and the headers looked into
        submission = self.facts.complete(incoming.tenant, submission, said)
        return self._accept(incoming, submission, self._options(submission), key, promised)

    def unpack(
        self,
        tenant: str,
        vcon: Any,
        submission: Submission,
        key: str | None,
        folder: str | None,
        said: Sequence[Said] = (),
    ) -> Call:
        """Accept the call in a vCon; what that says counts where the submission says nothing.

        Args:
            tenant: whose it will be.
            vcon: its JSON text, or the objects it is made of.
            submission: what its sender says of it besides.
            key: the idempotency key.
            folder: as in `copy`, for a recording that is linked.
            said: as in `accept`, for one that is not.

        Raises:
            InvalidInput: no vCon, or of a kind that cannot be read.
            CallscopeError: as `copy`, `read` and `accept`.
        """
        sent = read_vcon(vcon)
        submission = submission.with_facts(
            sent.metadata, started_at=sent.started_at, external_id=sent.uuid
        )
        if sent.text is not None:
            return self.read(tenant, sent.text, submission, key, said)
        audio = sent.audio
        assert audio is not None  # noqa: S101 - as `read_vcon` says
        promised = Promised(audio.hashes, audio.channels, audio.agent_channel)
        if audio.uri is not None:
            return self.copy(tenant, audio.uri, submission, key, folder, promised)
        submission = submission.with_facts({}, file_name=sound_file_name(audio.file_name))
        with self.begin(tenant) as incoming:
            incoming.write(audio.data or b"")
            return self.accept(incoming, submission, key, said, promised)

    def read(
        self,
        tenant: str,
        text: TextConversation,
        submission: Submission,
        key: str | None,
        said: Sequence[Said] = (),
    ) -> Call:
        """Accept a conversation that is sent as text.

        Raises:
            CallscopeError: as `accept`, and `InvalidInput` for what can be asked of audio only.
        """
        _check_audible(submission)
        text = replace(text, language=text.language or submission.language)
        submission = self.facts.complete(tenant, submission, said)
        options = self._options(submission)
        new = replace(_described(tenant, submission, options, key), text=text)
        if (known := self._known(new)) is not None:
            return known
        return self._enter(new)

    def check(self, rubric: RubricSource | None) -> None:
        """Refuse a rubric that cannot be used, where the score service can say so in time.

        Raises:
            InvalidRubric, RubricNotFound: it cannot be used.
        """
        if rubric is None:
            return
        try:
            self.check_rubric(rubric)
        except (Unavailable, DeadlineExceeded) as error:
            # The recording is worth more than an early answer: the score stage will check again.
            _log.warning("rubric not checked", extra={"error": error.code})

    def recover(self) -> None:
        """Remove what an earlier process had taken in and not accepted."""
        for left in self.inbox.left_over():
            if self.ledger.find(left.tenant, left.id) is None:
                self.store.remove(_blob_key(left.tenant, left.id))
            left.path.unlink()

    def _options(self, submission: Submission) -> AnalyzeOptions:
        options = submission.options(self.default_rubric)
        try:
            self.check(options.rubric)
        except RubricNotFound as error:
            if submission.rubric is not None:
                raise
            # No fault of the sender's; what is sent again gets in once it is put right.
            raise Unavailable(
                f"CALLSCOPE_GATEWAY_DEFAULT_RUBRIC: {error.message}",
                remedy="Name a rubric, or have the gateway's setting put right.",
            ) from None
        return options

    def _accept(
        self,
        incoming: Incoming,
        submission: Submission,
        options: AnalyzeOptions,
        key: str | None,
        promised: Promised,
    ) -> Call:
        _check_hashes(incoming, promised)
        blob = _blob_key(incoming.tenant, incoming.id)
        media = self._probe(incoming, options.agent_channel)
        if options.agent_channel is None and media.channels == promised.channels:
            options = replace(options, agent_channel=promised.agent_channel)
        described = _described(incoming.tenant, submission, options, key)
        noted = tuple(Note(source="recording", fact="duration", reason=r) for r in media.doubts)
        new = replace(
            described,
            id=incoming.id,
            blob=blob,
            media=media,
            notes=described.notes + noted,
        )
        # An id that was used before is noticed on entering, a recording sent under one is not.
        if new.external_id is None and (known := self._known(new)) is not None:
            return known
        self.store.keep(incoming.path, blob)
        try:
            incoming.settle()
            call = self._enter(new)
        except BaseException:
            self.store.remove(blob)
            raise
        if call.id != new.id:
            self.store.remove(blob)
        return call

    def _enter(self, new: NewCall) -> Call:
        """The call, entered and enqueued, or the one that was sent before and is this one."""
        if (call := self.ledger.add(new)) is None:
            if (known := self._known(new)) is None:  # deleted in this very moment
                raise Unavailable("the call could not be entered; send it again", retry_after=1)
            return known
        metrics.RECEIVED.labels(call.lane).inc()
        metrics.RECEIVED_AUDIO.labels(call.lane).inc(call.recording.duration or 0.0)
        for note in new.notes:
            metrics.FACTS_UNREAD.labels(_known_source(note.source)).inc()
        self.enqueue(call)
        return call

    def _probe(self, incoming: Incoming, agent_channel: int | None) -> MediaInfo:
        with incoming.reading() as file:
            media = probe(file, self.limits, sha256=incoming.sha256)
        if agent_channel is not None and agent_channel >= media.channels:
            raise UnknownChannel(
                f"the agent's channel is {agent_channel}, and the recording has {media.channels}"
            )
        return media

    def _known(self, new: NewCall) -> Call | None:
        """The call that was sent before and is this one, if there is one.

        One that failed starts anew as it is sent now.

        Raises:
            Conflict: it is this one by its key, its id or its recording, and something differs.
        """
        key, ledger = new.idempotency_key, self.ledger
        if key is not None and (before := ledger.by_key(new.tenant, key)) is not None:
            return self._same(new, before, "the idempotency key was used for call {}", _NEW_KEY)
        if new.external_id is not None:
            before = ledger.by_external_id(new.tenant, new.external_id)
            return before and self._same(new, before, "the external id is that of call {}", _NEW_ID)
        before = ledger.by_recording(new.tenant, new.sha256)
        return before and self._same(new, before, "the recording is that of call {}", _OWN_ID)

    def _same(self, new: NewCall, before: Call, how: str, remedy: str) -> Call:
        differing = _differing(new, before)
        if not differing:
            return before
        # A failed call has no record that other options and facts could belie.
        failed = before.status is CallStatus.FAILED
        same_call = not {"recording", "external_id"} & set(differing)
        if failed and same_call and (call := self.ledger.restart(before.id, new)) is not None:
            self.enqueue(call)
            return call
        named = differing[:_MOST_NAMED] + ["others"] * (len(differing) > _MOST_NAMED)
        raise Conflict(
            f"{how.format(before.id)}, which differs in its {', '.join(named)}", remedy=remedy
        )


def _check_hashes(incoming: Incoming, promised: Promised) -> None:
    """Refuse bytes that are others than their sender says.

    Raises:
        InvalidAudio: a digest differs.
    """
    for name, wanted in promised.hashes.items():
        digest = hashlib.new(name)
        with incoming.reading() as file:
            while block := file.read(_BLOCK):
                digest.update(block)
        found = digest.digest()
        if found != wanted:
            raise InvalidAudio(
                f"the recording's {name} is not the one that was promised",
                remedy="Send the recording that the hash was made of, or its own hash.",
            )


def _described(
    tenant: str, submission: Submission, options: AnalyzeOptions, key: str | None
) -> NewCall:
    """A call as its sender describes it, without what was said in it."""
    return NewCall(
        id=new_id(),
        tenant=tenant,
        lane=submission.lane,
        options=options,
        metadata=submission.metadata,
        started_at=submission.started_at,
        idempotency_key=key,
        external_id=submission.external_id,
        notes=submission.notes,
    )


def _check_audible(submission: Submission) -> None:
    """Refuse for a text what can be asked of audio only.

    Raises:
        InvalidInput: naming it.
    """
    for name in ("agent_channel", "hotwords", "min_speakers", "max_speakers", "transcribe_model"):
        if getattr(submission, name) not in (None, ()):
            raise InvalidInput(
                f"{name}: the conversation is sent as text, and nothing is listened to",
                remedy=f"Leave {name} out; participants have roles.",
            )


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


def _name_in(uri: str) -> str | None:
    """The recording's name with its folders, as the URI has it; S3's keys are literal."""
    scheme, _, rest = uri.partition("://")
    name = rest.partition("/")[2]
    if scheme.lower() == "https":
        name = name.partition("?")[0]  # a signature is nobody else's business
    return sound_file_name(name if scheme.lower() == "s3" else unquote(name))


def _known_source(name: str) -> str:
    """A note's source as a metric's label: senders may write what they like, labels are few."""
    return name if name in set(Source) else "other"


def _blob_key(tenant: str, call_id: str) -> str:
    """`acme/audio/7f/<id>`.

    The tenant first, so that a store's own rules can tell tenants apart; then the id's last
    characters, so that no folder grows too large.
    """
    return f"{tenant}/audio/{call_id[-2:]}/{call_id}"
