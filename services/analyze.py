"""`callscope analyze`: the model services inside this process, one call after another.

The same servers, settings and clients as in production, on loopback and free ports. Transcripts,
told by the file name's ending, need the score service alone.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from callscope import formats, transcripts
from callscope.audio import AudioLimits, probe
from callscope.clients import RemoteDiarizer, RemoteScorer, RemoteTranscriber
from callscope.errors import AudioNotFound, CallscopeError, UnknownChannel
from callscope.models import load_manifest
from callscope.pipeline import (
    AnalyzeOptions,
    DiarizeOptions,
    StageProgress,
    TranscribeOptions,
    analyze,
    analyze_text,
)
from callscope.record import to_json
from callscope.serving.embedded import embedded
from callscope.serving.recordings import audio_limits
from callscope.serving.server import Service
from callscope.serving.settings import ServiceSettings
from callscope.types import AudioSource, CallRecord, Recording, TextConversation
from services.diarize.servicer import build as build_diarize
from services.diarize.settings import DiarizeSettings
from services.report import report
from services.rubric_files import rubric_source
from services.score.library import RubricLibrary
from services.score.servicer import build as build_score
from services.score.settings import ScoreSettings
from services.transcribe.servicer import build as build_transcribe
from services.transcribe.settings import TranscribeSettings

__all__ = ["Request", "analyze_files", "records"]

_STAGES = ("transcribe", "diarize", "score")
_HOURS_24 = 24 * 3600.0  # one stage of the longest recording on the slowest machine


@dataclass(frozen=True, slots=True)
class Request:
    """The command's options, as typed."""

    agent_channel: int | None
    rubric_name: str
    language: str | None
    hotwords: tuple[str, ...]
    speakers: int | None
    model: str | None
    json_file: str | None
    form: str

    def options(self) -> AnalyzeOptions:
        """What the pipeline is asked for.

        Raises:
            RubricNotFound, InvalidRubric: as `rubric_source`.
        """
        return AnalyzeOptions(
            rubric=rubric_source(self.rubric_name),
            agent_channel=self.agent_channel,
            transcribe=TranscribeOptions(self.language, self.hotwords, self.model),
            diarize=DiarizeOptions(self.speakers, self.speakers),
        )


@dataclass(frozen=True, slots=True)
class _Settings:
    """Of the three services, allowed to read the folders of these files and nothing else."""

    transcribe: TranscribeSettings
    diarize: DiarizeSettings
    score: ScoreSettings

    @classmethod
    def load(cls, files: Sequence[Path]) -> Self:
        here = {
            "host": "127.0.0.1",
            "port": 0,
            "metrics_port": 0,
            "drain_seconds": 0,
            "log_level": "ERROR",
            "audio_roots": tuple({file.resolve().parent for file in files}),
        }
        return cls(
            TranscribeSettings.load(**here),
            DiarizeSettings.load(**here),
            ScoreSettings.load(**here),
        )

    @property
    def limits(self) -> AudioLimits:
        return audio_limits(self.transcribe)

    def check(self, options: AnalyzeOptions) -> None:
        """Refuse a rubric or a model's name that the services would refuse."""
        RubricLibrary(self.score.rubrics_dir).get(options.rubric)
        if options.transcribe.model is not None:
            load_manifest()[options.transcribe.model]


@dataclass(frozen=True, slots=True)
class _Source:
    """What was said: in a recording, or where there is `text`, in that."""

    recording: Recording
    text: TextConversation | None = None


@dataclass(frozen=True, slots=True)
class _Stages:
    scorer: RemoteScorer
    transcriber: RemoteTranscriber | None
    diarizer: RemoteDiarizer | None

    def analyze(
        self, source: _Source, options: AnalyzeOptions, progress: StageProgress
    ) -> CallRecord:
        if source.text is not None:
            return analyze_text(
                source.recording,
                source.text,
                scorer=self.scorer,
                options=options,
                progress=progress,
            )
        assert self.transcriber is not None  # noqa: S101 - both are up where any file has audio
        assert self.diarizer is not None  # noqa: S101
        return analyze(
            source.recording,
            AudioSource(uri=source.recording.uri),
            transcriber=self.transcriber,
            diarizer=self.diarizer,
            scorer=self.scorer,
            options=options,
            progress=progress,
        )


def analyze_files(files: Sequence[Path], request: Request) -> int:
    """Analyze each file and show its record; a bad file is reported and the others go on.

    Returns:
        The exit status: 0, or the highest among the files that failed.

    Raises:
        CallscopeError: nothing could be analyzed: a setting, a model or the rubric is wrong.
    """
    statuses = [0]
    for outcome in records(files, request.options()):
        if isinstance(outcome, CallscopeError):
            statuses.append(outcome.exit_status)
        else:
            _show(outcome, request, len(files) > 1)
    return max(statuses)


