"""Acts of one's own before they count: where they fire in calls, and how well they are known."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from callscope.errors import CallscopeError, InvalidInput
from callscope.models import ModelStore
from callscope.pipeline import AnalyzeOptions, DiarizeOptions, RubricSource, TranscribeOptions
from callscope.record import from_json
from callscope.rubric import OwnAct
from callscope.types import CallRecord, Timing
from services.report import clock
from services.score.engine import ScoreEngine
from services.score.library import RubricLibrary
from services.score.own_acts import PROVEN, OwnHead
from services.score.reading import FOUND, Finding
from services.score.settings import ScoreSettings

__all__ = ["learn", "rehearse"]

DOUBTED = 0.25  # probability from which a sentence is shown, though it does not count
SHOWN = 12  # sentences of one act
RECORDS = frozenset({".json", ".jsonl"})
OPTIONS = AnalyzeOptions(
    rubric=RubricSource(name="general"),
    agent_channel=None,
    transcribe=TranscribeOptions(None, (), None),
    diarize=DiarizeOptions(None, None),
)

Place = tuple[str, Finding]
"""What a sentence's call is called and when it was said there, and the sentence."""


def rehearse(acts: Sequence[OwnAct], calls: Sequence[Path]) -> int:
    """Print where each act fires in the calls, the surest first, and how sure it is.

    Returns:
        The exit status: 0, or the highest among the recordings that failed and are left out.

    Raises:
        CallscopeError: a record cannot be read, or a model is missing.
    """
    engine = _engine()
    heads = engine.own_acts.of(acts)
    status = 0
    found: list[Place] = []
    for name, record in _records(calls):
        if isinstance(record, CallscopeError):
            status = max(status, record.exit_status)
            continue
        findings = engine.read(record.utterances, acts).findings
        found += [(f"{name} {_when(record, each)}".rstrip(), each) for each in findings]
    for act, head in zip(acts, heads, strict=True):
        click.echo(f"{act.title} ({act.id})")
        _show(act.id, found)
        click.echo(f"  {_trial(head)}")
    return status


def learn(acts: Sequence[OwnAct], file: Path) -> None:
    """Learn the acts, print how well each is told apart, and store the heads beside `file`.

    Raises:
        CallscopeError: the encoder is missing.
    """
    engine = _engine()
    for act, head in zip(acts, engine.own_acts.of(acts), strict=True):
        click.echo(f"{act.title} ({act.id}, digest {head.digest[:12]})\n  {_trial(head)}")
    click.echo(f"Stored in {engine.own_acts.store(acts, file)}")


def _engine() -> ScoreEngine:
    settings = ScoreSettings.load()
    store = ModelStore(settings.models_dir)
    library = RubricLibrary(settings.rubrics_dir)
    return ScoreEngine(store, library, settings.device, settings.threads)


def _records(calls: Sequence[Path]) -> Iterator[tuple[str, CallRecord | CallscopeError]]:
    """The record of each call: read where it is one, made (or failed) where it is a recording."""
    for call in calls:
        if call.suffix in RECORDS:
            yield from _read(call)
    recordings = [call for call in calls if call.suffix not in RECORDS]
    if recordings:
        from services.analyze import records  # the engines of speech, which records do without

        for call, outcome in zip(recordings, records(recordings, OPTIONS), strict=True):
            yield call.name, outcome


def _read(path: Path) -> Iterator[tuple[str, CallRecord]]:
    """One record, or one a line."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}") from None
    texts = [text] if path.suffix == ".json" else text.splitlines()
    for each in texts:
        record = from_json(each)
        yield "/".join((record.recording.uri or path.name).split("/")[-2:]), record


def _when(record: CallRecord, finding: Finding) -> str:
    timed = record.metrics.timing is not Timing.NONE
    return clock(finding.sentence.start) if timed else ""


def _show(act: str, found: Sequence[Place]) -> None:
    shown = [(finding.probabilities.get(act, 0.0), name, finding) for name, finding in found]
    likely = sorted(
        (each for each in shown if each[0] >= DOUBTED),
        key=lambda each: (-each[0], each[1], each[2].sentence.start),
    )
    count = sum(probability >= FOUND for probability, _, _ in likely)
    read = sum(act in finding.probabilities for _, finding in found)
    legend = " (*; the others below came near)" if likely else ""
    click.echo(f"  fires in {count} of {read} sentences of the agent{legend}")
    for probability, name, finding in likely[:SHOWN]:
        mark = "*" if probability >= FOUND else " "
        click.echo(f"  {mark} {probability:4.0%}  {name}  {finding.sentence.text}")


def _trial(head: OwnHead) -> str:
    """How well the act is known, in one sentence; what to do next."""
    trial = head.trial
    given = f"{trial.positives} sentences for and {trial.negatives} against"
    if trial.precision is None:
        return f"Learned from {given}; it recognizes none of those it did not see: add more."
    told = (
        f"of sentences not seen it finds {trial.recall:.0%}, and is right in {trial.precision:.0%}"
    )
    if not head.on_trial:
        return f"Learned from {given}; {told}."
    return (
        f"Learned from {given}; {told}. On trial below {PROVEN}: give its behavior the weight 0, "
        "and add what `callscope rubric try` shows that it got wrong, or was unsure of."
    )
