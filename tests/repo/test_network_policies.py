"""Which connections the network policies of an overlay let through, and that no other gets by."""

from collections.abc import Iterator, Mapping
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from tests.repo.deployment import Document
from tests.repo.test_manifests import documents, pods

Labels = Mapping[str, str]
NAME = "app.kubernetes.io/name"


class Network:
    """The policies of one namespace, read as a network plugin reads them."""

    def __init__(self, overlay: str) -> None:
        self._policies = [d["spec"] for d in documents(overlay) if d["kind"] == "NetworkPolicy"]
        self._labels = {name: template["metadata"]["labels"] for name, template in pods(overlay)}
        self.ports = {
            name: {
                p.get("name"): p["containerPort"]
                for c in t["spec"]["containers"]
                for p in c.get("ports", ())
            }
            for name, t in pods(overlay)
        }

    def lets(self, source: str, target: str, port: int) -> bool:
        """Whether a pod may connect to another's port: both ends have to allow it."""
        leaves = self._allows("Egress", source, self._labels[target], target, port)
        return leaves and self._allows("Ingress", target, self._labels[source], target, port)

    def lets_in(self, namespace: Labels, target: str, port: int) -> bool:
        """Whether any pod of a namespace with these labels may connect to the port."""
        return any(
            _matches(peer.get("namespaceSelector"), namespace) and self._opens(rule, target, port)
            for rule, peer in self._peers("Ingress", target)
            if "namespaceSelector" in peer
        )

    def lets_into(self, pod: str, namespace: str, port: int) -> bool:
        """Whether a pod may connect to this port of any pod of another namespace."""
        labels = {"kubernetes.io/metadata.name": namespace}
        return any(
            _matches(peer.get("namespaceSelector"), labels)
            and port in [each["port"] for each in rule["ports"]]
            for rule, peer in self._peers("Egress", pod)
            if "namespaceSelector" in peer
        )

    def lets_out(self, pod: str, address: str, port: int) -> bool:
        """Whether a pod may connect to an address outside the cluster."""
        found = ip_address(address)
        for rule, peer in self._peers("Egress", pod):
            block = peer.get("ipBlock")
            if block is None or port not in [each["port"] for each in rule["ports"]]:
                continue
            aside = [ip_network(each) for each in block.get("except", ())]
            if found in ip_network(block["cidr"]) and not any(found in each for each in aside):
                return True
        return False

    def _allows(self, way: str, pod: str, other: Labels, target: str, port: int) -> bool:
        return any(
            "namespaceSelector" not in peer
            and "podSelector" in peer
            and _matches(peer["podSelector"], other)
            and self._opens(rule, target, port)
            for rule, peer in self._peers(way, pod)
        )

    def _peers(self, way: str, pod: str) -> Iterator[tuple[Document, Document]]:
        side = "from" if way == "Ingress" else "to"
        for policy in self._policies:
            if way in policy["policyTypes"] and _matches(policy["podSelector"], self._labels[pod]):
                for rule in policy.get(way.lower(), ()):
                    for peer in rule.get(side, ()):
                        yield rule, peer

    def _opens(self, rule: Document, target: str, port: int) -> bool:
        opened = [each["port"] for each in rule["ports"]]
        return port in [self.ports[target].get(each, each) for each in opened]


def _matches(selector: Any, labels: Labels) -> bool:
    wanted = selector.get("matchLabels", {})
    sets = selector.get("matchExpressions", ())
    assert all(each["operator"] == "In" for each in sets)
    return wanted.items() <= labels.items() and all(
        labels.get(each["key"]) in each["values"] for each in sets
    )


STAGES = {
    ("gateway", "transcribe", 50051),
    ("gateway", "diarize", 50052),
    ("gateway", "score", 50053),
}
LOCAL = {
    ("gateway", "postgres", 5432),
    ("gateway", "minio", 9000),
    ("transcribe", "minio", 9000),
    ("diarize", "minio", 9000),
    ("buckets", "minio", 9000),
    ("prometheus", "gateway", 9464),
    ("prometheus", "transcribe", 9464),
    ("prometheus", "diarize", 9464),
    ("prometheus", "score", 9464),
    ("grafana", "prometheus", 9090),
}


@pytest.mark.parametrize(("overlay", "flows"), [("local", STAGES | LOCAL), ("production", STAGES)])
def test_pods_reach_just_what_they_need(overlay: str, flows: set[tuple[str, str, int]]) -> None:
    network = Network(overlay)
    open_flows = {
        (source, target, port)
        for source in network.ports
        for target, ports in network.ports.items()
        for port in ports.values()
        if source != target and network.lets(source, target, port)
    }
    assert open_flows == flows


@pytest.mark.parametrize("overlay", ["local", "production"])
def test_only_clients_reach_the_doors(overlay: str) -> None:
    network = Network(overlay)
    doors = {
        (target, port)
        for target, ports in network.ports.items()
        for port in ports.values()
        if network.lets_in({"callscope-client": "true"}, target, port)
    }
    expected = {("gateway", 8080), ("gateway", 50050)}
    if overlay == "local":
        expected |= {("minio", 9000), ("grafana", 3000)}
    assert doors == expected
    assert not any(
        network.lets_in({"kubernetes.io/metadata.name": "other"}, target, port)
        for target, ports in network.ports.items()
        for port in ports.values()
    )


@pytest.mark.parametrize("overlay", ["local", "production", "production-gpu", "production-tls"])
def test_every_pod_may_ask_for_names(overlay: str) -> None:
    network = Network(overlay)
    assert all(network.lets_into(pod, "kube-system", 53) for pod in network.ports)


@pytest.mark.parametrize(
    ("overlay", "port", "senders"),
    [
        ("production", 4317, {"gateway", "transcribe", "diarize", "score"}),  # traces
        ("local", 9093, {"prometheus"}),  # alerts
    ],
)
def test_what_is_told_to_monitoring_gets_there(overlay: str, port: int, senders: set[str]) -> None:
    network = Network(overlay)
    assert {pod for pod in network.ports if network.lets_into(pod, "monitoring", port)} == senders


@pytest.mark.parametrize("address", ["203.0.113.7", "2001:db8::7"])
def test_only_the_gateway_reaches_the_world_and_over_tls_only(address: str) -> None:
    network = Network("production")
    for pod in network.ports:
        assert network.lets_out(pod, address, 443) is (pod == "gateway")
        assert not network.lets_out(pod, address, 80)


@pytest.mark.parametrize("address", ["172.16.0.1", "192.168.1.1", "169.254.169.254", "fd00::1"])
def test_webhooks_lead_into_no_inner_network(address: str) -> None:
    assert not Network("production").lets_out("gateway", address, 443)


@pytest.mark.parametrize("overlay", ["local", "production", "production-gpu", "production-tls"])
def test_what_no_policy_names_is_denied(overlay: str) -> None:
    (deny,) = [
        d["spec"]
        for d in documents(overlay)
        if d["kind"] == "NetworkPolicy" and d["metadata"]["name"] == "deny-all"
    ]
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
