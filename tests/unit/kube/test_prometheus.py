"""The client of Prometheus, on a server that says what a test scripts."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from knavtool.errors import ClusterError, Forbidden, Invalid, Unreachable, UsageError
from knavtool.kube.client import Client
from knavtool.kube.prometheus import Prometheus, Sample, open_prometheus, proxied_prometheus
from support.api_server import Answer, ApiServer, page, status

QUERY = "/api/v1/query"


def result(kind: str, value: Any) -> Answer:
    return Answer(body={"status": "success", "data": {"resultType": kind, "result": value}})


def refusal(code: int, message: str) -> Answer:
    return Answer(status=code, body={"status": "error", "errorType": "bad_data", "error": message})


async def ask(server: ApiServer, promql: str = "up", *, below: str = "") -> list[Sample]:
    async with open_prometheus(f"{server.url}{below}") as prometheus:
        return await prometheus.query(promql, retry_timeout=0)


async def test_a_vector(server: ApiServer) -> None:
    items = [{"metric": {"__name__": "up", "job": "a"}, "value": [1.5, "1"]}, {"metric": {}, "value": [1.5, "+Inf"]}]
    server.on("GET", QUERY, result("vector", items))
    first, second = await ask(server, 'up{job="a"} + 1')
    assert (first.labels, first.value, second.value) == ({"__name__": "up", "job": "a"}, 1.0, float("inf"))
    (request,) = server.requests
    assert request.query == {"query": 'up{job="a"} + 1'}
    assert "authorization" not in request.headers


async def test_a_scalar(server: ApiServer) -> None:
    server.on("GET", f"/prom{QUERY}", result("scalar", [1.5, "42"]))
    assert await ask(server, below="/prom/") == [Sample(labels={}, value=42.0)]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (refusal(400, "1:3: parse error: unexpected end"), "1:3: parse error: unexpected end"),
        (refusal(422, "too many samples"), "too many samples"),
        (result("matrix", []), "the expression gives a matrix, expected an instant vector or a scalar"),
        (result("vector", [{"metric": {}, "histogram": [1, {}]}]), "the expression gives a histogram"),
    ],
)
async def test_expressions_that_cannot_be_used(server: ApiServer, answer: Answer, said: str) -> None:
    server.on("GET", QUERY, answer)
    with pytest.raises(Invalid, match=said):
        await ask(server)


async def test_something_else_answers(server: ApiServer) -> None:
    server.on("GET", QUERY, Answer(body={"hello": "world"}))
    with pytest.raises(ClusterError, match="is no Prometheus"):
        await ask(server)


async def test_nobody_answers(refused_port: int) -> None:
    async with open_prometheus(f"http://127.0.0.1:{refused_port}") as prometheus:
        with pytest.raises(Unreachable, match="ask Prometheus at http://127") as caught:
            await prometheus.query("up", retry_timeout=0)
    assert caught.value.hint == "is that Prometheus running? --prometheus names another"


async def test_a_password_is_sent_and_never_shown(server: ApiServer) -> None:
    server.on("GET", QUERY, refusal(400, "no"))
    async with open_prometheus(server.url.replace("//", "//me:s%2Fecret@")) as prometheus:
        with pytest.raises(Invalid) as caught:
            await prometheus.query("up", retry_timeout=0)
        assert "ecret" not in prometheus.place + caught.value.message
    assert base64.b64decode(server.requests[0].headers["authorization"].removeprefix("Basic ")) == b"me:s/ecret"


@pytest.mark.parametrize("url", ["", "localhost:9090", "ftp://x", "http://", "http://x:y", "http://x?a=b", "http://[x"])
async def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(UsageError, match="expected one like http://127"):
        async with open_prometheus(url):
            pass


async def test_an_operators_prometheus_is_asked_through_the_api_server(server: ApiServer, client: Client) -> None:
    service = {"metadata": {"name": "prometheus-operated", "namespace": "monitoring"}}
    server.on("GET", "/api/v1/services", page(service))
    proxied = f"/api/v1/namespaces/monitoring/services/prometheus-operated:9090/proxy{QUERY}"
    server.on("GET", proxied, result("scalar", [1, "7"]))
    found = await proxied_prometheus(client)
    assert isinstance(found, Prometheus)
    assert [one.value for one in await found.query("7")] == [7.0]
    assert server.requests[0].query["fieldSelector"] == "metadata.name=prometheus-operated"
    assert found.place == "service monitoring/prometheus-operated"


async def test_no_operator(server: ApiServer, client: Client) -> None:
    server.on("GET", "/api/v1/services", page())
    assert await proxied_prometheus(client) is None
    server.on("GET", "/api/v1/services", Answer(status=403, body=status(403, "Forbidden", "no")))
    with pytest.raises(Forbidden) as caught:
        await proxied_prometheus(client)
    assert "--prometheus names" in caught.value.hint
