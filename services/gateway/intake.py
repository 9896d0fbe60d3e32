"""How a recording becomes an accepted call.

The bytes go to a file of their own while they are hashed; then the headers are looked into, the
recording is put into the store, the call is entered in the database, and the work is enqueued: in
this order, each step durable, so that after a crash at any point every trace of the recording can
be removed (`Intake.recover`), or the call is there and will be completed (`Workflows.recover`).
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from callscope.audio import AudioLimits, AudioReader, probe
from callscope.errors import Conflict, DeadlineExceeded, Unavailable, UnknownChannel
from callscope.pipeline import AnalyzeOptions, RubricSource
from callscope.types import AudioSource, MediaInfo
from services.gateway import metrics
from services.gateway.call import Call, new_id
from services.gateway.facts import FactReader, Said, Source
from services.gateway.ledger import Ledger, NewCall
from services.gateway.store import BlobStore, Inbox, Incoming
from services.gateway.submission import Submission
from services.gateway.texts import sound_file_name

__all__ = ["Intake"]

_log = logging.getLogger(__name__)
_BLOCK = 1 << 20  # bytes copied at a time
_NEW_KEY = "Use a new key for a new recording."
_NEW_ID = "Send it under an id of its own, or delete that call first."
_OWN_ID = (
    "Rescore that call to analyze it otherwise, or give this one an external_id of its own if it "
    "is another call."
)


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
        enqueue: hands a call to the workflow; doing so twice is doing it once.
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
    ) -> Call:
        """Accept the recording at `uri`; its bytes are copied, so that they cannot change later.

        Args:
            tenant: whose it will be.
            uri: where it is.
            submission: what the sender says of it.
            key: the idempotency key.
            folder: the folder of each root and bucket that it must lie in; None for anywhere.

        Raises:
            ForbiddenUri, AudioNotFound, Unavailable: as `AudioReader.open`.
            CallscopeError: as `accept`.
        """
        if submission.file_name is None:
            submission = submission.model_copy(update={"file_name": _name_in(uri)})
        submission = self.facts.complete(submission)
        options = self._options(submission)
        audio = AudioSource(uri=uri)
        with self.reader.open(audio, folder) as source, self.begin(tenant) as incoming:
            while block := source.read(_BLOCK):
                incoming.write(block)
            return self._accept(incoming, submission, options, key)

    def accept(
        self,
        incoming: Incoming,
        submission: Submission,
        key: str | None,
        said: Sequence[Said] = (),
    ) -> Call:
        """Accept what has arrived: when this returns, the call is durable and will be analyzed.

        Args:
            incoming: what has arrived.
            submission: what its sender asks for.
            key: the idempotency key.
            said: what is known of it besides.

        Raises:
            InvalidAudio, AudioTooLarge, AudioTooLong: no recording that can be analyzed.
            UnknownChannel: the recording has no such agent's channel.
            InvalidRubric, RubricNotFound: where the score service could be asked.
            Conflict: the idempotency key, the external id or the recording itself is known, and
                not everything is as it was.
            Unavailable: disk, store or database fail.
        """
        submission = self.facts.complete(submission, said)
        return self._accept(incoming, submission, self._options(submission), key)

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
        self.check(options.rubric)
        return options

    def _accept(
        self, incoming: Incoming, submission: Submission, options: AnalyzeOptions, key: str | None
    ) -> Call:
        incoming.seal()
        new = NewCall(
            id=incoming.id,
            tenant=incoming.tenant,
            lane=submission.lane,
            blob=_blob_key(incoming.tenant, incoming.id),
            media=self._probe(incoming, options.agent_channel),
            options=options,
            metadata=submission.metadata,
            started_at=submission.started_at,
            idempotency_key=key,
            external_id=submission.external_id,
            notes=submission.notes,
        )
        if (known := self._known(new)) is not None:
            return known
        self.store.keep(incoming.path, new.blob)
        try:
            added = self.ledger.add(new)
        except BaseException:
            self.store.remove(new.blob)
            raise
        if not added:
            self.store.remove(new.blob)
            if (known := self._known(new)) is None:  # deleted in this very moment
                raise Unavailable("the call could not be entered; send it again", retry_after=1)
            return known
        call = self.ledger.get(new.tenant, new.id)
        metrics.RECEIVED.labels(call.lane).inc()
        metrics.RECEIVED_AUDIO.labels(call.lane).inc(call.recording.duration)
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

        Raises:
            Conflict: it is this one by its key, its id or its recording, and something differs.
        """
        key, ledger = new.idempotency_key, self.ledger
        if key is not None and (before := ledger.by_key(new.tenant, key)) is not None:
            return _same(new, before, "the idempotency key was used for call {}", _NEW_KEY)
        if new.external_id is not None:
            before = ledger.by_external_id(new.tenant, new.external_id)
            return before and _same(new, before, "the external id is that of call {}", _NEW_ID)
        before = ledger.by_recording(new.tenant, new.media.sha256)
        return before and _same(new, before, "the recording is that of call {}", _OWN_ID)


def _same(new: NewCall, before: Call, how: str, remedy: str) -> Call:
    for what, same in {
        "recording": before.recording.sha256 == new.media.sha256,
        "external id": new.external_id in (None, before.external_id),
        "options": before.options == new.options,
        "metadata": before.recording.metadata == new.metadata,
        "start": before.recording.started_at == new.started_at,
    }.items():
        if not same:
            raise Conflict(f"{how.format(before.id)}, with another {what}", remedy=remedy)
    return before


def _name_in(uri: str) -> str | None:
    """The recording's name with its folders, as the URI has it."""
    scheme, _, rest = uri.partition("://")
    name = rest.partition("/")[2]
    return sound_file_name(unquote(name) if scheme.lower() == "file" else name)


def _known_source(name: str) -> str:
    """A note's source as a metric's label: senders may write what they like, labels are few."""
    return name if name in set(Source) else "other"


def _blob_key(tenant: str, call_id: str) -> str:
    """`acme/audio/7f/<id>`.

    The tenant first, so that a store's own rules can tell tenants apart; then the id's last
    characters, so that no folder grows too large.
    """
    return f"{tenant}/audio/{call_id[-2:]}/{call_id}"
