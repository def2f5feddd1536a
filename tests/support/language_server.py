"""The YAML language server that editors use, spoken to over its standard input and output."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent / "editor"
_SEVERITIES = {1: "error", 2: "warning"}


class LanguageServer:
    """One conversation; requests are answered in order, notifications are kept."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._number = 0
        self._diagnostics: dict[str, list[dict[str, Any]]] = {}

    def request(self, method: str, **params: Any) -> Any:
        """Ask, and wait for the answer."""
        self._number += 1
        self._send({"id": self._number, "method": method, "params": params})
        while True:
            message = self._receive()
            if message.get("id") == self._number and "method" not in message:
                assert "error" not in message, message
                return message["result"]

    def notify(self, method: str, **params: Any) -> None:
        """Tell something that has no answer."""
        self._send({"method": method, "params": params})

    def open(self, path: Path, text: str | None = None) -> str:
        """Open a file, or text as if it stood in that file; returns its URI."""
        uri = path.as_uri()
        content = path.read_text() if text is None else text
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": content}
        self._diagnostics.pop(uri, None)
        self.notify("textDocument/didOpen", textDocument=document)
        return uri

    def diagnostics(self, uri: str) -> list[tuple[int, str]]:
        """(line, message) of all that the server complains about, once it has looked; lines count from 1."""
        while uri not in self._diagnostics:
            self._receive()
        return [(each["range"]["start"]["line"] + 1, each["message"]) for each in self._diagnostics[uri]]

    def completions(self, uri: str, line: int, column: int) -> set[str]:
        """What may stand at a place; line and column count from 1."""
        position = {"line": line - 1, "character": column - 1}
        answer = self.request("textDocument/completion", textDocument={"uri": uri}, position=position)
        return {item["label"] for item in answer["items"]}

    def hover(self, uri: str, line: int, column: int) -> str:
        """What the editor shows about a place."""
        position = {"line": line - 1, "character": column - 1}
        answer = self.request("textDocument/hover", textDocument={"uri": uri}, position=position)
        return str(answer["contents"]["value"]) if answer else ""

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self._process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        """The next message; questions of the server get the answer that nothing is configured."""
        assert self._process.stdout is not None
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = self._process.stdout.read(1)
            assert byte, "the language server has ended"
            head += byte
        found = re.search(rb"Content-Length: (\d+)", head)
        assert found is not None, head
        message: dict[str, Any] = json.loads(self._process.stdout.read(int(found[1])))
        if "method" in message and "id" in message:
            wanted = message.get("params", {}).get("items", ())
            self._send({"id": message["id"], "result": [None for _ in wanted] or None})
        elif message.get("method") == "textDocument/publishDiagnostics":
            self._diagnostics[message["params"]["uri"]] = message["params"]["diagnostics"]
        return message


def installed() -> Path | None:
    """The server's program, installed once into the user's cache from the lock file here; None without npm."""
    npm = shutil.which("npm")
    if npm is None:
        return None
    lock = (HERE / "package-lock.json").read_bytes()
    version = json.loads(lock)["packages"]["node_modules/yaml-language-server"]["version"]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    place = cache / "knavtool" / "test-tools" / f"yaml-language-server-{version}"
    program = place / "node_modules" / "yaml-language-server" / "bin" / "yaml-language-server"
    if not program.is_file():
        place.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, place / name)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(command, cwd=place, check=True, capture_output=True, timeout=300)
    return program


@contextmanager
def language_server(program: Path) -> Iterator[LanguageServer]:
    """Start it, and end it."""
    command = [shutil.which("node") or "node", str(program), "--stdio"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            server = LanguageServer(process)
            server.request("initialize", processId=os.getpid(), rootUri=None, capabilities={})
            server.notify("initialized")
            settings = {"yaml": {"validate": True, "hover": True, "completion": True, "schemaStore": {"enable": False}}}
            server.notify("workspace/didChangeConfiguration", settings=settings)
            yield server
        finally:
            process.kill()
