"""The Kubernetes manifests are valid, and agree with the settings, the images and compose."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from callscope import __version__
from callscope.v1 import diarize_pb2, gateway_pb2, score_pb2, transcribe_pb2
from tests.repo.deployment import ROOT, SERVICES, Document, compose, load_settings, one_of

OVERLAYS = ("local", "production", "production-gpu", "production-tls")
OPERATORS = {"ScaledObject", "PodMonitor", "PrometheusRule"}  # kinds without a schema in Kubernetes
BIN = Path(sys.executable).parent
WORKLOADS = ("Deployment", "StatefulSet", "Job")
GRPC_SERVICES = {
    name.split(".")[-1].lower(): name
    for file in (transcribe_pb2, diarize_pb2, score_pb2, gateway_pb2)
    for name in (service.full_name for service in file.DESCRIPTOR.services_by_name.values())
}
PROBED = {
    "transcribe": "transcriber",
    "diarize": "diarizer",
    "score": "scorer",
    "gateway": "gateway",
}

# Off by default, and of no use to the service or this way of running it.
OF_OTHERS = {
    "transcribe": set[str](),
    "diarize": set[str](),
    "score": {"s3_access_key", "s3_secret_key"},  # it reads no recordings
    "gateway": {"tls_client_ca"},  # its clients show keys, not certificates
}


@cache
def rendered(folder: str) -> str:
    return subprocess.run(
        [BIN / "kubectl", "kustomize", ROOT / "k8s" / folder],
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@cache
def documents(overlay: str) -> list[Document]:
    return list(yaml.safe_load_all(rendered(f"overlays/{overlay}")))


def pods(overlay: str) -> Iterator[tuple[str, Document]]:
    """Every workload's name and pod template."""
    for document in documents(overlay):
        if document["kind"] in WORKLOADS:
            yield document["metadata"]["name"], document["spec"]["template"]


def pod(overlay: str, name: str) -> Document:
    return dict(pods(overlay))[name]


def only_container(overlay: str, name: str) -> Document:
    (container,) = pod(overlay, name)["spec"]["containers"]
    found: Document = container
    return found


def variables(overlay: str, service: str) -> dict[str, str]:
    """What the service's container finds in its environment; secrets and fields by example."""
    container = only_container(overlay, service)
    (source,) = container["envFrom"]
    config = one_of(documents(overlay), "ConfigMap", source["configMapRef"]["name"])
    found = dict(config["data"])
    for each in container["env"]:
        origin = each.get("valueFrom", {})
        if "fieldRef" in origin:
            found[each["name"]] = f"{service}-0"
        elif "resourceFieldRef" in origin:
            found[each["name"]] = container["resources"]["limits"]["cpu"]
        else:
            found[each["name"]] = each.get("value", "sqlite://")
    return found


both = pytest.mark.parametrize("overlay", OVERLAYS)
each_service = pytest.mark.parametrize("service", SERVICES)


