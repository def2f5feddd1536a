"""Devices of virtual nodes on a real control plane, as a user makes them and as the scheduler sees them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml

from knavtool.kube.client import Client
from knavtool.kube.resource import DEVICE_CLASSES, NODES, RESOURCE_SLICES, Manifest
from knavtool.kube.waiting import until
from support.control_plane import LocalCluster
from support.programs import program

pytestmark = pytest.mark.cluster

T = TypeVar("T")
SLICE = "virtual-small-0-gpu.example.com"


class Devices:
    """The command line for nodes, and the objects that devices are in a control plane."""

    def __init__(self, plane: LocalCluster, directory: Path) -> None:
        self.plane = plane
        self._file = directory / "values.yaml"

    def write(self, *entries: dict[str, Any]) -> Path:
        self._file.write_text(yaml.safe_dump({"nodes": list(entries)}))
        return self._file

    def apply(self, *entries: dict[str, Any], options: tuple[str, ...] = ()) -> str:
        """Apply these entries; returns what was said."""
        return self.plane.cli("nodes", "apply", "-f", self.write(*entries), *options).stdout

    def ask(self, question: Callable[[Client], Awaitable[T]]) -> T:
        return self.plane.ask(question)

    def slices(self) -> dict[str, Manifest]:
        return {item["metadata"]["name"]: item for item in self.ask(lambda client: client.list(RESOURCE_SLICES))}

    def classes(self) -> dict[str, Manifest]:
        return {item["metadata"]["name"]: item for item in self.ask(lambda client: client.list(DEVICE_CLASSES))}

    def versions(self) -> list[str]:
        """The resource versions of all objects of devices."""
        return [item["metadata"]["resourceVersion"] for item in (*self.slices().values(), *self.classes().values())]

    def uid(self, node: str) -> str:
        return str(self.ask(lambda client: client.get(NODES, node))["metadata"]["uid"])


@pytest.fixture
def devices(control_plane: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Devices]:
    monkeypatch.setenv("KNAVTOOL_HELM_BINARY", str(program("helm")))
    made = Devices(control_plane, tmp_path)
    yield made
    made.plane.cli("nodes", "delete", "--all")
    assert (made.slices(), made.classes()) == ({}, {})


def entry(nodes: int = 2, *, devices: int = 0, **more: Any) -> dict[str, Any]:
    """Nodes with this many devices of a driver of our own."""
    given = {"dra": {"driver": "gpu.example.com", "count": devices, **more}} if devices else {}
    return {"type": "small", "count": nodes, "resources": {"cpu": 4, "memory": "8Gi", "pods": 110, **given}}


def generations(devices: Devices) -> dict[str, int]:
    return {name: item["spec"]["pool"]["generation"] for name, item in devices.slices().items()}


def test_slices_and_their_class_follow_the_values_file(devices: Devices) -> None:
    described = {"attributes": {"model": "X1", "driver": "1.2.3", "slot": 1, "link": True}, "capacity": {"memory": 0.5}}
    assert devices.apply(entry(1, devices=130, **described)) == (
        "1 created, 0 changed, 0 unchanged, 0 removed; devices of nodes: 1 created, 0 changed, 0 unchanged, 0 removed\n"
    )
    first = devices.slices()[SLICE]
    assert first["metadata"]["ownerReferences"][0]["uid"] == devices.uid("virtual-small-0")
    assert first["spec"]["pool"] == {"name": "virtual-small-0", "generation": 1, "resourceSliceCount": 2}
    assert first["spec"]["devices"][0] == {
        "name": "gpu-0",
        "attributes": {
            "model": {"string": "X1"},
            "driver": {"version": "1.2.3"},
            "slot": {"int": 1},
            "link": {"bool": True},
        },
        "capacity": {"memory": {"value": "500m"}},
    }
    assert devices.classes()["gpu.example.com"]["spec"]["extendedResourceName"] == "example.com/gpu"

    before = devices.versions()
    assert "1 unchanged, 0 removed; devices of nodes: 0 created, 0 changed, 1 unchanged" in devices.apply(
        entry(1, devices=130, **described)
    )
    assert devices.versions() == before

    fewer = entry(1, devices=8, attributes={"model": "X2"})
    assert devices.apply(fewer, options=("--dry-run",)).splitlines() == [
        "~ devices of gpu.example.com on virtual-small-0",
        "    devices: 130 -> 8",
        "    attributes.driver: 1.2.3 -> none",
        "    attributes.link: True -> none",
        "    attributes.model: X1 -> X2",
        "    attributes.slot: 1 -> none",
        "    capacity.memory: 500m -> none",
    ]
    assert devices.versions() == before
    devices.apply(fewer)
    assert generations(devices) == {SLICE: 2}
    assert len(devices.slices()[SLICE]["spec"]["devices"]) == 8

    assert "devices of nodes: 0 created, 0 changed, 0 unchanged, 1 removed" in devices.apply(entry(1))
    assert (devices.slices(), devices.classes()) == ({}, {})


def test_a_node_that_comes_back_has_devices_again(devices: Devices) -> None:
    wanted = entry(devices=2)
    devices.apply(wanted)
    devices.ask(lambda client: client.delete(NODES, "virtual-small-0"))
    devices.apply(wanted)
    uid = devices.uid("virtual-small-0")

    def settled(seen: Any) -> bool | None:
        owners = [owner for item in seen.values() for owner in item["metadata"]["ownerReferences"]]
        return True if uid in [owner["uid"] for owner in owners] and len(owners) == 2 else None

    devices.ask(lambda client: until(client, RESOURCE_SLICES, settled, timeout=60))
    assert "devices of nodes: 0 created, 0 changed, 2 unchanged, 0 removed" in devices.apply(wanted)


def test_the_garbage_collector_takes_slices_with_their_node(devices: Devices) -> None:
    devices.apply(entry(devices=2))
    devices.ask(lambda client: client.delete(NODES, "virtual-small-1"))
    devices.ask(
        lambda client: until(client, RESOURCE_SLICES, lambda seen: True if len(seen) == 1 else None, timeout=60)
    )
    assert list(devices.slices()) == [SLICE]


def test_deleting_the_nodes_of_a_file_leaves_the_devices_of_others(devices: Devices) -> None:
    other = {**entry(1, devices=1), "namePrefix": "other"}
    devices.apply(entry(devices=2), other)
    devices.plane.cli("nodes", "delete", "-f", devices.write(entry(devices=2)))
    assert list(devices.slices()) == ["other-0-gpu.example.com"]
    assert list(devices.classes()) == ["gpu.example.com"]
