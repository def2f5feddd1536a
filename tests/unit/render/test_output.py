from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from knavtool import resources
from knavtool.documents.entries import Devices, NodeEntry
from knavtool.documents.values import load_values
from knavtool.documents.yaml import load_rendered
from knavtool.errors import UsageError
from knavtool.helm import Helm
from knavtool.nodes.desired import APPLIED, prepare
from knavtool.nodes.desired import by_name as desired_nodes
from knavtool.nodes.ownership import MANAGED_BY, owned
from knavtool.render.kustomize import MARK
from knavtool.render.nodes import NodeSet, render_nodes
from knavtool.render.output import write_chart, write_kustomize, write_manifests, write_tree
from support import golden
from support.programs import program

ENTRIES = [
    *load_values(resources.chart("virtual-nodes") / "values-example.yaml").entries,
    NodeEntry(
        type="gb200",
        count=1,
        name_prefix="1e",
        labels={"flag": "on", "number": "1e3"},
        taints=({"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"},),
        devices=Devices(
            driver="gpu.nvidia.com",
            count=2,
            extended_resource_name="nvidia.com/gpu",
            attributes={"productName": "NVIDIA GB200", "driverVersion": "570.86.15", "slot": 3, "nvlink": True},
            capacity={"memory": "186Gi"},
        ),
    ),
]


def by_name(manifests: Iterable[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(item["kind"], item["metadata"]["name"]): item for item in manifests}


@pytest.fixture
async def nodes(helm: Helm) -> NodeSet:
    return owned(await render_nodes(helm, ENTRIES))


def test_manifests_are_as_before(nodes: NodeSet, tmp_path: Path) -> None:
    text = write_manifests(nodes, tmp_path / "new" / "place").read_text(encoding="utf-8")
    golden.check("render/nodes.yaml", text)
    assert load_rendered(text) == list(nodes.manifests())


def test_a_kustomize_base_gives_the_same_objects(nodes: NodeSet, tmp_path: Path) -> None:
    write_kustomize(nodes, tmp_path)
    golden.check("render/kustomization.yaml", (tmp_path / "kustomization.yaml").read_text(encoding="utf-8"))
    built = subprocess.run(
        [program("kubectl"), "kustomize", tmp_path], capture_output=True, text=True, check=True
    ).stdout
    assert by_name(load_rendered(built)) == by_name(nodes.manifests())


def test_apply_sends_the_same_nodes_with_one_annotation_more(nodes: NodeSet) -> None:
    sent = {name: desired.batch.manifest(name) for name, desired in desired_nodes(prepare(nodes))}
    for item in nodes.manifests():
        if item["kind"] == "Node":
            same = sent.pop(item["metadata"]["name"])
            del same["metadata"]["annotations"][APPLIED]
            assert {**item, "metadata": {"annotations": {}, **item["metadata"]}} == same
    assert sent == {}


async def test_a_chart_gives_the_same_nodes_by_itself(helm: Helm, nodes: NodeSet, tmp_path: Path) -> None:
    write_chart(ENTRIES, tmp_path)
    golden.check("render/chart-values.yaml", (tmp_path / "values.yaml").read_text(encoding="utf-8"))
    rendered = load_rendered(await helm.template(tmp_path))
    wanted = list(nodes.manifests())
    for item in wanted:
        # Helm marks the objects as its own when it installs them.
        del item["metadata"]["labels"][MANAGED_BY]
        if not item["metadata"]["labels"]:
            del item["metadata"]["labels"]
    assert by_name(rendered) == by_name(wanted)
    # Helm sorts by kind.
    assert [item["metadata"]["name"] for item in rendered if item["kind"] == "Node"] == nodes.names()
    assert not (tmp_path / "values-example.yaml").exists()


def test_no_nodes_are_an_empty_base(tmp_path: Path) -> None:
    write_kustomize(NodeSet(batches=()), tmp_path)
    assert load_rendered((tmp_path / "kustomization.yaml").read_text())[0]["resources"] == []
    assert (tmp_path / "nodes.yaml").read_text() == ""


def test_a_place_that_cannot_be_written_is_a_usage_error(nodes: NodeSet, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for write in (
        lambda place: write_manifests(nodes, place),
        lambda place: write_kustomize(nodes, place),
        lambda place: write_chart(ENTRIES, place),
    ):
        with pytest.raises(UsageError, match="cannot be written"):
            write(tmp_path / "file" / "below")
    (tmp_path / "taken" / "nodes.yaml").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"nodes\.yaml: cannot be written"):
        write_manifests(nodes, tmp_path / "taken")


def tree(*components: str) -> dict[str, str]:
    return {"kustomization.yaml": MARK} | {
        path: text
        for name in components
        for path, text in ((f"{name}/kustomization.yaml", MARK), (f"{name}/base/objects.yaml", name))
    }


def content(directory: Path) -> dict[str, str]:
    return {str(path.relative_to(directory)): path.read_text() for path in directory.rglob("*") if path.is_file()}


def test_a_tree_replaces_what_an_earlier_call_wrote_and_nothing_else(tmp_path: Path) -> None:
    directory = tmp_path / "new" / "place"
    write_tree(tree("kueue", "jobset"), directory)
    assert content(directory) == tree("kueue", "jobset")
    (directory / "overlays").mkdir()
    (directory / "overlays" / "kustomization.yaml").write_text("resources: [../kueue]\n")
    (directory / "kueue" / "old.yaml").write_text("")
    write_tree(tree("kueue"), directory)
    assert content(directory) == tree("kueue") | {"overlays/kustomization.yaml": "resources: [../kueue]\n"}


@pytest.mark.parametrize("taken", ["kustomization.yaml", "kueue/kustomization.yaml", "kueue/notes"])
def test_files_of_others_in_the_way_of_a_tree_are_kept(taken: str, tmp_path: Path) -> None:
    (tmp_path / taken).parent.mkdir(exist_ok=True)
    (tmp_path / taken).write_text("resources: []\n")
    with pytest.raises(UsageError, match="knavtool did not write it"):
        write_tree(tree("jobset", "kueue"), tmp_path)
    assert content(tmp_path) == {taken: "resources: []\n"}


def test_a_tree_that_cannot_be_written_whole_leaves_the_old_one(tmp_path: Path) -> None:
    write_tree(tree("kueue"), tmp_path)
    with pytest.raises(UsageError, match="cannot be written"):
        write_tree(tree("jobset") | {"kueue/" + "x" * 300: ""}, tmp_path)
    assert content(tmp_path) == tree("kueue")


def test_a_tree_leaves_the_names_of_others_alone(tmp_path: Path) -> None:
    (tmp_path / ".knavtool.new").mkdir()
    (tmp_path / ".knavtool.new" / "notes").write_text("mine")
    write_tree(tree("kueue"), tmp_path)
    write_tree(tree("kueue"), tmp_path)
    assert content(tmp_path) == tree("kueue") | {".knavtool.new/notes": "mine"}
