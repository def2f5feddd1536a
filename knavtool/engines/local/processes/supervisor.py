"""Host processes that a keeper keeps running: started, stopped and asked how they are.

Each has a directory `keepers/NAME` with what its keeper was told (`spec.json`) and what it tells (`state.json`). The
process has a pid file like every process of a cluster; the keeper has none, its number is in its state.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from knavtool.atomic import atomic_write
from knavtool.engines.local.processes import processes
from knavtool.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from knavtool.engines.local.state.layout import ClusterFiles

_KEEPER = Path(__file__).with_name("keeper.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long a keeper waits, in seconds; the pauses before new starts double from the first to the longest.

    `grace`: from SIGTERM to SIGKILL. `steady`: a process that ran so long was well, and the next pause is the first.
    `command_within`: for each command before a new start.
    """

    grace: float = 5.0
    first_pause: float = 0.2
    longest_pause: float = 30.0
    steady: float = 30.0
    command_within: float = 10.0


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended: its exit code, or the negative number of a signal; `at` in seconds of the epoch."""

    code: int
    at: float

    def __str__(self) -> str:
        return f"signal {-self.code} ({signal.strsignal(-self.code)})" if self.code < 0 else f"exit code {self.code}"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How a kept process is; `child` and `keeper` are the numbers of those that are alive.

    `since` is the last start of the process, in seconds of the epoch; `last_exit` the end before that, or since.
    """

    child: int | None
    keeper: int | None
    since: float
    restarts: int
    last_exit: Exit | None


async def start(
    files: ClusterFiles,
    name: str,
    program: Path,
    args: Sequence[str],
    *,
    environment: Mapping[str, str],
    before_restart: Sequence[Sequence[str]] = (),
    timing: Timing | None = None,
) -> int:
    """Start a process and its keeper, in the place of those of that name; returns the number of the process.

    The commands `before_restart` begin with the path of a program; they run before every start but this one.
    """
    for needed in (program, *(Path(command[0]) for command in before_restart)):
        if not os.access(needed, os.X_OK):
            raise EngineError(f"{name} cannot be started: {needed} is no program", hint="`knavtool toolchain install`")
    if files.keeper(name).exists():
        await stop(files, [name])
    for directory in (files.keeper(name), files.log(name).parent, files.pid(name).parent):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    spec = {
        "name": name,
        "argv": [str(program), *args],
        "before_restart": [list(command) for command in before_restart],
        "pid_file": str(files.pid(name)),
        "state_file": str(_state_file(files, name)),
        **asdict(timing or Timing()),
    }
    atomic_write(files.keeper(name) / "spec.json", json.dumps(spec, indent=2))
    return await _start_keeper(files, name, environment)


def kept(files: ClusterFiles) -> Iterator[Mapping[str, Any]]:
    """What the keepers of a cluster were told, in the order of their names; what cannot be read is left out."""
    for spec in sorted(files.directory.glob("keepers/*/spec.json")):
        with contextlib.suppress(OSError, ValueError):
            yield json.loads(spec.read_text(encoding="utf-8"))


async def _start_keeper(files: ClusterFiles, name: str, environment: Mapping[str, str]) -> int:
    """Start the keeper of a spec; returns the number of its process, which it tells on a pipe."""
    reading, writing = os.pipe()
    try:
        _launch(files, name, environment, stdout=writing)
        await processes.readable(reading)
        number = os.read(reading, 64)
    finally:
        os.close(reading)
    if not number:
        raise processes.died(files, name)
    return int(number)


def _launch(files: ClusterFiles, name: str, environment: Mapping[str, str], *, stdout: int) -> None:
    try:
        with files.log(name).open("ab") as log:
            keeper = subprocess.Popen(
                # Isolated and without site-packages it starts at once and stays small.
                [sys.executable, "-I", "-S", str(_KEEPER), str(files.keeper(name) / "spec.json")],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=log,
                cwd=files.directory,
                env=processes.marked(files, environment),
                start_new_session=True,
                umask=0o077,
            )
    finally:
        os.close(stdout)
    # Nobody here waits for it: from now on it is known by its number alone.
    keeper.returncode = 0


async def stop(files: ClusterFiles, names: Collection[str], *, within: float = 10.0) -> None:
    """End processes with their keepers, all at the same time; those that take longer than `within` seconds are killed.

    Each process has the grace of its keeper to end well. Nothing is left of their keepers, also of those that had died.
    """
    known = states(files)
    keepers = [state.keeper for name in names if (state := known.get(name)) and state.keeper]
    with contextlib.suppress(EngineError):
        await processes.end(keepers, within=within, by=signal.SIGTERM)
    # One that has not ended may start another process until it is killed.
    while left := _alive(files, names):
        await processes.end(left)
    for name in names:
        files.pid(name).unlink(missing_ok=True)
        if files.keeper(name).exists():
            shutil.rmtree(files.keeper(name))


def states(files: ClusterFiles) -> dict[str, State]:
    """How the kept processes of a cluster are, by name; also those whose keeper has died."""
    states = {}
    for directory in sorted(files.directory.glob("keepers/*")):
        with contextlib.suppress(OSError, ValueError):
            states[directory.name] = json.loads(_state_file(files, directory.name).read_text(encoding="utf-8"))
    alive = processes.belonging(
        {state[which] for state in states.values() for which in ("keeper", "child")} - {None}, files
    )
    return {
        name: State(
            child=state["child"] if state["child"] in alive else None,
            keeper=state["keeper"] if state["keeper"] in alive else None,
            since=state["since"],
            restarts=state["restarts"],
            last_exit=Exit(**state["last_exit"]) if state["last_exit"] else None,
        )
        for name, state in states.items()
    }


def _alive(files: ClusterFiles, names: Collection[str]) -> set[int]:
    """Processes and keepers of these names that are alive."""
    known = states(files)
    found = {number for name in names if name in known for number in (known[name].keeper, known[name].child) if number}
    return found | {number for name, number in processes.running(files).items() if name in names}


def _state_file(files: ClusterFiles, name: str) -> Path:
    return files.keeper(name) / "state.json"
