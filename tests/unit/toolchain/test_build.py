"""Programs built from source, with a go command that only pretends."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest

from knavtool.errors import BinaryMissing
from knavtool.events import Event, Result, StepEnded, StepProgressed, Steps
from knavtool.toolchain.pins import MODULES, Build
from knavtool.toolchain.store import DiskFull
from support.releases import BUILD, Bench, tool

ONLY_BUILD = tool(build=BUILD)


async def test_what_go_makes_is_installed(bench: Bench) -> None:
    bench.add_go()
    found = await bench.toolchain(ONLY_BUILD).ensure(["tool"], steps=bench.steps)
    assert found == {"tool": bench.target}
    assert bench.left_over() == []
    arguments = bench.go_calls[0].split()
    assert arguments[:4] == ["build", "-v", "-trimpath", "-buildvcs=false"]
    assert arguments[-1] == "example.org/tool"
    assert any(isinstance(event, StepProgressed) and "example.org/lib" in event.detail for event in bench.events)


async def test_go_works_in_a_private_copy_of_the_pinned_module(bench: Bench) -> None:
    bench.add_go('pwd > "$HOME/where"; ls > "$HOME/files"; env > "$HOME/env"; exit 1')
    with pytest.raises(BinaryMissing):
        await bench.toolchain(ONLY_BUILD, offline=True).ensure(["tool"], steps=bench.steps)
    assert Path((bench.root / "where").read_text().strip()).is_relative_to(bench.cache)
    assert (bench.root / "files").read_text().split() == ["go.mod", "go.sum"]
    variables = (bench.root / "env").read_text().splitlines()
    assert {"CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-mod=readonly", "GOPROXY=off"} <= set(variables)
    assert bench.left_over() == []


async def test_failure_tells_what_go_said(bench: Bench) -> None:
    bench.add_go('echo "go: downloading x v1" >&2; echo "main.go:3: undefined: spline" >&2; exit 1')
    with pytest.raises(BinaryMissing) as raised:
        await bench.toolchain(ONLY_BUILD).ensure(["tool"], steps=bench.steps)
    assert dict(raised.value.attempts)["build"] == "go build failed (exit code 1): main.go:3: undefined: spline"
    assert [event.result for event in bench.events if isinstance(event, StepEnded)] == [Result.FAILED]
    assert not bench.target.exists()


async def test_full_disk_during_a_build(bench: Bench) -> None:
    bench.add_go('echo "write /x: no space left on device" >&2; exit 1')
    with pytest.raises(DiskFull, match="the disk is full"):
        await bench.toolchain(ONLY_BUILD).ensure(["tool"], steps=bench.steps)
    assert bench.left_over() == []


async def test_build_of_the_wrong_version_is_not_installed(bench: Bench) -> None:
    bench.add_go('while [ "$1" != -o ]; do shift; done; printf "#!/bin/sh\necho tool version v1\n" > "$2"')
    with pytest.raises(BinaryMissing) as raised:
        await bench.toolchain(ONLY_BUILD).ensure(["tool"], steps=bench.steps)
    assert "has version v1, and v1.2.3 is needed" in dict(raised.value.attempts)["build"]
    assert not bench.target.exists()


async def test_cancel_kills_all_of_go_and_leaves_nothing(bench: Bench) -> None:
    bench.add_go('sleep 600 & echo $! $$ > "$HOME/pids"; echo example.org/lib >&2; wait')
    begun = asyncio.Event()

    def listen(event: Event) -> None:
        bench.events.append(event)
        if isinstance(event, StepProgressed):
            begun.set()

    task = asyncio.create_task(bench.toolchain(ONLY_BUILD).ensure(["tool"], steps=Steps(listen)))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for number in (bench.root / "pids").read_text().split():
        assert not _alive(int(number))
    assert bench.left_over() == []
    assert not bench.target.exists()
    assert [event.result for event in bench.events if isinstance(event, StepEnded)] == [Result.CANCELLED]


async def test_what_a_killed_build_left_is_removed(bench: Bench) -> None:
    bench.add_go()
    stale = bench.target.parent / ".tool.build" / "module"
    stale.mkdir(parents=True)
    (bench.target.parent / ".tool.new").write_bytes(b"half")
    await bench.toolchain(ONLY_BUILD).ensure(["tool"], steps=bench.steps)
    assert bench.left_over() == []


async def test_a_program_that_was_built_in_an_earlier_way_is_not_used(bench: Bench) -> None:
    bench.add_go()
    (earlier,) = (await bench.toolchain(ONLY_BUILD).ensure(["tool"], steps=bench.steps)).values()
    changed = replace(ONLY_BUILD.programs["tool"], revision=1)
    (now,) = (
        await bench.toolchain(replace(ONLY_BUILD, programs={"tool": changed})).ensure(["tool"], steps=bench.steps)
    ).values()
    assert now != earlier
    assert len(bench.go_calls) == 2


async def test_programs_of_one_module_are_built_one_after_another(bench: Bench) -> None:
    bench.add_go(
        """
        mkdir "$HOME/busy" || exit 9
        while [ "$1" != -o ]; do shift; done
        printf '#!/bin/sh\\necho tool version v1.2.3\\n' > "$2"
        rmdir "$HOME/busy"
        """
    )
    names = ["tool", "tool-b", "tool-c"]
    programs = {name: replace(ONLY_BUILD.programs["tool"], name=name) for name in names}
    toolchain = bench.toolchain(replace(ONLY_BUILD, programs=programs))
    found = await toolchain.ensure(names, steps=bench.steps)
    assert list(found) == names


async def test_two_modules_are_built_at_once(bench: Bench) -> None:
    meeting = bench.root / "meeting"
    os.mkfifo(meeting)
    # Each end of the pipe waits for the other one to be opened.
    bench.add_go(
        """
        while [ "$1" != -o ]; do shift; done
        case "$2" in */tool) echo here > "$HOME/meeting";; *) read -r _ < "$HOME/meeting";; esac
        printf '#!/bin/sh\\necho tool version v1.2.3\\n' > "$2"
        """
    )
    first = ONLY_BUILD.programs["tool"]
    second = replace(first, name="tool-b", build=Build(module=MODULES / "kwok", package="example.org/b"))
    toolchain = bench.toolchain(ONLY_BUILD, programs={"tool-b": second})
    async with asyncio.timeout(60):
        assert len(await toolchain.ensure(["tool", "tool-b"], steps=bench.steps)) == 2


def _alive(number: int) -> bool:
    """Whether a process still runs; one that is dead and not yet collected by init does not."""
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
