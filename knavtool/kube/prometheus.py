"""Questions to a Prometheus over HTTP: one with an address, or one in the cluster through the API server's proxy."""

from __future__ import annotations

import ssl
from base64 import b64encode
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from knavtool.errors import ClusterError, Forbidden, Invalid, Unreachable, UsageError
from knavtool.kube.connecting import open_client
from knavtool.kube.connection.access import Access
from knavtool.kube.resource import SERVICES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from knavtool.kube.client import Client
    from knavtool.kube.connection.transport import Transport
    from knavtool.kube.resource import Manifest

_SERVICE = "prometheus-operated"
_PORT = 9090
"""The service that the Prometheus operator, and so kube-prometheus-stack, makes for its Prometheus."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One element of an instant vector; a scalar has no labels."""

    labels: Mapping[str, str]
    value: float

    def __str__(self) -> str:
        name = self.labels.get("__name__", "")
        pairs = ", ".join(f'{key}="{value}"' for key, value in sorted(self.labels.items()) if key != "__name__")
        return f"{name}{{{pairs}}}" if pairs else name or "{}"


class Prometheus:
    """Answers instant queries; `place` tells people which one it is."""

    def __init__(self, transport: Transport, *, place: str, prefix: str = "") -> None:
        self.place = place
        self._transport = transport
        self._prefix = prefix

    async def query(self, promql: str, *, retry_timeout: float | None = None) -> list[Sample]:
        """The value of an expression now.

        Raises Invalid if Prometheus refuses the expression or its value is no instant vector or scalar, other
        ClusterErrors if it does not answer for `retry_timeout` seconds.
        """
        path = f"{self._prefix}/api/v1/query"
        try:
            answer = await self._transport.request(
                "GET", path, f"ask Prometheus at {self.place}", query={"query": promql}, retry_timeout=retry_timeout
            )
        except Unreachable as error:
            error.hint = "is that Prometheus running? --prometheus names another"
            raise
        data = answer.get("data")
        if answer.get("status") != "success" or not isinstance(data, dict):
            raise ClusterError(f"what answers at {self.place} is no Prometheus", hint="check the address")
        match data.get("resultType"):
            case "vector":
                return [_sample(item) for item in data["result"]]
            case "scalar":
                return [Sample(labels={}, value=float(data["result"][1]))]
            case other:
                raise Invalid(f"the expression gives a {other}, expected an instant vector or a scalar", status=400)


def _sample(item: Manifest) -> Sample:
    if "value" not in item:
        raise Invalid("the expression gives a histogram, expected numbers", status=400)
    return Sample(labels=item["metric"], value=float(item["value"][1]))


def _address(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if usable and not parts.query and not parts.fragment else None


@asynccontextmanager
async def open_prometheus(url: str) -> AsyncIterator[Prometheus]:
    """The Prometheus at an http or https address, which may hold a user and a password and a path."""
    parts = _address(url)
    if parts is None:
        raise UsageError("--prometheus is no address of a Prometheus, expected one like http://127.0.0.1:9090")
    # Without user and password, because messages show the address.
    place = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))
    given: dict[str, str] = {}
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        given["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"

    async def headers() -> Mapping[str, str]:
        return given

    tls = ssl.create_default_context() if parts.scheme == "https" else None
    async with open_client(Access(server=place, tls=lambda: tls, headers=headers)) as client:
        yield Prometheus(client.transport, place=place)


async def proxied_prometheus(client: Client) -> Prometheus | None:
    """The Prometheus of an operator in the cluster, reached through the API server; None if there is none."""
    try:
        found: list[Any] = await client.list(SERVICES, field_selector=f"metadata.name={_SERVICE}")
    except Forbidden as error:
        error.hint = "--prometheus names the address of a Prometheus; without it one is looked for among the services"
        raise
    if not found:
        return None
    namespace = found[0]["metadata"]["namespace"]
    prefix = f"{SERVICES.path(namespace, f'{_SERVICE}:{_PORT}')}/proxy"
    return Prometheus(client.transport, place=f"service {namespace}/{_SERVICE}", prefix=prefix)
