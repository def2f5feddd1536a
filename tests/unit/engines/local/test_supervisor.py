"""Processes that are kept running: shells in the place of controllers, which tell on a named pipe how far they are."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import stat
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from knavtool.engines.local.down import stop as throw_away
from knavtool.engines.local.processes import processes, supervisor
from knavtool.engines.local.processes.supervisor import Exit, Timing
from knavtool.engines.local.state.layout import ClusterFiles
from knavtool.errors import EngineError, ProcessDied
from knavtool.usage import usage
from support import processes as found

SHELL = Path(shutil.which("sh") or "/bin/sh")
QUICK = Timing(first_pause=0.001, longest_pause=0.004)
# A process tells its number once its keeper has written it down, so that a test may ask for it then.
WRITTEN_DOWN = 'until grep -q "\\"child\\": $$," keepers/a/state.json 2>/dev/null; do :; done; echo $$ >told; '


class Told:
    """What processes write to the pipe `told` of the cluster's directory, line by line."""

    def __init__(self, files: ClusterFiles) -> None:
        os.mkfifo(files.directory / "told")
        self._descriptor = os.open(files.directory / "told", os.O_RDWR | os.O_NONBLOCK)
        self._read = b""

    async def line(self) -> str:
        async with asyncio.timeout(20):
            while b"\n" not in self._read:
                await processes.readable(self._descriptor)
                self._read += os.read(self._descriptor, 4096)
        line, _, self._read = self._read.partition(b"\n")
        return line.decode()

    def close(self) -> None:
        os.close(self._descriptor)


@pytest.fixture
async def cluster(files: ClusterFiles) -> AsyncIterator[ClusterFiles]:
    yield files
    while left := processes.everything(files):
        await processes.end(left)


@pytest.fixture
async def told(cluster: ClusterFiles) -> AsyncIterator[Told]:
    made = Told(cluster)
    yield made
    made.close()


async def start(
    files: ClusterFiles,
    script: str = "exec sleep 60",
    *,
    name: str = "a",
    before: tuple[str, ...] = (),
    timing: Timing = QUICK,
    **environment: str,
) -> int:
    return await supervisor.start(
        files,
        name,
        SHELL,
        ["-c", script],
        environment={**os.environ, **environment},
        before_restart=[[str(SHELL), "-c", one] for one in before],
        timing=timing,
    )


def keeper(files: ClusterFiles, name: str = "a") -> int:
    number = supervisor.states(files)[name].keeper
    assert number is not None
    return number


def said(files: ClusterFiles, name: str = "a") -> list[str]:
    """The log without the times of the keeper's lines."""
    lines = files.log(name).read_text().splitlines()
    return [" ".join(["keeper:", *line.split()[2:]]) if line.startswith("keeper: ") else line for line in lines]


async def test_a_process_is_started_with_a_keeper(cluster: ClusterFiles, told: Told) -> None:
    before = time.time()
    number = await start(cluster, f"{WRITTEN_DOWN} exec sleep 60")
    assert await told.line() == str(number)
    state = supervisor.states(cluster)["a"]
    assert state.child == number
    assert (state.restarts, state.last_exit) == (0, None)
    assert before <= state.since <= time.time()
    assert cluster.pid("a").read_text() == str(number)
    assert processes.running(cluster) == {"a": number}
    assert processes.everything(cluster) == {number, state.keeper}
    assert os.getsid(number) == number
    assert os.getsid(keeper(cluster)) == keeper(cluster)
    for file in ("spec.json", "state.json"):
        assert stat.S_IMODE((cluster.keeper("a") / file).stat().st_mode) == 0o600


async def test_a_process_has_its_directory_its_environment_and_a_log(cluster: ClusterFiles, told: Told) -> None:
    await start(cluster, f'pwd; echo "$GIVEN $0" >&2; umask; cat; {WRITTEN_DOWN} exec sleep 60', GIVEN="given")
    await told.line()
    assert said(cluster) == [str(cluster.directory), f"given {SHELL}", "0077"]
    assert "given" not in (cluster.keeper("a") / "spec.json").read_text()


