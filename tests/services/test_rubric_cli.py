"""`callscope rubric`, as typed."""

from pathlib import Path

from click.testing import CliRunner, Result

from services.rubric_cli import rubric
from services.score.library import SHIPPED


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


def test_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    assert run("check", tmp_path / "none.yaml").exit_code == 2


def test_the_list_shows_names_and_digests(tmp_path: Path) -> None:
    shown = run("list", "--dir", tmp_path)
    assert shown.exit_code == 0
    assert [line.split()[0] for line in shown.output.splitlines()] == [
        *("collections", "general", "sales")
    ]
