"""The command line as a user calls it: the installed script in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import typer.main

from knavtool.cli.app import cli

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SCRIPT = Path(sys.executable).with_name("knavtool")


def run_cli(
    *args: str | Path,
    env: Mapping[str, str] | None = None,
    check: int | None = 0,
    timeout: float = 120,
    cwd: Path | None = None,
    stdin: str = "",
    script: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run `knavtool ARGS` to its end; `env` is added to this process's environment.

    `check` is the exit code that is expected, None accepts every one. A call that takes too long is ended with all its
    children. Without a `script` of its own it is a fork of a process that has imported everything, see `fork_server`.
    """
    command = [str(script or SCRIPT), *(str(arg) for arg in args)]
    environment = os.environ | dict(env or {})
    # What a path adds to Python's own is only found by an interpreter that starts with it.
    run = _run_script if script is not None or "PYTHONPATH" in environment else _run_fork
    done = run(command, environment, cwd or Path.cwd(), stdin, timeout)
    said = f"$ {' '.join(command)}\nexit code {done.returncode}\n--- stdout\n{done.stdout}\n--- stderr\n{done.stderr}"
    assert check is None or done.returncode == check, f"expected exit code {int(check or 0)}\n{said}"
    assert "Traceback (most recent call last)" not in done.stderr, said
    return done


def _run_script(
    command: list[str], env: Mapping[str, str], cwd: Path, stdin: str, timeout: float
) -> subprocess.CompletedProcess[str]:
    with subprocess.Popen(
        command,
        env=env,
        cwd=cwd,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(stdin, timeout=timeout)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            sys.stderr.write(f"$ {' '.join(command)}\n{out}\n{err}\n")
            raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def _run_fork(
    command: list[str], env: Mapping[str, str], cwd: Path, stdin: str, timeout: float
) -> subprocess.CompletedProcess[str]:
    reading, writing = zip(*(os.pipe() for _ in range(3)), strict=True)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(_fork_server())
        call = json.dumps({"argv": command, "env": dict(env), "cwd": str(cwd)}).encode()
        theirs = [reading[0], writing[1], writing[2]]
        socket.send_fds(connection, [call], theirs)
        for descriptor in theirs:
            os.close(descriptor)
        connection.settimeout(timeout)
        answers = connection.makefile()
        with (
            ThreadPoolExecutor(3) as threads,
            os.fdopen(writing[0], "w") as into,
            os.fdopen(reading[1]) as out,
            os.fdopen(reading[2]) as err,
        ):
            number = int(answers.readline())
            threads.submit(_feed, into, stdin)
            texts = [threads.submit(stream.read) for stream in (out, err)]
            try:
                code = int(answers.readline())
                deadline = time.monotonic() + timeout
                found = [text.result(deadline - time.monotonic()) for text in texts]
            except BaseException:
                with suppress(ProcessLookupError):
                    os.killpg(number, signal.SIGKILL)
                sys.stderr.write(f"$ {' '.join(command)}\n" + "\n".join(text.result() for text in texts))
                raise
    return subprocess.CompletedProcess(command, code, *found)


def _feed(stream: IO[str], text: str) -> None:
    with suppress(BrokenPipeError), stream:
        stream.write(text)


_servers: list[tuple[subprocess.Popen[bytes], Path]] = []


def _fork_server() -> str:
    """The socket of this process's server, which is started for the first call."""
    if not _servers:
        directory = Path(tempfile.mkdtemp(prefix="knavtool-cli-"))
        process = subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__).with_name("fork_server.py")), str(directory / "socket")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        _servers.append((process, directory))
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    return str(_servers[0][1] / "socket")


def stop_fork_server() -> None:
    """End the server if there is one."""
    while _servers:
        process, directory = _servers.pop()
        process.kill()
        process.communicate()
        shutil.rmtree(directory)


def commands() -> dict[tuple[str, ...], Any]:
    """Every command and group by the words that call it; the root has none."""

    def below(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
        yield path, command
        for name in command.list_commands(None) if hasattr(command, "list_commands") else ():
            yield from below(command.get_command(None, name), (*path, name))

    return dict(below(typer.main.get_command(cli), ()))
