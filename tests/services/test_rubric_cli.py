"""`callscope rubric`, as typed."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from callscope.errors import InvalidRubric, RubricNotFound
from services.rubric_cli import rubric
from services.rubric_files import rubric_source
from services.score.library import SHIPPED

MINE = """\
id: mine
version: "1"
title: Mine
behaviors:
  - id: closing
    title: Closing
    question: Does the agent thank the customer?
    weight: 100
    acts: [{any_of: [apology], points: 100}]
"""


def run(*arguments: object) -> Result:
    return CliRunner().invoke(rubric, [str(each) for each in arguments])


def test_a_sound_rubric_says_what_it_holds() -> None:
    shown = run("check", SHIPPED / "general.yaml")
    assert shown.exit_code == 0
    assert "General service (general 1.0), 6 behaviors, 11 disclosures" in shown.output


def test_every_problem_is_a_line_on_stderr_and_the_status_is_3(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("id: x\nversion: 1\nbehaviors: 5\n", encoding="utf-8")
    shown = run("check", file)
    assert shown.exit_code == 3
    assert shown.stdout == ""
    assert shown.stderr.splitlines() == [
        f"{file}:1: title: is missing",
        f"{file}:2: version: should be text: put it in quotes",
        f"{file}:3: behaviors: should be a list",
    ]


@pytest.mark.parametrize("command", ["check", "try", "learn"])
def test_a_missing_file_is_bad_input_as_it_is_elsewhere(command: str, tmp_path: Path) -> None:
    calls = ["call.json"] if command == "try" else []
    missing = run(command, tmp_path / "none.yaml", *calls).exception
    assert isinstance(missing, RubricNotFound)
    assert missing.exit_status == 3


def test_a_shipped_rubric_is_checked_by_name() -> None:
    assert "Collections (collections 1.0)" in run("check", "collections").output


def test_one_is_counted_in_the_singular(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(MINE, encoding="utf-8")
    assert "1 behavior, 0 disclosures, digest" in run("check", file).output


@pytest.mark.parametrize("name", ["mine.yaml.txt", "My Rubric.YAML", "mine"])
def test_an_existing_file_is_a_rubric_whatever_its_ending(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_text(MINE, encoding="utf-8")
    assert rubric_source(str(file)).yaml == MINE
    assert rubric_source("general").name == "general"


def test_a_rubric_that_does_not_hold_together_is_named_by_its_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(MINE.replace("weight: 100", "weight: 90"), encoding="utf-8")
    with pytest.raises(InvalidRubric, match=r"mine\.yaml has 1 problem: line"):
        rubric_source(str(file))
    with pytest.raises(RubricNotFound, match=r"none\.yaml: No such file"):
        rubric_source(str(tmp_path / "none.yaml"))


def test_the_list_shows_names_and_digests(tmp_path: Path) -> None:
    shown = run("list", "--dir", tmp_path)
    assert shown.exit_code == 0
    assert [line.split()[0] for line in shown.output.splitlines()] == [
        *("collections", "general", "sales")
    ]
