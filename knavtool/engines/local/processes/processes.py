"""The processes of a local cluster: found by their mark, started with a log, watched and ended by number.

Every process of a cluster carries its directory in an environment variable. That finds them all, whoever started them
and whatever became of their pid files, and never takes a stranger that was given the same number for one of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from knavtool.atomic import atomic_write
from knavtool.errors import EngineError, ProcessDied
from knavtool.taskgroup import task_group
from knavtool.toolchain.pins import host_platform

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from knavtool.engines.local.state.layout import ClusterFiles

MARK = "KNAVTOOL_CLUSTER_DIRECTORY"
_PROC = Path("/proc")
_TAIL = 16384
_KNOWN_WITHIN = 2.0
_KERNEL_THREAD = 0x00200000
_CRASH = re.compile(r'^panic: |^fatal error: |"level":"(panic|fatal)"')


def marked(files: ClusterFiles, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for a process of the cluster."""
    return {**environment, MARK: str(files.directory)}


def recorded(files: ClusterFiles) -> dict[str, int]:
    """The numbers in the cluster's pid files, by name, whatever became of the processes."""
    found = {}
    for file in sorted(files.directory.glob("pids/*.pid")):
        with contextlib.suppress(OSError, ValueError):
            found[file.stem] = int(file.read_text())
    return found


def running(files: ClusterFiles) -> dict[str, int]:
    """The numbers of the cluster's processes that have a pid file and are alive, by name."""
    known = recorded(files)
    alive = belonging(set(known.values()), files)
    return {name: number for name, number in known.items() if number in alive}


def everything(files: ClusterFiles) -> set[int]:
    """The numbers of all processes that carry the cluster's mark, with or without a pid file."""
    try:
        numbers = {int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()}
    except OSError as error:
        message = f"processes of a local cluster are found in {_PROC}, which cannot be read: {error.strerror}"
        raise EngineError(message, hint="the local engine needs Linux with /proc") from None
    return belonging(numbers - {os.getpid()}, files)


def belonging(numbers: AbstractSet[int], files: ClusterFiles) -> set[int]:
    """Those of the processes that are alive and carry the cluster's mark."""
    found: set[int] = set()
    waiting = numbers
    deadline = time.monotonic() + _KNOWN_WITHIN
    while True:
        answers = {number: _belongs(number, files) for number in waiting}
        found |= {number for number, answer in answers.items() if answer}
        waiting = {number for number, answer in answers.items() if answer is None}
        if not waiting or time.monotonic() > deadline:
            return found
        time.sleep(0.001)


def _belongs(number: int, files: ClusterFiles) -> bool | None:
    """Whether this process is alive and carries the cluster's mark; None for a moment in which that cannot be known.

    It has no environment while it loads its program. A process that has ended has none any more, one of the kernel's
    own never has, and of one that was started without any the kernel knows where it would be. A process that was killed
    has ended with the last of its threads, not with the first: until then it keeps its ports.
    """
    process = _PROC / str(number)
    try:
        if environment := _environment(process):
            return f"{MARK}={files.directory}".encode() in environment.split(b"\0")
        # After the name, which may hold anything, the fields of proc(5) from the third on.
        fields = (process / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return False
    state, flags, first, end = fields[0], int(fields[6]), int(fields[47]), int(fields[48])
    without = 0 < first == end
    ended = state in "ZX" and not _has_threads(process)
    return False if ended or flags & _KERNEL_THREAD or without else None


def environment(number: int, files: ClusterFiles) -> dict[str, str]:
    """The variables that a process was started with; none if it is not of the cluster, OSError if it has ended."""
    pairs = _environment(_PROC / str(number)).decode(errors="replace").split("\0")
    variables = {name: value for name, equals, value in (pair.partition("=") for pair in pairs) if equals}
    return variables if variables.get(MARK) == str(files.directory) else {}


def _environment(process: Path) -> bytes:
    """The environment of a process as the kernel keeps it, empty if the process has no memory (yet, or any more)."""
    try:
        return (process / "environ").read_bytes()
    except ProcessLookupError:
        return b""


def _has_threads(process: Path) -> bool:
    """Whether a process whose first thread has ended has others."""
    try:
        return len(list((process / "task").iterdir())) > 1
    except OSError:
        return False


def start(files: ClusterFiles, name: str, program: Path, args: Sequence[str], *, environment: Mapping[str, str]) -> int:
    """Start a process that outlives this one, with its output in its log; returns its number."""
    log = files.log(name)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        process = subprocess.Popen(
            [str(program), *args],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            cwd=files.directory,
            env=marked(files, environment),
            start_new_session=True,
            umask=0o077,
        )
    # Nobody here waits for it: from now on it is known by its number alone.
    process.returncode = 0
    pid = files.pid(name)
    pid.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(pid, str(process.pid))
    return process.pid


async def end(numbers: Collection[int], *, within: float = 10.0, by: signal.Signals = signal.SIGKILL) -> None:
    """Kill processes and wait until they are gone.

    A cluster that is thrown away has nothing to write down, and a clean shutdown of its API server takes many seconds.
    """
    with contextlib.ExitStack() as stack:
        left = set()

        async def ended(number: int, descriptor: int) -> None:
            await readable(descriptor)
            left.discard(number)

        ends = []
        for number in numbers:
            try:
                descriptor = os.pidfd_open(number)
            except ProcessLookupError:
                continue
            stack.callback(os.close, descriptor)
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, by)
            left.add(number)
            ends.append(ended(number, descriptor))
        try:
            async with asyncio.timeout(within):
                await asyncio.gather(*ends)
        except TimeoutError:
            message = f"not ended within {within:g} s of {by.name}: {', '.join(map(_described, sorted(left)))}"
            hint = "a process in state D waits for a disk or a network file system" if by is signal.SIGKILL else ""
            raise EngineError(message, hint=hint) from None
    _reap(numbers)


