"""Credential plugins: the programs of a kubeconfig that give tokens or client certificates."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
from asyncio.subprocess import DEVNULL, PIPE
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import orjson

from knavtool.errors import Unauthorized

if TYPE_CHECKING:
    from collections.abc import Mapping

_EXTENSION = "client.authentication.k8s.io/exec"
_SHOWN = 10
"""Lines of what a plugin said last."""
_TOLD = ("server", "tls-server-name", "insecure-skip-tls-verify", "proxy-url", "disable-compression")
"""What of its cluster a plugin is told, besides the authority."""


class Plugin:
    """`settings` is the entry `exec` of a kubeconfig's user, `cluster` the entry of its cluster, `authority` in PEM."""

    def __init__(self, settings: Mapping[str, Any], cluster: Mapping[str, Any], authority: bytes = b"") -> None:
        self.command = str(settings.get("command") or "")
        self._settings = settings
        self._cluster = cluster
        self._authority = authority

    async def ask(self, *, interactive: bool) -> dict[str, Any]:
        """The `status` of the plugin's answer; raises Unauthorized.

        With `interactive` it may talk with whoever sits at the terminal, if somebody does and the kubeconfig lets it.
        """
        mode = self._settings.get("interactiveMode") or "IfAvailable"
        talks = interactive and mode != "Never" and sys.stdin is not None and sys.stdin.isatty()
        if mode == "Always" and not talks:
            raise self._failed("it wants to ask something, and there is no terminal to ask on")
        environment = self._environment(talks=talks)
        program = shutil.which(self.command, path=environment.get("PATH"))
        if program is None:
            hint = self._hint("install it, or correct the command of the user in the kubeconfig")
            raise Unauthorized(f"the credential plugin {self.command or '(no command)'} is not installed", hint=hint)
        try:
            process = await asyncio.create_subprocess_exec(
                program,
                *map(str, self._settings.get("args") or ()),
                env=environment,
                stdin=None if talks else DEVNULL,
                stdout=PIPE,
                stderr=None if talks else PIPE,
            )
        except OSError as error:
            raise self._failed(f"it cannot be started: {error.strerror}") from error
        try:
            output, stderr = await process.communicate()
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.returncode:
            raise self._failed(f"it ended with code {process.returncode}{_words(stderr)}")
        return self._status(output, stderr)

    def _status(self, output: bytes, stderr: bytes | None) -> dict[str, Any]:
        # What it wrote is never shown: it may hold what must stay secret.
        try:
            answer = orjson.loads(output)
        except orjson.JSONDecodeError:
            raise self._failed(f"its answer is not JSON{_words(stderr)}") from None
        status = answer.get("status") if isinstance(answer, dict) else None
        if not isinstance(status, dict) or answer.get("kind") != "ExecCredential":
            raise self._failed(f"its answer is no ExecCredential with a status{_words(stderr)}")
        wanted = self._settings.get("apiVersion")
        if wanted != answer.get("apiVersion"):
            raise self._failed(f"it answers with apiVersion {answer.get('apiVersion')}, the kubeconfig wants {wanted}")
        if not status.get("token") and not (status.get("clientCertificateData") and status.get("clientKeyData")):
            raise self._failed("its answer has neither a token nor a certificate with its key")
        return status

    def _environment(self, *, talks: bool) -> dict[str, str]:
        spec: dict[str, Any] = {"interactive": talks}
        if self._settings.get("provideClusterInfo"):
            spec["cluster"] = {key: self._cluster[key] for key in _TOLD if self._cluster.get(key)}
            if self._authority:
                spec["cluster"]["certificate-authority-data"] = b64encode(self._authority).decode()
            for extension in self._cluster.get("extensions") or ():
                if isinstance(extension, dict) and extension.get("name") == _EXTENSION:
                    spec["cluster"]["config"] = extension.get("extension")
        info = {"apiVersion": self._settings.get("apiVersion"), "kind": "ExecCredential", "spec": spec}
        given = [item for item in self._settings.get("env") or () if isinstance(item, dict) and item.get("name")]
        return {
            **os.environ,
            **{str(item["name"]): str(item.get("value") or "") for item in given},
            "KUBERNETES_EXEC_INFO": orjson.dumps(info).decode(),
        }

    def _failed(self, why: str) -> Unauthorized:
        return Unauthorized(
            f"the credential plugin {self.command} gives no credentials: {why}",
            hint=self._hint("run it by hand, or log in to the cluster again"),
        )

    def _hint(self, otherwise: str) -> str:
        return str(self._settings.get("installHint") or "").strip() or otherwise


def _words(stderr: bytes | None) -> str:
    """What the plugin said last, without what would play tricks on a terminal."""
    lines = (stderr or b"").decode("utf-8", "replace").splitlines()
    plain = ["".join(letter for letter in line if letter.isprintable()).strip() for line in lines]
    shown = [line for line in plain if line][-_SHOWN:]
    return f": {'; '.join(shown)}" if shown else ""
