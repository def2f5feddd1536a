"""The verbs over HTTP: what is sent, what a lost answer means, and what refusals say."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from knavtool.errors import (
    AlreadyExists,
    ClusterError,
    Conflict,
    Expired,
    Forbidden,
    Invalid,
    NotFound,
    Unauthorized,
)
from knavtool.kube.client import Client
from knavtool.kube.connecting import open_client
from knavtool.kube.connection.access import Access
from knavtool.kube.resource import CONFIG_MAPS, JOBS, NODES, Resource
from support.api_server import Answer, ApiServer, Drop, item, no_headers, page, refuse, serve
from support.clock import Clock

NODES_PATH = "/api/v1/nodes"
BODY = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a"}}
TAKEN = refuse(409, "AlreadyExists", 'nodes "a" already exists')


def managed(*managers: str) -> Answer:
    """Node a, with fields of those managers."""
    found = item("a")
    found["metadata"]["managedFields"] = [{"manager": name} for name in managers]
    return Answer(body=found)


@pytest.mark.parametrize("body", [BODY, orjson.dumps(BODY)])
async def test_create_posts_the_body(server: ApiServer, client: Client, body: dict[str, object] | bytes) -> None:
    server.on("POST", NODES_PATH, Answer(status=201, body=item("a")))
    assert (await client.create(NODES, body))["metadata"]["uid"] == "uid-a"
    sent = server.asked("POST")[0]
    assert sent.json == BODY
    assert sent.query["fieldManager"] == "knavtool"
    assert "PartialObjectMetadata" in sent.headers["accept"]


@pytest.mark.parametrize("trouble", [Drop(), refuse(504, "Timeout"), refuse(500, "InternalError")])
async def test_an_object_whose_answer_got_lost_counts_as_created(
    server: ApiServer, client: Client, trouble: Answer | Drop
) -> None:
    server.on("POST", NODES_PATH, trouble, TAKEN)
    server.on("GET", f"{NODES_PATH}/a", managed("kubelet", "knavtool"))
    assert (await client.create(NODES, BODY))["metadata"]["uid"] == "uid-a"


@pytest.mark.parametrize("managers", [[], ["kubectl"]])
async def test_an_object_of_somebody_else_does_not_count(
    server: ApiServer, client: Client, managers: list[str]
) -> None:
    server.on("POST", NODES_PATH, Drop(), TAKEN)
    server.on("GET", f"{NODES_PATH}/a", managed(*managers))
    with pytest.raises(AlreadyExists, match='create nodes a: nodes "a" already exists'):
        await client.create(NODES, BODY)


@pytest.mark.parametrize("before", [[], [refuse(429, "TooManyRequests")]])
async def test_an_object_that_was_there_does_not_count(server: ApiServer, client: Client, before: list[Answer]) -> None:
    # A server that says "too many requests" has done nothing, so the object is older than the request.
    server.on("POST", NODES_PATH, *before, TAKEN)
    server.on("GET", f"{NODES_PATH}/a", managed("knavtool"))
    with pytest.raises(AlreadyExists):
        await client.create(NODES, BODY)
    assert server.asked("GET") == []


async def test_an_object_does_not_count_when_only_the_connection_was_refused(deaf: socket.socket, clock: Clock) -> None:
    # Nothing was sent to a port that refuses, so the object is older than the request.
    async with AsyncExitStack() as stack:

        async def start() -> None:
            clock.while_asleep = None
            server = await stack.enter_async_context(serve(at=deaf))
            server.on("POST", NODES_PATH, TAKEN)
            server.on("GET", f"{NODES_PATH}/a", managed("knavtool"))

        clock.while_asleep = start
        host, port = deaf.getsockname()
        async with open_client(Access(server=f"http://{host}:{port}", headers=no_headers)) as client:
            with pytest.raises(AlreadyExists):
                await client.create(NODES, BODY)


@pytest.mark.parametrize(("age", "counts"), [(0, True), (3600, False)])
async def test_an_object_of_an_earlier_run_does_not_count(
    server: ApiServer, client: Client, age: int, counts: bool
) -> None:
    found = managed("knavtool")
    found.body["metadata"]["creationTimestamp"] = f"{datetime.now(UTC) - timedelta(seconds=age):%Y-%m-%dT%H:%M:%SZ}"
    server.on("POST", NODES_PATH, Drop(), TAKEN)
    server.on("GET", f"{NODES_PATH}/a", found)
    if counts:
        assert (await client.create(NODES, BODY))["metadata"]["uid"] == "uid-a"
    else:
        with pytest.raises(AlreadyExists):
            await client.create(NODES, BODY)


QUOTA = refuse(403, "Forbidden", "exceeded quota: nodes, requested: count=1, used: count=1, limited: count=1")


@pytest.mark.parametrize("then", [QUOTA, refuse(422, "Invalid"), refuse(409, "Conflict"), refuse(404, "NotFound")])
async def test_an_object_that_is_there_counts_whatever_its_second_attempt_is_told(
    server: ApiServer, client: Client, then: Answer
) -> None:
    # It may itself be what fills the quota.
    server.on("POST", NODES_PATH, Drop(), then)
    server.on("GET", f"{NODES_PATH}/a", managed("knavtool"))
    assert (await client.create(NODES, BODY))["metadata"]["uid"] == "uid-a"


@pytest.mark.parametrize("look", [refuse(404, "NotFound"), refuse(403, "Forbidden")])
async def test_a_refusal_after_a_lost_answer_says_that_the_object_may_be_there(
    server: ApiServer, client: Client, look: Answer
) -> None:
    server.on("POST", NODES_PATH, Drop(), QUOTA)
    server.on("GET", f"{NODES_PATH}/a", look)
    with pytest.raises(Forbidden, match="exceeded quota") as caught:
        await client.create(NODES, BODY)
    assert caught.value.perhaps_done


async def test_a_refusal_of_the_first_attempt_says_that_it_is_not(server: ApiServer, client: Client) -> None:
    server.on("POST", NODES_PATH, QUOTA)
    with pytest.raises(Forbidden) as caught:
        await client.create(NODES, BODY)
    assert not caught.value.perhaps_done
    assert server.asked("GET") == []


async def test_a_taken_generated_name_is_refused_also_after_trouble(server: ApiServer, client: Client) -> None:
    server.on("POST", NODES_PATH, Drop(), TAKEN)
    with pytest.raises(AlreadyExists, match="create nodes x-:"):
        await client.create(NODES, {"metadata": {"generateName": "x-"}})


async def test_delete_says_whether_the_object_was_there(server: ApiServer, client: Client) -> None:
    server.on("DELETE", f"{NODES_PATH}/a", Answer(), refuse(404, "NotFound"))
    assert [await client.delete(NODES, "a"), await client.delete(NODES, "a")] == [True, False]
    assert server.asked("DELETE")[0].json == {"propagationPolicy": "Background"}


async def test_a_deletion_whose_answer_got_lost_counts(server: ApiServer, client: Client) -> None:
    server.on("DELETE", f"{NODES_PATH}/a", Drop(), refuse(404, "NotFound"))
    assert await client.delete(NODES, "a") is True


async def test_delete_spares_another_object_of_that_name(server: ApiServer, client: Client) -> None:
    server.on("DELETE", f"{NODES_PATH}/a", refuse(409, "Conflict", "the UID in the precondition does not match"))
    assert await client.delete(NODES, "a", uid="u") is False
    assert server.asked("DELETE")[0].json["preconditions"] == {"uid": "u"}
    with pytest.raises(Conflict):
        await client.delete(NODES, "a")
    server.on("DELETE", f"{NODES_PATH}/a", Drop(), refuse(409, "Conflict", "the UID does not match"))
    assert await client.delete(NODES, "a", uid="u") is True  # by the attempt whose answer got lost


async def test_patches_say_how_they_merge(server: ApiServer, client: Client) -> None:
    server.on("PATCH", f"{NODES_PATH}/a", Answer(body=item("a")))
    server.on("PATCH", f"{NODES_PATH}/a/status", Answer(body=item("a")))
    await client.patch(NODES, "a", {"spec": {}})
    await client.patch(NODES, "a", {"status": {}}, subresource="status", strategic=True)
    await client.apply(NODES, "a", BODY, force=False)
    kinds = [one.headers["content-type"] for one in server.requests]
    assert kinds == [
        "application/merge-patch+json",
        "application/strategic-merge-patch+json",
        "application/apply-patch+yaml",
    ]
    assert server.requests[2].query == {"fieldManager": "knavtool", "force": "false"}


async def test_pages_follow_the_continue_token(server: ApiServer, client: Client) -> None:
    server.on("GET", NODES_PATH, page(item("a"), token="t/1+"), Answer(body={"metadata": {}, "items": None}))
    pages = [[one["metadata"]["name"] for one in some] async for some in client.pages(NODES, label_selector="x=y")]
    assert pages == [["a"], []]
    asked = [(one.query.get("continue"), one.query["limit"], one.query["labelSelector"]) for one in server.requests]
    assert asked == [(None, "500", "x=y"), ("t/1+", "500", "x=y")]


async def test_a_list_is_all_pages(server: ApiServer, client: Client) -> None:
    server.on("GET", NODES_PATH, page(item("a"), token="1"), page(item("b"), token="2"), page(item("c")))
    assert [one["metadata"]["name"] for one in await client.list(NODES)] == ["a", "b", "c"]


async def test_a_list_that_took_too_long_says_to_try_again(server: ApiServer, client: Client) -> None:
    server.on("GET", NODES_PATH, page(item("a"), token="1"), refuse(410, "Expired", "the token is too old"))
    with pytest.raises(Expired, match="list nodes: the token is too old") as caught:
        await client.list(NODES)
    assert caught.value.hint == "try again"


async def test_only_metadata_is_asked_for(server: ApiServer, client: Client) -> None:
    server.on("GET", NODES_PATH, page(item("a")))
    assert [len(some) async for some in client.pages(NODES, metadata_only=True)] == [1]
    assert "PartialObjectMetadataList" in server.requests[0].headers["accept"]


REFUSALS = [
    (401, "Unauthorized", Unauthorized),
    (403, "Forbidden", Forbidden),
    (404, "NotFound", NotFound),
    (409, "Conflict", Conflict),
    (410, "Expired", Expired),
    (422, "Invalid", Invalid),
    (418, "", ClusterError),
]
VERBS: list[tuple[str, str, str, Callable[[Client], Awaitable[object]]]] = [
    (
        "GET",
        "/api/v1/namespaces/n/configmaps/c",
        "get configmaps n/c",
        lambda c: c.get(CONFIG_MAPS, "c", namespace="n"),
    ),
    ("GET", NODES_PATH, "list nodes", lambda c: c.list(NODES)),
    ("POST", NODES_PATH, "create nodes a", lambda c: c.create(NODES, BODY)),
    (
        "POST",
        "/apis/batch/v1/namespaces/n/jobs",
        "create jobs.batch n/j",
        lambda c: c.create(JOBS, b'{"metadata":{"name":"j"}}', namespace="n"),
    ),
    ("PATCH", f"{NODES_PATH}/a", "patch nodes a", lambda c: c.patch(NODES, "a", {})),
    (
        "PATCH",
        f"{NODES_PATH}/a/status",
        "patch nodes a/status",
        lambda c: c.patch(NODES, "a", {}, subresource="status"),
    ),
    ("PATCH", f"{NODES_PATH}/a", "apply nodes a", lambda c: c.apply(NODES, "a", BODY)),
    ("DELETE", NODES_PATH, "delete all nodes", lambda c: c.delete_collection(NODES)),
]


@pytest.mark.parametrize(("code", "reason", "kind"), REFUSALS)
@pytest.mark.parametrize(("method", "path", "says", "call"), VERBS, ids=[verb[2] for verb in VERBS])
async def test_refusals_name_verb_resource_and_object(
    server: ApiServer,
    client: Client,
    method: str,
    path: str,
    says: str,
    call: Callable[[Client], Awaitable[object]],
    code: int,
    reason: str,
    kind: type[ClusterError],
) -> None:
    server.on(method, path, refuse(code, reason, "because"))
    with pytest.raises(ClusterError) as caught:
        await call(client)
    assert type(caught.value) is kind
    assert (caught.value.message, caught.value.status, caught.value.reason) == (f"{says}: because", code, reason)
    assert len(server.requests) == 1


JOBSETS = Resource("jobset.x-k8s.io", "v1", "jobsets", "JobSet", namespaced=True)
SERVED = Answer(
    body={
        "resources": [
            {"name": "jobsets", "kind": "JobSet", "namespaced": True},
            {"name": "jobsets/status", "kind": "JobSet", "namespaced": True},
        ]
    }
)


async def test_discovery_asks_once(server: ApiServer, client: Client) -> None:
    server.on("GET", "/apis/jobset.x-k8s.io/v1", SERVED)
    assert await client.discover("jobset.x-k8s.io/v1", "JobSet") == JOBSETS
    assert await client.discover("jobset.x-k8s.io/v1", "JobSet") == JOBSETS
    assert await client.discover("v1", "Pod")
    assert len(server.requests) == 1


async def test_discovery_of_what_is_not_served(server: ApiServer, client: Client) -> None:
    server.on("GET", "/apis/jobset.x-k8s.io/v1", SERVED)
    with pytest.raises(NotFound, match=r"jobset.x-k8s.io/v1 has no kind Jobset; it has JobSet"):
        await client.discover("jobset.x-k8s.io/v1", "Jobset")
    with pytest.raises(NotFound, match=r"does not serve kueue.x-k8s.io/v1 \(wanted for kind Workload\)") as caught:
        await client.discover("kueue.x-k8s.io/v1", "Workload")
    assert "install the component" in caught.value.hint


@pytest.mark.parametrize("allowed", [True, False])
async def test_a_question_about_access_is_a_review(server: ApiServer, client: Client, allowed: bool) -> None:
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    server.on("POST", path, Answer(status=201, body={"status": {"allowed": allowed}}))
    assert await client.may("patch", JOBS, subresource="status", namespace="n") is allowed
    asked = server.asked("POST")[0]
    assert asked.json["spec"]["resourceAttributes"] == {
        "verb": "patch",
        "group": "batch",
        "resource": "jobs",
        "subresource": "status",
        "namespace": "n",
    }
    assert asked.headers["accept"] == "application/json"
