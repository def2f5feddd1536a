"""Who listens where, as the kernel tells it."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path

_LISTEN = "0A"


def listening(numbers: Iterable[int]) -> set[tuple[str, int]]:
    """Address and port of every TCP socket that one of these processes listens on."""
    inodes = {inode for number in numbers for inode in _inodes(number)}
    found = set()
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        with contextlib.suppress(FileNotFoundError):
            for line in Path("/proc/net", table).read_text().splitlines()[1:]:
                columns = line.split()
                if columns[3] == _LISTEN and columns[9] in inodes:
                    address, _, port = columns[1].partition(":")
                    found.add((_address(address, family), int(port, 16)))
    return found


def _inodes(number: int) -> Iterator[str]:
    with contextlib.suppress(OSError):
        for descriptor in Path(f"/proc/{number}/fd").iterdir():
            with contextlib.suppress(OSError):
                target = str(descriptor.readlink())
                if target.startswith("socket:["):
                    yield target.removeprefix("socket:[").removesuffix("]")


def _address(digits: str, family: socket.AddressFamily) -> str:
    """The kernel writes addresses as words of four bytes in the machine's own order, which is little-endian here."""
    raw = bytes.fromhex(digits)
    words = [raw[start : start + 4][::-1] for start in range(0, len(raw), 4)]
    return socket.inet_ntop(family, b"".join(words))
