"""`callscope models`: what is here, what is damaged, and how to get what is missing."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from callscope.errors import (
    EXIT_BAD_INPUT,
    EXIT_SERVICE_FAILED,
    CallscopeError,
    InvalidSetting,
    ModelDamaged,
    ModelMissing,
    UnknownModel,
)
from services.models_cli import models

SMALL = "segmentation-3.0"


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(models, [str(each) for each in arguments])


def _fails(result: Result, kind: type[CallscopeError]) -> CallscopeError:
    assert isinstance(result.exception, kind), result.output
    return result.exception


def test_list_shows_what_is_here_and_under_which_license(models_dir: Path, tmp_path: Path) -> None:
    shutil.copytree(models_dir / SMALL, tmp_path / SMALL)
    shown = {line.split()[0]: line for line in _run("list", "--in", tmp_path).stdout.splitlines()}
    assert shown[SMALL].split()[1:5] == ["yes", "5.9", "MB", "MIT"]
    assert shown["campplus"].split()[1:5] == ["no", "28.0", "MB", "Apache-2.0"]


def test_pull_from_a_folder_then_verify(models_dir: Path, tmp_path: Path) -> None:
    pulled = _run("pull", SMALL, "--from", "local", "--folder", models_dir, "--to", tmp_path)
    assert pulled.exit_code == 0, pulled.output
    assert f"{SMALL}  5.9 MB  verified  {tmp_path / SMALL}" in pulled.stdout
    assert _run("verify", SMALL, "--in", tmp_path).stdout.startswith(f"{SMALL}  good  ")


def test_verify_shows_every_model_and_fails_with_the_first_problem(
    models_dir: Path, tmp_path: Path
) -> None:
    shutil.copytree(models_dir / SMALL, tmp_path / SMALL)
    with (tmp_path / SMALL / "pytorch_model.bin").open("r+b") as file:
        file.write(b"?")
    result = _run("verify", "campplus", SMALL, "--in", tmp_path)
    assert result.stdout.splitlines() == ["campplus  no", f"{SMALL}  damaged"]
    assert _fails(result, ModelMissing).exit_status == EXIT_SERVICE_FAILED
    _fails(_run("verify", SMALL, "--in", tmp_path), ModelDamaged)


def test_the_folder_comes_from_the_environment(
    models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLSCOPE_MODELS_DIR", str(models_dir))
    assert _run("verify", SMALL).exit_code == 0


def test_an_unknown_name_is_bad_input(tmp_path: Path) -> None:
    result = _run("pull", "whisper-huge", "--to", tmp_path)
    assert _fails(result, UnknownModel).exit_status == EXIT_BAD_INPUT


@pytest.mark.parametrize(
    ("kind", "needs"), [("local", "--folder DIR"), ("s3", "--bucket s3://bucket/prefix")]
)
def test_a_source_without_its_place_is_a_usage_error(kind: str, needs: str, tmp_path: Path) -> None:
    result = _run("pull", SMALL, "--from", kind, "--to", tmp_path)
    assert result.exit_code == 2
    assert needs in result.stderr


def test_a_bucket_without_a_server_names_the_setting(tmp_path: Path) -> None:
    result = _run("pull", SMALL, "--bucket", "s3://models", "--to", tmp_path)
    assert "CALLSCOPE_S3_ENDPOINT" in _fails(result, InvalidSetting).remedy
