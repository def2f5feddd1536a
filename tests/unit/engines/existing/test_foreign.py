"""What others have in a namespace or of a kind, on a server that says what a test scripts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from knavtool.engines.existing.foreign import Leftovers
from knavtool.engines.existing.installation import Ref
from knavtool.engines.existing.installed import LABEL, Installed
from knavtool.engines.existing.ownership import ManagedObjects
from knavtool.errors import ClusterError
from knavtool.kube.client import Client
from knavtool.kube.connecting import open_client
from support.api_server import Answer, ApiServer, refuse, serve
from support.chart_repository import definition

VERBS = ["get", "list", "delete"]
SENT = Ref("v1", "ConfigMap", "n", "sent")
RECORD = Installed(
    name="c",
    version="1",
    order=1,
    objects=(SENT, Ref("apiregistration.k8s.io/v1", "APIService", "", "v1.own.example")),
    makes=(Ref("v1", "Secret", "n", "made"),),
    release=("r", "n"),
)
RELEASED = {"meta.helm.sh/release-name": "r", "meta.helm.sh/release-namespace": "n"}


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with serve() as running:
        kinds = [("configmaps", "ConfigMap"), ("secrets", "Secret"), ("events", "Event")]
        served(running, "/api", "v1", kinds)
        running.on("GET", "/api", Answer(body={"kind": "APIVersions", "versions": ["v1"]}))
        groups(running, "apps/v1")
        served(running, "/apis", "apps/v1", [("replicasets", "ReplicaSet")])
        for kind in ("configmaps", "secrets"):
            holds(running, f"/api/v1/namespaces/n/{kind}")
        holds(running, "/apis/apps/v1/namespaces/n/replicasets")
        yield running


@pytest.fixture
async def client(server: ApiServer) -> AsyncIterator[Client]:
    async with open_client(server.access(), retry_timeout=0) as opened:
        yield opened


def served(server: ApiServer, root: str, version: str, kinds: list[tuple[str, str]]) -> None:
    listed = [{"name": name, "kind": kind, "namespaced": True, "verbs": VERBS} for name, kind in kinds]
    server.on("GET", f"{root}/{version}", Answer(body={"kind": "APIResourceList", "resources": listed}))


def groups(server: ApiServer, *versions: str) -> None:
    listed = [{"name": one.partition("/")[0], "versions": [{"groupVersion": one}]} for one in versions]
    server.on("GET", "/apis", Answer(body={"kind": "APIGroupList", "groups": listed}))


def holds(server: ApiServer, path: str, *items: dict[str, Any]) -> None:
    server.on("GET", path, Answer(body={"metadata": {}, "items": [{"metadata": one} for one in items]}))


def called(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "namespace": "n", "uid": f"uid-{name}", **more}


def owned(kind: str, name: str, version: str = "apps/v1") -> dict[str, Any]:
    return {"ownerReferences": [{"apiVersion": version, "kind": kind, "name": name, "uid": f"uid-{name}"}]}


def leftovers(client: Client) -> Leftovers:
    return Leftovers(client, ManagedObjects.of([RECORD]))


async def names(client: Client) -> list[str]:
    return sorted(ref.name for ref in await leftovers(client).in_namespace("n"))


async def test_only_what_is_proven_goes_with_a_namespace(server: ApiServer, client: Client) -> None:
    holds(
        server,
        "/api/v1/namespaces/n/configmaps",
        called("sent", labels={LABEL: "c"}),
        called("kube-root-ca.crt"),
        called("copy", labels={LABEL: "c"}),
        called("written", managedFields=[{"manager": "knavtool"}]),
        called("released", annotations=RELEASED),
        called("going", deletionTimestamp="2026-01-01T00:00:00Z"),
        called("theirs"),
    )
    storage = {"owner": "helm", "name": "r"}
    holds(
        server,
        "/api/v1/namespaces/n/secrets",
        called("made"),
        called("sh.helm.release.v1.r.v1", labels=storage),
        called("sh.helm.release.v1.x.v1", labels={**storage, "name": "x"}),
    )
    assert await names(client) == ["copy", "sh.helm.release.v1.x.v1", "theirs", "written"]
    after = leftovers(client)
    after.uninstalled.add(("r", "n"))
    assert "released" in [ref.name for ref in await after.in_namespace("n")], "Helm has left it, or somebody copied it"


async def test_what_has_owners_is_judged_by_them(server: ApiServer, client: Client) -> None:
    sets = "/apis/apps/v1/namespaces/n/replicasets"
    holds(server, sets, called("ours", **owned("ConfigMap", "sent", "v1")), called("theirs"))
    server.on("GET", f"{sets}/ours", Answer(body={"metadata": called("ours", **owned("ConfigMap", "sent", "v1"))}))
    server.on("GET", f"{sets}/theirs", Answer(body={"metadata": called("theirs")}))
    server.on("GET", f"{sets}/other", Answer(body={"metadata": {**called("other"), "uid": "another"}}))
    server.on("GET", f"{sets}/gone", refuse(404, "NotFound", "gone"))
    server.on("GET", f"{sets}/round", Answer(body={"metadata": called("round", **owned("ReplicaSet", "round"))}))
    sent = Answer(body={"metadata": called("sent", labels={LABEL: "c"})})
    server.on("GET", "/api/v1/namespaces/n/configmaps/sent", sent)
    holds(
        server,
        "/api/v1/namespaces/n/configmaps",
        called("of-ours", **owned("ReplicaSet", "ours")),
        called("of-theirs", **owned("ReplicaSet", "theirs")),
        called("of-gone", **owned("ReplicaSet", "gone")),
        called("of-one-of-that-name", **owned("ReplicaSet", "other")),
        called("of-a-circle", **owned("ReplicaSet", "round")),
        called("of-an-older-version", **owned("ReplicaSet", "theirs", "apps/v1beta2")),
        called("of-no-kind", **owned("Gadget", "x", "gone.example/v1")),
    )
    assert await names(client) == ["of-a-circle", "of-an-older-version", "of-theirs", "theirs"]


async def test_what_does_not_answer_is_told_all_at_once(server: ApiServer, client: Client) -> None:
    groups(server, "apps/v1", "own.example/v1", "down.example/v1")
    for version in ("own.example/v1", "down.example/v1"):
        server.on("GET", f"/apis/{version}", refuse(503, "ServiceUnavailable", "down"))
    server.on("GET", "/api/v1/namespaces/n/secrets", refuse(403, "Forbidden", "you may not"))
    with pytest.raises(ClusterError) as caught:
        await names(client)
    assert caught.value.message == (
        "Namespace n cannot be listed completely, so that nothing in it is deleted: "
        "secrets: list secrets: you may not; the API down.example/v1 does not answer"
    )


async def test_objects_of_a_kind_are_found_in_a_version_that_is_served(server: ApiServer, client: Client) -> None:
    body = definition("Gadget", "v1", "v2")
    first, stored = body["spec"]["versions"]
    first["served"], stored["served"] = True, False
    path = "/apis/tests.knavtool.example/v1/gadgets"
    holds(server, path, called("theirs"))
    found = await leftovers(client).of_definition(body)
    assert [str(ref) for ref in found] == ["Gadget n/theirs"]
    first["served"] = False
    with pytest.raises(ClusterError, match="no version of it is served; nothing was deleted"):
        await leftovers(client).of_definition(body)
    first["served"] = True
    server.on("GET", path, refuse(404, "NotFound", "not served"))
    assert await leftovers(client).of_definition(body) == [], "it never was, so nobody has objects of it"
    body["status"] = {"conditions": [{"type": "Established", "status": "True"}]}
    with pytest.raises(ClusterError):
        await leftovers(client).of_definition(body)
