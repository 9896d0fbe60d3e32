"""What a call's kept results amount to: its conversation, from audio or from text."""

from collections.abc import Callable
from dataclasses import dataclass

from callscope import dialogue
from callscope.dialogue import Conversation
from callscope.pipeline import AnalyzeOptions, assemble, assemble_text
from callscope.types import CallRecord, Diarization, Scorecard, TextConversation, Transcript
from services.gateway.archive import TEXT
from services.gateway.call import Call
from services.gateway.journal import Journal
from services.gateway.progress import DIARIZE, TRANSCRIBE

__all__ = ["Heard", "hear"]


@dataclass(frozen=True, slots=True)
class Heard:
    """A call's conversation, and the record that a scorecard makes of it."""

    conversation: Conversation
    record: Callable[[Scorecard], CallRecord]


def hear(
    journal: Journal, call: Call, options: AnalyzeOptions, name: Callable[[str], str] = str
) -> Heard:
    """The conversation, built anew: it follows from what is kept.

    Args:
        journal: where that is.
        call: which.
        options: how it is to be analyzed.
        name: from a stage to the name under which its result is kept.

    Raises:
        NotReady: the results are not kept, or not yet.
        UnknownChannel: the options name a channel that the recording has not.
    """
    recording = call.recording
    if recording.is_text:
        text = journal.kept(call.id, TEXT, TextConversation)
        read = dialogue.read(text)
        return Heard(read, lambda card: assemble_text(recording, text, read, card))
    transcript = journal.kept(call.id, name(TRANSCRIBE), Transcript)
    diarization = journal.kept(call.id, name(DIARIZE), Diarization)
    talk = dialogue.build(transcript, diarization, transcript.duration, options.agent_channel)
    return Heard(talk, lambda card: assemble(recording, transcript, diarization, talk, card))
