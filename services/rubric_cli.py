"""`callscope rubric`: check rubrics, list the shipped ones, try and learn acts of one's own."""

import sys
from collections.abc import Sized
from pathlib import Path

import click

from callscope import rubric as rubrics
from callscope.errors import InvalidRubric
from services.interrupts import kill_interrupts
from services.rubric_files import text_of
from services.score.library import SHIPPED, RubricLibrary

__all__ = ["rubric"]

_FILE = click.Path(path_type=Path)  # a missing one is an error of input here as elsewhere: 3


@click.group()
def rubric() -> None:
    """Check and list rubrics; try and learn acts of your own."""


@rubric.command()
@click.argument("file", type=_FILE)
def check(file: Path) -> None:
    """Check a rubric: say what it holds, or list every problem with its line.

    FILE is a YAML file, or a shipped rubric's name.
    """
    if not file.exists():
        file = {path.stem: path for path in SHIPPED.glob("*.yaml")}.get(str(file), file)
    text = text_of(file)
    found = rubrics.problems(text)
    for problem in found:
        place = f"{problem.where}: " if problem.where else ""
        click.echo(f"{file}:{problem.line}: {place}{problem.message}", err=True)
    if found:
        sys.exit(InvalidRubric.exit_status)
    sound = rubrics.load(text, str(file))
    click.echo(
        f"{file}: {sound.title} ({sound.id} {sound.version}), "
        f"{_count(sound.behaviors, 'behavior')}, {_count(sound.disclosures, 'disclosure')},"
        f" digest {sound.digest[:12]}"
    )


@rubric.command(name="list")
@click.option(
    "--dir",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder with rubrics of your own.",
)
def list_(folder: Path | None) -> None:
    """List the rubrics known by name."""
    for each in RubricLibrary(folder).all():
        click.echo(f"{each.id:<14} {each.version:<8} {each.digest[:12]}  {each.title}")


@rubric.command(name="try")
@click.argument("file", type=_FILE)
@click.argument("calls", nargs=-1, required=True, type=_FILE)
def try_(file: Path, calls: tuple[Path, ...]) -> None:
    """Show where the own acts of FILE fire in CALLS, and how sure they are.

    FILE is a rubric, or YAML with nothing but own_acts. A CALL is a record that `callscope analyze
    --json` wrote, or a recording.
    """
    kill_interrupts()
    from services.rehearsal import rehearse  # pulls in the engines

    sys.exit(rehearse(rubrics.load_own_acts(text_of(file), str(file)), calls))


@rubric.command()
@click.argument("file", type=_FILE)
def learn(file: Path) -> None:
    """Learn the own acts of FILE, say how well, and store them beside it."""
    from services.rehearsal import learn as learn_acts  # pulls in the engine

    learn_acts(rubrics.load_own_acts(text_of(file), str(file)), file)


def _count(these: Sized, name: str) -> str:
    return f"{len(these)} {name}{'' if len(these) == 1 else 's'}"
