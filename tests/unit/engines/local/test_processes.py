"""Processes of a cluster: found, watched and ended, with `sleep` in the place of real ones."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from knavtool.engines.local.control_plane import kwokctl
from knavtool.engines.local.processes import processes
from knavtool.engines.local.state.layout import ClusterFiles
from knavtool.engines.local.state.ports import holder
from knavtool.errors import EngineError, ProcessDied
from knavtool.toolchain.pins import host_platform
from support import processes as found

SHELL = Path(shutil.which("sh") or "/bin/sh")
SLEEP = Path(shutil.which("sleep") or "/bin/sleep")


@pytest.fixture
async def cluster(files: ClusterFiles) -> AsyncIterator[ClusterFiles]:
    yield files
    await processes.end(processes.everything(files))


def start(files: ClusterFiles, name: str, script: str = "exec sleep 60", **environment: str) -> int:
    return processes.start(files, name, SHELL, ["-c", script], environment={**os.environ, **environment})


def wait_for_state(number: int, state: str) -> None:
    """Wait until the first thread of a process has a state of proc(5)."""
    while Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != state:
        time.sleep(0.01)


async def test_a_process_is_found_by_its_pid_file_and_its_mark(cluster: ClusterFiles) -> None:
    number = start(cluster, "a")
    assert cluster.pid("a").read_text() == str(number)
    assert processes.recorded(cluster) == processes.running(cluster) == {"a": number}
    assert processes.everything(cluster) == {number}
    assert os.getsid(number) == number


async def test_a_process_that_gets_its_environment_between_two_looks_is_found(
    cluster: ClusterFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = start(cluster, "a")
    looks = iter([b""])
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda self: next(looks, read(self)))
    assert processes.belonging({number}, cluster) == {number}


async def test_a_process_has_ended_with_the_last_of_its_threads(cluster: ClusterFiles, tmp_path: Path) -> None:
    """As a large process that was killed: its first thread is gone, and its ports are not."""
    script = tmp_path / "ending.py"
    script.write_text(
        "import ctypes, socket, sys, threading, time\n"
        "listening = socket.create_server(('127.0.0.1', 0))\n"
        "print(listening.getsockname()[1], flush=True)\n"
        "threading.Thread(target=time.sleep, args=(0.5,)).start()\n"
        "ctypes.CDLL(None).syscall({'x86_64': 60}.get(sys.argv[1], 93), 0)\n"
    )
    number = start(cluster, "a", f"exec {sys.executable} {script} {platform.machine()}")
    wait_for_state(number, "Z")
    assert processes.running(cluster) == {}
    assert holder(int(cluster.log("a").read_text())) is None


async def test_a_process_has_its_directory_its_environment_and_a_log(cluster: ClusterFiles) -> None:
    number = start(cluster, "a", 'pwd; echo "$GIVEN $KNAVTOOL_CLUSTER_DIRECTORY" >&2; umask; cat', GIVEN="given")
    with pytest.raises(ProcessDied):
        async with processes.watched(cluster, {"a": number}), asyncio.timeout(20):
            await asyncio.get_running_loop().create_future()
    said = cluster.log("a").read_text().splitlines()
    assert said == [str(cluster.directory), f"given {cluster.directory}", "0077"]


async def test_logs_are_continued(cluster: ClusterFiles) -> None:
    for word in ("first", "second"):
        number = start(cluster, "a", f"echo {word}")
        with pytest.raises(ProcessDied):
            async with processes.watched(cluster, {"a": number}), asyncio.timeout(20):
                await asyncio.get_running_loop().create_future()
    assert cluster.log("a").read_text() == "first\nsecond\n"


async def test_strangers_are_never_ours(cluster: ClusterFiles, tmp_path: Path) -> None:
    other = ClusterFiles(tmp_path / "work", "test-2")
    other.directory.mkdir()
    stranger = start(other, "a")
    try:
        cluster.pid("a").parent.mkdir()
        cluster.pid("a").write_text(str(stranger))
        cluster.pid("b").write_text(str(os.getpid()))
        cluster.pid("c").write_text("nonsense")
        cluster.pid("d").touch()
        cluster.pid("e").write_text("999999999")
        assert processes.running(cluster) == {}
        assert processes.everything(cluster) == set()
        assert processes.recorded(cluster).keys() == {"a", "b", "e"}
    finally:
        await processes.end(processes.everything(other))


async def test_strays_are_found_without_a_pid_file(cluster: ClusterFiles) -> None:
    """Children that were left alone, in sessions of their own, also when the cluster's directory is gone."""
    number = start(cluster, "a", "(setsid sleep 60 &) ; (sleep 60 &) ; exec sleep 60")
    deadline = time.monotonic() + 20
    while len(strays := processes.everything(cluster)) < 3 or any(_command(one) != "sleep" for one in strays):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    shutil.rmtree(cluster.directory)
    assert processes.running(cluster) == {}
    assert number in processes.everything(cluster)
    await processes.end(strays)
    assert processes.everything(cluster) == set()
    assert found.survivors(list(strays), within=10) == []


