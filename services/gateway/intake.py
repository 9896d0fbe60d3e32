"""How a recording becomes an accepted call.

The bytes go to a file of their own while they are hashed; then the headers are looked into, the
recording is put into the store, and the call is entered in the database. The file's name is durable
before the store has the recording, and file and store are before the call is entered: so after a
crash at any point every trace of the recording can be removed (`Intake.recover`), or the call is
there and will be completed. Only then is the work enqueued, for which no sender waits (`Handover`).
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from callscope.audio import AudioLimits, AudioReader, probe
from callscope.errors import DeadlineExceeded, RubricNotFound, Unavailable, UnknownChannel
from callscope.pipeline import AnalyzeOptions, RubricSource
from callscope.types import AudioSource, MediaInfo, TextConversation
from callscope.vcon_reading import read_vcon
from services.gateway import metrics
from services.gateway.call import Call, new_id
from services.gateway.earlier import resume_earlier
from services.gateway.facts import FactReader, Said, Source
from services.gateway.ledger import Ledger, NewCall
from services.gateway.promises import NOTHING, Promised
from services.gateway.store import BlobStore, Inbox, Incoming
from services.gateway.submission import Submission
from services.gateway.texts import Note, file_name_in, sound_file_name

__all__ = ["Intake"]

_log = logging.getLogger(__name__)
_BLOCK = 1 << 20  # bytes copied at a time


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
            submission = submission.model_copy(update={"file_name": file_name_in(uri)})
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
        submission.refuse_audio_options()
        text = replace(text, language=text.language or submission.language)
        submission = self.facts.complete(tenant, submission, said)
        options = self._options(submission)
        new = replace(_described(tenant, submission, options, key), text=text)
        if (known := self._earlier(new)) is not None:
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
        promised.check(incoming)
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
        if new.external_id is None and (known := self._earlier(new)) is not None:
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
            if (known := self._earlier(new)) is None:  # deleted in this very moment
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

    def _earlier(self, new: NewCall) -> Call | None:
        return resume_earlier(self.ledger, new, self.enqueue)


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


def _known_source(name: str) -> str:
    """A note's source as a metric's label: senders may write what they like, labels are few."""
    return name if name in set(Source) else "other"


def _blob_key(tenant: str, call_id: str) -> str:
    """`acme/audio/7f/<id>`.

    The tenant first, so that a store's own rules can tell tenants apart; then the id's last
    characters, so that no folder grows too large.
    """
    return f"{tenant}/audio/{call_id[-2:]}/{call_id}"
