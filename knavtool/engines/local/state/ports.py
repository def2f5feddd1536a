"""Ports on 127.0.0.1: free ones that stay free until they are listened on, and who holds one that is taken."""

from __future__ import annotations

import contextlib
import errno
import random
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Self

from knavtool.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Collection

LOOPBACK = "127.0.0.1"
_SETTINGS = Path("/proc/sys/net/ipv4")
# Above what projects choose for themselves, below what Kubernetes gives to Services (30000 and up).
_PREFERRED = range(20000, 30000)
_POSSIBLE = range(10000, 65536)
_ENOUGH = 1000


class Ports:
    """Gives ports away for servers that start while this is open; no other knavtool is given them meanwhile.

    They are none that the system chooses for outgoing connections, so that a server finds its port free also weeks
    later; and none of `besides`, which others have written down.
    """

    def __init__(self, besides: Collection[int] = ()) -> None:
        self._not = set(besides)
        self._held = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def take(self, count: int) -> list[int]:
        """Different ports that nobody listens on; EngineError if there are not enough."""
        found: list[int] = []
        candidates = _candidates()
        for port in random.sample(candidates, len(candidates)):
            if len(found) == count:
                break
            if self.claim(port):
                found.append(port)
        if len(found) < count:
            message = f"no {count} ports between {candidates[0]} and {candidates[-1]} are free on {LOOPBACK}"
            raise EngineError(message, hint="stop what listens there, such as unused clusters")
        return found

    def claim(self, port: int) -> bool:
        """Whether this port could be had; it is not given away any more then."""
        if port in self._not or not self._reserve(port) or holder(port) is not None:
            return False
        self._not.add(port)
        return True

    def _reserve(self, port: int) -> bool:
        """Keep a port from every other knavtool on this machine, whoever runs it; the kernel forgets it with us.

        Names of abstract sockets are like ports: of one network namespace, and gone with the process.
        """
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            claim.bind(f"\0knavtool/port/{port}")
        except OSError:
            claim.close()
            return False
        self._held.enter_context(claim)
        return True


def holder(port: int) -> str | None:
    """None if a process could listen on `port`, otherwise why not: `is taken by NAME (process N)`."""
    with socket.socket() as trial:
        # As servers do: what an earlier connection left in TIME_WAIT does not count.
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((LOOPBACK, port))
        except PermissionError:
            return "may not be used by this user"
        except OSError as error:
            return f"is taken{_by(port)}" if error.errno == errno.EADDRINUSE else f"cannot be used: {error.strerror}"
    return None


def require_free(port: int, *, use: str, hint: str) -> None:
    """Raise EngineError, naming the holder, if a process could not listen on `port`."""
    if (why := holder(port)) is not None:
        raise EngineError(f"port {port} for {use} {why}", hint=hint)


def _candidates() -> list[int]:
    """Ports that the system does not give to outgoing connections and that no administrator has set aside."""
    try:
        low, high = map(int, (_SETTINGS / "ip_local_port_range").read_text().split())
        reserved = _ranges((_SETTINGS / "ip_local_reserved_ports").read_text())
    except (OSError, ValueError):
        low, high, reserved = 32768, 60999, set()
    for wanted in (_PREFERRED, _POSSIBLE):
        found = [port for port in wanted if not low <= port <= high and port not in reserved]
        if len(found) >= _ENOUGH:
            return found
    # Nearly every port may be an outgoing connection's here.
    return list(_PREFERRED)


def _ranges(text: str) -> set[int]:
    """Numbers from a list such as `8080,9000-9010`."""
    found: set[int] = set()
    for part in text.strip().split(",") if text.strip() else ():
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


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
