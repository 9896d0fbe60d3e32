"""What is asked for when calls are to be judged again, and how far that is."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import (
    Field,
    StringConstraints,
    model_validator,
)

from callscope.pipeline import AnalyzeOptions, RubricSource
from services.gateway.call import Problem
from services.gateway.submission import Checked, Name

__all__ = ["Failure", "Order", "Rescoring", "RescoringStatus", "Source"]


class Source(StrEnum):
    """What a new record is made from."""

    TRANSCRIPT = "transcript"  # the words and turns that are kept; needs no audio
    AUDIO = "audio"  # the recording, transcribed and diarized once more


class RescoringStatus(StrEnum):
    """Whether there is work left."""

    RUNNING = "running"
    DONE = "done"  # for every call, well or not
    CANCELLED = "cancelled"


class Order(Checked):
    """By what to judge again, and from what."""

    rubric: Name | None = Field(
        None,
        description="Name of the rubric; each call's own where absent.",
        examples=["collections"],
    )
    rubric_yaml: Annotated[str, StringConstraints(max_length=256 << 10)] | None = Field(
        None, description="A rubric's YAML text, instead of a name."
    )
    source: Source = Field(
        Source.TRANSCRIPT,
        description="`transcript` judges the words that are kept, without the audio; `audio` "
        "transcribes and diarizes the recording once more.",
    )
    transcribe_model: Name | None = Field(
        None,
        description="Name of the transcription model, with `audio`; the service's default where "
        "absent.",
    )

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.rubric is not None and self.rubric_yaml is not None:
            raise ValueError("give rubric or rubric_yaml, not both")
        if self.transcribe_model is not None and self.source is not Source.AUDIO:
            raise ValueError("transcribe_model needs source audio")
        return self

    def rubric_source(self) -> RubricSource | None:
        """The rubric that is named, if one is."""
        if self.rubric is None and self.rubric_yaml is None:
            return None
        return RubricSource(name=self.rubric, yaml=self.rubric_yaml)

    def options(self, own: AnalyzeOptions) -> AnalyzeOptions:
        """How a call that had its `own` options is analyzed now."""
        transcribe = own.transcribe
        if self.transcribe_model is not None:
            transcribe = replace(transcribe, model=self.transcribe_model)
        return replace(own, rubric=self.rubric_source() or own.rubric, transcribe=transcribe)


@dataclass(frozen=True, slots=True)
class Failure:
    """A call that could not be judged again; its records are as they were."""

    call_id: str
    problem: Problem


@dataclass(frozen=True, slots=True)
class Rescoring:
    """An order and how far it is. `failures` shows the first few."""

    id: str
    order: Order
    status: RescoringStatus
    calls: int
    done: int
    failed: int
    failures: tuple[Failure, ...]
    created_at: datetime
