"""The client of a server: sends a run, follows it, and cancels it when it is interrupted."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import aiohttp

from knavtool.errors import (
    ClusterError,
    DocumentError,
    EngineError,
    ExitCode,
    InternalError,
    InvalidDocument,
    KnavError,
    NotFound,
    RenderError,
    Unauthorized,
    Unreachable,
    Violation,
)
from knavtool.events import StepEnded, StepStarted
from knavtool.report.facts import Facts
from knavtool.server import wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from knavtool.events import Event, Steps
    from knavtool.report.recorder import Recorder
    from knavtool.server.wire import Message

_SILENCE = 60.0  # seconds after which a stream is taken for dead; the server gives a sign of life every 15
_RETRY_TIMEOUT = 60.0  # seconds for which a lost server is looked for
_ERRORS: Mapping[int, type[KnavError]] = {
    ExitCode.BAD_INPUT: DocumentError,
    ExitCode.RENDER_FAILED: RenderError,
    ExitCode.ENGINE_FAILED: EngineError,
    ExitCode.API_FAILED: ClusterError,
    ExitCode.INTERNAL: InternalError,
}


@asynccontextmanager
async def open_client(url: str, token: str) -> AsyncIterator[Client]:
    """A client of the server at a URL."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=_SILENCE)
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}, timeout=timeout) as session:
        yield Client(url.rstrip("/"), session)


class Client:
    """The routes that a run needs; made by `open_client`. Every method raises KnavError."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._session = session

    async def submit(self, submission: Mapping[str, Any]) -> dict[str, Any]:
        """Queue a run; returns its status."""
        return await self._post("/runs", submission)

    async def cancel(self, id_: str) -> dict[str, Any]:
        """End a run."""
        return await self._post(f"/runs/{id_}/cancel", None)

    async def _post(self, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        try:
            async with self._session.post(f"{self._url}{path}", json=body, allow_redirects=False) as response:
                await self._check(response, "application/json")
                status: dict[str, Any] = await response.json()
                return status
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise self._lost(error) from error

    async def follow(self, id_: str, after: int = 0) -> AsyncIterator[Message]:
        """The messages of a run behind a number, to its end; a connection that is lost is made again."""
        lost_at: float | None = None
        while True:
            try:
                async with self._stream(id_, after) as chunks:
                    lost_at = None
                    async for message in wire.messages(chunks):
                        after = message.id
                        yield message
                        if _ended(message):
                            return
                lost: Exception = aiohttp.ServerDisconnectedError("the stream ended before the run")
            except (aiohttp.ClientError, TimeoutError) as error:
                lost = error
            now = time.monotonic()
            lost_at = now if lost_at is None else lost_at
            if now - lost_at > _RETRY_TIMEOUT:
                raise self._lost(lost, f"; the run {id_} continues there") from lost
            await asyncio.sleep(min(0.2 + (now - lost_at) / 4, 5))

    @asynccontextmanager
    async def _stream(self, id_: str, after: int) -> AsyncIterator[AsyncIterator[bytes]]:
        url, headers = f"{self._url}/runs/{id_}/events", {"Last-Event-ID": str(after)}
        async with self._session.get(url, headers=headers, allow_redirects=False) as response:
            await self._check(response, "text/event-stream")
            yield response.content.iter_any()

    async def _check(self, response: aiohttp.ClientResponse, expected: str) -> None:
        if response.status < 300 and response.content_type == expected:
            return
        try:
            problem = await response.json(content_type="application/problem+json")
            violations = [Violation(**each) for each in problem["violations"]]
            detail, hint = problem["detail"], problem["hint"]
        except (aiohttp.ClientError, ValueError, KeyError, TypeError):
            raise ClusterError(
                f"{self._url} answers with status {response.status}, not as a knavtool server does",
                status=response.status,
                hint="--server names the URL that `knavtool serve` prints",
            ) from None
        if violations:
            raise InvalidDocument(violations, hint=hint)
        kind = {401: Unauthorized, 404: NotFound}.get(response.status, ClusterError)
        raise kind(f"{self._url}: {detail}", status=response.status, hint=hint)

    def _lost(self, error: Exception, more: str = "") -> Unreachable:
        return Unreachable(
            f"cannot reach the server at {self._url}: {str(error) or type(error).__name__}{more}",
            hint="is `knavtool serve` running there?",
        )


async def carry_out(
    client: Client,
    submission: Mapping[str, Any],
    *,
    steps: Steps,
    recorder: Recorder,
    facts: Facts,
    to_here: Callable[[float], float],
) -> bool:
    """Run on the server and tell the events here; True if every check passed.

    Raises what ended the run there. When interrupted, the run is cancelled and followed until its cleanup is done; a
    second interruption leaves it alone. `recorder` and `facts` become those of the server. `steps` get times of this
    process's clock: `to_here` turns seconds since 1970 into them.
    """
    submitting = asyncio.create_task(client.submit(submission))
    last = 0
    status: dict[str, Any] = {}

    async def follow() -> None:
        nonlocal last, status
        async for message in client.follow(run["id"], last):
            last = message.id
            if message.name == wire.STATUS:
                _tell_waiting(steps, status, message.data)
                status = message.data
                for name in Facts.__slots__:
                    setattr(facts, name, status["facts"][name])
            elif (event := wire.decode(message.name, message.data)) is not None:
                recorder(event)
                steps.emit(_shifted(event, lambda at: to_here(at + recorder.epoch)))

    try:
        run = await asyncio.shield(submitting)
        recorder.epoch = run["epoch"]
        await follow()
    except asyncio.CancelledError:
        run = await submitting
        recorder.epoch = run["epoch"]
        await client.cancel(run["id"])
        await follow()
        raise
    code = status["exitCode"]
    if code in _ERRORS:
        raise _ERRORS[code](status["error"]["message"], hint=status["error"]["hint"])
    if code == ExitCode.INTERRUPTED:
        raise ClusterError("the run was cancelled on the server")
    return bool(code == ExitCode.OK)


def _ended(message: Message) -> bool:
    return message.name == wire.STATUS and message.data["exitCode"] is not None


def _tell_waiting(steps: Steps, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    position = now["position"]
    if position and position != before.get("position"):
        steps.note(f"waiting for {position} {'run' if position == 1 else 'runs'} on the server")


def _shifted(event: Event, turned: Callable[[float], float]) -> Event:
    return replace(event, at=turned(event.at)) if isinstance(event, (StepStarted, StepEnded)) else event
