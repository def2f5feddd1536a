"""What is told of waits that were given up."""

from __future__ import annotations

import asyncio

import pytest

from knavtool.engines.local.control_plane.awaited import Awaited
from knavtool.engines.local.state.layout import ClusterFiles


async def test_a_process_that_never_becomes_ready_is_named_with_its_url_its_answer_and_its_log(
    files: ClusterFiles,
) -> None:
    log = files.log("binder")
    log.parent.mkdir()
    log.write_text("one\ntwo\nthree\nfour\n")
    asked = 0
    twice = asyncio.Event()

    async def never(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        if asked == 2:  # so the first answer was heard
            twice.set()
        writer.write(b"HTTP/1.1 404 Not Found\r\n\r\n404 page not found\n")
        writer.close()

    awaited = Awaited()
    server = await asyncio.start_server(never, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/readyz"
        waiting = asyncio.create_task(awaited.healthy(files, "binder", url))
        await twice.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert awaited.missing().splitlines() == [
        f"  binder: {url} answers 404 Not Found: 404 page not found; its log ends with",
        "    | two",
        "    | three",
        "    | four",
    ]


def test_only_what_was_given_up_is_told() -> None:
    awaited = Awaited()
    with awaited.waiting("first", lambda: "never asked"):
        pass
    assert awaited.missing() == ""
    seen = ["early"]

    def give_up() -> None:
        with awaited.waiting("second", lambda: seen[-1]), awaited.waiting("third", lambda: "no"):
            seen.append("late")
            raise TimeoutError

    with pytest.raises(TimeoutError):
        give_up()
    seen.append("afterwards")
    assert awaited.missing().splitlines() == ["  third: no", "  second: late"]