async def test_a_process_has_no_signals_blocked_or_ignored(cluster: ClusterFiles, told: Told) -> None:
    number = await start(cluster, f"{WRITTEN_DOWN} exec sleep 60")
    await told.line()
    status = dict(line.split(":\t") for line in Path(f"/proc/{number}/status").read_text().splitlines())
    assert int(status["SigBlk"], 16) == 0
    assert int(status["SigIgn"], 16) & (1 << signal.SIGPIPE - 1) == 0


async def test_a_killed_process_is_started_again(cluster: ClusterFiles, told: Told) -> None:
    number = await start(cluster, f"{WRITTEN_DOWN} exec sleep 60")
    assert await told.line() == str(number)
    before = supervisor.states(cluster)["a"]
    os.kill(number, signal.SIGKILL)
    second = int(await told.line())
    state = supervisor.states(cluster)["a"]
    assert state.child == second != number
    assert (state.keeper, state.restarts) == (before.keeper, 1)
    assert state.last_exit is not None
    assert str(state.last_exit) == "signal 9 (Killed)"
    assert before.since <= state.last_exit.at <= state.since <= time.time()
    assert processes.running(cluster) == {"a": second}
    (line,) = said(cluster)
    assert line.startswith("keeper: a was ended by signal 9 (Killed) after ")
    assert line.endswith(" s; it is started again in 0.001 s")


async def test_pauses_grow_while_a_process_crashes(cluster: ClusterFiles, told: Told) -> None:
    await start(cluster, "echo up >told; exit 3", before=("echo clear >told; echo cleared", "exit 4"))
    lines = [await told.line() for _ in range(11)]
    assert lines == ["up", *["clear", "up"] * 5]
    await supervisor.stop(cluster, ["a"])
    log = said(cluster)
    assert [line.partition("again in ")[2] for line in log if "again" in line][:4] == [
        "0.001 s",
        "0.002 s",
        "0.004 s",
        "0.004 s",
    ]
    assert log[0].startswith("keeper: a ended with exit code 3 after ")
    assert log[1:3] == ["cleared", f"keeper: {SHELL} ended with exit code 4"]


async def test_a_process_that_ran_for_a_while_is_started_again_soon(cluster: ClusterFiles, told: Told) -> None:
    await start(cluster, "echo up >told; exit 3", timing=Timing(first_pause=0.001, steady=0))
    for _ in range(4):
        await told.line()
    await supervisor.stop(cluster, ["a"])
    assert {line.partition("again in ")[2] for line in said(cluster)} == {"0.001 s"}


async def test_a_crash_that_nobody_repairs_is_in_the_state(cluster: ClusterFiles, told: Told) -> None:
    before = ("until grep -q null keepers/a/state.json; do :; done; echo clear >told; exec sleep 60",)
    number = await start(cluster, "exit 3", before=before)
    await told.line()
    state = supervisor.states(cluster)["a"]
    assert (state.child, state.restarts) == (None, 0)
    assert str(state.last_exit) == "exit code 3"
    assert processes.recorded(cluster) == {}
    with pytest.raises(ProcessDied):
        async with processes.watched(cluster, {"a": number}), asyncio.timeout(20):
            await asyncio.get_running_loop().create_future()


async def test_a_command_that_hangs_keeps_nothing_from_starting(cluster: ClusterFiles, told: Told) -> None:
    timing = Timing(first_pause=0.001, command_within=0.01, grace=0.01)
    await start(cluster, "echo up >told; exit 3", before=("trap '' TERM; sleep 60",), timing=timing)
    assert [await told.line(), await told.line()] == ["up", "up"]
    assert f"keeper: {SHELL} did not end in time" in said(cluster)


