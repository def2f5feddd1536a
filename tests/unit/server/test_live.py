"""The page of a run that goes on: who may see it, what it is told, and that it ends with the run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import aiohttp
import pytest

from knavtool.events import Listeners, Steps
from knavtool.listening import listener, url
from knavtool.recording.file import Recording
from knavtool.server import feeding
from knavtool.server.live import Live
from knavtool.server.page import shown
from support.server import Api, Gate, serving

if TYPE_CHECKING:
    from knavtool.report.facts import Facts
    from knavtool.server.models import Options
    from knavtool.workflow.plan import Plan

TOKEN = "a-token-of-the-tests"


class Message(NamedTuple):
    """A part of the page, or how things stand."""

    name: str
    data: Any


@dataclass
class Shown:
    """A page, its recording, and one who looks."""

    url: str
    recording: Recording
    session: aiohttp.ClientSession

    def get(self, path: str, token: str | None = TOKEN, **headers: str) -> Any:
        given = {"Authorization": f"Bearer {token}"} if token is not None else {}
        return self.session.get(self.url + path, headers=given | headers)

    def pod(self, name: str) -> None:
        self.recording.write(fact="pod", event="created", uid=name, namespace="default", name=name)
        self.recording.flush()

    async def messages(self) -> AsyncIterator[Message]:
        async with self.get("/events") as answer:
            assert answer.status == 200
            rest = b""
            async for chunk in answer.content.iter_any():
                *blocks, rest = (rest + chunk).split(b"\n\n")
                for block in blocks:
                    event, data = block.decode().split("\n")
                    yield Message(event.removeprefix("event: "), json.loads(data.removeprefix("data: ")))

    async def until(self, kind: str) -> dict[str, Any]:
        """The parts that come until it is told that things are so, by their names."""
        parts = {}
        async for message in self.messages():
            if message.name == "state" and message.data["kind"] == kind:
                return parts | {"state": message.data["text"]}
            parts[message.name] = message.data
        raise AssertionError(f"the stream ended before {kind}: {parts}")


@asynccontextmanager
async def showing(directory: Path, *, address: str = "127.0.0.1:0") -> AsyncIterator[Shown]:
    recording = Recording(directory / "recording.jsonl.gz", clock=asyncio.get_running_loop().time, epoch=0)
    recording.flush()
    with listener(address) as listening:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session,
            shown(listening, TOKEN, recording.path, end=recording.close, said_at_end="It is over.", cache=directory),
        ):
            yield Shown(url(listening), recording, session)


@pytest.mark.parametrize("path", ["/events", "/tables/pods"])
@pytest.mark.parametrize("token", [None, "", "another", TOKEN + "x", "\N{SNOWMAN}"])
async def test_nothing_of_the_run_is_shown_without_the_token(path: str, token: str | None, tmp_path: Path) -> None:
    async with showing(tmp_path) as page, page.get(path, token=token) as answer:
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert "pods" not in await answer.text()


async def test_another_name_for_this_machine_is_refused(tmp_path: Path) -> None:
    async with showing(tmp_path) as page:
        for path in ("/", "/events"):
            for host in ("attacker.example", "attacker.example:80", "127.0.0.1.example", ""):
                async with page.get(path, Host=host) as answer:
                    assert answer.status in (400, 403), host
        async with page.get("/tables/none", Host="localhost:9000") as answer:  # the end of a tunnel
            assert answer.status == 404


async def test_the_frame_has_nothing_of_the_run_and_may_ask_nobody_else(tmp_path: Path) -> None:
    async with showing(tmp_path) as page:
        page.pod("secret-name")
        async with page.get("/", token=None) as answer:
            text = await answer.text()
            assert answer.headers["Cache-Control"] == "no-store"
    assert "secret-name" not in text
    assert TOKEN not in text
    assert "connect-src &#x27;self&#x27;" in text or "connect-src 'self'" in text
    assert "default-src 'none'" in text


async def test_whoever_looks_gets_all_then_what_changes_then_the_end(tmp_path: Path) -> None:
    states: list[str] = []
    titles: list[str] = []
    async with showing(tmp_path) as page:
        stream = page.messages()
        async for message in stream:
            if message.name == "title":
                titles.append(message.data)
            if message.name == "state":
                states.append(message.data["kind"])
                break
            assert not message.name.startswith("table-")
        page.pod("first")
        parts = await anext(part async for part in _parts(stream))
        assert "title" not in parts  # it is as it was
        assert "chart-timeline" in parts
        async with page.get("/tables/pods") as answer:
            assert answer.status == 200
        rest = asyncio.ensure_future(_all(stream))
    found = await rest
    assert found["state"] == {"kind": "ended", "text": "It is over."}
    assert "table-pods" in found
    assert states == ["live"]


async def _parts(stream: AsyncIterator[Message]) -> AsyncIterator[dict[str, Any]]:
    parts = {}
    async for message in stream:
        if message.name == "state":
            yield parts
            parts = {}
        else:
            parts[message.name] = message.data


async def _all(stream: AsyncIterator[Message]) -> dict[str, Any]:
    return {message.name: message.data async for message in stream}


async def test_nothing_is_measured_while_nobody_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(feeding, "process_group", refuse)
    async with showing(tmp_path) as page:
        page.pod("first")
        async with page.get("/tables/pods") as answer:
            assert answer.status == 404


async def test_a_recording_that_cannot_be_read_is_said_and_the_run_goes_on(tmp_path: Path) -> None:
    async with showing(tmp_path) as page:
        page.recording.path.write_text("no recording")
        found = await page.until("lost")
        assert "The run cannot be measured now" in found["state"]


async def test_measuring_that_fails_ends_the_page_and_not_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeding.sys, "executable", "/bin/false")
    async with showing(tmp_path) as page:
        found = await page.until("ended")
        assert found["state"].startswith("This page is not renewed any more: ")


async def test_one_who_stays_connected_keeps_nothing_alive(tmp_path: Path) -> None:
    async with showing(tmp_path) as page:
        answer = await page.get("/events")
        await answer.content.readany()
    answer.close()


async def test_who_is_slow_misses_what_was_overtaken() -> None:
    live = Live()
    live.put("head", b'"one"')
    live.put("steps", b'"same"')
    live.tell("live", "")
    stream = live.follow()
    first = await anext(stream)
    assert first.count(b"event: ") == 3
    for text in (b'"two"', b'"three"'):
        live.put("head", text)
        live.tell("live", "")
    assert await anext(stream) == b'event: head\ndata: "three"\n\nevent: state\ndata: {"kind":"live","text":""}\n\n'
    live.tell("ended", "over")
    assert json.loads((await anext(stream)).split(b"data: ")[1])["kind"] == "ended"
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    assert not live.watched


async def test_there_are_signs_of_life() -> None:
    live = Live(heartbeat=0.001)
    stream = live.follow()
    assert (await anext(stream)).startswith(b":")
    await stream.aclose()
    await live.nobody()


class Recorded(Gate):
    """Runs that are recorded until they are let through."""

    async def __call__(
        self, plan: Plan, options: Options, steps: Steps, facts: Facts, directory: Path | None = None
    ) -> bool:
        assert directory is not None
        recording = Recording(directory / "recording.jsonl.gz", clock=asyncio.get_running_loop().time, epoch=0)
        recording.write(fact="pod", event="created", uid="1", namespace="default", name="first")
        recording.flush()
        try:
            return await super().__call__(plan, options, Steps(Listeners(steps.emit, recording)), facts)
        finally:
            recording.close()


async def read(api: Api, path: str) -> dict[str, Any]:
    """A whole stream of parts."""
    status, text = await api.ask("GET", path)
    assert status == 200, text
    return dict(_message(block) for block in text.split("\n\n") if block.startswith("event: "))


def _message(block: str) -> Message:
    event, data = block.split("\n")
    return Message(event.removeprefix("event: "), json.loads(data.removeprefix("data: ")))


async def test_a_run_on_a_server_has_a_page(tmp_path: Path) -> None:
    gate = Recorded()
    async with serving(gate, recordings=tmp_path) as api:
        id_ = await api.submit()
        place = f"/runs/{id_}/live"
        status, frame = await api.ask("GET", place, headers={"Authorization": ""})
        assert status == 200
        assert id_ not in frame
        for path in ("/events", "/tables/pods"):
            assert (await api.ask("GET", place + path, headers={"Authorization": "Bearer no"}))[0] == 401
        watching = asyncio.create_task(read(api, f"{place}/events"))
        gate.open.set()
        await api.end(id_)
        for found in (await watching, await read(api, f"{place}/events")):  # also for one who comes late
            assert found["state"] == {"kind": "ended", "text": "The run has ended; this page holds the whole report."}
            assert "table-pods" in found
            assert "Passed" in found["head"]
        status, page = await api.ask("GET", f"/runs/{id_}/report", params={"format": "html"})
        assert status == 200
        assert page.startswith("<!doctype html>")


async def test_what_was_recorded_is_kept_as_long_as_the_run(tmp_path: Path) -> None:
    gate, kept = Recorded(), tmp_path / "recordings"
    gate.open.set()
    async with serving(gate, recordings=kept, keep=1) as api:
        first = await api.submit()
        await api.end(first)
        assert [one.name for one in kept.iterdir()] == [first]
        second = await api.submit()
        await api.end(second)
        await api.end(await api.submit())
        assert first not in [one.name for one in kept.iterdir()]
    assert not list(kept.iterdir())


async def test_a_run_that_is_not_recorded_has_no_page() -> None:
    gate = Gate()
    gate.open.set()
    async with serving(gate) as api:
        id_ = await api.submit()
        await api.end(id_)
        for path in ("live/events", "live/tables/pods", "report?format=html"):
            status, problem = await api.ask("GET", f"/runs/{id_}/{path}")
            assert (status, problem["hint"]) == (404, "knavtool serve --record full")