@contextlib.asynccontextmanager
async def watched(files: ClusterFiles, numbers: Mapping[str, int]) -> AsyncIterator[None]:
    """Run the block; raises ProcessDied with the tail of the log as soon as one of the processes ends."""
    async with task_group() as group:
        tasks = [
            group.create_task(_watch(files, name, number), name=f"watch-{name}") for name, number in numbers.items()
        ]
        yield
        for task in tasks:
            task.cancel()


async def _watch(files: ClusterFiles, name: str, number: int) -> None:
    try:
        descriptor = os.pidfd_open(number)
    except ProcessLookupError:
        raise died(files, name) from None
    try:
        await readable(descriptor)
    finally:
        os.close(descriptor)
    raise died(files, name)


async def readable(descriptor: int) -> None:
    """Wait until there is something to read: from a pipe, or the end of the process of a pidfd."""
    loop = asyncio.get_running_loop()
    come = loop.create_future()

    def has_come() -> None:
        loop.remove_reader(descriptor)
        if not come.done():
            come.set_result(None)

    loop.add_reader(descriptor, has_come)
    try:
        await come
    finally:
        loop.remove_reader(descriptor)


def _described(number: int) -> str:
    """A process for people, with its state of proc(5)."""
    try:
        name, _, rest = (_PROC / str(number) / "stat").read_text(errors="replace").partition("(")[2].rpartition(")")
    except OSError:
        return f"process {number}"
    return f"{name} (process {number}, state {rest.split()[0]})"


def _reap(numbers: Collection[int]) -> None:
    """Take leave of those that this very process started; the others are their parents' business."""
    for number in numbers:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(number, os.WNOHANG)


def cannot_start(program: Path, error: OSError) -> EngineError:
    """The error for a program that the system does not start, by its cause."""
    hint = "name another with --binary; `knavtool toolchain list` tells where programs are taken from"
    if error.errno == errno.ENOEXEC:
        why = f"it is no program for {host_platform()}"
    elif error.errno == errno.ENOENT and program.exists():
        why = "its interpreter or loader is not on this machine"
    elif error.errno == errno.EACCES:
        why = "it is not executable, or lies where nothing may be (a file system that is mounted noexec)"
    else:
        why = error.strerror or str(error)
    return EngineError(f"{program} cannot be started: {why}", hint=hint)


def died(files: ClusterFiles, name: str) -> ProcessDied:
    """The error for a process that ended on its own."""
    log = files.log(name)
    hint = "correct what the log complains of, then run the same command again"
    return ProcessDied(name, log, tail(log), hint=hint)


def tail(log: Path, lines: int = 12) -> str:
    """The last lines of a log; of a crash in Go, the lines that say why, without the stack trace."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL))
            last = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    crash = next((number for number, line in enumerate(last) if _CRASH.search(line)), len(last) - lines)
    shown = itertools.takewhile(lambda line: not line.startswith("goroutine "), last[max(crash, 0) :][:lines])
    return "\n".join(shown).rstrip()
