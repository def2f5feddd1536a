"""Two at once: tasks of one process, and real processes."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from knavtool.errors import EngineError
from knavtool.toolchain.store import locked, writing
from support.releases import PUBLISHED, TOOL, Bench, Host, tool

INSTALL = """
import asyncio, sys
from pathlib import Path
from knavtool.events import Noted, Steps
from support.releases import PUBLISHED, Bench, tool
def tell(event):
    if isinstance(event, Noted):
        print(event.message, flush=True)
toolchain = Bench(Path(sys.argv[1])).toolchain(tool(release=PUBLISHED), mirror=sys.argv[2])
print("found", asyncio.run(toolchain.ensure(["tool"], steps=Steps(tell)))["tool"], flush=True)
"""


async def test_two_tasks_install_once(bench: Bench, host: Host) -> None:
    host.publish()
    pins = tool(release=PUBLISHED)
    found = await asyncio.gather(
        bench.toolchain(pins, mirror=host.url).ensure(["tool"], steps=bench.steps),
        bench.toolchain(pins, mirror=host.url).ensure(["tool"], steps=bench.steps),
    )
    assert found == [{"tool": bench.target}] * 2
    assert len(host.ranges()) == 1


def test_three_processes_install_once(bench: Bench, host: Host) -> None:
    served = host.publish()
    served.hold = threading.Event()
    bench.bin.mkdir()
    command = [sys.executable, "-c", INSTALL, str(bench.root), host.url]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    told: queue.SimpleQueue[str] = queue.SimpleQueue()
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment))
            stack.callback(process.kill)
            threading.Thread(target=_listen, args=(process, told), daemon=True).start()
        # One of them is in the middle of the download now, and goes on only when the others wait for it.
        waiting = "waiting for another knavtool that installs tool v1.2.3"
        assert [told.get(timeout=60) for _ in range(2)] == [waiting] * 2
        assert not bench.target.exists()
        served.hold.set()
        assert [told.get(timeout=60) for _ in range(3)] == [f"found {bench.target}"] * 3
    assert bench.target.read_bytes() == TOOL
    assert bench.left_over() == []
    assert len(host.ranges()) == 1


def _listen(process: subprocess.Popen[str], told: queue.SimpleQueue[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        told.put(line.rstrip())


async def test_lock_of_a_killed_process_is_free(bench: Bench) -> None:
    target = bench.root / "x"
    hold = (
        "import fcntl, sys, time; f = open(sys.argv[1], 'wb'); fcntl.flock(f, fcntl.LOCK_EX); "
        "print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(  # noqa: ASYNC220 - nothing else runs in this loop
        [sys.executable, "-c", hold, str(bench.root / ".x.lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        async with locked(target, waiting=process.kill):
            assert process.wait() != 0


async def test_cancel_while_waiting_gives_the_lock_up(bench: Bench) -> None:
    target = bench.root / "x"
    waiting = asyncio.Event()

    async def second() -> None:
        async with locked(target, waiting=waiting.set):
            pytest.fail("the lock is held by another task")

    async with locked(target, waiting=lambda: None):
        task = asyncio.create_task(second())
        await waiting.wait()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    # The thread that was left behind takes the lock for a moment and frees it.
    async with asyncio.timeout(60), locked(target, waiting=lambda: None):
        pass


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.EACCES, "check the permissions, or choose another cache directory with XDG_CACHE_HOME"),
        (errno.ENOENT, "something removed the directory meanwhile; run the command again"),
        (errno.EIO, "choose another cache directory with XDG_CACHE_HOME"),
    ],
)
def test_a_refusal_of_the_file_system_is_told_with_its_own_remedy(number: int, hint: str) -> None:
    with pytest.raises(EngineError) as raised, writing(Path("/cache/file")):
        raise OSError(number, os.strerror(number), "/cache/file")
    assert (raised.value.message, raised.value.hint) == (f"cannot write /cache/file: {os.strerror(number)}", hint)
