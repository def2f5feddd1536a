"""All kinds of a server, whichever form of discovery it speaks."""

from __future__ import annotations

from typing import Any

from knavtool.kube.client import Client
from knavtool.kube.resource import CONFIG_MAPS, JOBS, NODES, Resource
from support.api_server import Answer, ApiServer, refuse

QUEUES = Resource("example.com", "v1", "queues", "Queue", namespaced=True)
VERBS = ["get", "list", "watch"]


def classic(version: str, *resources: tuple[str, str, bool]) -> Answer:
    """The kinds of one group version: (name, kind, namespaced)."""
    listed = [{"name": name, "kind": kind, "namespaced": inside, "verbs": VERBS} for name, kind, inside in resources]
    return Answer(body={"kind": "APIResourceList", "groupVersion": version, "resources": listed})


def group(name: str, *versions: str, preferred: str = "") -> dict[str, Any]:
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {
        "name": name,
        "versions": listed,
        "preferredVersion": {"groupVersion": f"{name}/{preferred or versions[0]}"},
    }


async def test_an_older_server_is_asked_for_each_group_version(server: ApiServer, client: Client) -> None:
    server.on("GET", "/api", Answer(body={"kind": "APIVersions", "versions": ["v1"]}))
    groups = [group("batch", "v1"), group("example.com", "v1beta1", "v1", preferred="v1"), group("down.io", "v1")]
    server.on("GET", "/apis", Answer(body={"kind": "APIGroupList", "groups": groups}))
    server.on("GET", "/api/v1", classic("v1", ("configmaps", "ConfigMap", True), ("nodes", "Node", False)))
    server.on("GET", "/apis/batch/v1", classic("batch/v1", ("jobs", "Job", True), ("jobs/status", "Job", True)))
    server.on("GET", "/apis/example.com/v1", classic("example.com/v1", ("queues", "Queue", True)))
    server.on("GET", "/apis/example.com/v1beta1", classic("example.com/v1beta1", ("queues", "Queue", True)))
    server.on("GET", "/apis/down.io/v1", refuse(503, "ServiceUnavailable", "down"))
    served = await client.kinds()
    assert [one.resource for one in served.kinds] == [CONFIG_MAPS, NODES, JOBS, QUEUES]
    assert [sorted(one.subresources) for one in served.kinds] == [[], [], ["status"], []]
    assert all(one.verbs == set(VERBS) for one in served.kinds)
    assert served.missing == ("down.io/v1",)
    assert served.versions == {
        "v1": {"ConfigMap", "Node"},
        "batch/v1": {"Job"},
        "example.com/v1": {"Queue"},
        "example.com/v1beta1": {"Queue"},
    }


async def test_a_newer_server_tells_all_in_two_answers(server: ApiServer, client: Client) -> None:
    def aggregated(*groups: dict[str, Any]) -> Answer:
        return Answer(body={"kind": "APIGroupDiscoveryList", "items": list(groups)})

    configmaps = {
        "resource": "configmaps",
        "responseKind": {"kind": "ConfigMap"},
        "scope": "Namespaced",
        "verbs": VERBS,
    }
    queues = {
        "resource": "queues",
        "responseKind": {"kind": "Queue"},
        "scope": "Namespaced",
        "verbs": VERBS,
        "subresources": [{"subresource": "status"}],
    }
    server.on("GET", "/api", aggregated({"versions": [{"version": "v1", "resources": [configmaps]}]}))
    versions = [{"version": "v1", "resources": [queues]}, {"version": "v1beta1", "resources": [queues]}]
    stale = {"metadata": {"name": "down.io"}, "versions": [{"version": "v1", "freshness": "Stale"}]}
    server.on("GET", "/apis", aggregated({"metadata": {"name": "example.com"}, "versions": versions}, stale))
    served = await client.kinds()
    assert [(one.resource, sorted(one.subresources)) for one in served.kinds] == [
        (CONFIG_MAPS, []),
        (QUEUES, ["status"]),
    ]
    assert served.missing == ("down.io/v1",)
    assert len(server.requests) == 2
