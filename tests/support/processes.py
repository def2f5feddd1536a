"""Finds processes that tests have left behind."""

from __future__ import annotations

import os
import select
import time
from pathlib import Path

PROC = Path("/proc")


def carrying(marker: str, value: str) -> dict[int, str]:
    """The processes that have `marker=value` in their environment, apart from this one: number and command line."""
    wanted = f"{marker}={value}".encode()
    found = {}
    for entry in PROC.iterdir() if PROC.is_dir() else ():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                    found[int(entry.name)] = command
            except OSError:
                continue  # it has ended meanwhile, or belongs to somebody else
    return {number: command for number, command in found.items() if "multiprocessing.resource_tracker" not in command}


def survivors(numbers: list[int], *, within: float) -> list[int]:
    """Those of the processes that have not ended after `within` seconds."""
    waiting = {}
    for number in numbers:
        try:
            waiting[os.pidfd_open(number)] = number
        except OSError:
            continue
    deadline = time.monotonic() + within
    try:
        left = dict(waiting)
        while left and (room := deadline - time.monotonic()) > 0:
            ended, _, _ = select.select(list(left), [], [], room)
            for descriptor in ended:
                del left[descriptor]
        return sorted(left.values())
    finally:
        for descriptor in waiting:
            os.close(descriptor)
