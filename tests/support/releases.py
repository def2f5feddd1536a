"""A release host on loopback, and one pinned program that it publishes."""

from __future__ import annotations

import hashlib
import http.server
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from knavtool.events import Event, Noted, Steps
from knavtool.toolchain.pins import MODULES, Build, Pins, Platform, Program, Release, VersionCheck
from knavtool.toolchain.resolve import Toolchain
from support.loopback import Loopback

PLATFORM = Platform("linux", "amd64")
FILE_URL = "https://releases.example/v1/tool"
SUMS_URL = "https://releases.example/v1/SHA256SUMS"


def script(version: str, *, padding: int = 0) -> bytes:
    """A program that tells its version."""
    return f"#!/bin/sh\necho tool version {version}\nexit\n".encode() + b"#" * padding


TOOL = script("v1.2.3", padding=1 << 20)


def sums(data: bytes, name: str = "tool") -> bytes:
    """A list of sums as publishers write it."""
    return f"{hashlib.sha256(data).hexdigest()}  {name}\n".encode()


@dataclass
class Served:
    """One file of the host; `cut` says, per request, after how many bytes the connection ends (None: it does not)."""

    data: bytes
    status: int = 200
    ranges: bool = True
    cut: list[int | None] = field(default_factory=list)
    hold: threading.Event | None = None


class Host:
    """Serves `files` and remembers each request as (path, Range)."""

    def __init__(self) -> None:
        self.files: dict[str, Served] = {}
        self.requests: list[tuple[str, str]] = []
        host = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.0"

            def do_GET(self) -> None:
                host.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = Loopback(Handler)

    @property
    def url(self) -> str:
        return f"http://{self.server.host}"

    def publish(self, data: bytes = TOOL, *, announced: bytes | None = None) -> Served:
        """Serve `data` as the tool, with a list that announces `announced` (the same unless given)."""
        self.files["/releases.example/v1/SHA256SUMS"] = Served(sums(data if announced is None else announced))
        self.files["/releases.example/v1/tool"] = served = Served(data)
        return served

    def ranges(self, path: str = "/releases.example/v1/tool") -> list[str]:
        """The Range header of each request for a file."""
        return [wanted for asked, wanted in self.requests if asked == path]

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range", "")
        self.requests.append((request.path, wanted))
        served = self.files.get(request.path)
        if served is None or served.status != 200:
            request.send_error(served.status if served else 404)
            return
        body, status = served.data, 200
        offset = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and served.ranges else 0
        if offset:
            if offset >= len(body):
                request.send_error(416)
                return
            status, body = 206, body[offset:]
        request.send_response(status)
        if status == 206:
            last = len(served.data) - 1
            request.send_header("Content-Range", f"bytes {offset}-{last}/{len(served.data)}")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        cut = served.cut.pop(0) if served.cut else None
        try:
            if served.hold is not None:
                request.wfile.write(body[: len(body) // 2])
                request.wfile.flush()
                served.hold.wait(60)
                body = body[len(body) // 2 :]
            request.wfile.write(body if cut is None else body[:cut])
        except OSError:
            pass  # the client has gone

    def close(self) -> None:
        for served in self.files.values():
            if served.hold is not None:
                served.hold.set()
        self.server.close()


def tool(*, release: Release | None = None, build: Build | None = None) -> Pins:
    """Pins with the one program `tool` v1.2.3."""
    program = Program(
        name="tool",
        version="v1.2.3",
        platform=PLATFORM,
        check=VersionCheck(args=("--version",), pattern=r"tool version (\S+)"),
        release=release,
        build=build,
    )
    return Pins(platform=PLATFORM, programs={"tool": program})


PUBLISHED = Release(url=FILE_URL, checksums=SUMS_URL)
BUILD = Build(module=MODULES / "etcd", package="example.org/tool")

GO_THAT_BUILDS = """
echo "$@" >> "$GO_CALLS"
echo "example.org/lib" >&2
while [ $# -gt 0 ]; do
  if [ "$1" = -o ]; then printf '#!/bin/sh\\necho tool version v1.2.3\\n' > "$2"; chmod 755 "$2"; fi
  shift
done
"""


def put(directory: Path, name: str, body: str) -> Path:
    """Write an executable shell script."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


@dataclass
class Bench:
    """A toolchain with a cache and a PATH of its own, and what it says."""

    root: Path
    events: list[Event] = field(default_factory=list)

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def bin(self) -> Path:
        """A directory that is on the toolchain's PATH."""
        return self.root / "bin"

    @property
    def target(self) -> Path:
        return self.cache / "toolchain/tool/v1.2.3/linux-amd64/tool"

    @property
    def go_calls(self) -> list[str]:
        log = self.root / "go-calls"
        return log.read_text().splitlines() if log.exists() else []

    @property
    def steps(self) -> Steps:
        return Steps(self.events.append)

    @property
    def notes(self) -> list[str]:
        return [event.message for event in self.events if isinstance(event, Noted)]

    def add_go(self, body: str = GO_THAT_BUILDS) -> None:
        """Put a go command on PATH."""
        put(self.bin, "go", body)

    def environment(self) -> Mapping[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.root), "GO_CALLS": str(self.root / "go-calls")}

    def toolchain(self, pins: Pins, **more: object) -> Toolchain:
        self.bin.mkdir(exist_ok=True)
        settings = {"cache": self.cache, "search_path": str(self.bin), "environment": self.environment(), **more}
        return Toolchain(pins=pins, **settings)  # type: ignore[arg-type]

    def left_over(self) -> list[str]:
        """Files in the program's directory other than the program and its lock."""
        folder = self.target.parent
        names = {path.name for path in folder.iterdir()} if folder.exists() else set()
        return sorted(names - {"tool", ".tool.lock"})
