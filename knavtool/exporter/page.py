"""The page that Prometheus reads.

The series of nodes, of which there are tens of thousands, are written here: prometheus_client would need a second and
50 MB for those of 10,000 nodes. It writes all others.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, disable_created_metrics, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from knavtool.errors import UsageError
from knavtool.exporter.gangs import Gangs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from prometheus_client.core import Metric

    from knavtool.exporter.cluster import Cluster
    from knavtool.exporter.seen import Node, Shape, Tracked

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
WAITS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
"""Seconds; the bounds of the buckets of gang waits."""
_AT_ONCE = 500
"""Nodes whose series are written before other work gets a turn."""
_OWN_LABELS = ("node", "resource")

_Values = tuple[float | None, ...]


def _requests(_: Node, used: Shape) -> _Values:
    return used.requests


def _limits(_: Node, used: Shape) -> _Values:
    return used.limits


def _occupancy(node: Node, used: Shape) -> _Values:
    pairs = zip(used.requests, node.allocatable, strict=True)
    return tuple(100 * asked / allocatable if allocatable > 0 else None for asked, allocatable in pairs)


_NODE_FAMILIES: tuple[tuple[str, str, Callable[[Node, Shape], _Values]], ...] = (
    ("node_resource_requests", "Requests of the pods on a node, in the unit of the resource.", _requests),
    ("node_resource_limits", "Limits of the pods on a node, in the unit of the resource.", _limits),
    ("node_resource_occupancy", "Requests of the pods on a node in percent of what is allocatable.", _occupancy),
)


class Page:
    """The metrics of a cluster; `up` tells whether it is as the API server has it now."""

    def __init__(self, tracked: Tracked) -> None:
        self._labels = _metric_labels(tracked)
        self._resources = [f'resource="{name}"' for name in tracked.resources]
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry(auto_describe=False)
        waits = Histogram(
            "knavtool_gang_wait_seconds",
            "Time from the creation of a gang's first pod until enough of its pods have a node.",
            buckets=WAITS,
            registry=self._registry,
        )
        self.gangs = Gangs(waits.observe)
        ProcessCollector(registry=self._registry)

    def show(self, cluster: Cluster, up: Callable[[], bool], complete: Callable[[], bool]) -> None:
        """Show this cluster from now on, and nothing of it before it is known as a whole."""
        self._registry.register(_ClusterMetrics(cluster, up, complete))
        self._cluster, self._complete = cluster, complete

    def text(self) -> Iterator[bytes]:
        """The page in pieces of some 100 KB, each as of the moment in which it is asked for.

        Costs 20 microseconds per node with three resources.
        """
        self.gangs.settle(time.monotonic())
        yield generate_latest(self._registry)
        if self._complete():
            nodes = list(self._cluster.nodes.items())
            for name, text, values in _NODE_FAMILIES:
                yield f"# HELP {name} {text}\n# TYPE {name} gauge\n".encode()
                for start in range(0, len(nodes), _AT_ONCE):
                    yield "".join(self._lines(name, values, nodes[start : start + _AT_ONCE])).encode()

    def _lines(
        self, name: str, values: Callable[[Node, Shape], _Values], nodes: Iterable[tuple[str, Node]]
    ) -> Iterator[str]:
        cluster = self._cluster
        for node_name, node in nodes:
            # Kubernetes lets no value of a label have a character that would have to be escaped.
            more = "".join(f',{label}="{value}"' for label, value in zip(self._labels, node.labels, strict=True))
            of_node = f'{name}{{node="{node_name}",'
            for resource, value in zip(self._resources, values(node, cluster.used(node_name)), strict=True):
                if value is not None:
                    yield f"{of_node}{resource}{more}}} {value!r}\n"


class _ClusterMetrics(Collector):
    """The gauges that describe the whole cluster."""

    def __init__(self, cluster: Cluster, up: Callable[[], bool], complete: Callable[[], bool]) -> None:
        self._cluster, self._up, self._complete = cluster, up, complete

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "knavtool_api_server_up",
            "Whether the API server tells of all changes now (1), or everything is as it was last (0).",
            value=int(self._up()),
        )
        if not self._complete():
            return
        pending = GaugeMetricFamily("knavtool_pending_pods", "Pods that have no node yet.", labels=["state"])
        for state, count in self._cluster.pending().items():
            pending.add_metric([state], count)
        yield pending
        found = self._cluster.blocks()
        yield GaugeMetricFamily("knavtool_allocatable_gpus", "GPUs of Ready nodes.", value=found.allocatable)
        yield GaugeMetricFamily("knavtool_free_gpus", "GPUs of Ready nodes that no pod has.", value=found.free)
        yield GaugeMetricFamily(
            "knavtool_stranded_gpus",
            "Free GPUs on nodes where no pending pod fits, while pods that ask for GPUs are pending.",
            value=found.stranded,
        )
        nodes = GaugeMetricFamily(
            "knavtool_free_block_nodes",
            "Ready nodes with GPUs, by the number of their free GPUs.",
            labels=["free_gpus"],
        )
        for name, count in found.nodes.items():
            nodes.add_metric([name], count)
        yield nodes


def _metric_labels(tracked: Tracked) -> tuple[str, ...]:
    """The labels of series: those of the nodes, with _ for what Prometheus does not take. Raises UsageError."""
    names: dict[str, str] = dict.fromkeys(_OWN_LABELS, "")
    for label in tracked.labels:
        name = re.sub(r"[^a-zA-Z0-9_]", "_", label)
        name = f"_{name}" if name[0].isdigit() else name
        if name in names:
            other = f"that of {names[name]}" if names[name] else "one of our own"
            raise UsageError(f"--node-label {label}: its label in metrics would be {name}, which is {other}")
        names[name] = label
    return tuple(names)[len(_OWN_LABELS) :]
