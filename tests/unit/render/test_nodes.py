from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from knavtool import resources
from knavtool.documents.entries import Devices, NodeEntry
from knavtool.documents.values import load_values, node_names, presets
from knavtool.documents.yaml import load_rendered
from knavtool.errors import RenderError
from knavtool.helm import Helm
from knavtool.nodes.ownership import MANAGED_BY, owned
from knavtool.render.nodes import render_nodes

CHART = resources.chart("virtual-nodes")
CUSTOM = {"cpu": "4", "memory": "8Gi"}


def custom(name: str, count: int, prefix: str = "") -> NodeEntry:
    return NodeEntry(type=name, count=count, name_prefix=prefix, resources=CUSTOM)


async def whole(helm: Helm, entries: Sequence[NodeEntry]) -> list[dict[str, Any]]:
    """What the chart gives by itself, every node rendered by Helm."""
    return load_rendered(await helm.template(CHART, values={"nodes": [entry.values() for entry in entries]}))


@pytest.mark.parametrize(
    "entries",
    [
        [NodeEntry(type=name, count=2) for name in presets()],
        [NodeEntry(type="dgxh200", count=2), NodeEntry(type="gb200", count=1), NodeEntry(type="dgxh200", count=3)],
        [custom("a", 2, "rack-1"), custom("b", 1)],
        [custom("a", 0), custom("b", 1)],
        [custom("x", 2, "1e"), custom("y", 1, "7")],
        [
            NodeEntry(
                type="dgxb200",
                count=2,
                labels={"kubernetes.io/role": "gpu", "on": "yes", "one": "1e3", "n": "8"},
                annotations={"text": 'line 1\nline 2: {{ .x }} # ü "', "kwok.x-k8s.io/node": "real", "n": "0o17"},
                resources={"nvidia.com/gpu": "0", "example.com/fpga": "2"},
                conditions=(
                    {"type": "Ready", "status": "False", "reason": "Broken", "message": "it's: {broken}"},
                    {"type": "Extra", "status": "True"},
                ),
                taints=(
                    {"key": "a/b", "value": "true", "effect": "NoSchedule"},
                    {"key": "c", "effect": "NoExecute"},
                ),
            )
        ],
        [NodeEntry(type="a", count=1, resources=CUSTOM, labels={f"l{number}": "x"}) for number in range(12)],
    ],
)  # fmt: skip
async def test_stamped_nodes_are_those_of_the_chart(helm: Helm, entries: Sequence[NodeEntry]) -> None:
    wanted = await whole(helm, entries)
    for node in wanted:
        node["metadata"]["labels"][MANAGED_BY] = "knavtool"
    nodes = owned(await render_nodes(helm, entries))
    assert list(nodes.manifests()) == wanted
    assert nodes.names() == [name for names in node_names(entries) for name in names]
    assert len(nodes) == len(wanted)
    assert load_rendered("".join(text for batch in nodes.batches for text in batch.yaml())) == wanted


async def test_the_example_has_the_original_figures(helm: Helm) -> None:
    nodes = list((await render_nodes(helm, load_values(CHART / "values-example.yaml").entries)).manifests())
    assert [node["metadata"]["name"] for node in nodes] == [
        f"virtual-{name}-{number}" for name in ("dgxa100.80g", "dgxh100.80g", "cpu.x86") for number in (0, 1)
    ]
    status = nodes[0]["status"]
    assert status["capacity"] == status["allocatable"]
    assert status["capacity"] == {
        "cpu": "256",
        "memory": "2Ti",
        "ephemeral-storage": "30Ti",
        "hugepages-1Gi": "0",
        "hugepages-2Mi": "0",
        "pods": "110",
        "nvidia.com/gpu": "8",
        "nvidia.com/mlnxnics": "16",
    }
    assert nodes[4]["status"]["capacity"]["memory"] == "196692052Ki"
    assert [condition["type"] for condition in status["conditions"]] == [
        "MemoryPressure",
        "DiskPressure",
        "PIDPressure",
        "Ready",
        "ReadonlyFilesystem",
        "KernelDeadlock",
    ]
    assert nodes[0]["metadata"]["labels"]["type"] == "kwok"
    assert nodes[0]["metadata"]["annotations"] == {"node.alpha.kubernetes.io/ttl": "0", "kwok.x-k8s.io/node": "fake"}


async def test_numbers_in_values_become_text_and_nought_counts(helm: Helm) -> None:
    entry = {
        "type": "dgxh100.80g",
        "count": 1,
        "labels": {"n": 8, "b": True, "f": 1.5, "big": 12345678},
        "resources": {"nvidia.com/gpu": 0, "pods": 250, "memory": 1000000000000, "cpu": 0.5},
    }
    (node,) = load_rendered(await helm.template(CHART, values={"nodes": [entry]}))
    assert {key: node["metadata"]["labels"][key] for key in entry["labels"]} == {  # type: ignore[attr-defined]
        "n": "8",
        "b": "true",
        "f": "1.5",
        "big": "12345678",
    }
    assert (
        node["status"]["capacity"] | {"nvidia.com/gpu": "0", "pods": "250", "memory": "1000000000000", "cpu": "0.5"}
        == (node["status"]["capacity"])
    )


