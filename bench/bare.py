"""The bare loop every figure is held against: a fixed number of workers that send raw requests and do nothing else."""

from __future__ import annotations

import asyncio
import base64
import ssl
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import yaml

from bench.setting import BenchError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

WIDTH = 32
MERGE_PATCH = "application/merge-patch+json"


class Bare:
    """32 concurrent raw requests; returns seconds."""

    def __init__(self, session: aiohttp.ClientSession, server: str) -> None:
        self._session = session
        self._server = server

    async def post(self, path: str, bodies: Iterable[bytes]) -> float:
        """POST every body to `path`."""
        return await self._drain(("POST", path, body) for body in bodies)

    async def patch(self, bodies: Iterable[tuple[str, bytes]]) -> float:
        """PATCH every path with its merge patch."""
        return await self._drain((("PATCH", path, body) for path, body in bodies), MERGE_PATCH)

    async def delete(self, paths: Iterable[str]) -> float:
        """DELETE every path."""
        return await self._drain(("DELETE", path, None) for path in paths)

    async def send(
        self, method: str, path: str, body: bytes | None = None, *, content_type: str = "application/json"
    ) -> bytes:
        """One request; returns the answer."""
        headers = {"Content-Type": content_type}
        async with self._session.request(method, self._server + path, data=body, headers=headers) as response:
            answer = await response.read()
            if response.status >= 300:
                raise BenchError(f"{method} {path}: {response.status} {answer[:300]!r}")
            return answer

    async def get(self, path: str) -> Any:
        """One object."""
        return orjson.loads(await self.send("GET", path))

    async def watch(self, path: str, version: str) -> AsyncIterator[Any]:
        """The objects that change after `version`; one that is deleted comes, too."""
        forever = aiohttp.ClientTimeout(total=None)
        while True:
            # The server closes the stream of a client that is slower than the changes; it goes on where it ended.
            query = {"watch": "true", "resourceVersion": version}
            async with self._session.get(self._server + path, params=query, timeout=forever) as response:
                async for line in response.content:
                    event = orjson.loads(line)
                    if event["type"] == "ERROR":
                        raise BenchError(f"watch {path}: {event['object'].get('message')}")
                    version = event["object"]["metadata"]["resourceVersion"]
                    yield event["object"]

    async def _drain(
        self, requests: Iterable[tuple[str, str, bytes | None]], content_type: str = "application/json"
    ) -> float:
        pending = iter(requests)

        async def worker() -> None:
            for method, path, body in pending:
                await self.send(method, path, body, content_type=content_type)

        start = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(WIDTH)))
        return time.perf_counter() - start


@asynccontextmanager
async def bare(kubeconfig: Path, context: str | None = None) -> AsyncIterator[Bare]:
    """A session with the client certificate of a kubeconfig; nothing of knavtool is used."""
    config = yaml.safe_load(kubeconfig.read_text())
    chosen = context or config["current-context"]
    names = next(item["context"] for item in config["contexts"] if item["name"] == chosen)
    cluster = next(item["cluster"] for item in config["clusters"] if item["name"] == names["cluster"])
    user = next(item["user"] for item in config["users"] if item["name"] == names["user"])
    with tempfile.TemporaryDirectory() as directory:

        def file(record: dict[str, str], key: str) -> str:
            if f"{key}-data" in record:
                path = Path(directory) / key
                path.touch(0o600)
                path.write_bytes(base64.b64decode(record[f"{key}-data"]))
                return str(path)
            return str(kubeconfig.parent / record[key])

        if "certificate-authority" in cluster or "certificate-authority-data" in cluster:
            tls = ssl.create_default_context(cafile=file(cluster, "certificate-authority"))
        else:
            tls = ssl.create_default_context()
            tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        tls.load_cert_chain(file(user, "client-certificate"), file(user, "client-key"))
    connector = aiohttp.TCPConnector(limit=0, ssl=tls)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield Bare(session, cluster["server"])