@both
def test_an_overlay_is_valid(overlay: str) -> None:
    native = [d for d in documents(overlay) if d["kind"] not in OPERATORS]
    done = subprocess.run(
        [BIN / "kubernetes-validate", "--strict", "--quiet", "-"],
        input=yaml.safe_dump_all(native),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == ""
    assert done.returncode == 0


@both
@each_service
def test_a_pods_variables_are_settings(
    overlay: str, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(SERVICES[service], variables(overlay, service), monkeypatch)
    if service == "gateway":
        assert settings.executor_id == "gateway-0"
        assert settings.bucket in settings.audio_buckets
        for stage in ("transcribe", "diarize", "score"):
            (port,) = one_of(documents(overlay), "Service", stage)["spec"]["ports"]
            assert getattr(settings, f"{stage}_target") == f"{stage}:{port['port']}"
    else:
        assert settings.threads >= 1


@both
@each_service
def test_ports_and_probes_are_those_of_the_settings(overlay: str, service: str) -> None:
    fields = SERVICES[service].model_fields
    container = only_container(overlay, service)
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    expected = {"grpc": "port", "metrics": "metrics_port"}
    if service == "gateway":
        expected["http"] = "http_port"
    assert ports == {name: fields[field].default for name, field in expected.items()}
    if overlay == "production-tls":  # Kubernetes' gRPC probes speak no TLS
        for probe in ("startupProbe", "readinessProbe"):
            assert container[probe]["httpGet"] == {"path": "/readyz", "port": "metrics"}
            assert "grpc" not in container[probe]
    else:
        assert container["startupProbe"]["grpc"]["port"] == ports["grpc"]
        assert container["readinessProbe"]["grpc"] == {
            "port": ports["grpc"],
            "service": GRPC_SERVICES[PROBED[service]],
        }
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "metrics"}
    for each in one_of(documents(overlay), "Service", service)["spec"]["ports"]:
        assert each["port"] == ports[each["targetPort"]]


@both
@each_service
def test_a_pod_may_drain_before_it_is_killed(
    overlay: str, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(SERVICES[service], variables(overlay, service), monkeypatch)
    container = only_container(overlay, service)
    pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    grace = pod(overlay, service)["spec"]["terminationGracePeriodSeconds"]
    assert grace > pause + settings.drain_seconds


@each_service
def test_what_is_off_by_default_can_be_switched_on_from_the_manifests(service: str) -> None:
    offered = variables("production-tls", service)
    for name, field in SERVICES[service].model_fields.items():
        both_names = {f"CALLSCOPE_{name.upper()}", f"CALLSCOPE_{service.upper()}_{name.upper()}"}
        if field.default is None and name not in OF_OTHERS[service]:
            assert both_names & set(offered), name


@both
@each_service
def test_secrets_come_from_secrets_only(overlay: str, service: str) -> None:
    container = only_container(overlay, service)
    config = one_of(
        documents(overlay), "ConfigMap", container["envFrom"][0]["configMapRef"]["name"]
    )
    by_reference = {
        each["name"] for each in container["env"] if "secretKeyRef" in each.get("valueFrom", {})
    }
    secret = {
        f"{prefix}{name.upper()}"
        for name, field in SERVICES[service].model_fields.items()
        if "SecretStr" in str(field.annotation)
        for prefix in ("CALLSCOPE_", f"CALLSCOPE_{service.upper()}_")
    }
    assert not secret & set(config["data"])
    assert not secret & {each["name"] for each in container["env"]} - by_reference


@each_service
def test_certificates_lie_where_the_settings_look_for_them(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(SERVICES[service], variables("production-tls", service), monkeypatch)
    files = [settings.tls_cert, settings.tls_key]
    if service == "gateway":
        assert settings.tls_client_ca is None  # its clients show keys
        files += [settings.stages_tls_ca, settings.stages_tls_cert, settings.stages_tls_key]
    else:
        files.append(settings.tls_client_ca)
    (mount,) = [
        each
        for each in only_container("production-tls", service)["volumeMounts"]
        if each["name"] == "tls"
    ]
    assert {str(file) for file in files} == {
        f"{mount['mountPath']}/{name}" for name in ("tls.crt", "tls.key", "ca.crt")
    } - ({f"{mount['mountPath']}/ca.crt"} if None in files else set())
    for port in one_of(documents("production-tls"), "Service", service)["spec"]["ports"]:
        assert port.get("appProtocol") in (None, "https")


@both
def test_every_pod_is_restricted(overlay: str) -> None:
    for name, template in pods(overlay):
        spec = template["spec"]
        assert spec["securityContext"]["runAsNonRoot"], name
        assert spec["securityContext"]["runAsUser"] > 0, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is (name == "prometheus")
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert {"cpu", "memory"} <= set(container["resources"]["requests"])
            assert "memory" in container["resources"]["limits"]


@both
@each_service
def test_a_pods_memory_holds_a_recording_of_two_hours(overlay: str, service: str) -> None:
    measured = json.loads((ROOT / "bench/results/probes.json").read_text(encoding="utf-8"))
    assert (measured["hours"], measured["call"]) == (2, "done")
    resources = only_container(overlay, service)["resources"]
    given = mebibytes(resources["limits"]["memory"])
    assert given >= 1.25 * measured["peak_memory_mib"][service]
    # Kubernetes would take the pod's memory away from it when the node's runs short.
    assert resources["requests"]["memory"] == resources["limits"]["memory"]


def mebibytes(quantity: str) -> int:
    number, unit = int(quantity[:-2]), quantity[-2:]
    return number * {"Mi": 1, "Gi": 1024}[unit]


@each_service
def test_the_page_says_how_much_memory_a_pod_has_and_needs(service: str) -> None:
    measured = json.loads((ROOT / "bench/results/probes.json").read_text(encoding="utf-8"))
    given = only_container("production", service)["resources"]["limits"]["memory"]
    page = (ROOT / "docs/capacity.md").read_text(encoding="utf-8")
    needed = measured["peak_memory_mib"][service]
    assert f"| {service} | {given[:-2]} {given[-2:]}B | {needed:,} |" in page


@both
@each_service
def test_services_are_spread_and_survive_a_drain_of_the_node(overlay: str, service: str) -> None:
    labels = pod(overlay, service)["metadata"]["labels"]
    selector = {"app.kubernetes.io/name": service}
    assert selector.items() <= labels.items()
    assert one_of(documents(overlay), "PodDisruptionBudget", service)["spec"]["selector"] == {
        "matchLabels": selector
    }
    spread = pod(overlay, service)["spec"]["topologySpreadConstraints"]
    assert [each["topologyKey"] for each in spread] == [
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    ]
    assert all(each["labelSelector"] == {"matchLabels": selector} for each in spread)


@pytest.mark.parametrize("stage", ["transcribe", "diarize", "score"])
def test_the_gateways_client_sees_every_pod_of_a_stage(stage: str) -> None:
    assert one_of(documents("local"), "Service", stage)["spec"]["clusterIP"] == "None"


@each_service
def test_images_are_those_of_the_dockerfiles(service: str) -> None:
    image = compose()["services"][service]["image"].partition(":")[0]
    assert only_container("local", service)["image"].partition(":")[0] == image
    name, _, tag = only_container("production", service)["image"].rpartition(":")
    assert name.endswith(f"/{image}")
    assert tag == (__version__ if service == "gateway" else f"{__version__}-offline")


def test_compose_and_the_cluster_run_the_same_foreign_images() -> None:
    theirs = {
        container["image"]
        for _, template in pods("local")
        for container in template["spec"]["containers"]
        if not container["image"].startswith("callscope/")
    }
    assert theirs == {
        service["image"]
        for service in compose()["services"].values()
        if not service["image"].startswith("callscope/")
    }


@both
def test_what_a_pod_refers_to_is_there_or_is_asked_for_in_the_docs(overlay: str) -> None:
    present = {(d["kind"], d["metadata"]["name"]) for d in documents(overlay)}
    page = (ROOT / "docs/kubernetes.md").read_text(encoding="utf-8")
    asked = {("Secret", name) for name in re.findall(r"create secret generic (\S+)", page)}
    if overlay == "local":
        asked = set()
    for name, template in pods(overlay):
        assert set(references(template["spec"])) <= present | asked, name


def references(part: Any) -> Iterator[tuple[str, str]]:
    """The ConfigMaps, Secrets, claims and accounts that a pod's specification names."""
    kinds = {"configMapRef": "ConfigMap", "configMap": "ConfigMap", "secretKeyRef": "Secret"}
    if isinstance(part, list):
        for each in part:
            yield from references(each)
    elif isinstance(part, dict):
        for key, value in part.items():
            if key in kinds and value.get("optional"):
                continue
            if key in kinds:
                yield kinds[key], value["name"]
            elif key == "secret":
                yield "Secret", value["secretName"]
            elif key == "persistentVolumeClaim":
                yield "PersistentVolumeClaim", value["claimName"]
            elif key == "serviceAccountName":
                yield "ServiceAccount", value
            else:
                yield from references(value)


@pytest.mark.parametrize("overlay", ["production", "production-gpu"])
def test_what_is_scaled_by_load_has_no_fixed_number(overlay: str) -> None:
    scaled = [d for d in documents(overlay) if d["kind"] == "ScaledObject"]
    assert len(scaled) == 3
    for each in scaled:
        name = each["spec"]["scaleTargetRef"]["name"]
        assert "replicas" not in one_of(documents(overlay), "Deployment", name)["spec"]
        on_gpu = "nvidia.com/gpu" in only_container(overlay, name)["resources"]["limits"]
        assert on_gpu == (overlay == "production-gpu" and name != "score")
        assert (each["spec"]["minReplicaCount"] == 0) == on_gpu


def test_the_fallback_scales_the_same_services() -> None:
    text = (ROOT / "k8s/components/hpa/autoscalers.yaml").read_text(encoding="utf-8")
    targets = {each["spec"]["scaleTargetRef"]["name"] for each in yaml.safe_load_all(text)}
    scaled = {d["metadata"]["name"] for d in documents("production") if d["kind"] == "ScaledObject"}
    assert targets == scaled
