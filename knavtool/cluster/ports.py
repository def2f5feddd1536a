"""Ports on 127.0.0.1: free ones, and who holds one that is taken."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from knavtool.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Collection

LOOPBACK = "127.0.0.1"


def free_ports(count: int, *, besides: Collection[int] = ()) -> list[int]:
    """Different ports that nobody listens on, and none of `besides`; all are held until all are known."""
    found: list[int] = []
    with contextlib.ExitStack() as stack:
        while len(found) < count:
            one = stack.enter_context(socket.socket())
            one.bind((LOOPBACK, 0))
            port = one.getsockname()[1]
            if port not in besides:
                found.append(port)
    return found


def require_free(port: int, *, use: str, hint: str) -> None:
    """Raise EngineError, naming the holder, if a process could not listen on `port`."""
    with socket.socket() as trial:
        # As servers do: what an earlier connection left in TIME_WAIT does not count.
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((LOOPBACK, port))
        except PermissionError:
            raise EngineError(f"port {port} for {use} may not be used by this user", hint=hint) from None
        except OSError:
            raise EngineError(f"port {port} for {use} is taken{_by(port)}", hint=hint) from None


def _by(port: int) -> str:
    """` by NAME (process N)` if this user may see who listens on a port."""
    inodes = {
        columns[9]
        for table in ("tcp", "tcp6")
        for columns in map(str.split, _lines(Path("/proc/net") / table))
        # Column 3 is the state, 0A is LISTEN; the address ends with the port in hexadecimal digits.
        if len(columns) > 9 and columns[3] == "0A" and int(columns[1].rpartition(":")[2], 16) == port
    }
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            for descriptor in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    if str(descriptor.readlink()) in wanted:
                        return f" by {(process / 'comm').read_text().strip()} (process {process.name})"
    return ""


def _lines(table: Path) -> list[str]:
    try:
        return table.read_text().splitlines()[1:]
    except OSError:
        return []
