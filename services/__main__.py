"""The command `callscope`. Exit status: 0, 2 usage, 3 bad input, 4 a failing service."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from callscope import __version__
from callscope.errors import CallscopeError
from services.deadletters_cli import deadletters
from services.ingest_cli import export, ingest
from services.interrupts import kill_interrupts
from services.keys_cli import keys
from services.models_cli import models
from services.rescore_cli import diff, rescore
from services.rubric_cli import rubric

_FORMATS = ("table", "json", "vcon", "rttm", "vtt", "srt", "txt")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def cli() -> None:
    """Behavior analytics for contact-centre calls: every call scored, with the evidence."""


@cli.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--agent-channel",
    type=int,
    help="The agent's channel, from 0; inferred from the words if absent.",
)
@click.option(
    "--rubric",
    "rubric_name",
    default="general",
    show_default=True,
    help="A shipped rubric's name, or a YAML file.",
)
@click.option("--language", help="ISO 639-1 code; detected if absent.")
@click.option("--hotword", "hotwords", multiple=True, help="A word or name to expect; repeatable.")
@click.option("--speakers", type=click.IntRange(min=1), help="Number of speakers on a mono call.")
@click.option("--model", help="Transcription model; `callscope models list` shows the names.")
@click.option(
    "--json",
    "json_file",
    metavar="F",
    help="Write the record as JSON to F, several as a line each; - prints only JSON.",
)
@click.option("--format", "form", type=click.Choice(_FORMATS), default="table", show_default=True)
def analyze(files: Sequence[Path], **options: Any) -> None:
    """Analyze recordings, or transcripts (.json, .vtt, .srt, .txt), and print what was found."""
    kill_interrupts()
    from services.analyze import Request, analyze_files  # pulls in the engines

    sys.exit(analyze_files(files, Request(**options)))


@cli.command()
def up() -> None:
    """Run all four services in this process: SQLite, a local folder, http://localhost:8080."""
    from services.up import run

    run()


@cli.command()
def transcribe() -> None:
    """Run the transcribe service."""
    from services.transcribe.__main__ import main as run

    run()


@cli.command()
def diarize() -> None:
    """Run the diarize service."""
    from services.diarize.__main__ import main as run

    run()


@cli.command()
def score() -> None:
    """Run the score service."""
    from services.score.__main__ import main as run

    run()


@cli.command()
def gateway() -> None:
    """Run the gateway service."""
    from services.gateway.__main__ import main as run

    run()


@cli.command()
def version() -> None:
    """Print the version."""
    click.echo(__version__)


cli.add_command(deadletters)
cli.add_command(diff)
cli.add_command(keys)
cli.add_command(export)
cli.add_command(ingest)
cli.add_command(models)
cli.add_command(rescore)
cli.add_command(rubric)


def main() -> None:
    """Run the command line; a Callscope error becomes one line and an exit status."""
    # Read by libraries when they load; our own settings are read in the commands.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # NumPy's matrices are small here: a second thread waits at a full core's cost, and as many
    # threads as cores make another sum, and another record, on each machine.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("interrupted", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except CallscopeError as error:
        click.echo(problem_line(error), err=True)
        sys.exit(error.exit_status)


def problem_line(error: CallscopeError) -> str:
    """What is wrong and what to do, on one line."""
    return f"callscope: {error.message.rstrip('.')}. {error.remedy}"


if __name__ == "__main__":
    main()
