"""A client of the YAML language server: opens documents, and asks what an editor would show at a place."""

from __future__ import annotations

import hashlib
import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

from support import environment

if TYPE_CHECKING:
    from types import TracebackType

_HERE = Path(__file__).parent
_TIMEOUT = 60.0
CURSOR = "‸"
"""Marks a place in the text of a document."""


def installed() -> Path:
    """The server's script, installed once into the user's cache with the versions and checksums of the lock file.

    Skips the test where there is no npm, but not in CI.
    """
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        reason = "node and npm are needed to try the schemas in the editors' language server"
        if os.environ.get("CI") or os.environ.get("KNAVTOOL_REQUIRE_NODE"):
            pytest.fail(reason)
        pytest.skip(reason)
    lock = (_HERE / "package-lock.json").read_bytes()
    tools = environment.cache_home(os.environ) / "knavtool" / "test-tools"
    place = tools / f"yaml-language-server-{hashlib.sha256(lock).hexdigest()[:16]}"
    if not place.is_dir():
        tools.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=tools) as directory:
            made = Path(directory) / "made"
            made.mkdir()
            for name in ("package.json", "package-lock.json"):
                shutil.copy(_HERE / name, made)
            command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--cache", f"{directory}/cache"]
            done = subprocess.run(command, cwd=made, capture_output=True, text=True, timeout=300)
            assert done.returncode == 0, f"npm ci failed:\n{done.stdout}\n{done.stderr}"
            made.rename(place)
    return place / "node_modules/yaml-language-server/bin/yaml-language-server"


class LanguageServer:
    """Speaks the language server protocol over the server's stdin and stdout; positions count from 0."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._received: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._diagnostics: dict[str, list[dict[str, Any]]] = {}
        self._number = 0

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            ["node", str(installed()), "--stdio"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        document = {
            "completion": {"completionItem": {"snippetSupport": True}},
            "hover": {"contentFormat": ["markdown"]},
        }
        self._request(
            "initialize",
            {"processId": os.getpid(), "rootUri": self._root.as_uri(), "capabilities": {"textDocument": document}},
        )
        self._send(method="initialized", params={})
        settings = {"validate": True, "hover": True, "completion": True, "schemaStore": {"enable": False}}
        self._send(method="workspace/didChangeConfiguration", params={"settings": {"yaml": settings}})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._request("shutdown", None)
                self._send(method="exit")
                self._process.wait(timeout=_TIMEOUT)
        finally:
            self._process.kill()
            self._process.wait()
            self._reader.join()
            for pipe in (self._process.stdin, self._process.stdout):
                assert pipe is not None
                pipe.close()

    def open(self, file: Path, text: str) -> None:
        """Show a document; the file need not exist."""
        document = {"uri": file.as_uri(), "languageId": "yaml", "version": 1, "text": text.replace(CURSOR, "")}
        self._send(method="textDocument/didOpen", params={"textDocument": document})

    def diagnostics(self, file: Path) -> list[tuple[int, str]]:
        """(line, message) of everything that is marked as wrong in an open document."""
        while file.as_uri() not in self._diagnostics:
            self._handle(self._next())
        found = self._diagnostics[file.as_uri()]
        return sorted((each["range"]["start"]["line"], each["message"]) for each in found)

    def completions(self, file: Path, text: str) -> list[str]:
        """What is offered at the cursor."""
        answer = self._request("textDocument/completion", _at_cursor(file, text))
        return [item["label"] for item in (answer["items"] if isinstance(answer, dict) else answer)]

    def hover(self, file: Path, text: str) -> str:
        """What is told about the cursor's place."""
        answer = self._request("textDocument/hover", _at_cursor(file, text))
        return answer["contents"]["value"] if answer else ""

    def _request(self, method: str, params: Any) -> Any:
        self._number += 1
        self._send(id=self._number, method=method, params=params)
        while True:
            message = self._next()
            if message.get("id") == self._number and "method" not in message:
                assert "error" not in message, message
                return message["result"]
            self._handle(message)

    def _handle(self, message: dict[str, Any]) -> None:
        if message.get("method") == "textDocument/publishDiagnostics":
            self._diagnostics[message["params"]["uri"]] = message["params"]["diagnostics"]
        elif "id" in message and "method" in message:
            # The server asks its editor for settings; there are none but those it was sent.
            items = message["params"].get("items", ()) if message["method"] == "workspace/configuration" else ()
            self._send(id=message["id"], result=[None for _ in items] or None)

    def _send(self, **message: Any) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self._process.stdin.flush()

    def _next(self) -> dict[str, Any]:
        message = self._received.get(timeout=_TIMEOUT)
        assert message is not None, "the language server has ended"
        return message

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        while header := stream.readline():
            length = 0
            while header.strip():
                name, _, value = header.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
                header = stream.readline()
            self._received.put(json.loads(stream.read(length)))
        self._received.put(None)


def _at_cursor(file: Path, text: str) -> dict[str, Any]:
    before, found, _ = text.partition(CURSOR)
    assert found, "the text has no cursor"
    position = {"line": before.count("\n"), "character": len(before) - before.rfind("\n") - 1}
    return {"textDocument": {"uri": file.as_uri()}, "position": position}
