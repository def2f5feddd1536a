"""Programs from their publisher's release."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import resource
import socket
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace

import pytest

from knavtool.errors import BinaryMissing, EngineError
from knavtool.events import Event, Result, StepEnded, StepProgressed, Steps
from knavtool.toolchain.fetch import ChecksumMismatch
from knavtool.toolchain.pins import Release
from knavtool.toolchain.store import DiskFull
from support.releases import BUILD, FILE_URL, PUBLISHED, TOOL, Bench, Host, Served, script, tool

BOTH = tool(release=PUBLISHED, build=BUILD)


async def test_good_file_is_installed(bench: Bench, host: Host) -> None:
    host.publish()
    found = await bench.toolchain(BOTH, mirror=host.url).ensure(["tool"], steps=bench.steps)
    assert found == {"tool": bench.target}
    assert bench.target.read_bytes() == TOOL
    assert bench.target.stat().st_mode & 0o777 == 0o755
    assert bench.left_over() == []
    progress = [event for event in bench.events if isinstance(event, StepProgressed)]
    assert (progress[-1].done, progress[-1].total) == (len(TOOL), len(TOOL))


async def test_second_time_it_comes_from_the_cache(bench: Bench, host: Host) -> None:
    host.publish()
    await bench.toolchain(BOTH, mirror=host.url).ensure(["tool"], steps=bench.steps)
    asked = len(host.requests)
    bench.events.clear()
    await bench.toolchain(BOTH, mirror=host.url).ensure(["tool"], steps=bench.steps)
    assert len(host.requests) == asked
    assert bench.events == []


async def test_wrong_checksum_is_refused_and_nothing_else_is_tried(bench: Bench, host: Host) -> None:
    host.publish(script("v1.2.3", padding=9), announced=TOOL)
    bench.add_go()
    with pytest.raises(ChecksumMismatch) as raised:
        await bench.toolchain(BOTH, mirror=host.url).ensure(["tool"], steps=bench.steps)
    assert hashlib.sha256(TOOL).hexdigest() in raised.value.message
    assert not bench.target.exists()
    assert bench.left_over() == []
    assert bench.go_calls == []


async def test_pinned_sum_wins_over_the_list(bench: Bench, host: Host) -> None:
    host.publish()
    pinned = tool(release=replace(PUBLISHED, sha256="0" * 64))
    with pytest.raises(ChecksumMismatch):
        await bench.toolchain(pinned, mirror=host.url).ensure(["tool"], steps=bench.steps)
    assert host.ranges("/releases.example/v1/SHA256SUMS") == []


async def test_without_any_sum_nothing_is_downloaded(bench: Bench, host: Host) -> None:
    host.publish()
    with pytest.raises(BinaryMissing) as raised:
        await bench.toolchain(tool(release=Release(url=FILE_URL)), mirror=host.url).ensure(["tool"], steps=bench.steps)
    assert "no sha256 is known" in dict(raised.value.attempts)["download"]
    assert host.requests == []


async def test_list_without_the_file_means_no_download(bench: Bench, host: Host) -> None:
    host.publish()
    host.files["/releases.example/v1/SHA256SUMS"] = Served(b"0" * 64 + b"  other\n")
    with pytest.raises(BinaryMissing) as raised:
        await bench.toolchain(BOTH, mirror=host.url).ensure(["tool"], steps=bench.steps)
    assert "lists no sha256 for tool" in dict(raised.value.attempts)["download"]
    assert host.ranges() == []


async def test_truncated_download_is_resumed(bench: Bench, host: Host) -> None:
    host.publish().cut = [1000, 500]
    await bench.toolchain(BOTH, mirror=host.url).ensure(["tool"], steps=bench.steps)
    assert bench.target.read_bytes() == TOOL
    assert host.ranges() == ["", "bytes=1000-", "bytes=1500-"]


async def test_truncated_again_and_again_goes_on_to_the_next_source(bench: Bench, host: Host) -> None:
    host.publish().cut = [1000, 0, 0, 0]
    bench.add_go()
    found = await bench.toolchain(BOTH, mirror=host.url).ensure(["tool"], steps=bench.steps)
    assert found["tool"].read_bytes() != TOOL
    assert any(f"ended after 1000 of {len(TOOL)} bytes" in note for note in bench.notes)
    ended = [event.result for event in bench.events if isinstance(event, StepEnded)]
    assert ended == [Result.SKIPPED, Result.OK]


@pytest.mark.parametrize("status", [403, 404, 503])
async def test_refusal_goes_on_to_the_next_source(bench: Bench, host: Host, status: int) -> None:
    host.publish().status = status
    bench.add_go()
    found = await bench.toolchain(BOTH, mirror=host.url).ensure(["tool"], steps=bench.steps)
    assert found["tool"] == bench.target
    assert len(bench.go_calls) == 1
    assert any(f"answered {status}" in note for note in bench.notes)


async def test_interrupted_download_is_resumed_by_the_next_process(bench: Bench, host: Host) -> None:
    served = host.publish()
    served.hold = threading.Event()
    begun = asyncio.Event()

    def listen(event: Event) -> None:
        if isinstance(event, StepProgressed):
            begun.set()

    task = asyncio.create_task(bench.toolchain(BOTH, mirror=host.url).ensure(["tool"], steps=Steps(listen)))
    await begun.wait()
    part = bench.target.parent / ".tool.part"
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    kept = part.stat().st_size
    assert kept > 0
    assert not bench.target.exists()
    served.hold.set()
    served.hold = None

    await bench.toolchain(BOTH, mirror=host.url).ensure(["tool"], steps=bench.steps)
    assert bench.target.read_bytes() == TOOL
    assert host.ranges() == ["", f"bytes={kept}-"]
    assert bench.left_over() == []


async def test_complete_leftover_needs_no_second_download(bench: Bench, host: Host) -> None:
    host.publish()
    _leave(bench, TOOL)
    await bench.toolchain(BOTH, mirror=host.url).ensure(["tool"], steps=bench.steps)
    assert bench.target.read_bytes() == TOOL
    assert host.ranges() == []


@pytest.mark.parametrize("damaged", [b"x" * 1000, b"x" * (len(TOOL) + 5)], ids=["shorter", "longer"])
async def test_damaged_leftover_is_replaced(bench: Bench, host: Host, damaged: bytes) -> None:
    host.publish()
    _leave(bench, damaged)
    await bench.toolchain(BOTH, mirror=host.url).ensure(["tool"], steps=bench.steps)
    assert bench.target.read_bytes() == TOOL
    assert host.ranges()[-1] == ""


async def test_host_that_ignores_ranges_sends_everything_again(bench: Bench, host: Host) -> None:
    served = host.publish()
    served.ranges = False
    served.cut = [1000]
    await bench.toolchain(BOTH, mirror=host.url).ensure(["tool"], steps=bench.steps)
    assert bench.target.read_bytes() == TOOL


async def test_unreachable_host_is_tried_once(bench: Bench) -> None:
    with socket.socket() as reserved:  # bound and not listening: connections are refused
        reserved.bind(("127.0.0.1", 0))
        mirror = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        toolchain = bench.toolchain(BOTH, mirror=mirror)
        with pytest.raises(BinaryMissing) as first:
            await toolchain.ensure(["tool"], steps=bench.steps)
        reserved.listen()
        with pytest.raises(BinaryMissing) as second:
            await toolchain.ensure(["tool"], steps=bench.steps)
    assert first.value.attempts == second.value.attempts
    assert "cannot reach 127.0.0.1" in dict(first.value.attempts)["download"]


async def test_program_of_the_wrong_version_is_not_installed(bench: Bench, host: Host) -> None:
    host.publish(script("v1.2.4"))
    with pytest.raises(BinaryMissing) as raised:
        await bench.toolchain(BOTH, mirror=host.url).ensure(["tool"], steps=bench.steps)
    assert "has version v1.2.4" in dict(raised.value.attempts)["download"]
    assert not bench.target.exists()


async def test_member_of_a_tar_archive(bench: Bench, host: Host) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        entry = tarfile.TarInfo("tool-1/tool")
        entry.size = len(TOOL)
        tar.addfile(entry, io.BytesIO(TOOL))
    await _install_archive(bench, host, archive.getvalue(), "tool.tar.gz")


async def test_member_of_a_zip_archive(bench: Bench, host: Host) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("tool-1/tool", TOOL)
    await _install_archive(bench, host, archive.getvalue(), "tool.zip")


async def test_archive_without_the_member(bench: Bench, host: Host) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz"):
        pass
    with pytest.raises(BinaryMissing) as raised:
        await _install_archive(bench, host, archive.getvalue(), "tool.tar.gz")
    assert "holds no tool-1/tool" in dict(raised.value.attempts)["download"]
    assert not bench.target.exists()


async def test_mirror_may_be_a_directory(bench: Bench, host: Host) -> None:
    host.publish()
    for path, served in host.files.items():
        file = bench.root / "mirror" / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(served.data)
    await bench.toolchain(BOTH, mirror=str(bench.root / "mirror")).ensure(["tool"], steps=bench.steps)
    assert bench.target.read_bytes() == TOOL
    assert host.requests == []


async def test_offline_contacts_nobody(bench: Bench, host: Host) -> None:
    host.publish()
    with pytest.raises(BinaryMissing) as raised:
        await bench.toolchain(BOTH, mirror=host.url, offline=True).ensure(["tool"], steps=bench.steps)
    assert "--offline" in dict(raised.value.attempts)["download"]
    assert host.requests == []


async def test_cache_that_cannot_be_written_is_one_clear_error(bench: Bench, host: Host) -> None:
    host.publish()
    bench.cache.write_text("a file where the directory should be")
    with pytest.raises(EngineError, match="cannot write"):
        await bench.toolchain(BOTH, mirror=host.url).ensure(["tool"], steps=bench.steps)


@contextlib.contextmanager
def _little_room(limit: int) -> Iterator[None]:
    """No file may grow above `limit` bytes: the system refuses the write as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_disk_full_while_downloading(bench: Bench, host: Host) -> None:
    host.publish()
    bench.add_go()
    with _little_room(len(TOOL) // 2), pytest.raises(DiskFull) as raised:
        await bench.toolchain(BOTH, mirror=host.url).ensure(["tool"], steps=bench.steps)
    assert "XDG_CACHE_HOME" in raised.value.hint
    assert bench.left_over() == []
    assert bench.go_calls == []


async def test_disk_full_while_unpacking(bench: Bench, host: Host) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("tool-1/tool", TOOL)
    with _little_room(len(TOOL) // 2), pytest.raises(DiskFull):
        await _install_archive(bench, host, archive.getvalue(), "tool.zip")
    assert not bench.target.exists()
    assert bench.left_over() == []


async def _install_archive(bench: Bench, host: Host, data: bytes, name: str) -> None:
    host.files[f"/releases.example/v1/{name}"] = Served(data)
    url = f"https://releases.example/v1/{name}"
    pins = tool(release=Release(url=url, sha256=hashlib.sha256(data).hexdigest(), member="tool-1/tool"))
    await bench.toolchain(pins, mirror=host.url).ensure(["tool"], steps=bench.steps)
    assert bench.target.read_bytes() == TOOL
    assert bench.left_over() == []


def _leave(bench: Bench, data: bytes) -> None:
    part = bench.target.parent / ".tool.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(data)
