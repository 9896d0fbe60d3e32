"""Dockerfiles and docker-compose.yml agree with the settings, the manifest and each other."""

import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from callscope.models import load_manifest
from callscope.serving.settings import ServiceSettings
from tests.repo.deployment import (
    ROOT,
    SERVICES,
    Document,
    compose,
    compose_variables,
    known_variables,
    load_settings,
)

COMPOSE = compose()
OWN = {
    name: service
    for name, service in COMPOSE["services"].items()
    if service["image"].startswith("callscope/")
}
THEIRS = {name: service for name, service in COMPOSE["services"].items() if name not in OWN}


def dockerfile(service: str) -> str:
    return (ROOT / "services" / service / "Dockerfile").read_text(encoding="utf-8")


def environment(service: str) -> dict[str, str]:
    """What the image sets."""
    block = re.search(
        r"^ENV (PATH=.*?(?<!\\)\n)", dockerfile(service).split("AS runtime")[1], re.M | re.S
    )
    assert block
    return dict(word.split("=", 1) for word in block[1].replace("\\\n", " ").split())


def kind_of(name: str) -> type[ServiceSettings]:
    return SERVICES[name.split("-")[0]]


@pytest.mark.parametrize("service", SERVICES)
def test_a_dockerfile_is_free_of_hadolints_complaints(service: str) -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run(
        [hadolint, ROOT / "services" / service / "Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout + done.stderr == ""


@pytest.mark.parametrize(("service", "kind"), SERVICES.items())
def test_an_image_opens_the_ports_of_its_settings(
    service: str, kind: type[ServiceSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(kind, environment(service), monkeypatch)
    ports = {settings.port, settings.metrics_port}
    if service == "gateway":
        ports.add(settings.http_port)
        assert settings.http_host == "0.0.0.0"  # noqa: S104 - inside a container
    exposed = re.search(r"^EXPOSE (.*)$", dockerfile(service), re.M)
    assert exposed
    assert {int(port) for port in exposed[1].split()} == ports
    assert settings.host == "0.0.0.0"  # noqa: S104
    assert f"http://127.0.0.1:{settings.metrics_port}/readyz" in dockerfile(service)


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_runs_its_service_as_nobody_and_offline(service: str) -> None:
    text = dockerfile(service)
    assert f'ENTRYPOINT ["callscope", "{service}"]' in text
    assert re.findall(r"^USER (.*)$", text, re.M) == ["10001:10001"]
    assert set(re.findall(r"^FROM (\S+/\S+)", text, re.M)) == {
        "docker.io/library/python:3.11-slim-bookworm"
    }
    if service != "gateway":
        assert environment(service)["HF_HUB_OFFLINE"] == "1"
    if service == "diarize":
        assert environment(service)["PYANNOTE_METRICS_ENABLED"] == "0"


@pytest.mark.parametrize("service", [name for name in SERVICES if name != "gateway"])
def test_an_offline_image_has_the_models_that_its_defaults_need(service: str) -> None:
    baked = re.search(r'^ARG MODELS="(.*)"$', dockerfile(service), re.M)
    assert baked
    manifest = load_manifest()
    needed = [name for name in manifest.required if manifest[name].stage == service]
    assert sorted(baked[1].split()) == sorted(needed)


def test_what_is_installed_into_an_image_has_every_file(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for folder in ("callscope", "services"):
        shutil.copytree(
            ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(ROOT / "pyproject.toml", source)
    (source / "README.md").touch()
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--no-index", "--wheel-dir", tmp_path, source], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    aside = {".md", ".pyi", ""}  # pages, types of generated code, Dockerfiles
    needed = {
        str(path.relative_to(ROOT))
        for folder in ("callscope", "services")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix not in aside and "__pycache__" not in path.parts
    }
    assert needed <= packed


@pytest.mark.parametrize("name", OWN)
def test_a_compose_services_variables_are_settings(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = {key: str(value) for key, value in OWN[name]["environment"].items()}
    assert set(variables) <= known_variables(kind_of(name))
    load_settings(kind_of(name), {**environment(kind_of(name).service), **variables}, monkeypatch)


@pytest.mark.parametrize("name", OWN)
def test_compose_builds_each_image_from_its_services_dockerfile(name: str) -> None:
    service = kind_of(name).service
    assert OWN[name]["build"]["dockerfile"] == f"services/{service}/Dockerfile"
    assert OWN[name]["image"].partition(":")[0] == f"callscope/{service}"


@pytest.mark.parametrize("name", [name for name in OWN if name.startswith("gateway")])
def test_composes_gateways_find_every_stage(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {key: str(value) for key, value in OWN[name]["environment"].items()}
    settings = load_settings(kind_of(name), variables, monkeypatch)
    for stage in ("transcribe", "diarize", "score"):
        port = SERVICES[stage].model_fields["port"].default
        assert getattr(settings, f"{stage}_target") == f"{stage}:{port}"
    assert settings.executor_id == name
    published = [port.rsplit(":", 1)[-1] for port in OWN[name]["ports"]]
    assert published[0] == str(settings.http_port)


@pytest.mark.parametrize("name", ["gateway", "transcribe", "diarize"])
def test_who_reads_audio_may_read_what_the_gateway_stores(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = {key: str(value) for key, value in OWN[name]["environment"].items()}
    settings = load_settings(kind_of(name), variables, monkeypatch)
    own = OWN["gateway"]["environment"]["CALLSCOPE_GATEWAY_BUCKET"]
    assert settings.audio_buckets == ("calls", own)
    made = " ".join(COMPOSE["services"]["buckets"]["entrypoint"])
    assert all(f"store/{bucket}" in made for bucket in settings.audio_buckets)


@pytest.mark.parametrize("name", [name for name in OWN if name.startswith("gateway")])
def test_each_gateway_has_a_volume_where_its_image_writes(name: str) -> None:
    ((volume, _, folder),) = [each.partition(":") for each in OWN[name]["volumes"]]
    assert folder == environment("gateway")["CALLSCOPE_GATEWAY_DATA_DIR"]
    assert volume in COMPOSE["volumes"]
    assert sum(f"{volume}:{folder}" in other.get("volumes", ()) for other in OWN.values()) == 1


@pytest.mark.parametrize(("name", "service"), COMPOSE["services"].items())
def test_a_compose_service_is_hardened(name: str, service: Document) -> None:
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name


@pytest.mark.parametrize("name", OWN)
def test_compose_waits_longer_than_the_drain(name: str) -> None:
    grace = int(OWN[name]["stop_grace_period"].removesuffix("s"))
    assert grace > int(OWN[name]["environment"]["CALLSCOPE_DRAIN_SECONDS"])


@pytest.mark.parametrize("name", THEIRS)
def test_a_foreign_image_is_pinned(name: str) -> None:
    registry, _, rest = THEIRS[name]["image"].partition("/")
    assert "." in registry
    assert rest.partition(":")[2] not in ("", "latest")


def test_the_example_of_env_shows_every_variable_with_its_default() -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    shown = dict(re.findall(r"^# (\w+)=(.*)$", text, re.M))
    assert shown.pop("COMPOSE_PROFILES") == "gpu"
    assert shown.pop("CPU_REPLICAS") == "0"
    expected = compose_variables()
    assert expected.pop("CPU_REPLICAS") == "1"
    assert shown == expected


def test_the_sizes_of_the_images_are_stated() -> None:
    found = json.loads((ROOT / "bench/results/images.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs/containers.md").read_text(encoding="utf-8")
    assert set(found) == set(SERVICES)
    for service, size in found.items():
        assert f"| {service} | {size['megabytes']:,} | {size['of_which_base']} |" in page
