"""Helm through pyhelm3: template, install, uninstall. The only module that imports pyhelm3."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from typing import TYPE_CHECKING, Any

from knavtool.errors import ClusterError, EngineError, RenderError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_GRACE_SECONDS = 5.0


class Helm:
    """Runs one Helm binary against one cluster (templates need none)."""

    def __init__(self, executable: Path, *, kubeconfig: Path | None = None, context: str | None = None) -> None:
        self.executable = executable
        self._kubeconfig = kubeconfig
        self._context = context

    async def template(
        self,
        chart: Path,
        *,
        release: str = "virtual-nodes",
        namespace: str = "default",
        values: Mapping[str, Any] | None = None,
    ) -> str:
        """Render a chart; returns the YAML as Helm prints it. Raises RenderError with Helm's message."""
        from pyhelm3 import errors

        command = ["template", release, str(chart), "--skip-crds", "--namespace", namespace, "--values", "-"]
        try:
            output: bytes = await self._command().run(command, json.dumps(values or {}).encode())
        except errors.Error as error:
            raise RenderError(f"{chart.name}: {_message(error)}") from error
        return output.decode()

    async def upgrade_install(
        self,
        release: str,
        chart: Path,
        *,
        namespace: str,
        values: Mapping[str, Any],
        take_ownership: bool = False,
        timeout: float,
    ) -> None:
        """Install a release or bring it up to date; `timeout` in seconds."""
        from pyhelm3 import errors

        try:
            await self._command().install_or_upgrade(
                release,
                chart,
                dict(values),
                namespace=namespace,
                take_ownership=take_ownership,
                timeout=f"{timeout:g}s",
            )
        except errors.FailedToRenderChartError as error:
            raise RenderError(f"{chart.name}: {_message(error)}") from error
        except errors.Error as error:
            raise ClusterError(f"Helm could not install {release}: {_message(error)}") from error

    async def uninstall(self, release: str, *, namespace: str, timeout: float) -> bool:
        """Remove a release; False if there is none."""
        from pyhelm3 import errors

        try:
            await self._command().uninstall(release, namespace=namespace, timeout=f"{timeout:g}s")
        except errors.ReleaseNotFoundError:
            return False
        except errors.Error as error:
            raise ClusterError(f"Helm could not remove {release}: {_message(error)}") from error
        return True

    async def status(self, release: str, *, namespace: str) -> str | None:
        """The release's status, for example `deployed` or `pending-install`; None if there is no such release."""
        from pyhelm3 import errors

        try:
            return str((await self._command().status(release, namespace=namespace))["info"]["status"])
        except errors.ReleaseNotFoundError:
            return None
        except errors.Error as error:
            raise ClusterError(f"Helm could not read {release}: {_message(error)}") from error

    def _command(self) -> Any:
        return _command_class()(executable=str(self.executable), kubeconfig=self._kubeconfig, kubecontext=self._context)


def _command_class() -> Any:
    """pyhelm3's Command, started without a shell and ended with its whole process group.

    Built late because the import takes 0.2 s. pyhelm3's own `run` hands the command to a shell; when it is cancelled
    only the shell dies, and Helm goes on unseen.
    """
    from pyhelm3 import errors
    from pyhelm3.command import Command

    class DirectCommand(Command):  # type: ignore[misc]
        async def run(self, command: Sequence[object], input: bytes | None = None) -> bytes:  # noqa: A002
            arguments = [self._executable, *(str(part) for part in command)]
            if self._kubeconfig:
                arguments += ["--kubeconfig", str(self._kubeconfig)]
            if self._kubecontext:
                arguments += ["--kube-context", str(self._kubecontext)]
            try:
                process = await asyncio.create_subprocess_exec(
                    *arguments,
                    stdin=asyncio.subprocess.PIPE if input is not None else asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.PIPE,
                    start_new_session=True,
                )
            except OSError as error:
                raise EngineError(f"{self._executable} cannot be started: {error.strerror}") from error
            try:
                stdout, stderr = await process.communicate(input)
            except asyncio.CancelledError:
                await _end(process)
                raise
            if process.returncode:
                kind = errors.Error
                text = stderr.decode(errors="replace").lower()
                if "release: not found" in text:
                    kind = errors.ReleaseNotFoundError
                elif "execution error" in text or "parse error" in text or "don't meet the specifications" in text:
                    kind = errors.FailedToRenderChartError
                raise kind(process.returncode, stdout, stderr)
            return bytes(stdout)

    return DirectCommand


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ask the process group to end, so that Helm can mark a release as failed; kill it if it does not."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            await asyncio.wait_for(asyncio.shield(process.wait()), _GRACE_SECONDS)
        except TimeoutError:
            continue
        break


def _message(error: Exception) -> str:
    """Helm's words without its prefixes and advice about --debug."""
    text = str(error).strip().removeprefix("Error: ")
    return text.replace("\n\nUse --debug flag to render out invalid YAML", "").strip()
