"""`callscope rubric`: check a rubric of one's own, list the shipped ones."""

import sys
from pathlib import Path

import click

from callscope import rubric as rubrics
from callscope.errors import InvalidRubric
from services.score.library import RubricLibrary

__all__ = ["rubric"]


@click.group()
def rubric() -> None:
    """Check and list rubrics."""


@rubric.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check(file: Path) -> None:
    """Check a rubric FILE: say what it holds, or list every problem with its line."""
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InvalidRubric(
            f"{file}: byte {error.start} is no UTF-8", remedy="Save the file as UTF-8."
        ) from None
    found = rubrics.problems(text)
    for problem in found:
        place = f"{problem.where}: " if problem.where else ""
        click.echo(f"{file}:{problem.line}: {place}{problem.message}", err=True)
    if found:
        sys.exit(InvalidRubric.exit_status)
    sound = rubrics.load(text, str(file))
    click.echo(
        f"{file}: {sound.title} ({sound.id} {sound.version}), {len(sound.behaviors)} behaviors,"
        f" {len(sound.disclosures)} disclosures, digest {sound.digest[:12]}"
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
