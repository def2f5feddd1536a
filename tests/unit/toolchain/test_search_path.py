"""Programs that are on PATH, named outright, or nowhere."""

from __future__ import annotations

from dataclasses import replace

import pytest

from knavtool.errors import BinaryMissing, UsageError
from knavtool.toolchain.pins import Program
from knavtool.toolchain.resolve import Source
from support.releases import BUILD, PLATFORM, PUBLISHED, Bench, Host, put, tool

BOTH = tool(release=PUBLISHED, build=BUILD)
UNKNOWN = Program(name="my-scheduler", version="1.6.3", platform=PLATFORM)


async def test_right_version_on_the_path_is_used(bench: Bench, host: Host) -> None:
    host.publish()
    right = put(bench.bin, "tool", "echo tool version 1.2.3")
    toolchain = bench.toolchain(BOTH, mirror=host.url)
    assert await toolchain.ensure(["tool"], steps=bench.steps) == {"tool": right}
    assert bench.events == []
    assert host.requests == []
    assert not bench.cache.exists()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("echo tool version v1.2.2", "has version v1.2.2, and v1.2.3 is needed"),
        ("echo tool version v1.2.3-beta.1", "has version v1.2.3-beta.1"),
        ("echo something else; exit 3", "did not tell its version (exit code 3)"),
    ],
)
async def test_wrong_program_on_the_path_is_skipped_with_a_note(bench: Bench, host: Host, body: str, said: str) -> None:
    host.publish()
    wrong = put(bench.bin, "tool", body)
    found = await bench.toolchain(BOTH, mirror=host.url).ensure(["tool"], steps=bench.steps)
    assert found == {"tool": bench.target}
    assert bench.notes == [note for note in bench.notes if note.startswith(f"skipped: {wrong}")]
    assert said in bench.notes[0]


async def test_program_that_cannot_be_run_is_skipped(bench: Bench, host: Host) -> None:
    host.publish()
    bench.bin.mkdir()
    broken = bench.bin / "tool"
    broken.write_bytes(b"\x7fELF no program at all")
    broken.chmod(0o755)
    assert await bench.toolchain(BOTH, mirror=host.url).ensure(["tool"], steps=bench.steps) == {"tool": bench.target}
    assert "cannot be run" in bench.notes[0]


async def test_later_directory_of_the_path_may_have_the_right_one(bench: Bench) -> None:
    put(bench.bin, "tool", "echo tool version v0.9.0")
    right = put(bench.root / "other", "tool", "echo tool version v1.2.3")
    toolchain = bench.toolchain(BOTH, search_path=f"{bench.bin}:{bench.root / 'other'}")
    assert await toolchain.ensure(["tool"], steps=bench.steps) == {"tool": right}


async def test_explicit_path_wins_and_is_not_questioned(bench: Bench) -> None:
    mine = put(bench.root / "mine", "anything", "echo tool version v9")
    put(bench.bin, "tool", "echo tool version v1.2.3")
    toolchain = bench.toolchain(BOTH, explicit={"tool": mine})
    assert await toolchain.ensure(["tool"], steps=bench.steps) == {"tool": mine}


async def test_explicit_path_that_is_no_program_is_an_error(bench: Bench) -> None:
    put(bench.bin, "tool", "echo tool version v1.2.3")
    toolchain = bench.toolchain(BOTH, explicit={"tool": bench.root / "missing"})
    with pytest.raises(UsageError, match=r"tool: .*missing is not an executable file"):
        await toolchain.ensure(["tool"], steps=bench.steps)


async def test_unknown_name_gets_the_nearest_known_one(bench: Bench) -> None:
    with pytest.raises(UsageError) as raised:
        await bench.toolchain(BOTH).ensure(["tol"], steps=bench.steps)
    assert raised.value.hint == "did you mean tool?"