async def test_a_process_that_loads_its_program_is_found(
    cluster: ClusterFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For that moment it has no environment, nor an end of one; here the first two looks come that early."""
    number = start(cluster, "a")
    read, read_stat, early = Path.read_bytes, Path.read_text, [b""] * 2
    looked: list[str] = []

    def read_bytes(path: Path) -> bytes:
        return early.pop() if early and path == Path(f"/proc/{number}/environ") else read(path)

    def read_text(path: Path, **given: Any) -> str:
        text = read_stat(path, **given)
        if path != Path(f"/proc/{number}/stat"):
            return text
        looked.append(text)
        # The fields before the last one of proc(5), which is the exit code.
        return " ".join([*text.split()[:-2], "0", "0"])

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    monkeypatch.setattr(Path, "read_text", read_text)
    assert processes.everything(cluster) == {number}
    assert early == []
    assert len(looked) == 2


async def test_nobody_waits_for_a_process_without_an_environment(
    cluster: ClusterFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = start(cluster, "a")

    def sleep(_: float) -> None:
        raise AssertionError("waited")

    with _without_environment() as bare:
        try:
            monkeypatch.setattr(time, "sleep", sleep)
            assert processes.belonging({number, bare.pid}, cluster) == {number}
        finally:
            bare.kill()


def _without_environment() -> subprocess.Popen[bytes]:
    """A process that was started without an environment, once it has loaded its program."""
    process = subprocess.Popen([str(SLEEP), "60"], env={})
    while not Path(f"/proc/{process.pid}/cmdline").read_bytes().startswith(str(SLEEP).encode()):
        time.sleep(0.001)
    return process


def _command(number: int) -> str:
    try:
        return Path(f"/proc/{number}/comm").read_text().strip()
    except OSError:
        return ""


async def test_end_does_not_ask_twice(cluster: ClusterFiles) -> None:
    number = start(cluster, "a", "trap '' TERM INT HUP; while :; do sleep 60; done")
    await processes.end([number, 999999999])
    assert number not in processes.everything(cluster)
    await processes.end([number])
    await processes.end([])


async def test_end_leaves_no_zombie_of_ours(cluster: ClusterFiles) -> None:
    number = start(cluster, "a")
    await processes.end([number])
    assert not Path(f"/proc/{number}").exists()


async def test_a_process_that_does_not_end_is_told(cluster: ClusterFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    number = start(cluster, "a")
    with monkeypatch.context() as patch:
        patch.setattr(signal, "pidfd_send_signal", lambda *_: None)
        with pytest.raises(
            EngineError, match=rf"not ended within 0\.05 s of SIGKILL: \S+ \(process {number}, state \w\)$"
        ):
            await processes.end([number], within=0.05)


@pytest.mark.parametrize(
    ("content", "mode", "why"),
    [
        (b"\x7fELF of another machine", 0o755, f"it is no program for {host_platform()}"),
        (b"#!/no/such/interpreter\n", 0o755, "its interpreter or loader is not on this machine"),
        (b"#!/bin/sh\n", 0o644, "it is not executable, or lies where nothing may be"),
        (None, 0o755, "No such file or directory"),
    ],
)
async def test_a_program_that_cannot_be_started_is_told_as_what_it_is(
    cluster: ClusterFiles, tmp_path: Path, content: bytes | None, mode: int, why: str
) -> None:
    program = tmp_path / "kwokctl"
    if content is not None:
        program.write_bytes(content)
        program.chmod(mode)
    with pytest.raises(EngineError) as raised:
        await kwokctl.start(program, cluster, environment=dict(os.environ))
    assert raised.value.message.startswith(f"{program} cannot be started: {why}")
    assert "--binary" in raised.value.hint


def test_a_machine_without_proc_is_told(cluster: ClusterFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(processes, "_PROC", tmp_path / "proc")
        with pytest.raises(EngineError, match="which cannot be read: No such file or directory") as raised:
            processes.everything(cluster)
    assert "Linux" in raised.value.hint


async def test_a_watched_process_that_ends_ends_the_block(cluster: ClusterFiles) -> None:
    numbers = {name: start(cluster, name) for name in "ab"}
    cluster.log("b").write_text("one\ntwo\n")
    asyncio.get_running_loop().call_soon(os.kill, numbers["b"], signal.SIGKILL)
    with pytest.raises(ProcessDied) as raised:
        async with processes.watched(cluster, numbers), asyncio.timeout(20):
            await asyncio.get_running_loop().create_future()
    assert raised.value.name == "b"
    said = f"b ended while it was needed; the end of {cluster.log('b')}:\n  | one\n  | two"
    assert raised.value.message == said
    assert raised.value.hint
    assert processes.running(cluster).keys() == {"a"}


async def test_a_process_that_has_ended_before_it_is_watched(cluster: ClusterFiles) -> None:
    number = start(cluster, "a")
    await processes.end([number])
    with pytest.raises(ProcessDied, match=r"\(nothing was logged\)"):
        async with processes.watched(cluster, {"a": number}), asyncio.timeout(20):
            await asyncio.get_running_loop().create_future()


async def test_watching_does_not_outlive_the_block(cluster: ClusterFiles) -> None:
    number = start(cluster, "a")
    async with processes.watched(cluster, {"a": number}):
        pass
    with pytest.raises(ZeroDivisionError):
        async with processes.watched(cluster, {"a": number}):
            raise ZeroDivisionError
    assert processes.running(cluster) == {"a": number}
    open_files = {str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()}
    assert "anon_inode:[pidfd]" not in open_files


async def test_cancelling_a_block_is_no_death(cluster: ClusterFiles) -> None:
    number = start(cluster, "a")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05), processes.watched(cluster, {"a": number}):
            await asyncio.get_running_loop().create_future()
    assert processes.running(cluster) == {"a": number}


def test_the_mark_wins_over_the_environment(files: ClusterFiles) -> None:
    assert processes.marked(files, {processes.MARK: "/elsewhere", "A": "b"}) == {
        processes.MARK: str(files.directory),
        "A": "b",
    }


def test_the_tail_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert processes.tail(log) == ""
    log.write_text("".join(f"line {number}\n" for number in range(100)))
    assert processes.tail(log, 3) == "line 97\nline 98\nline 99"
    assert len(processes.tail(log).splitlines()) == 12
    log.write_bytes(b"\xff" * 20_000 + b"\nlast")
    assert processes.tail(log).endswith("\nlast")
    assert len(processes.tail(log)) < 20_000


async def test_a_program_that_is_not_there(cluster: ClusterFiles, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        processes.start(cluster, "a", tmp_path / "nothing", [], environment={})
    assert processes.recorded(cluster) == {}


async def test_files_of_processes_are_private(cluster: ClusterFiles) -> None:
    number = start(cluster, "a", "touch made; exec sleep 60")
    deadline = time.monotonic() + 20
    while not (cluster.directory / "made").exists():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    assert stat.S_IMODE((cluster.directory / "made").stat().st_mode) == 0o600
    assert processes.running(cluster) == {"a": number}


def test_a_process_that_somebody_else_started(files: ClusterFiles) -> None:
    """As kwokctl does: the mark is inherited, and the pid file is written by the parent."""
    with subprocess.Popen([str(SLEEP), "60"], env=processes.marked(files, os.environ)) as child:
        files.pid("etcd").parent.mkdir()
        files.pid("etcd").write_text(f"{child.pid}\n")
        assert processes.running(files) == {"etcd": child.pid}
        child.kill()
        child.wait(20)
        assert processes.running(files) == {}
