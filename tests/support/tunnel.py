"""An HTTP proxy on loopback: it connects, refuses to, or takes the connection and says nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Tunnel:
    """`asked` are the heads of the requests that came; `answer` is sent instead of connecting, None: nothing is."""

    def __init__(self, answer: str | None) -> None:
        self.url = ""
        self.asked: list[str] = []
        self._answer = answer
        self._tasks: set[asyncio.Task[None]] = set()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.asked.append(head)
            if self._answer is None:
                await asyncio.Event().wait()
            elif self._answer:
                writer.write(f"HTTP/1.1 {self._answer}\r\nContent-Length: 0\r\n\r\n".encode())
                await writer.drain()
            else:
                host, _, port = head.split()[1].rpartition(":")
                there, back = await asyncio.open_connection(host, int(port))
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                try:
                    ways = [asyncio.ensure_future(_pass(reader, back)), asyncio.ensure_future(_pass(there, writer))]
                    _, left = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                    for way in left:
                        way.cancel()
                    await asyncio.gather(*ways, return_exceptions=True)
                finally:
                    back.close()
                    with contextlib.suppress(OSError):
                        await back.wait_closed()
        finally:
            writer.close()
            self._tasks.discard(task)

    async def close(self) -> None:
        """End what still runs."""
        left = list(self._tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


@asynccontextmanager
async def tunnel(answer: str | None = "") -> AsyncIterator[Tunnel]:
    """Run a proxy that connects, or gives this answer, or (None) none at all."""
    made = Tunnel(answer)
    server = await asyncio.start_server(made.handle, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    made.url = f"http://{host}:{port}"
    try:
        yield made
    finally:
        server.close()
        await made.close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(65536):
        writer.write(chunk)
        await writer.drain()