async def test_a_process_ends_well(cluster: ClusterFiles, told: Told) -> None:
    number = await start(cluster, "trap 'echo bye; exit 0' TERM; echo up >told; while :; do sleep 60 & wait $!; done")
    await told.line()
    await supervisor.stop(cluster, ["a", "unknown"])
    assert found.survivors([number], within=20) == []
    assert said(cluster) == ["bye"]
    assert supervisor.states(cluster) == {}
    assert processes.recorded(cluster) == {}
    assert list(cluster.directory.glob("keepers/*")) == []


async def test_a_process_that_does_not_want_to_end_is_killed(cluster: ClusterFiles, told: Told) -> None:
    number = await start(cluster, "trap '' TERM; echo up >told; sleep 60 & wait", timing=Timing(grace=0.01))
    await told.line()
    await supervisor.stop(cluster, ["a"])
    assert found.survivors([number], within=20) == []


@pytest.mark.parametrize("moment", ["pause", "command"])
async def test_a_keeper_is_ended_between_two_lives(cluster: ClusterFiles, told: Told, moment: str) -> None:
    pause = 600 if moment == "pause" else 0.001
    commands = () if moment == "pause" else ("echo up >told; exec sleep 600",)
    await start(cluster, "echo up >told; exit 3", before=commands, timing=Timing(first_pause=pause))
    for _ in range(1 + len(commands)):
        await told.line()
    await supervisor.stop(cluster, ["a"])
    assert processes.everything(cluster) == set()


async def test_a_process_does_not_outlive_its_keeper(cluster: ClusterFiles) -> None:
    number = await start(cluster)
    await processes.end([keeper(cluster)])
    assert found.survivors([number], within=20) == []
    state = supervisor.states(cluster)["a"]
    assert (state.keeper, state.child) == (None, None)
    assert await start(cluster) != number
    assert supervisor.states(cluster)["a"].keeper is not None
    await processes.end([keeper(cluster)])
    await supervisor.stop(cluster, ["a"])
    assert supervisor.states(cluster) == processes.recorded(cluster) == {}


async def test_a_keeper_that_does_not_answer_is_killed_with_its_process(cluster: ClusterFiles) -> None:
    numbers = [await start(cluster, name=name) for name in "ab"]
    os.kill(keeper(cluster), signal.SIGSTOP)
    await supervisor.stop(cluster, ["a", "b"], within=0.5)
    assert found.survivors(numbers, within=20) == []
    assert processes.everything(cluster) == set()


async def test_others_go_on(cluster: ClusterFiles) -> None:
    for name in "abc":
        await start(cluster, name=name)
    await supervisor.stop(cluster, ["a", "c"])
    assert supervisor.states(cluster).keys() == processes.running(cluster).keys() == {"b"}
    await supervisor.stop(cluster, [])
    assert processes.running(cluster).keys() == {"b"}


async def test_a_process_takes_the_place_of_the_one_before(cluster: ClusterFiles) -> None:
    first = await start(cluster)
    second = await start(cluster)
    assert found.survivors([first], within=20) == []
    assert processes.running(cluster) == {"a": second}
    assert processes.everything(cluster) == {second, keeper(cluster)}


@pytest.mark.parametrize("interval", [0, 0.0005])
async def test_a_cluster_is_thrown_away_while_its_processes_come_and_go(cluster: ClusterFiles, interval: float) -> None:
    timing = Timing(first_pause=interval, longest_pause=interval)
    numbers = [await start(cluster, "exit 3", name=name, before=("exit 0",), timing=timing) for name in "abcd"]
    keepers = [keeper(cluster, name) for name in "abcd"]
    assert await throw_away(cluster) >= len(keepers)
    assert found.survivors([*numbers, *keepers], within=20) == []
    assert not cluster.directory.exists()


