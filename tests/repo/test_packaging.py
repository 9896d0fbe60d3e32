"""What is installed: every dependency pinned, and a wheel with everything it needs at run time."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = {"": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}
SERVICES = sorted(path.parent.name for path in (ROOT / "services").glob("*/__init__.py"))
OPTIONAL = {"huggingface_hub"}  # only for `callscope models pull --from hub`, which says so
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
    assert [name for name in _pins() if re.match(r"nvidia(?!-ml-py$)|cuda|triton", name)] == []


@pytest.mark.parametrize("folder", ["callscope", *SERVICES, "tests"])
def test_what_code_imports_is_declared(folder: str) -> None:
    """An image installs one service's extra: what the service imports has to come with it."""
    extra = {"callscope": "", "tests": "dev"}.get(folder, folder)
    lines = [*EXTRAS[""], *EXTRAS[extra]]
    if extra == "dev":
        lines += [line for service in (*SERVICES, "bench") for line in EXTRAS[service]]
    declared = {canonicalize_name(Requirement(line).name) for line in lines}
    providers = packages_distributions()
    undeclared = {
        name
        for name in _imported(ROOT / (f"services/{folder}" if folder in SERVICES else folder))
        - OPTIONAL
        - {path.name for path in ROOT.iterdir()}
        - sys.stdlib_module_names
        if declared.isdisjoint(map(canonicalize_name, providers.get(name, ())))
    }
    assert undeclared == set()


def _imported(folder: Path) -> set[str]:
    """The top-level names that the code under `folder` imports, wherever in a module."""
    names = set()
    for path in folder.rglob("*.py"):
        if path.is_relative_to(ROOT / "tests/data"):  # scripts with requirements of their own
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.partition(".")[0])
    return names


def test_all_holds_every_service() -> None:
    (line,) = EXTRAS["all"]
    assert set(SERVICES) <= Requirement(line).extras


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
        if path.is_file() and path.name not in {"Dockerfile", "README.md"}
    }
    assert needed <= packed
    assert {Path(name).name for name in packed if "/licenses/" in name} == {"LICENSE", "NOTICE"}
