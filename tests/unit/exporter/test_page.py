"""The page as Prometheus reads it."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from knavtool.errors import UsageError
from knavtool.exporter.cluster import Cluster
from knavtool.exporter.page import Page
from knavtool.exporter.seen import Node, Pod, Shape, Tracked

TRACKED = Tracked(resources=("cpu", "nvidia.com/gpu"), labels=("nodeType", "topology.kubernetes.io/rack"))


class Shown:
    """A page with a cluster that is up, complete or not as a test says."""

    def __init__(self) -> None:
        self.up = self.complete = True
        self.page = Page(TRACKED)
        self.cluster = Cluster(TRACKED, self.page.gangs)
        self.page.show(self.cluster, lambda: self.up, lambda: self.complete)

    def series(self) -> dict[str, dict[tuple[str, ...], float]]:
        """The values of all series by name and values of labels in the order of their names."""
        found: dict[str, dict[tuple[str, ...], float]] = {}
        text = b"".join(self.page.text()).decode()
        for family in text_string_to_metric_families(text):
            assert family.documentation
            for sample in family.samples:
                labels = tuple(value for _, value in sorted(sample.labels.items()))
                assert labels not in found.setdefault(sample.name, {}), "a series is there twice"
                found[sample.name][labels] = sample.value
        return found


def test_series_of_nodes_have_the_labels_of_their_nodes() -> None:
    shown = Shown()
    shown.cluster.take_node("a", Node(labels=("gpu", "r1"), allocatable=(0.0, 8.0), amounts=(8.0, 0.0, 0.0)))
    shape = Shape(requests=(0.5, 4.0), limits=(1.0, 4.0), amounts=(4.0, 0.5, 0.0))
    shown.cluster.take_pod(("ns", "p"), Pod(shape=shape, state="bound", node="a"), 0)
    found = shown.series()
    text = b"".join(shown.page.text()).decode()
    assert (
        'node_resource_requests{node="a",resource="cpu",nodeType="gpu",topology_kubernetes_io_rack="r1"} 0.5\n' in text
    )
    assert found["node_resource_requests"] == {("a", "gpu", "cpu", "r1"): 0.5, ("a", "gpu", "nvidia.com/gpu", "r1"): 4}
    assert found["node_resource_limits"] == {("a", "gpu", "cpu", "r1"): 1, ("a", "gpu", "nvidia.com/gpu", "r1"): 4}
    # Of what a node does not have there is no occupancy.
    assert found["node_resource_occupancy"] == {("a", "gpu", "nvidia.com/gpu", "r1"): 50}
    assert found["knavtool_free_gpus"] == {(): 4}
    shown.cluster.take_node("a", None)
    assert not [name for name in shown.series() if name.startswith("node_")]


def test_waits_of_gangs_are_a_histogram() -> None:
    shown = Shown()
    shape = Shape(requests=(), limits=())
    for key, started in (("a", 0.0), ("b", 0.5)):
        shown.cluster.take_pod(("ns", key), Pod(shape=shape, state="new", gang=("ns", "g")), started)
        shown.cluster.take_pod(("ns", key), Pod(shape=shape, state="bound", node="n", gang=("ns", "g")), started + 2)
    shown.cluster.gangs.settle(100)
    found = shown.series()
    assert found["knavtool_gang_wait_seconds_sum"] == {(): 2.5}
    assert found["knavtool_gang_wait_seconds_count"] == {(): 1}
    assert found["knavtool_gang_wait_seconds_bucket"]["2.5",] == 1
    assert found["knavtool_gang_wait_seconds_bucket"]["1.0",] == 0


def test_nothing_of_the_cluster_is_told_before_it_is_known() -> None:
    shown = Shown()
    shown.up = shown.complete = False
    shown.cluster.take_node("a", Node(labels=("", ""), allocatable=(1.0, 8.0), amounts=(8.0, 1.0, 0.0)))
    found = shown.series()
    assert found["knavtool_api_server_up"] == {(): 0}
    assert not [name for name in found if name.startswith("node_") or "gpu" in name or "pods" in name]


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (("node",), "--node-label node: its label in metrics would be node, which is one of our own"),
        (("a.b", "a-b"), "--node-label a-b: its label in metrics would be a_b, which is that of a.b"),
    ],
)
def test_labels_that_cannot_be_told_apart_are_refused(labels: tuple[str, ...], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Page(Tracked(resources=("cpu",), labels=labels))