async def test_a_cluster_whose_directory_is_gone_keeps_its_processes(cluster: ClusterFiles) -> None:
    """As before: `down` ends them. The keeper must not fail over its files, or a full disk would end everything."""
    number = await start(cluster)
    number_of_keeper = keeper(cluster)
    shutil.rmtree(cluster.directory)
    await processes.end([number])
    assert number_of_keeper in processes.everything(cluster)
    assert await throw_away(cluster) >= 1


async def test_a_program_that_is_not_there(cluster: ClusterFiles, tmp_path: Path) -> None:
    nothing = tmp_path / "nothing"
    with pytest.raises(EngineError, match=f"a cannot be started: {nothing} is no program"):
        await supervisor.start(cluster, "a", nothing, [], environment={})
    with pytest.raises(EngineError, match="is no program"):
        await supervisor.start(cluster, "a", SHELL, [], environment={}, before_restart=[[str(nothing)]])
    assert supervisor.states(cluster) == {}
    assert processes.everything(cluster) == set()


async def test_a_program_that_cannot_be_loaded(cluster: ClusterFiles, tmp_path: Path, told: Told) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/nowhere/interpreter\n")
    broken.chmod(0o700)
    before = [[str(SHELL), "-c", "echo clear >told; exec sleep 60"]]
    await supervisor.start(cluster, "a", broken, [], environment=os.environ, before_restart=before, timing=QUICK)
    await told.line()
    assert said(cluster)[0] == f"keeper: {broken} cannot be started: No such file or directory"
    last = supervisor.states(cluster)["a"].last_exit
    assert last is not None
    assert last.code == 127


async def test_a_keeper_that_fails_is_told(cluster: ClusterFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_KEEPER", Path("/nowhere/keeper.py"))
    with pytest.raises(ProcessDied, match="can't open file"):
        await start(cluster)
    assert processes.everything(cluster) == set()


async def test_a_starter_that_has_gone(cluster: ClusterFiles, told: Told) -> None:
    """As with a cancelled `up`: nobody reads what the keeper tells, and it goes on."""
    await start(cluster, f"{WRITTEN_DOWN} exec sleep 60")
    await told.line()
    await processes.end([keeper(cluster)])
    ours, theirs = os.pipe()
    os.close(ours)
    supervisor._launch(cluster, "a", os.environ, stdout=theirs)
    number = int(await told.line())
    assert processes.everything(cluster) == {number, keeper(cluster)}
    assert processes.running(cluster) == {"a": number}


async def test_a_starter_that_ignores_its_children(cluster: ClusterFiles, told: Told) -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        await start(cluster, f"{WRITTEN_DOWN} exec sleep 60")
    finally:
        signal.signal(signal.SIGCHLD, before)
    os.kill(int(await told.line()), signal.SIGKILL)
    await told.line()
    assert supervisor.states(cluster)["a"].restarts == 1


async def test_what_a_process_uses(cluster: ClusterFiles, told: Told) -> None:
    script = """
import time
block = b"x" * 50_000_000
while time.process_time() < 0.2:
    pass
open("told", "w").write("up\\n")
time.sleep(60)
"""
    number = await supervisor.start(cluster, "a", Path(sys.executable), ["-c", script], environment=os.environ)
    await told.line()
    used = usage(number)
    assert used is not None
    assert 50_000_000 < used.memory_bytes < 200_000_000
    assert 0.1 < used.cpu_seconds < 20
    small = usage(keeper(cluster))
    assert small is not None
    assert small.memory_bytes < 20_000_000
    await supervisor.stop(cluster, ["a"])
    assert usage(number) is None


def test_without_keepers_there_are_no_states(files: ClusterFiles) -> None:
    assert supervisor.states(files) == {}
    files.keeper("a").mkdir(parents=True)
    assert supervisor.states(files) == {}


def test_the_words_for_an_end() -> None:
    assert str(Exit(code=0, at=0)) == "exit code 0"
    assert str(Exit(code=-15, at=0)) == "signal 15 (Terminated)"
