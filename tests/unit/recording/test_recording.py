"""The recording: what its lines say of pods and nodes, and that the file is whole whatever happens."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

import pytest

from knavtool.events import Steps
from knavtool.recording.file import Recording
from support.recordings import facts_of


class Ticks:
    """A clock that moves by a second whenever it is asked."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    return Recording(tmp_path / "report" / "recording.jsonl.gz", clock=Ticks(), epoch=1_700_000_000)


def test_a_recording_begins_and_ends(recording: Recording) -> None:
    steps = Steps(recording)
    with steps.step("run", "wf") as run, run.nested().step("task", "job", "SubmitObj") as task:
        task.note("careful", warning=True)
        task.message = "done"
    recording.close()
    first, *facts, last = facts_of(recording.path)
    assert first == {
        "fact": "recording",
        "at": 1,
        "format": 1,
        "began": "2023-11-14T22:15:01+00:00",
    }
    assert [(one.get("event"), one.get("name"), one.get("result")) for one in facts] == [
        ("started", "wf", None),
        ("started", "job", None),
        (None, None, None),
        ("ended", None, "ok"),
        ("ended", None, "ok"),
    ]
    assert facts[1]["parent"] == facts[0]["step"]
    assert facts[2]["warning"]
    assert last["fact"] == "end"
    assert [one["at"] for one in (first, *facts, last)] == list(range(1, 8))


async def test_what_a_second_brought_is_in_the_file(recording: Recording) -> None:
    recording.flush()
    before = facts_of(recording.path)
    recording.write(fact="note", message="now")
    assert facts_of(recording.path) == before
    await asyncio.sleep(1.1)
    assert [one["fact"] for one in facts_of(recording.path)] == ["recording", "note"]
    recording.close()


def test_a_full_disk_ends_the_recording_alone(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    recording.write(fact="note", message="kept")
    recording.flush()
    write = os.write

    def half(file: int, data: bytes) -> int:
        if len(data) > 20:
            return write(file, data[:20])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", half)
    recording.write(fact="note", message="lost")
    recording.flush()
    monkeypatch.undo()
    recording.write(fact="note", message="lost too")
    recording.close()
    assert recording.failure is not None
    assert recording.failure.errno == errno.ENOSPC
    assert [one.get("message") for one in facts_of(recording.path)] == [None, "kept"]


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    recording = Recording(tmp_path / "file" / "r", clock=Ticks(), epoch=0)
    recording.write(fact="note", message="nowhere")
    recording.close()
    assert recording.failure is not None


def test_the_umask_says_who_may_read_it(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        recording = Recording(tmp_path / "r", clock=Ticks(), epoch=0)
    finally:
        os.umask(before)
    recording.close()
    assert recording.path.stat().st_mode & 0o777 == 0o640


def test_nothing_is_left_of_a_run_that_did_not_begin(recording: Recording) -> None:
    recording.close(keep=False)
    assert not recording.path.exists()
