"""A call record as a QA manager reads it in a terminal."""

from collections.abc import Iterable, Set

from rich.console import Console
from rich.table import Table
from rich.text import Text

from callscope.types import (
    BehaviorScore,
    CallRecord,
    DisclosureResult,
    DisclosureStatus,
    Evidence,
    Outcome,
    Polarity,
    Recording,
    Role,
    Timing,
    Utterance,
)

__all__ = ["clock", "report"]

_ROLE_STYLE = {Role.AGENT: "cyan", Role.CUSTOMER: "yellow", Role.IVR: "magenta"}
_GOOD, _HALF, _BAD, _NONE = "green", "yellow", "red", "dim"
_OUTCOME_STYLE = {
    Outcome.DELIVERED: _GOOD,
    Outcome.PARTIAL: _HALF,
    Outcome.MISSED: _BAD,
    Outcome.NO_OPPORTUNITY: _NONE,
    Outcome.NOT_ASSESSABLE: _NONE,
}
_STATUS_STYLE = {
    DisclosureStatus.DELIVERED: _GOOD,
    DisclosureStatus.PARTIAL: _HALF,
    DisclosureStatus.MISSING: _BAD,
    DisclosureStatus.NOT_REQUIRED: _NONE,
}
_MARK = {Polarity.FOR: ("+", _GOOD), Polarity.AGAINST: ("-", _BAD)}
_MISSED_MARK = ("!", _HALF)


def report(record: CallRecord, console: Console) -> None:
    """Print the record: dialogue, conversation, behaviors and disclosures with their evidence."""
    _headline(record, console)
    _section("Dialogue", console)
    for utterance in record.utterances:
        _print(_said(utterance, record.metrics.timing), console)
    _section("Conversation", console)
    _conversation(record, console)
    _section("Behaviors", console)
    quoted_below = {each for disclosure in record.disclosures for each in disclosure.evidence}
    for behavior in record.behaviors:
        _behavior(behavior, quoted_below, console)
    _section("Disclosures", console)
    for disclosure in record.disclosures:
        if disclosure.status is not DisclosureStatus.NOT_REQUIRED:
            _disclosure(disclosure, console)
    _not_required(record.disclosures, console)
    _review(record, console)


def clock(seconds: float | None) -> str:
    """Seconds as mm:ss, hours grown into the minutes as players show them; "-" for none."""
    if seconds is None:
        return "-"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes:02d}:{rest:02d}"


def _headline(record: CallRecord, console: Console) -> None:
    recording, rubric = record.recording, record.provenance.rubric
    name = (recording.uri or recording.id).rsplit("/", 1)[-1]
    console.print(
        Text.assemble(
            (name, "bold"),
            f"  {clock(recording.duration)}  {_medium(recording)}"
            f"  language {record.language or '-'}  rubric {rubric.id} {rubric.version}",
        )
    )
    overall = record.overall
    score = "not assessable" if overall.score is None else f"{overall.score:.0f}/100"
    failed = f"  failed by {overall.auto_fail}" if overall.auto_fail else ""
    console.print(Text.assemble("Overall ", (score, "bold"), _share(record), (failed, _BAD)))


def _share(record: CallRecord) -> str:
    """How much of the weight the overall score is made of, where that is not all of it."""
    scored = sum(each.weight for each in record.behaviors if each.score is not None)
    whole = sum(each.weight for each in record.behaviors)
    return f", of {scored / whole:.0%} of the weight" if 0 < scored < whole else ""


def _medium(recording: Recording) -> str:
    if recording.sample_rate is None:
        return "text"
    return (
        f"{recording.channels} channel(s)  {recording.sample_rate / 1000:g} kHz {recording.codec}"
    )


def _section(title: str, console: Console) -> None:
    console.print()
    console.rule(title, align="left", characters="─")


def _said(utterance: Utterance, timing: Timing) -> Text:
    role = utterance.role.value.capitalize()
    return Text.assemble(
        ("" if timing is Timing.NONE else f"{clock(utterance.start)}  ", "dim"),
        (f"{role:<9} ", _ROLE_STYLE.get(utterance.role, "dim")),
        utterance.text,
        style="italic" if utterance.backchannel else "",
    )


