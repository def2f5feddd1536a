"""Watching: a list, then changes, resumed or listed again so that a fold of the events is what the server has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

import pytest

from knavtool.errors import ClusterError, Forbidden, NotFound, Unreachable
from knavtool.kube.client import Client
from knavtool.kube.connecting import open_client
from knavtool.kube.gateway import WatchEvent
from knavtool.kube.resource import CONFIG_MAPS, NODES
from support.api_server import ApiServer, Drop, Reply, Stream, event, item, page, refuse, status
from support.clock import Clock

PATH = "/api/v1/nodes"
HOLD = Stream(end="hold")
END = Stream(lines=[event("ADDED", item("end", "99"))], end="hold")
GONE = Stream(lines=[event("ERROR", status(410, "Expired", "too old resource version"))])


def script(server: ApiServer, *, lists: list[Reply], watches: list[Reply], path: str = PATH) -> None:
    """Script what lists and watches of nodes are answered."""
    server.on("GET", path, *lists)
    server.on("WATCH", path, *watches)


def told(one: WatchEvent) -> str:
    """An event in short: `+a`, `~a`, `-a`, `synced`."""
    if one.change is None:
        return "synced"
    return {"ADDED": "+", "MODIFIED": "~", "DELETED": "-"}[one.change] + one.object["metadata"]["name"]


async def follow(events: AsyncGenerator[WatchEvent], count: int) -> list[str]:
    """The first events in short; no more are asked for."""
    seen: list[str] = []
    async with asyncio.timeout(20), aclosing(events):
        async for one in events:
            seen.append(told(one))
            if len(seen) == count:
                break
    return seen


def versions(server: ApiServer) -> list[str]:
    """The resource versions from which watches were asked for."""
    return [one.query["resourceVersion"] for one in server.asked("WATCH")]


async def test_a_list_then_synced_then_changes(server: ApiServer, client: Client) -> None:
    changes = [
        event("ADDED", item("c", "11")),
        event("MODIFIED", item("a", "12")),
        event("DELETED", item("b", "13")),
    ]
    script(server, lists=[page(item("a"), item("b"), version="10")], watches=[Stream(lines=changes, end="hold")])
    assert await follow(client.watch(NODES), 6) == ["+a", "+b", "synced", "+c", "~a", "-b"]
    assert versions(server) == ["10"]
    assert server.asked("WATCH")[0].query["allowWatchBookmarks"] == "true"


async def test_an_empty_list_is_synced_too(server: ApiServer, client: Client) -> None:
    script(server, lists=[page()], watches=[HOLD])
    assert await follow(client.watch(NODES), 1) == ["synced"]


async def test_selectors_go_to_both_requests(server: ApiServer, client: Client) -> None:
    path = "/api/v1/namespaces/n/configmaps"
    changed = event("ADDED", item("a", "2", namespace="n"))
    script(server, lists=[page()], watches=[Stream(lines=[changed])], path=path)
    events = client.watch(CONFIG_MAPS, namespace="n", label_selector="x=y", field_selector="metadata.name=a")
    assert await follow(events, 2) == ["synced", "+a"]
    for request in server.requests:
        assert (request.query["labelSelector"], request.query["fieldSelector"]) == ("x=y", "metadata.name=a")


@pytest.mark.parametrize("end", ["close", "abort"])
@pytest.mark.parametrize("tail", [b"", b'{"type":"ADDED","object":{"metadata":{"name":"half'])
async def test_a_watch_that_ends_goes_on_where_it_ended(
    server: ApiServer, client: Client, end: str, tail: bytes
) -> None:
    first = Stream(lines=[event("ADDED", item("b", "11"))], tail=tail, end=end)
    second = Stream(lines=[event("ADDED", item("half", "12"))], end="hold")
    script(server, lists=[page(item("a"), version="10")], watches=[first, second])
    assert await follow(client.watch(NODES), 4) == ["+a", "synced", "+b", "+half"]
    assert versions(server) == ["10", "11"]
    assert len(server.asked("GET")) == 1


async def test_a_bookmark_moves_the_version_and_is_not_told(server: ApiServer, client: Client) -> None:
    bookmark = event("BOOKMARK", {"kind": "Node", "metadata": {"resourceVersion": "50"}})
    second = Stream(lines=[event("ADDED", item("b", "51"))], end="hold")
    script(server, lists=[page(version="10")], watches=[Stream(lines=[bookmark]), second])
    assert await follow(client.watch(NODES), 2) == ["synced", "+b"]
    assert versions(server) == ["10", "50"]


@pytest.mark.parametrize("gone", [GONE, refuse(410, "Expired", "too old resource version")])
async def test_a_forgotten_version_lists_again_and_tells_the_difference(
    server: ApiServer, client: Client, gone: Reply
) -> None:
    before = page(item("stays"), item("changes"), item("goes"), item("renewed", uid="old"), version="10")
    after = page(item("stays"), item("changes", "15"), item("renewed", "16", uid="new"), item("new"), version="20")
    script(server, lists=[before, after], watches=[gone, END])
    seen = await follow(client.watch(NODES), 11)
    assert seen[:5] == ["+stays", "+changes", "+goes", "+renewed", "synced"]
    assert seen[5:] == ["~changes", "-renewed", "+renewed", "+new", "-goes", "+end"]


async def test_what_a_watch_told_counts_when_it_is_listed_again(server: ApiServer, client: Client) -> None:
    changes = [event("ADDED", item("b", "11")), event("DELETED", item("a", "12"))]
    again = [page(item("b", "11"), item("c", "13"), version="20")]
    script(server, lists=[page(item("a"), version="10"), *again], watches=[Stream(lines=changes), GONE, END])
    assert await follow(client.watch(NODES), 6) == ["+a", "synced", "+b", "-a", "+c", "+end"]
    assert versions(server) == ["10", "12", "20"]


async def test_a_deletion_found_by_listing_carries_namespace_name_and_uid(server: ApiServer, client: Client) -> None:
    path = "/api/v1/configmaps"
    script(server, lists=[page(item("c", namespace="n")), page()], watches=[GONE, HOLD], path=path)
    async with asyncio.timeout(20), aclosing(client.watch(CONFIG_MAPS)) as events:
        seen: list[WatchEvent] = []
        async for one in events:
            seen.append(one)
            if len(seen) == 3:
                break
    assert seen[2].object == {"metadata": {"namespace": "n", "name": "c", "uid": "uid-c"}}


async def test_a_list_that_expires_between_pages_doubles_nothing(server: ApiServer, client: Client) -> None:
    lists = [page(item("a"), token="t"), refuse(410, "Expired"), page(item("a"), item("b"))]
    script(server, lists=lists, watches=[HOLD])
    assert await follow(client.watch(NODES), 3) == ["+a", "+b", "synced"]


async def test_a_server_that_restarts_is_waited_for(server: ApiServer, client: Client, clock: Clock) -> None:
    watches = [Drop(), refuse(503, ""), refuse(429, ""), Stream(lines=[event("ADDED", item("a", "2"))])]
    script(server, lists=[page()], watches=watches)
    assert await follow(client.watch(NODES), 2) == ["synced", "+a"]
    assert len(clock.slept) == 3
    assert len(server.asked("GET")) == 1


@pytest.mark.parametrize(("reply", "kind"), [(Drop(), Unreachable), (refuse(500, "", "broken"), ClusterError)])
async def test_the_retry_timeout_with_a_server_that_does_not_answer_ends(
    server: ApiServer, client: Client, clock: Clock, reply: Reply, kind: type[ClusterError]
) -> None:
    script(server, lists=[page()], watches=[reply])
    with pytest.raises(kind, match="watch nodes: "):
        await follow(client.watch(NODES), 2)
    assert 60 < sum(clock.slept) < 75


async def test_a_quiet_watch_counts_as_an_answer(server: ApiServer, client: Client, clock: Clock) -> None:
    # Two restarts of the server, an hour apart: nothing changed meanwhile, but the server was there.
    broken = 0

    async def an_hour() -> None:
        nonlocal broken
        broken += 1
        clock.now += 3600

    clock.while_asleep = an_hour
    breaks = [Stream(end="abort")] * 4
    script(server, lists=[page()], watches=[*breaks, Stream(lines=[event("ADDED", item("a", "2"))])])
    assert await follow(client.watch(NODES), 2) == ["synced", "+a"]
    assert broken == 4


@pytest.mark.parametrize("ending", [Stream(), GONE])
async def test_watches_that_end_at_once_are_asked_for_ever_more_slowly(
    server: ApiServer, client: Client, clock: Clock, ending: Reply
) -> None:
    script(server, lists=[page()], watches=[*[ending] * 8, Stream(lines=[event("ADDED", item("a", "2"))])])
    assert await follow(client.watch(NODES), 2) == ["synced", "+a"]
    assert len(clock.slept) == 8
    assert clock.slept[-1] >= 2.5


async def test_a_watch_that_moves_is_resumed_soon(server: ApiServer, client: Client, clock: Clock) -> None:
    moves = [Stream(lines=[event("MODIFIED", item("a", str(number)))]) for number in range(2, 10)]
    script(server, lists=[page(item("a"))], watches=[*moves, HOLD])
    await follow(client.watch(NODES), 10)
    assert max(clock.slept) < 0.2


@pytest.mark.parametrize(
    "reply", [refuse(403, "Forbidden"), Stream(lines=[event("ERROR", status(403, "Forbidden", "no"))])]
)
async def test_a_refusal_ends_the_watch(server: ApiServer, client: Client, clock: Clock, reply: Reply) -> None:
    script(server, lists=[page()], watches=[reply])
    with pytest.raises(Forbidden, match="watch nodes: no"):
        await follow(client.watch(NODES), 2)
    assert clock.slept == []


async def test_long_and_many_lines_in_one_piece(server: ApiServer, client: Client) -> None:
    big: dict[str, Any] = item("big", "2", data="x" * 300_000)
    script(server, lists=[page()], watches=[Stream(lines=[event("ADDED", big), b"", event("ADDED", item("b", "3"))])])
    assert await follow(client.watch(NODES), 3) == ["synced", "+big", "+b"]


async def test_a_watch_counts_as_a_request(server: ApiServer, client: Client) -> None:
    script(server, lists=[page()], watches=[Stream(lines=[event("ADDED", item("a", "2"))])])
    await follow(client.watch(NODES), 2)
    assert client.requests == 2


@pytest.mark.parametrize(
    "gone", [refuse(404, "NotFound"), Stream(lines=[event("ERROR", status(404, "NotFound", "no"))])]
)
async def test_a_kind_that_is_removed_takes_its_objects_along(
    server: ApiServer, client: Client, clock: Clock, gone: Reply
) -> None:
    script(server, lists=[page(item("a"), item("b"))], watches=[gone])
    seen: list[str] = []

    async def collect() -> None:
        async for one in client.watch(NODES):
            seen.append(told(one))

    with pytest.raises(NotFound, match="the cluster does not serve v1 Node any more") as caught:
        await collect()
    assert seen[:3] == ["+a", "+b", "synced"]
    assert sorted(seen[3:]) == ["-a", "-b"]
    assert "CustomResourceDefinition was removed" in caught.value.hint
    assert clock.slept == []


async def test_the_retry_timeout_counts_the_time_that_listing_was_retried(
    server: ApiServer, client: Client, clock: Clock
) -> None:
    script(server, lists=[refuse(503, "")], watches=[])
    with pytest.raises(ClusterError):
        await follow(client.watch(NODES), 1)
    assert sum(clock.slept) < 75


async def test_a_refused_token_is_renewed_for_a_watch(server: ApiServer, clock: Clock) -> None:
    tokens = ["old", "new"]

    async def headers() -> dict[str, str]:
        return {"authorization": tokens[0]}

    async def renew(refused: Mapping[str, str]) -> bool:
        if refused == await headers() and len(tokens) > 1:
            tokens.pop(0)
        return refused != await headers()

    script(server, lists=[page()], watches=[refuse(401, "Unauthorized"), END])
    async with open_client(server.access(headers=headers, renew=renew)) as client:
        assert await follow(client.watch(NODES), 2) == ["synced", "+end"]
    assert [one.headers["authorization"] for one in server.asked("WATCH")] == ["old", "new"]