async def test_an_architecture_shows_in_labels_and_node_information(helm: Helm) -> None:
    entries = [
        NodeEntry(type="gb200", count=1),
        NodeEntry(type="a", count=1, resources=CUSTOM, labels={"kubernetes.io/arch": "arm64"}),
        NodeEntry(type="b", count=1, resources=CUSTOM),
    ]
    nodes = list((await render_nodes(helm, entries)).manifests())
    assert [node["status"]["nodeInfo"]["architecture"] for node in nodes] == ["arm64", "arm64", "amd64"]
    assert nodes[0]["metadata"]["labels"]["kubernetes.io/arch"] == "arm64"


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        (
            [{"type": "mystery", "count": 1}],
            r"nodes\[0\]: \"mystery\" is no preset, so it needs resources; presets: dgxa",
        ),
        ([{"type": "dgxh200", "count": -1}], "minimum: got -1, want 0"),
        ([{"type": "dgxh200"}], "missing property 'count'"),
        ([{"type": "dgxh200", "count": 1, "colour": "red"}], "additional properties 'colour' not allowed"),
        (
            [{"type": "dgxh200", "count": 1, "namePrefix": "n"}, {"type": "gb200", "count": 1, "namePrefix": "n"}],
            r"nodes\[1\]: nodes of type \"dgxh200\" are called n-0, n-1, ... too",
        ),
        (
            [{"type": "x", "count": 1, "resources": {"dra": {"driver": "gpu.a.com", "count": 1}}}],
            "is no preset, so it needs resources",
        ),
        (
            [{"type": "gb200", "count": 1, "resources": {"a.com/gpu": 8, "dra": {"driver": "gpu.a.com", "count": 1}}}],
            r"nodes\[0\]: the devices of gpu\.a\.com serve a\.com/gpu already; leave it out of resources",
        ),
        (
            [
                {"type": "gb200", "count": 1, "resources": {"dra": {"driver": "gpu.a.com", "count": 1, **more}}}
                for more in ({}, {"extendedResourceName": "b.com/gpu"})
            ],
            r"nodes\[1\]: the devices of gpu\.a\.com are a\.com/gpu in another entry, so they cannot be b\.com/gpu",
        ),
    ],
)
async def test_the_chart_refuses_bad_values_by_itself(helm: Helm, nodes: list[Any], message: str) -> None:
    with pytest.raises(RenderError, match=message):
        await helm.template(CHART, values={"nodes": nodes})


GPU: dict[str, Any] = {"driver": "gpu.nvidia.com", "count": 2}


async def with_devices(helm: Helm, **dra: Any) -> list[dict[str, Any]]:
    """What the chart gives for one node with these devices."""
    nodes = [{"type": "dgxh200", "count": 1, "resources": {"dra": {**GPU, **dra}}}]
    return load_rendered(await helm.template(CHART, values={"nodes": nodes}))


async def test_devices_are_a_class_and_a_slice_per_node(helm: Helm) -> None:
    attributes = {"text": "yes", "version": "1.2.3-rc.1+b", "none": "1.2", "led": "01.2.3", "n": 8, "big": 2**53 - 1}
    device_class, node, slice_ = await with_devices(
        helm, attributes={**attributes, "flag": False}, capacity={"memory": "141Gi", "cores": 132}
    )
    assert device_class == {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "DeviceClass",
        "metadata": {"name": "gpu.nvidia.com"},
        "spec": {
            "selectors": [{"cel": {"expression": 'device.driver == "gpu.nvidia.com"'}}],
            "extendedResourceName": "nvidia.com/gpu",
        },
    }
    # The preset's own GPUs give way.
    assert "nvidia.com/gpu" not in node["status"]["capacity"]
    assert node["status"]["capacity"]["nvidia.com/mlnxnics"] == "10"
    assert slice_["metadata"] == {"name": "virtual-dgxh200-0-gpu.nvidia.com", "labels": {"type": "kwok"}}
    assert slice_["spec"] == {
        "driver": "gpu.nvidia.com",
        "nodeName": "virtual-dgxh200-0",
        "pool": {"name": "virtual-dgxh200-0", "generation": 1, "resourceSliceCount": 1},
        "devices": [
            {
                "name": f"gpu-{number}",
                "attributes": {
                    "text": {"string": "yes"},
                    "version": {"version": "1.2.3-rc.1+b"},
                    "none": {"string": "1.2"},
                    "led": {"string": "01.2.3"},
                    "n": {"int": 8},
                    "big": {"int": 2**53 - 1},
                    "flag": {"bool": False},
                },
                "capacity": {"memory": {"value": "141Gi"}, "cores": {"value": "132"}},
            }
            for number in range(2)
        ],
    }