async def test_error_names_each_source_in_order_with_its_reason(bench: Bench, host: Host) -> None:
    with pytest.raises(BinaryMissing) as raised:
        await bench.toolchain(BOTH, mirror=host.url).ensure(["tool"], steps=bench.steps)
    assert [source for source, _ in raised.value.attempts] == ["path", "cache", "download", "build"]
    reasons = dict(raised.value.attempts)
    assert reasons["path"] == "no tool there"
    assert str(bench.target) in reasons["cache"]
    assert "answered 404" in reasons["download"]
    assert reasons["build"] == "no go command on PATH (Go 1.26 or newer builds it from source)"
    assert "KNAVTOOL_TOOL_BINARY" in raised.value.hint


async def test_sources_can_be_restricted(bench: Bench, host: Host) -> None:
    host.publish()
    bench.add_go()
    put(bench.bin, "tool", "echo tool version v1.2.3")
    toolchain = bench.toolchain(BOTH, mirror=host.url, sources=[Source.CACHE, Source.BUILD])
    assert await toolchain.ensure(["tool"], steps=bench.steps) == {"tool": bench.target}
    assert host.requests == []
    assert len(bench.go_calls) == 1


async def test_locate_changes_nothing(bench: Bench, host: Host) -> None:
    host.publish()
    toolchain = bench.toolchain(BOTH, mirror=host.url)
    before = await toolchain.locate("tool")
    assert (before.source, before.path) == (Source.DOWNLOAD, None)
    assert not bench.cache.exists()
    assert host.requests == []
    await toolchain.ensure(["tool"], steps=bench.steps)
    after = await toolchain.locate("tool")
    assert (after.source, after.path) == (Source.CACHE, bench.target)


async def test_locate_knows_when_no_source_is_left(bench: Bench) -> None:
    assert (await bench.toolchain(tool(build=BUILD)).locate("tool")).source is None
    bench.add_go()
    assert (await bench.toolchain(tool(build=BUILD)).locate("tool")).source is Source.BUILD


async def test_program_that_cannot_tell_its_version_is_not_looked_for_on_the_path(bench: Bench, host: Host) -> None:
    host.publish()
    put(bench.bin, "my-scheduler", "exit 1")
    program = replace(UNKNOWN, release=PUBLISHED)
    toolchain = bench.toolchain(tool(), programs={"my-scheduler": program}, mirror=host.url)
    found = await toolchain.ensure(["my-scheduler"], steps=bench.steps)
    assert found["my-scheduler"] == bench.cache / "toolchain/my-scheduler/1.6.3/linux-amd64/my-scheduler"
    host.files.clear()
    found["my-scheduler"].unlink()
    with pytest.raises(BinaryMissing) as raised:
        await toolchain.ensure(["my-scheduler"], steps=bench.steps)
    assert dict(raised.value.attempts)["path"] == "not searched, because nothing tells the version of what is there"
    assert raised.value.hint.startswith("give its path with KNAVTOOL_MY_SCHEDULER_BINARY")


async def test_program_of_no_source_must_be_given(bench: Bench) -> None:
    mine = put(bench.bin, "my-scheduler", "exit 1")
    programs = {"my-scheduler": UNKNOWN}
    toolchain = bench.toolchain(tool(), programs=programs)
    assert (await toolchain.locate("my-scheduler")).source is None
    with pytest.raises(BinaryMissing) as raised:
        await toolchain.ensure(["my-scheduler"], steps=bench.steps)
    assert raised.value.attempts == (("explicit", "no path given, and no other source known"),)
    assert "KNAVTOOL_MY_SCHEDULER_BINARY or `cluster up --binary my-scheduler=PATH`" in raised.value.hint
    toolchain = bench.toolchain(tool(), programs=programs, explicit={"my-scheduler": mine})
    assert await toolchain.ensure(["my-scheduler"], steps=bench.steps) == {"my-scheduler": mine}


async def test_names_of_components_programs_are_known_and_must_be_new(bench: Bench) -> None:
    with pytest.raises(UsageError) as raised:
        bench.toolchain(tool(), programs={"my-scheduler": UNKNOWN}).program("my-schedulr")
    assert raised.value.hint == "did you mean my-scheduler?"
    with pytest.raises(UsageError, match="has a program tool of its own"):
        bench.toolchain(tool(), programs={"tool": replace(UNKNOWN, name="tool")})
