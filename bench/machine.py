"""The machine: how busy it is, and whether anything was left running on it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

BUSY = 0.1
_PROC = Path("/proc")


def busy(seconds: float = 1.0) -> float:
    """The share of all processors that was used during the next `seconds`, 0 to 1; 0 where there is no /proc."""
    if not (_PROC / "stat").exists():
        return 0.0
    idle, total = _ticks()
    time.sleep(seconds)
    idle_later, total_later = _ticks()
    return 1 - (idle_later - idle) / max(total_later - total, 1)


def calm(within: float = 60.0) -> float:
    """Wait up to `within` seconds until hardly anybody uses the processors; returns the share that is used then."""
    deadline = time.monotonic() + within
    while (share := busy()) > BUSY and time.monotonic() < deadline:
        pass
    return share


def _ticks() -> tuple[int, int]:
    """(idle, all) ticks since the machine started."""
    ticks = [int(word) for word in (_PROC / "stat").read_text().splitlines()[0].split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)


def end_left_behind(marker: str, value: str) -> list[str]:
    """Kill what still carries `marker=value` in its environment; returns the command lines."""
    wanted = f"{marker}={value}".encode()
    found = []
    for entry in _PROC.iterdir() if _PROC.is_dir() else ():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                    os.kill(int(entry.name), signal.SIGKILL)
                    found.append(command)
            except OSError:
                continue  # it has ended meanwhile, or belongs to somebody else
    return found
