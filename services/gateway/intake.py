"""How a recording becomes an accepted call.

The bytes go to a file of their own while they are hashed; then the headers are looked into, the
recording is put into the store, the call is entered in the database, and the work is enqueued: in
this order, each step durable, so that after a crash at any point every trace of the recording can
be removed (`Intake.recover`), or the call is there and will be completed (`Workflows.recover`).
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from callscope.audio import AudioLimits, AudioReader, probe
from callscope.errors import Conflict, DeadlineExceeded, Unavailable, UnknownChannel
from callscope.pipeline import AnalyzeOptions, RubricSource
from callscope.types import AudioSource, MediaInfo
from services.gateway.call import Call, new_id
from services.gateway.ledger import Ledger, NewCall
from services.gateway.store import BlobStore, Inbox, Incoming
from services.gateway.submission import Submission

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
        check_rubric: raises what is wrong with a rubric.
        enqueue: hands a call to the workflow; doing so twice is doing it once.
    """

    inbox: Inbox
    store: BlobStore
    ledger: Ledger
    reader: AudioReader
    limits: AudioLimits
    default_rubric: str
    check_rubric: Callable[[RubricSource], object]
    enqueue: Callable[[Call], None]

    def begin(self, tenant: str) -> Incoming:
        """A place for the bytes of a new recording of that tenant."""
        return self.inbox.begin(tenant, new_id())

    def copy(self, tenant: str, uri: str, submission: Submission, key: str | None) -> Call:
        """Accept the recording at `uri`; its bytes are copied, so that they cannot change later.

        Raises:
            ForbiddenUri, AudioNotFound, Unavailable: as `AudioReader.open`.
            CallscopeError: as `accept`.
        """
        options = self._options(submission)
        with self.reader.open(AudioSource(uri=uri)) as source, self.begin(tenant) as incoming:
            while block := source.read(_BLOCK):
                incoming.write(block)
            return self._accept(incoming, submission, options, key)

    def accept(self, incoming: Incoming, submission: Submission, key: str | None) -> Call:
        """Accept what has arrived: when this returns, the call is durable and will be analyzed.

        Raises:
            InvalidAudio, AudioTooLarge, AudioTooLong: no recording that can be analyzed.
            UnknownChannel: the recording has no such agent's channel.
            InvalidRubric, RubricNotFound: where the score service could be asked.
            Conflict: the idempotency key was used for something else.
            Unavailable: disk, store or database fail.
        """
        return self._accept(incoming, submission, self._options(submission), key)

    def recover(self) -> None:
        """Remove what an earlier process had taken in and not accepted."""
        for left in self.inbox.left_over():
            if self.ledger.find(left.tenant, left.id) is None:
                self.store.remove(_blob_key(left.tenant, left.id))
            left.path.unlink()

    def _options(self, submission: Submission) -> AnalyzeOptions:
        options = submission.options(self.default_rubric)
        try:
            self.check_rubric(options.rubric)
        except (Unavailable, DeadlineExceeded) as error:
            # The recording is worth more than an early answer: the score stage will check again.
            _log.warning("rubric not checked", extra={"error": error.code})
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
        )
        self.store.keep(incoming.path, new.blob)
        try:
            added = self.ledger.add(new)
        except BaseException:
            self.store.remove(new.blob)
            raise
        if not added:
            self.store.remove(new.blob)
            return self._same(new)
        call = self.ledger.get(new.tenant, new.id)
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

    def _same(self, new: NewCall) -> Call:
        """The call that was sent before with the same key, if it is the same in all."""
        key = new.idempotency_key
        before = None if key is None else self.ledger.by_key(new.tenant, key)
        if before is None:  # deleted in this very moment
            raise Unavailable("the call could not be entered; send it again", retry_after=1)
        for what, same in {
            "recording": before.recording.sha256 == new.media.sha256,
            "options": before.options == new.options,
            "metadata": before.recording.metadata == new.metadata,
            "start": before.recording.started_at == new.started_at,
        }.items():
            if not same:
                raise Conflict(
                    f"the idempotency key was used for call {before.id} with another {what}"
                )
        return before


def _blob_key(tenant: str, call_id: str) -> str:
    """`acme/audio/7f/<id>`.

    The tenant first, so that a store's own rules can tell tenants apart; then the id's last
    characters, so that no folder grows too large.
    """
    return f"{tenant}/audio/{call_id[-2:]}/{call_id}"