def _conversation(record: CallRecord, console: Console) -> None:
    metrics = record.metrics
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("", "talk", "share", "words/min", "longest", "latency", "interrupts", "listens"):
        table.add_column(title, justify="left" if not title else "right")
    for each in metrics.participants:
        table.add_row(
            each.role.value.capitalize(),
            clock(each.talk),
            _percent(each.talk_share),
            _number(each.words_per_minute, "{:.0f}"),
            _number(each.longest_monologue, "{:.0f} s"),
            _number(each.response_latency, "{:.1f} s"),
            _number(each.interruptions, "{}"),
            _number(each.backchannels, "{}"),
        )
    console.print(table)
    if metrics.timing is Timing.NONE:
        console.print("The conversation was sent without times.", style="dim")
        return
    holds = ", ".join(f"{clock(hold.start)}-{clock(hold.end)}" for hold in metrics.holds)
    console.print(
        f"Silence {_number(metrics.silence, '{:.0f} s')} ({_percent(metrics.silence_share)})"
        f"  hold {_number(metrics.hold, '{:.0f} s')}{f' ({holds})' if holds else ''}"
        f"  overtalk {_number(metrics.overtalk, '{:.1f} s')}",
        highlight=False,
    )


def _behavior(behavior: BehaviorScore, quoted_below: Set[Evidence], console: Console) -> None:
    score = "" if behavior.score is None else f"{behavior.score:.0f}"
    console.print(
        Text.assemble(
            (f"{behavior.title:<29} ", "bold"),
            (f"{_words(behavior.outcome):<16}", _OUTCOME_STYLE[behavior.outcome]),
            f"{score:>3}",
            (f"  confidence {behavior.confidence:.2f}  weight {behavior.weight:g}", "dim"),
        )
    )
    evidence = [each for each in behavior.evidence if each not in quoted_below]
    _because(behavior.explanation, evidence, console)


def _disclosure(disclosure: DisclosureResult, console: Console) -> None:
    facts = []
    if disclosure.coverage is not None:
        facts.append(f"coverage {disclosure.coverage:.0%}")
    if disclosure.on_time is not None:
        facts.append("on time" if disclosure.on_time else "late")
    if disclosure.words_per_minute is not None:
        facts.append(f"{disclosure.words_per_minute:.0f} words/min")
    for flaw, found in (
        ("out of order", disclosure.in_order is False),
        ("rushed", disclosure.rushed),
        ("interrupted", disclosure.interrupted),
        ("mumbled", disclosure.mumbled),
    ):
        if found:
            facts.append(flaw)
    line = Text.assemble(
        (f"{disclosure.title:<29} ", "bold"),
        (f"{_words(disclosure.status):<16}", _STATUS_STYLE[disclosure.status]),
        ("  ".join(facts), "dim"),
    )
    _print(line, console)
    _because(disclosure.explanation, disclosure.evidence, console)


def _not_required(disclosures: Iterable[DisclosureResult], console: Console) -> None:
    titles = [d.title for d in disclosures if d.status is DisclosureStatus.NOT_REQUIRED]
    if titles:
        _print(Text(f"Not called for: {', '.join(titles)}", style=_NONE), console)


def _grouped(evidence: Iterable[Evidence]) -> Iterable[tuple[Evidence, str]]:
    """Each quote once, with everything it is evidence of."""
    labels: dict[tuple[object, ...], list[str]] = {}
    first: dict[tuple[object, ...], Evidence] = {}
    for each in evidence:
        place = (each.utterance, each.start, each.end, each.quote, each.polarity)
        first.setdefault(place, each)
        labels.setdefault(place, []).append(_words(each.label))
    return [(first[place], ", ".join(names)) for place, names in labels.items()]


def _because(explanation: str, evidence: Iterable[Evidence], console: Console) -> None:
    if explanation:
        _print(Text(explanation), console, indent=2)
    for each, labels in _grouped(evidence):
        mark, style = _MARK.get(each.polarity, _MISSED_MARK)
        when = "" if each.start is None else f"{clock(each.start)} "
        quote = Text.assemble((f"{mark} {when}", style), f"“{each.quote}”", (f"  {labels}", "dim"))
        _print(quote, console, indent=4)


def _review(record: CallRecord, console: Console) -> None:
    console.print()
    skipped = [b for b in record.behaviors if b.outcome is Outcome.NOT_ASSESSABLE]
    if skipped:
        weight = f"{sum(each.weight for each in skipped):g}"
        whole = f"{sum(each.weight for each in record.behaviors):g}"
        titles = ", ".join(each.title for each in skipped)
        unjudged = Text(f"Not assessable: {titles} (weight {weight} of {whole})", style=_HALF)
        _print(unjudged, console)
    if not record.review.needed:
        console.print(Text("No review needed.", style=_GOOD))
        return
    console.print(Text("A person should look at this call:", style=_HALF))
    for reason in record.review.reasons:
        _print(Text(f"• {reason}"), console, indent=2)


def _print(text: Text, console: Console, indent: int = 0) -> None:
    """Wrapped and indented, without the blanks that rich fills lines up with."""
    for line in text.wrap(console, console.width - indent):
        line.rstrip()
        console.print(Text.assemble(" " * indent, line))


def _percent(share: float | None) -> str:
    return _number(share, "{:.0%}")


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)


def _words(value: str) -> str:
    return value.replace("_", " ")
