"""Files that appear whole or not at all."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from knavtool.atomic import FOR_PEOPLE, atomic_write, beside, left_beside, replacing

SIZE = 1 << 16
WRITER = """
import sys
from pathlib import Path
from knavtool.atomic import atomic_write
print("ready", flush=True)
sys.stdin.readline()
for _ in range(int(sys.argv[3])):
    atomic_write(Path(sys.argv[1]), sys.argv[2] * (1 << 16))
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An empty directory."""
    directory = tmp_path / "place"
    directory.mkdir()
    return directory


def names(directory: Path) -> list[str]:
    return sorted(one.name for one in directory.iterdir())


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_file_is_private_unless_it_is_for_people(place: Path) -> None:
    before = os.umask(0o027)
    try:
        atomic_write(place / "key", "é")
        atomic_write(place / "report", b"\xff", mode=FOR_PEOPLE)
    finally:
        os.umask(before)
    assert ((place / "key").read_text(), mode(place / "key")) == ("é", 0o600)
    assert ((place / "report").read_bytes(), mode(place / "report")) == (b"\xff", 0o640)


def test_two_writers_in_the_middle_of_it_do_not_know_of_each_other(place: Path) -> None:
    path = place / "file"
    path.write_text("old")
    with replacing(path) as first:
        first.write(b"fir")
        with replacing(path) as second:
            second.write(b"second")
            assert path.read_text() == "old"
        assert path.read_text() == "second"
        first.write(b"st")
    assert path.read_text() == "first"
    assert names(place) == ["file"]


async def test_threads_tasks_and_processes_write_one_file_at_once(place: Path) -> None:
    path, rounds = place / "file", 25
    whole = {letter * SIZE for letter in "abcdefgh"}
    path.write_text("a" * SIZE)
    begin = threading.Barrier(3)
    command = [sys.executable, "-c", WRITER, str(path)]

    def write(letter: str) -> None:
        begin.wait()
        for _ in range(rounds):
            atomic_write(path, letter * SIZE)

    async def task(letter: str) -> None:
        for _ in range(rounds):
            await asyncio.to_thread(atomic_write, path, letter * SIZE)

    processes = [
        subprocess.Popen([*command, letter, str(rounds)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: ASYNC220
        for letter in "ef"
    ]
    for one in processes:
        assert one.stdout is not None
        assert one.stdout.readline() == b"ready\n"
    with ThreadPoolExecutor() as pool:
        threads = [pool.submit(write, letter) for letter in "cd"]
        begin.wait()
        endings = [asyncio.to_thread(one.communicate, b"\n") for one in processes]
        work = asyncio.gather(*(task(letter) for letter in "gh"), *endings)
        while not work.done():
            assert path.read_text() in whole
            await asyncio.sleep(0)
        await work
        for thread in threads:
            thread.result()
    assert [one.returncode for one in processes] == [0, 0]
    assert path.read_text() in whole
    assert names(place) == ["file"]


def test_a_failure_leaves_the_old_file_and_nothing_else(place: Path) -> None:
    path = place / "file"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path) as file:
        file.write(b"%d" % (1 // 0))
    assert (path.read_text(), names(place)) == ("old", ["file"])
    (place / "directory").mkdir()
    for wrong in (place / "directory", place / "file" / "below", place / "missing" / "file"):
        with pytest.raises(OSError, match=r"\[Errno \d+\]") as refused:
            atomic_write(wrong, "new")
        assert refused.value.filename == str(wrong)
    assert names(place) == ["directory", "file"]


def test_what_lies_beside_a_file_stays_there(place: Path) -> None:
    for name in (".file.new", ".file.tmp", "file.new", ".file"):
        (place / name).write_text("mine")
    atomic_write(place / "file", "new")
    assert {(place / name).read_text() for name in (".file.new", ".file.tmp", "file.new", ".file")} == {"mine"}


def test_a_link_leads_to_the_new_content(place: Path) -> None:
    (place / "real").mkdir()
    link = place / "link"
    link.symlink_to(place / "real" / "file")
    for content in ("first", "second"):
        atomic_write(link, content)
        assert link.is_symlink()
        assert (place / "real" / "file").read_text() == content
    assert names(place / "real") == ["file"]


def test_a_pipe_is_written_to_and_not_replaced(place: Path) -> None:
    pipe = place / "pipe"
    os.mkfifo(pipe)
    heard: list[str] = []
    listener = threading.Thread(target=lambda: heard.append(pipe.read_text()))
    listener.start()
    atomic_write(pipe, "told")
    listener.join()
    assert heard == ["told"]
    assert pipe.is_fifo()


def test_the_longest_name_can_be_written(place: Path) -> None:
    path = place / ("ä" * 127)
    atomic_write(path, "new")
    assert names(place) == [path.name]


def test_only_what_killed_writers_left_is_found(place: Path) -> None:
    path = place / "tool"
    left = beside(path)
    for one in (left, place / ".tool.new", beside(place / "tool.x"), beside(place / "to"), path):
        one.touch()
    assert sorted(left_beside(path)) == sorted([left, place / ".tool.new"])
    assert list(left_beside(place / "missing" / "tool")) == []
