"""`knavtool run --web`: where the page of the run is, and who may see it."""

from __future__ import annotations

import secrets
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from knavtool.cli import options, streams
from knavtool.errors import UsageError

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping
    from pathlib import Path

    from knavtool.harness.recording import RunRecording

_FREE = "127.0.0.1:0"


@dataclass(frozen=True, slots=True)
class Web:
    """A port that is listened on, and the token of those who may see the page."""

    listening: socket.socket
    token: str

    def say(self, log_format: options.LogFormat) -> None:
        """Say where the page is; the token stays in the browser, because it stands behind a #."""
        from knavtool.listening import url

        address = f"{url(self.listening)}/#token={self.token}"
        if log_format is options.LogFormat.JSON:
            import json

            streams.say(json.dumps({"event": "web", "url": address}))
        else:
            streams.say(f"live report: {address}")


def listen(address: str | None, *, web: bool, server: str | None, off: bool) -> Web | None:
    """Listen where the page is to be, if there is to be one; raises UsageError."""
    if not web and address is None:
        return None
    if server is not None:
        raise UsageError("--web does not work with --server", hint=f"open {server.rstrip('/')}/runs/ID/live")
    if off:
        raise UsageError("--web needs what --record off leaves out")
    from knavtool.listening import listener

    given = address or _FREE
    listening = listener(given if ":" in given else f"127.0.0.1:{given}", option="--web-listen")
    return Web(listening, secrets.token_urlsafe(32))


def showing(
    web: Web | None, recording: RunRecording | None, report: Path | None, environment: Mapping[str, str]
) -> AbstractAsyncContextManager[None]:
    """Show the recording while the block works, and its end."""
    if web is None or recording is None:
        return nullcontext()
    from knavtool.harness.programs import cache_directory
    from knavtool.server.page import shown

    kept = "This page holds the whole report." if report is None else f"The whole report is in {report.absolute()}."
    return shown(
        web.listening,
        web.token,
        recording.file.path,
        end=recording.end,
        said_at_end=f"The run has ended; the connection is closed. {kept}",
        cache=cache_directory(environment),
    )