@pytest.mark.parametrize(
    ("count", "sizes"), [(1, [1]), (128, [128]), (129, [128, 1]), (256, [128, 128]), (300, [128, 128, 44])]
)
async def test_many_devices_are_several_slices_of_one_pool(helm: Helm, count: int, sizes: list[int]) -> None:
    _, _, *slices = await with_devices(helm, count=count)
    names = ["virtual-dgxh200-0-gpu.nvidia.com", *(f"virtual-dgxh200-0-gpu.nvidia.com-{n}" for n in range(1, 9))]
    assert [item["metadata"]["name"] for item in slices] == names[: len(sizes)]
    assert [len(item["spec"]["devices"]) for item in slices] == sizes
    assert {item["spec"]["pool"]["resourceSliceCount"] for item in slices} == {len(sizes)}
    numbers = [device["name"] for item in slices for device in item["spec"]["devices"]]
    assert numbers == [f"gpu-{number}" for number in range(count)]


async def test_a_resource_name_of_its_own_leaves_the_presets_alone(helm: Helm) -> None:
    device_class, node, _ = await with_devices(helm, extendedResourceName="example.com/accelerator")
    assert device_class["spec"]["extendedResourceName"] == "example.com/accelerator"
    assert node["status"]["capacity"]["nvidia.com/gpu"] == "8"


async def test_stamped_devices_are_those_of_the_chart(helm: Helm) -> None:
    gpus = Devices(driver="gpu.nvidia.com", count=130, extended_resource_name="nvidia.com/gpu", attributes={"a": 1})
    nics = Devices(driver="nic.nvidia.com", count=2, extended_resource_name="nvidia.com/nic")
    entries = [
        NodeEntry(type="dgxh200", count=2, devices=gpus),
        NodeEntry(type="gb200", count=2, name_prefix="1e", devices=gpus),
        NodeEntry(type="gb200", count=1, name_prefix="nics", devices=nics),
        NodeEntry(type="gb200", count=0, name_prefix="absent", devices=replace(nics, driver="absent.nvidia.com")),
        NodeEntry(type="dgxb200", count=1),
    ]
    wanted = await whole(helm, entries)
    for item in wanted:
        item["metadata"].setdefault("labels", {})[MANAGED_BY] = "knavtool"
    nodes = owned(await render_nodes(helm, entries))

    def names(manifests: Iterable[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
        return {(item["kind"], item["metadata"]["name"]): item for item in manifests}

    assert names(nodes.manifests()) == names(wanted)
    assert load_rendered("".join(nodes.yaml())) == list(nodes.manifests())
    assert [item["metadata"]["name"] for item in nodes.device_classes] == ["gpu.nvidia.com", "nic.nvidia.com"]
    assert len(nodes) == 6


@pytest.mark.parametrize("values", [{}, {"nodes": []}, {"nodes": {}}])
async def test_no_nodes_are_no_manifests(helm: Helm, values: dict[str, Any]) -> None:
    assert load_rendered(await helm.template(CHART, values=values)) == []
    assert len(await render_nodes(helm, [])) == 0


async def test_the_number_of_nodes_does_not_change_what_helm_renders(
    helm: Helm, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs: list[str] = []
    template = Helm.template

    async def record(self: Helm, *args: Any, **options: Any) -> str:
        outputs.append(await template(self, *args, **options))
        return outputs[-1]

    monkeypatch.setattr(Helm, "template", record)
    entry = NodeEntry(type="dgxh200", count=10_000)
    nodes = await render_nodes(helm, [entry, NodeEntry(type="gb200", count=1)])
    assert len(outputs) == 1
    assert outputs[0].count("kind: Node") == 2
    assert orjson.loads(nodes.batches[0].body("virtual-dgxh200-9999")) == nodes.batches[0].manifest(
        "virtual-dgxh200-9999"
    )


async def test_a_batch_with_another_prototype_keeps_its_names(helm: Helm) -> None:
    (batch,) = (await render_nodes(helm, [NodeEntry(type="gb200", count=2)])).batches
    name = batch.names[1]
    batch.body(name)
    changed = copy.deepcopy(batch.prototype)
    changed["metadata"]["labels"]["extra"] = "1"
    assert batch.with_prototype(changed).manifest(name)["metadata"]["labels"]["extra"] == "1"
    assert "extra" not in batch.manifest(name)["metadata"]["labels"]


def test_the_charts_schema_is_the_projects() -> None:
    assert (CHART / "values.schema.json").read_bytes() == resources.schema("values").read_bytes()


def test_presets_say_where_their_figures_come_from() -> None:
    text = (CHART / "presets.yaml").read_text()
    assert list(presets()) == ["dgxa100.40g", "dgxa100.80g", "dgxh100.80g", "dgxh200", "dgxb200", "gb200"]
    for source in ("Knavigator", "DGX BasePOD reference architecture", "DGX B200 user guide", "DGX GB200 user guide"):
        assert source in text


async def test_a_chart_that_loses_nodes_is_found_out(helm: Helm, tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text("apiVersion: v2\nname: empty\nversion: 0.0.0\n")
    with pytest.raises(RenderError, match="gave 0 nodes for 1 entries"):
        await render_nodes(helm, [NodeEntry(type="gb200", count=1)], chart=tmp_path)
