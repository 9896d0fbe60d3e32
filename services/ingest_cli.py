"""`callscope ingest` and `callscope export`: many recordings in, many records out."""

import hashlib
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from callscope.errors import EXIT_BAD_INPUT, InvalidInput
from services.gateway_client import ClientSettings, GatewayClient

__all__ = ["export", "ingest"]

_SUFFIXES = ".wav,.mp3,.flac,.ogg,.opus,.m4a,.mp4,.aac,.amr,.gsm,.au,.wma,.webm"
_SHOWN = 20  # refusals printed


def _settings(gateway: str | None) -> ClientSettings:
    return ClientSettings.load(**({} if gateway is None else {"gateway": gateway}))


@click.command()
@click.argument("source")
@click.option("--gateway", metavar="URL", help="Default: CALLSCOPE_CLIENT_GATEWAY.")
@click.option("--pattern", metavar="REGEX", help="Named groups of the file name become facts.")
@click.option(
    "--details", type=click.Path(path_type=Path, exists=True), help="A CSV of call details."
)
@click.option(
    "--key",
    "key_column",
    default="file",
    show_default=True,
    help="The CSV's column with the recordings' paths, names or stems.",
)
@click.option("--time-format", help="How times are written that are not ISO 8601 (strptime).")
@click.option("--time-zone", help="Where clocks stood that name no offset: Europe/Berlin.")
@click.option("--rubric", help="Rubric for all; the gateway's default if absent.")
@click.option(
    "--lane", type=click.Choice(["backfill", "live"]), default="backfill", show_default=True
)
@click.option("--suffixes", default=_SUFFIXES, help="What is a recording, by its ending.")
@click.option("--jobs", type=click.IntRange(1, 64), default=4, show_default=True)
@click.option("--journal", type=click.Path(path_type=Path), help="Where to note what was taken in.")
@click.option(
    "--report", type=click.Path(path_type=Path), help="Write every refusal there, a JSON a line."
)
def ingest(source: str, gateway: str | None, **options: Any) -> None:
    """Send every recording of SOURCE, a folder or s3://bucket/prefix, to a gateway.

    Facts about a call are read from the object's metadata, from a sidecar (call.wav.json or
    call.json), from the CSV and from the file name; the first that says something wins. What was
    taken in is noted, so that the same command again sends only what is new.
    """
    from services.ingest import Journal, Loader, Totals
    from services.ingest_sources import open_source

    settings = _settings(gateway)
    suffixes = tuple(each.strip().lower() for each in options["suffixes"].split(",") if each)
    recordings = open_source(source, suffixes, settings)
    reading = _reading(options)
    journal = Journal(options["journal"] or _journal(source, settings.gateway))
    loader = Loader(
        recordings,
        GatewayClient(settings, options["jobs"]),
        reading,
        journal,
        options["jobs"],
    )
    console = Console(stderr=True)
    try:
        items = list(recordings.items())
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
        ) as progress:
            task = progress.add_task("sending", total=len(items))
            totals: Totals = loader.load(items, lambda: progress.advance(task))
    finally:
        journal.close()
    _summarize(console, totals, options["report"])
    if totals.refused:
        sys.exit(EXIT_BAD_INPUT)


def _reading(options: dict[str, Any]) -> Any:
    from services.gateway.details import Details
    from services.gateway.facts import Clock, NamePattern
    from services.ingest import Reading

    try:
        zone = ZoneInfo(options["time_zone"]) if options["time_zone"] else None
    except (ZoneInfoNotFoundError, ValueError):
        raise InvalidInput(
            f"there is no time zone {options['time_zone']!r}", remedy="Write it as Europe/Berlin."
        ) from None
    details = options["details"]
    common = {"lane": options["lane"]}
    if options["rubric"]:
        common["rubric"] = options["rubric"]
    return Reading(
        pattern=NamePattern(options["pattern"]) if options["pattern"] else None,
        details=None if details is None else Details.load(details, options["key_column"]),
        clock=Clock(options["time_format"], zone),
        common=common,
    )


def _journal(source: str, gateway: str) -> Path:
    """Each source and gateway has a journal of its own among the user's application files."""
    place = source if source.startswith("s3://") else str(Path(source).resolve())
    name = hashlib.sha256(f"{place}\n{gateway}".encode()).hexdigest()[:16]
    return Path(click.get_app_dir("callscope")) / "ingest" / f"{name}.jsonl"


def _summarize(console: Console, totals: Any, report: Path | None) -> None:
    click.echo(
        f"{totals.sent} taken in, {totals.known} known from before, "
        f"{len(totals.refused)} refused"
        + (f"; {totals.noted} have facts that could not be read" if totals.noted else "")
    )
    if report is not None:
        _write(report, totals.refused)
    for each in totals.refused[:_SHOWN]:
        message = f"{each.name}: {each.error.message.rstrip('.')}. {each.error.remedy}"
        console.print(message, markup=False, highlight=False, soft_wrap=True)
    if len(totals.refused) > _SHOWN:
        codes = Counter(each.error.code for each in totals.refused)
        counts = ", ".join(f"{count} {code}" for code, count in codes.most_common())
        console.print(f"In all: {counts}. --report FILE lists every one.", highlight=False)


def _write(report: Path, refused: Sequence[Any]) -> None:
    lines = [
        json.dumps(
            {
                "name": each.name,
                "code": each.error.code,
                "message": each.error.message,
                "remedy": each.error.remedy,
            },
            ensure_ascii=False,
        )
        for each in refused
    ]
    report.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


@click.command()
@click.option("--gateway", metavar="URL", help="Default: CALLSCOPE_CLIENT_GATEWAY.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "csv", "parquet"]),
    default="jsonl",
    show_default=True,
)
@click.option("--from", "since", metavar="TIME", help="Records made then or later: RFC 3339.")
@click.option("--to", "until", metavar="TIME", help="Records made before: RFC 3339.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    required=True,
    help="The file to write; - for standard output.",
)
def export(
    gateway: str | None, form: str, since: str | None, until: str | None, output: Path
) -> None:
    """Write the newest record of each call, if it was made in that time, to a file.

    The file appears when it is whole.
    """
    query = {"format": form}
    query |= {name: text for name, text in (("from", since), ("to", until)) if text}
    pieces = GatewayClient(_settings(gateway)).download("/v1/exports", query)
    if str(output) == "-":
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        return
    part = output.with_name(f"{output.name}.part")
    try:
        with part.open("wb") as file:
            for piece in pieces:
                file.write(piece)
        part.replace(output)
    except OSError as error:
        raise InvalidInput(f"cannot write {output}: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)
