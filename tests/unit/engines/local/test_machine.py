"""Which machines can run a local cluster, and what their errors mean."""

from __future__ import annotations

import errno
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from knavtool.engines.local.state import machine
from knavtool.engines.local.state.layout import ClusterFiles
from knavtool.engines.local.state.machine import meaning, require_machine
from knavtool.errors import EngineError

OLD_KERNEL = """\
import errno, os
def pidfd_open(number, flags=0):
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
os.pidfd_open = pidfd_open
"""


def test_this_machine_will_do() -> None:
    require_machine()


def test_other_systems_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    with pytest.raises(EngineError) as raised:
        require_machine()
    assert raised.value.message == "the local engine runs on Linux only, and this machine runs Darwin (arm64)"
    assert "--engine existing" in raised.value.hint


def test_a_machine_without_proc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "_ENVIRONMENT", tmp_path / "proc")
    with pytest.raises(EngineError, match=r"in /proc, but .* cannot be read: No such file or directory"):
        require_machine()


def test_a_kernel_that_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: int) -> int:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(os, "pidfd_open", unknown)
    with pytest.raises(EngineError, match="pidfd_open, which fails here: Function not implemented") as raised:
        require_machine()
    assert "Linux 5.3" in raised.value.hint


def test_up_refuses_such_a_machine_before_anything_is_read_or_changed(
    knavtool: Callable[..., CompletedProcess[str]], tmp_path: Path
) -> None:
    """`sitecustomize` is what Python imports first; here it makes the kernel an old one."""
    (tmp_path / "sitecustomize.py").write_text(OLD_KERNEL)
    environment = {"PYTHONPATH": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data"), "KNAVTOOL_OFFLINE": "1"}
    done = knavtool("cluster", "up", "--with", "no-such-component", env=environment, check=4)
    assert done.stderr.startswith("error: the local engine watches its processes with pidfd_open, which fails here: ")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("number", "file", "said", "hint"),
    [
        (errno.ENOSPC, "knavtool.json", "cannot write {file}: No space left on device", "free some space"),
        (errno.EACCES, "knavtool.json", "{file}: Permission denied", "XDG_DATA_HOME"),
        (errno.EACCES, "/elsewhere", "/elsewhere: Permission denied", "see who may use it"),
        (errno.ENOENT, "knavtool.json", "{file}: No such file or directory", "knavtool cluster down --name test"),
        (errno.EMFILE, None, "Too many open files", "ulimit -n"),
        (errno.EAGAIN, None, "Resource temporarily unavailable", "ulimit -u"),
        (errno.EIO, "knavtool.json", "{file}: Input/output error", ""),
    ],
)
def test_an_error_of_the_system_is_told_as_what_it_is(
    files: ClusterFiles, number: int, file: str | None, said: str, hint: str
) -> None:
    path = None if file is None else str(files.directory / file)
    told = meaning(OSError(number, os.strerror(number), path), files)
    assert told.message == f"cluster test: {said.format(file=path)}"
    assert hint in told.hint
    assert bool(hint) == bool(told.hint)
