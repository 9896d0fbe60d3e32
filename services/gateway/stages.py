"""What each stage does for a call. Each may be run again: what was made before is kept."""

import time
from dataclasses import dataclass

from callscope.pipeline import Diarizer, Scorer, StageProgress, Transcriber
from callscope.serving.metrics import STAGE_SECONDS
from callscope.types import AudioSource, Scorecard
from services.gateway import metrics
from services.gateway.call import Call, CallStatus, Problem
from services.gateway.hearing import Heard, hear
from services.gateway.journal import Journal
from services.gateway.progress import DIALOGUE, DIARIZE, RECORD, SCORE, TRANSCRIBE

__all__ = ["Stages"]


@dataclass(frozen=True, slots=True)
class Stages:
    """The stages of one call, from the journal and into it. Blocking.

    `report` may raise, which stops the stage. Every method raises `CallNotFound` where the call
    was deleted meanwhile.
    """

    journal: Journal
    transcriber: Transcriber
    diarizer: Diarizer
    scorer: Scorer

    def start(self, call_id: str, _: StageProgress) -> None:
        """The call is being analyzed."""
        self.journal.start(call_id)

    def transcribe(self, call_id: str, report: StageProgress) -> None:
        """Keep the transcript."""
        call = self.journal.call(call_id)
        if self._lacks(call, TRANSCRIBE):
            made = self.transcriber.transcribe(
                _audio(call), call.options.transcribe, lambda done: report(TRANSCRIBE, done)
            )
            self.journal.keep(call_id, TRANSCRIBE, made)

    def diarize(self, call_id: str, report: StageProgress) -> None:
        """Keep the diarization."""
        call = self.journal.call(call_id)
        if self._lacks(call, DIARIZE):
            made = self.diarizer.diarize(
                _audio(call), call.options.diarize, lambda done: report(DIARIZE, done)
            )
            self.journal.keep(call_id, DIARIZE, made)

    def score(self, call_id: str, report: StageProgress) -> None:
        """Build the conversation, and keep its scorecard."""
        call = self.journal.call(call_id)
        if self._lacks(call, SCORE):
            report(DIALOGUE, 0.0)
            talk = self._conversation(call).conversation
            report(DIALOGUE, 1.0)
            made = self.scorer.score(
                talk.utterances,
                talk.metrics,
                call.options.rubric,
                lambda done: report(SCORE, done),
            )
            self.journal.keep(call_id, SCORE, made)

    def record(self, call_id: str, report: StageProgress) -> None:
        """Put everything together as the record; with this the call is done."""
        call = self.journal.call(call_id)
        if call.status.final:
            return
        report(RECORD, 0.0)
        began = time.perf_counter()
        # Built again rather than stored twice: it follows from what is kept.
        heard = self._conversation(call)
        record = heard.record(self.journal.kept(call_id, SCORE, Scorecard))
        if self.journal.finish(call_id, record, consumed=SCORE):
            STAGE_SECONDS.labels(RECORD).observe(time.perf_counter() - began)
            metrics.count_record(call, record)

    def fail(self, problem: Problem, call_id: str, _: StageProgress) -> None:
        """The call is given up."""
        if (lane := self.journal.fail(call_id, problem)) is not None:
            metrics.CALLS.labels(CallStatus.FAILED, lane).inc()

    def _lacks(self, call: Call, stage: str) -> bool:
        """Whether the result is still to be made; another may have finished the call meanwhile."""
        if call.recording.is_text and stage in (TRANSCRIBE, DIARIZE):
            return False
        return not call.status.final and not self.journal.has(call.id, stage)

    def _conversation(self, call: Call) -> Heard:
        began = time.perf_counter()
        heard = hear(self.journal, call, call.options)
        STAGE_SECONDS.labels(DIALOGUE).observe(time.perf_counter() - began)
        return heard


def _audio(call: Call) -> AudioSource:
    return AudioSource(uri=call.recording.uri)
