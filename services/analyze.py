"""`callscope analyze`: the three model services inside this process, one recording after another.

The same servers, settings and clients as in production, on loopback and free ports.
"""

import contextlib
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Self

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from callscope import formats
from callscope.audio import AudioLimits, probe
from callscope.clients import RemoteDiarizer, RemoteScorer, RemoteTranscriber
from callscope.errors import AudioNotFound, CallscopeError, RubricNotFound, UnknownChannel
from callscope.models import load_manifest
from callscope.pipeline import (
    AnalyzeOptions,
    DiarizeOptions,
    RubricSource,
    StageProgress,
    TranscribeOptions,
    analyze,
)
from callscope.record import to_json
from callscope.serving.embedded import embedded
from callscope.serving.recordings import audio_limits
from callscope.types import AudioSource, CallRecord, Recording
from services.diarize.servicer import build as build_diarize
from services.diarize.settings import DiarizeSettings
from services.report import report
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
            RubricNotFound: the rubric looks like a path, and there is no such file.
        """
        return AnalyzeOptions(
            rubric=_rubric(self.rubric_name),
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
class _Stages:
    transcriber: RemoteTranscriber
    diarizer: RemoteDiarizer
    scorer: RemoteScorer

    def analyze(
        self, recording: Recording, options: AnalyzeOptions, progress: StageProgress
    ) -> CallRecord:
        return analyze(
            recording,
            AudioSource(uri=recording.uri),
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
    # kill must leave no thread, no port and no half record behind, as Ctrl-C does
    signal.signal(signal.SIGTERM, _interrupt)
    settings = _Settings.load(files)
    settings.check(options)  # before the models, whose loading takes seconds
    with contextlib.ExitStack() as stack:
        stages: _Stages | None = None
        for file in files:
            try:
                recording = _recording(file, options, settings.limits)
                stages = stages or stack.enter_context(_stages(settings))
                with _bars(messages, file.name) as bars:
                    record = stages.analyze(recording, options, bars.advance)
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
def _stages(settings: _Settings) -> Iterator[_Stages]:
    """The three services, up until the block is left."""
    with contextlib.ExitStack() as stack:
        speech, speakers, behavior = stack.enter_context(
            embedded(
                [
                    (build_transcribe(settings.transcribe), settings.transcribe),
                    (build_diarize(settings.diarize), settings.diarize),
                    (build_score(settings.score), settings.score),
                ]
            )
        )
        stages = _Stages(
            RemoteTranscriber(speech.target, _HOURS_24),
            RemoteDiarizer(speakers.target, _HOURS_24),
            RemoteScorer(behavior.target, _HOURS_24),
        )
        for client in (stages.transcriber, stages.diarizer, stages.scorer):
            stack.callback(client.close)
        yield stages


class _Bars:
    """A progress bar per stage, told of progress from the stages' threads."""

    def __init__(self, progress: Progress, name: str) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {
            stage: progress.add_task(f"{name} {stage}", total=1.0) for stage in _STAGES
        }

    def advance(self, stage: str, done: float) -> None:
        self._progress.update(self._tasks[stage], completed=done)


@contextlib.contextmanager
def _bars(console: Console, name: str) -> Iterator[_Bars]:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        yield _Bars(progress, name)


def _rubric(name: str) -> RubricSource:
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        return RubricSource(name=name)
    try:
        return RubricSource(yaml=path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RubricNotFound(f"{name}: {error.strerror}") from None


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


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
