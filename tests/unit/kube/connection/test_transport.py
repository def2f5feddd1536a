"""Requests: what is retried, for how long, and what is told when it does not help."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing

import pytest

from knavtool.errors import ClusterError, DeadlineExceeded, Forbidden, Unauthorized, Unreachable
from knavtool.kube.client import Client
from knavtool.kube.connecting import open_client
from knavtool.kube.connection.access import Access
from knavtool.kube.connection.limiting import RateLimit
from knavtool.kube.gateway import WatchEvent
from knavtool.kube.resource import CONFIG_MAPS, NODES
from support.api_server import Answer, ApiServer, Drop, Silence, Stream, event, item, no_headers, page, refuse
from support.clock import Clock

PATH = "/api/v1/nodes/a"
FOUND = Answer(body=item("a"))


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
async def test_a_busy_server_is_asked_again(server: ApiServer, client: Client, clock: Clock, code: int) -> None:
    server.on("GET", PATH, refuse(code, ""), refuse(code, ""), FOUND)
    assert (await client.get(NODES, "a"))["metadata"]["name"] == "a"
    assert len(server.requests) == 3
    assert client.requests == 3
    assert len(clock.slept) == 2


@pytest.mark.parametrize("read", [False, True])
async def test_a_dropped_connection_is_opened_again(server: ApiServer, client: Client, read: bool) -> None:
    server.on("PATCH", PATH, Drop(read=read), Drop(read=read), FOUND)
    assert (await client.patch(NODES, "a", {"spec": {}}))["metadata"]["name"] == "a"
    assert [one.method for one in server.requests] == ["PATCH"] * 3


async def test_pauses_grow_and_differ_between_clients(server: ApiServer, client: Client, clock: Clock) -> None:
    server.on("GET", PATH, *[refuse(503, "")] * 9, FOUND)
    await client.get(NODES, "a")
    bases = [min(0.1 * 2**attempt, 5.0) for attempt in range(9)]
    assert all(0.5 * base <= slept <= 1.5 * base for base, slept in zip(bases, clock.slept, strict=True))
    assert clock.slept != bases


async def test_retry_after_is_obeyed(server: ApiServer, client: Client, clock: Clock) -> None:
    server.on("GET", PATH, refuse(429, "TooManyRequests", retry_after="7"), FOUND)
    await client.get(NODES, "a")
    assert clock.slept == [7.0]


async def test_an_unreadable_retry_after_is_passed_over(server: ApiServer, client: Client, clock: Clock) -> None:
    server.on("GET", PATH, refuse(429, "", retry_after="Wed, 21 Oct 2026 07:28:00 GMT"), FOUND)
    await client.get(NODES, "a")
    assert clock.slept[0] < 1


async def test_the_retry_timeout_ends(server: ApiServer, client: Client, clock: Clock) -> None:
    server.on("GET", PATH, refuse(503, "ServiceUnavailable", "the server is starting"))
    with pytest.raises(ClusterError, match="get nodes a: the server is starting") as caught:
        await client.get(NODES, "a")
    assert caught.value.status == 503
    assert 0 < sum(clock.slept) <= 60


DEAD = refuse(500, "InternalError", 'Internal error occurred: failed calling webhook "jobs.example.com": refused')


async def test_a_webhook_that_is_dead_is_waited_for_once_and_not_for_every_object(
    server: ApiServer, client: Client, clock: Clock
) -> None:
    names = [f"n{number}" for number in range(40)]
    for name in names:
        server.on("DELETE", f"/api/v1/nodes/{name}", DEAD)
    server.on("DELETE", "/api/v1/nodes/free", Answer())
    for name in names:
        with pytest.raises(ClusterError, match=f"delete nodes {name}: .*failed calling webhook") as caught:
            await client.delete(NODES, name)
        assert (caught.value.given_up, caught.value.cause) == (True, "webhook jobs.example.com")
        assert "does the controller of this webhook run?" in caught.value.hint
        # It stands before some objects; that others go through says nothing about it.
        await client.delete(NODES, "free")
    assert 30 < sum(clock.slept) <= 60


async def test_a_webhook_that_comes_back_is_waited_for_again_the_next_time(
    server: ApiServer, client: Client, clock: Clock
) -> None:
    for _ in range(60):
        server.on("DELETE", PATH, *[DEAD] * 5, Answer())
        assert await client.delete(NODES, "a")
        clock.now += 15  # seconds in which nobody meets it
    assert sum(clock.slept) > 60


async def test_what_fails_for_some_objects_is_waited_for_while_others_go_through(
    server: ApiServer, client: Client, clock: Clock
) -> None:
    for _ in range(20):
        server.on("DELETE", PATH, *[refuse(503, "ServiceUnavailable", "busy")] * 6, Answer())
        assert await client.delete(NODES, "a")
    assert sum(clock.slept) > 60


async def test_a_wait_beyond_the_retry_timeout_is_not_begun(server: ApiServer, client: Client, clock: Clock) -> None:
    server.on("GET", PATH, refuse(429, "", "later", retry_after="61"))
    with pytest.raises(ClusterError, match="later"):
        await client.get(NODES, "a")
    assert clock.slept == []


async def test_a_gateway_timeout_is_a_deadline(server: ApiServer, client: Client) -> None:
    server.on("GET", PATH, refuse(504, "Timeout", "too slow"))
    with pytest.raises(DeadlineExceeded, match="get nodes a: too slow"):
        await client.get(NODES, "a")


@pytest.mark.parametrize(("code", "kind"), [(401, Unauthorized), (403, Forbidden)])
async def test_a_refusal_is_final(
    server: ApiServer, client: Client, clock: Clock, code: int, kind: type[ClusterError]
) -> None:
    server.on("GET", PATH, refuse(code, ""))
    with pytest.raises(kind, match="get nodes a: no"):
        await client.get(NODES, "a")
    assert len(server.requests) == 1
    assert clock.slept == []


async def test_nothing_listens(clock: Clock, refused_port: int) -> None:
    access = Access(server=f"http://127.0.0.1:{refused_port}", headers=no_headers)
    async with open_client(access, retry_timeout=1) as client:
        with pytest.raises(Unreachable, match=f"get nodes a: http://127.0.0.1:{refused_port} does not answer") as told:
            await client.get(NODES, "a")
    assert "cluster up" in told.value.hint
    assert clock.slept


async def test_a_wrong_address_is_told_at_once(clock: Clock, refused_port: int) -> None:
    access = Access(server=f"http://127.0.0.1:{refused_port}", headers=no_headers)
    async with open_client(access) as client:
        with pytest.raises(Unreachable, match="reach the API server"):
            await client.version()
        assert await client.ready() is False
    assert clock.slept == []


async def test_version_and_readiness(server: ApiServer, client: Client) -> None:
    server.on("GET", "/version", Answer(body={"gitVersion": "v1.37.2"}))
    server.on("GET", "/readyz", refuse(500, "", "etcd is not there"), Answer(body="ok"))
    assert await client.version() == "v1.37.2"
    assert [await client.ready(), await client.ready()] == [False, True]


async def test_every_request_is_authenticated_anew(server: ApiServer, clock: Clock) -> None:
    tokens = iter(["old", "new"])

    async def headers() -> dict[str, str]:
        return {"authorization": f"Bearer {next(tokens)}"}

    server.on("GET", PATH, refuse(503, ""), FOUND)
    async with open_client(server.access(headers=headers)) as client:
        await client.get(NODES, "a")
    assert [one.headers["authorization"] for one in server.requests] == ["Bearer old", "Bearer new"]


READY = "/readyz"


@pytest.mark.parametrize("code", [401, 403])
async def test_a_server_that_has_just_started_is_not_believed_until_it_is_ready(
    server: ApiServer, client: Client, code: int
) -> None:
    server.on("GET", PATH, Drop(), refuse(code, ""), refuse(code, ""), refuse(code, ""), FOUND)
    server.on("GET", READY, refuse(403, ""), Drop(), Answer(body="ok"))
    assert (await client.get(NODES, "a"))["metadata"]["name"] == "a"
    assert len(server.asked("GET", READY)) == 3


async def test_a_refusal_of_a_server_that_is_ready_counts(server: ApiServer, client: Client) -> None:
    server.on("GET", PATH, Drop(), refuse(403, "Forbidden"))
    server.on("GET", READY, Answer(body="ok"))
    with pytest.raises(Forbidden):
        await client.get(NODES, "a")
    # The first was given before the server said that it is ready, the second after it.
    assert (len(server.asked("GET", PATH)), len(server.asked("GET", READY))) == (3, 1)
    with pytest.raises(Forbidden):
        await client.get(NODES, "a")
    assert (len(server.asked("GET", PATH)), len(server.asked("GET", READY))) == (4, 1)


class Renewable:
    """Credentials of which there are others when the server refuses the present ones."""

    def __init__(self, *tokens: str) -> None:
        self._tokens = list(tokens)

    async def headers(self) -> dict[str, str]:
        return {"authorization": self._tokens[0]}

    async def renew(self, refused: Mapping[str, str]) -> bool:
        if refused == await self.headers() and len(self._tokens) > 1:
            self._tokens.pop(0)
        return refused != await self.headers()


async def test_a_token_that_is_refused_is_renewed(server: ApiServer, clock: Clock) -> None:
    given = Renewable("old", "new")
    server.on("GET", PATH, refuse(401, "Unauthorized"), FOUND)
    async with open_client(server.access(headers=given.headers, renew=given.renew)) as client:
        await client.get(NODES, "a")
        assert client.retries == 1
    assert [one.headers["authorization"] for one in server.requests] == ["old", "new"]


async def test_a_token_of_which_there_is_no_other_is_refused(server: ApiServer, clock: Clock) -> None:
    given = Renewable("only")
    server.on("GET", PATH, refuse(401, "Unauthorized", "Unauthorized"))
    async with open_client(server.access(headers=given.headers, renew=given.renew)) as client:
        with pytest.raises(Unauthorized) as caught:
            await client.get(NODES, "a")
    assert "the token may have expired" in caught.value.hint
    assert len(server.requests) == 1


async def test_requests_retries_and_trouble_are_known(server: ApiServer, client: Client) -> None:
    server.on("GET", PATH, refuse(503, "", "starting"), FOUND, refuse(404, "NotFound"))
    assert (client.requests, client.retries, client.last_failure, client.qps) == (0, 0, None, 0)
    await client.get(NODES, "a")
    assert (client.requests, client.retries, client.last_failure) == (2, 1, None)
    with pytest.raises(ClusterError):
        await client.get(NODES, "a")
    assert client.last_failure is None
    server.on("GET", PATH, refuse(503, "", "starting"))
    with pytest.raises(ClusterError):
        await client.get(NODES, "a")
    assert "starting" in str(client.last_failure)


async def test_names_and_selectors_are_escaped(server: ApiServer, client: Client) -> None:
    server.on("GET", "/api/v1/namespaces/n/configmaps/a:b c", Answer(body=item("a:b c")))
    assert (await client.get(CONFIG_MAPS, "a:b c", namespace="n"))["metadata"]["name"] == "a:b c"
    server.on("DELETE", "/api/v1/namespaces/n/configmaps", Answer())
    await client.delete_collection(CONFIG_MAPS, namespace="n", label_selector="a in (b,c),d!=e&f")
    assert server.asked("DELETE")[0].query["labelSelector"] == "a in (b,c),d!=e&f"


async def test_requests_wait_for_the_rate_limit(server: ApiServer, clock: Clock) -> None:
    server.on("GET", PATH, FOUND)
    async with open_client(server.access(), limit=RateLimit(2, 1)) as client:
        for _ in range(3):
            await client.get(NODES, "a")
    assert clock.slept == [0.5, 0.5]


async def test_every_request_waits_for_the_rate_limit(server: ApiServer, clock: Clock) -> None:
    server.on("GET", "/api/v1/nodes", refuse(503, ""), page())
    server.on("WATCH", "/api/v1/nodes", Drop(), Stream(lines=[event("ADDED", item("a"))], end="hold"))
    server.on("POST", "/api/v1/nodes", Answer(body=item("a")))
    server.on("PATCH", PATH, FOUND)
    server.on("DELETE", PATH, FOUND)
    limit = Counting()
    async with open_client(server.access(), limit=limit) as client:
        async with aclosing(client.watch(NODES)) as events:
            assert [one.synced async for _, one in _first(events, 2)] == [True, False]
        await client.create(NODES, item("a"))
        await client.patch(NODES, "a", {})
        await client.delete(NODES, "a")
    assert limit.acquired == client.requests == len(server.requests) == 7


class Counting(RateLimit):
    """Counts what goes through it."""

    acquired = 0

    async def acquire(self) -> None:
        self.acquired += 1


async def _first(events: AsyncIterator[WatchEvent], count: int) -> AsyncIterator[tuple[int, WatchEvent]]:
    for number in range(count):
        yield number, await anext(events)


async def test_a_silent_server_is_given_up(
    server: ApiServer, client: Client, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("knavtool.kube.connection.transport._ANSWER_WITHIN", 0.01)
    server.on("GET", PATH, Silence(), FOUND)
    assert (await client.get(NODES, "a"))["metadata"]["name"] == "a"
    assert len(server.requests) == 2