def records(
    files: Sequence[Path], options: AnalyzeOptions
) -> Iterator[CallRecord | CallscopeError]:
    """Each file's record, or the error it failed with, which has been reported.

    Raises:
        CallscopeError: nothing could be analyzed: a setting, a model or the rubric is wrong.
    """
    messages = Console(stderr=True)
    settings = _Settings.load(files)
    settings.check(options)  # before the models, whose loading takes seconds
    with contextlib.ExitStack() as stack:
        stages: _Stages | None = None
        listening = any(_form(file) is None for file in files)
        for file in files:
            try:
                source = _source(file, options, settings.limits)
                stages = stages or stack.enter_context(_stages(settings, listening))
                names = ("score",) if source.text is not None else _STAGES
                with _bars(messages, file.name, names) as bars:
                    record = stages.analyze(source, options, bars.advance)
            except CallscopeError as error:
                messages.print(
                    f"callscope: {file}: {error.message.rstrip('.')}. {error.remedy}",
                    style="red",
                    soft_wrap=True,
                    markup=False,
                    highlight=False,
                )
                yield error
            else:
                yield record


def _form(file: Path) -> str | None:
    """The form of a transcript, by the file name's ending; None for a recording."""
    form = file.suffix.lower().removeprefix(".")
    return form if form in transcripts.FORMS else None


def _source(file: Path, options: AnalyzeOptions, limits: AudioLimits) -> _Source:
    form = _form(file)
    if form is None:
        return _Source(_recording(file, options, limits))
    if options.agent_channel is not None:
        raise UnknownChannel(
            "the agent's channel was given, and a transcript has none",
            remedy="Leave --agent-channel out; the transcript says who is the agent.",
        )
    try:
        text = transcripts.read(file.read_bytes(), form)
    except OSError as error:
        raise AudioNotFound(f"cannot be read: {error.strerror}", remedy="Check the path.") from None
    sha256 = transcripts.digest(text)
    uri = file.resolve().as_uri()
    return _Source(Recording(sha256[:16], uri, sha256, text.duration, None, None, None), text)


def _recording(file: Path, options: AnalyzeOptions, limits: AudioLimits) -> Recording:
    try:
        with file.open("rb") as content:
            info = probe(content, limits)
    except OSError as error:
        raise AudioNotFound(f"cannot be read: {error.strerror}", remedy="Check the path.") from None
    agent = options.agent_channel
    if agent is not None and not 0 <= agent < info.channels:
        raise UnknownChannel(
            f"the agent's channel is {agent}, and the recording has {info.channels}"
        )
    return Recording(
        id=info.sha256[:16],
        uri=file.resolve().as_uri(),
        sha256=info.sha256,
        duration=info.duration,
        sample_rate=info.sample_rate,
        channels=info.channels,
        codec=info.codec,
    )


@contextlib.contextmanager
def _stages(settings: _Settings, listening: bool) -> Iterator[_Stages]:
    """The services, up until the block is left; without `listening`, score alone."""
    services: list[tuple[Service, ServiceSettings]] = [
        (build_score(settings.score), settings.score)
    ]
    if listening:
        services += [
            (build_transcribe(settings.transcribe), settings.transcribe),
            (build_diarize(settings.diarize), settings.diarize),
        ]
    with contextlib.ExitStack() as stack:
        behavior, *ears = stack.enter_context(embedded(services))
        scorer = RemoteScorer(behavior.target, _HOURS_24)
        stack.callback(scorer.close)
        transcriber, diarizer = None, None
        if listening:
            speech, speakers = ears
            transcriber = RemoteTranscriber(speech.target, _HOURS_24)
            diarizer = RemoteDiarizer(speakers.target, _HOURS_24)
            stack.callback(transcriber.close)
            stack.callback(diarizer.close)
        yield _Stages(scorer, transcriber, diarizer)


class _Bars:
    """A progress bar per stage, told of progress from the stages' threads."""

    def __init__(self, progress: Progress, name: str, stages: Sequence[str]) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {
            stage: progress.add_task(f"{name} {stage}", total=1.0) for stage in stages
        }

    def advance(self, stage: str, done: float) -> None:
        self._progress.update(self._tasks[stage], completed=done)


@contextlib.contextmanager
def _bars(console: Console, name: str, stages: Sequence[str]) -> Iterator[_Bars]:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        yield _Bars(progress, name, stages)


def _show(record: CallRecord, request: Request, many: bool) -> None:
    """Print the record, or keep it: one as readable JSON, many as a line each."""
    if request.json_file is not None:
        line = to_json(record, indent=None if many else 2) + "\n"
        with click.open_file(request.json_file, "a" if many else "w", encoding="utf-8") as file:
            file.write(line)
        if request.json_file == "-":
            return
    if request.form == "table":
        report(record, Console())
    else:
        click.echo(formats.render(record, request.form))
