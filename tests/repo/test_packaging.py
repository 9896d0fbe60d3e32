"""What is installed: every dependency pinned, and a wheel with everything it needs at run time."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = {"": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}
CUDA = {extra for extra in EXTRAS if extra.endswith("-cuda")}  # for images with a GPU only


def _requirements(extras: Iterable[str]) -> list[Requirement]:
    found = [Requirement(line) for extra in sorted(extras) for line in EXTRAS[extra]]
    return [requirement for requirement in found if requirement.name != PROJECT["name"]]


def _pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pairs}


@pytest.mark.parametrize("requirement", _requirements(EXTRAS.keys() - CUDA), ids=str)
def test_every_dependency_has_one_exact_version_that_suits_it(requirement: Requirement) -> None:
    pins = _pins()
    assert canonicalize_name(requirement.name) in pins, "run `make constraints`"
    assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)])


@pytest.mark.parametrize("requirement", _requirements(CUDA), ids=str)
def test_what_only_gpu_images_need_is_pinned_where_it_stands(requirement: Requirement) -> None:
    assert [each.operator for each in requirement.specifier] == ["=="]


def test_versions_are_plain_so_that_builds_for_cpu_and_cuda_both_match() -> None:
    assert [name for name, version in _pins().items() if Version(version).local] == []


def test_nothing_is_bound_to_cuda() -> None:
    assert [name for name in _pins() if re.match(r"nvidia|cuda|triton", name)] == []


def test_all_holds_every_service() -> None:
    services = {path.parent.name for path in (ROOT / "services").glob("*/__init__.py")}
    (line,) = EXTRAS["all"]
    assert services <= Requirement(line).extras


def test_the_wheel_carries_code_data_and_licenses(tmp_path: Path) -> None:
    source = tmp_path / "source"
    keep = ("callscope", "services")
    for name in keep:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", tmp_path, source], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    needed = {
        path.relative_to(source).as_posix()
        for name in keep
        for path in (source / name).rglob("*")
        if path.is_file() and path.suffix in {".py", ".pyi", ".typed", ".yaml", ".json", ".html"}
    }
    assert needed <= packed
    assert {Path(name).name for name in packed if "/licenses/" in name} == {"LICENSE", "NOTICE"}
