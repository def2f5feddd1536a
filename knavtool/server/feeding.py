"""Keeps the page of a run as its recording is, while somebody looks at it."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import orjson

from knavtool.errors import KnavError
from knavtool.measure.tables import COLUMNS
from knavtool.report.html.feed import END
from knavtool.server.live import Live
from knavtool.subprocesses import process_group

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from pathlib import Path

_SHORTEST = 2.0
_SHARE = 20
"""Measuring again waits this many times as long as it took: it may use a twentieth of a processor."""
_LONGEST_LINE = 1 << 28
_LAST = 60.0
"""Seconds that the last measuring may take, and with it the end of a run that somebody looks at."""
_LEAVING = 5.0
"""Seconds for those who look to get the rest."""


class Feeding:
    """Measures a recording in a process of its own, and puts what it gives into `live`.

    Nothing is measured while nobody looks. `said_at_end` is told when the run has ended.
    """

    def __init__(self, recording: Path, said_at_end: str) -> None:
        self.live = Live()
        self.recording = recording
        self._said_at_end = said_at_end
        self._only = asyncio.Lock()
        self._process: Process | None = None
        self._turn = asyncio.Lock()
        self._ending = asyncio.Event()

    def end(self) -> None:
        """The recording is whole: the next measuring is the last."""
        self._ending.set()

    async def feed(self) -> None:
        """Measure again and again until `end`; whoever looks has got all of it then, or had time for it.

        A process that measures and fails ends the page, and raises nothing.
        """
        if not await self._looked_at():
            return
        async with self._only:
            await self._feed(late=False)
        with suppress(TimeoutError):
            async with asyncio.timeout(_LEAVING):
                await self.live.nobody()

    async def finish(self) -> None:
        """See to it that who comes after the end sees it."""
        async with self._only:
            if not self.live.ended:
                await self._feed(late=True)

    async def _feed(self, *, late: bool) -> None:
        """Tell all until the end, and the end if somebody looks or is `late`."""
        command = (sys.executable, "-P", "-m", "knavtool.report.html.feed", str(self.recording))
        said_at_end = self._said_at_end
        pipe, nowhere = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        try:
            async with process_group(*command, stdin=pipe, stdout=pipe, stderr=nowhere, limit=_LONGEST_LINE) as process:
                self._process = process
                while await self._looked_at():
                    await self._renew()
                if not (self.live.watched or late):
                    return
                async with asyncio.timeout(_LAST):
                    _, error = await self._measure("ended")
                    said_at_end += f" What came last is not shown: {error}." if error else ""
        except TimeoutError:
            self.live.tell("ended", f"{said_at_end} What came last is not shown: measuring it took too long.")
        except Exception as error:  # noqa: BLE001 - a page that cannot be shown is no reason to stop the run
            self.live.tell("ended", f"This page is not renewed any more: {str(error) or type(error).__name__}.")
        else:
            self.live.tell("ended", said_at_end)
        finally:
            self._process = None

    async def table(self, name: str) -> bytes | None:
        """A table as the page unpacks it, in JSON; None if it cannot be had."""
        if self._process is None or name not in COLUMNS:
            return None
        try:
            # An answer is read to its end, also if nobody waits for it any more.
            lines, _ = await asyncio.shield(asyncio.ensure_future(self._ask(self._process, f"table {name}")))
        except (OSError, EOFError):
            return None
        return lines.get(name)

    async def _looked_at(self) -> bool:
        """Wait until somebody looks; False if the run ends before."""
        waits = [asyncio.ensure_future(self.live.someone()), asyncio.ensure_future(self._ending.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
        return not self._ending.is_set()

    async def _renew(self) -> None:
        """Measure once, then rest."""
        cost, error = await self._measure("going on")
        rest = max(_SHORTEST, _SHARE * cost)
        if error:
            self.live.tell("lost", f"The run cannot be measured now: {error}")
        else:
            self.live.tell("live", f"Live, renewed every {rest:.0f} s.")
        with suppress(TimeoutError):
            async with asyncio.timeout(rest):
                await self._ending.wait()

    async def _measure(self, request: str) -> tuple[float, str]:
        """Put what has changed; returns what it has cost, in seconds of a processor, and what went wrong."""
        assert self._process is not None  # noqa: S101 - `feed` has started it
        lines, end = await self._ask(self._process, request)
        for name, content in lines.items():
            self.live.put(name, content)
        return end["cpu"], end["error"]

    async def _ask(self, process: Process, request: str) -> tuple[dict[str, bytes], dict[str, Any]]:
        """The lines of an answer by their names, and its end; raises EOFError if the process has ended."""
        assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - it has pipes
        async with self._turn:
            process.stdin.write(request.encode() + b"\n")
            await process.stdin.drain()
            lines: dict[str, bytes] = {}
            while True:
                line = await process.stdout.readline()
                if not line.endswith(b"\n"):
                    raise EOFError("the process that measures has ended")
                name, _, content = line[:-1].partition(b" ")
                if name.decode() == END:
                    return lines, orjson.loads(content)
                lines[name.decode()] = content


async def report_page(recording: Path) -> bytes:
    """`report.html` of a recording, made in a process of its own; raises KnavError."""
    command = (sys.executable, "-P", "-m", "knavtool", "report", str(recording), "--output", "-")
    pipe = asyncio.subprocess.PIPE
    async with process_group(*command, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe) as process:
        page, said = await process.communicate()
    if process.returncode:
        raise KnavError(said.decode(errors="replace").strip().removeprefix("error: "))
    return page
