"""Helm through pyhelm3: template, install, uninstall. The only module that imports pyhelm3."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

from knavtool.errors import ClusterError, EngineError, RenderError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_GRACE_SECONDS = 5.0
_RENDERING = (
    "execution error",
    "parse error",
    "don't meet the specifications",
    "error: template: ",
    "failed: template: ",
)
"""What Helm's message has in lower case if a chart, not a cluster, is at fault."""
_SCHEMA = re.compile(r"values don't meet the specifications of the schema\(s\) in the following chart\(s\):\s+\S+:\s+")
_NOISE = re.compile(r"WARNING: |level=|[IWE]\d{4} ")
_UNREACHABLE = ("cluster unreachable", "connection refused", "no such host", "i/o timeout")


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

        # pyhelm3's own `template` parses the output, which takes many times longer than rendering it.
        command = ["template", release, str(chart), "--skip-crds", "--namespace", namespace, "--values", "-"]
        try:
            output: bytes = await self._command(cluster=False).run(command, json.dumps(values or {}).encode())
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
                timeout=_duration(timeout),
            )
        except errors.FailedToRenderChartError as error:
            raise RenderError(f"{chart.name}: {_message(error)}") from error
        except errors.Error as error:
            raise _refused(f"Helm could not install {release}", error) from error

    async def uninstall(self, release: str, *, namespace: str, timeout: float) -> bool:
        """Remove a release; False if there is none."""
        from pyhelm3 import errors

        try:
            await self._command().uninstall(release, namespace=namespace, timeout=_duration(timeout))
        except errors.ReleaseNotFoundError:
            return False
        except errors.Error as error:
            raise _refused(f"Helm could not remove {release}", error) from error
        return True

    async def status(self, release: str, *, namespace: str) -> str | None:
        """The release's status, for example `deployed` or `pending-install`; None if there is no such release."""
        from pyhelm3 import errors

        try:
            return str((await self._command().status(release, namespace=namespace))["info"]["status"])
        except errors.ReleaseNotFoundError:
            return None
        except errors.Error as error:
            raise _refused(f"Helm could not read {release}", error) from error

    def _command(self, *, cluster: bool = True) -> Any:
        return _command_class()(
            executable=str(self.executable),
            kubeconfig=self._kubeconfig if cluster else None,
            kubecontext=self._context if cluster else None,
        )


@cache
def _command_class() -> Any:
    """pyhelm3's Command, started without a shell and ended with its whole process group.

    Built late because the import takes 0.2 s. pyhelm3's own `run` hands the command to a shell; when it is cancelled
    only the shell dies, and Helm goes on unseen.
    """
    from pyhelm3.command import Command

    class DirectCommand(Command):  # type: ignore[misc]
        async def run(self, command: Sequence[object], input: bytes | None = None) -> bytes:  # noqa: A002
            arguments = [self._executable, *(str(part) for part in command)]
            if self._kubeconfig:
                arguments += ["--kubeconfig", str(self._kubeconfig)]
            if self._kubecontext:
                arguments += ["--kube-context", str(self._kubecontext)]
            process = await _start(arguments, takes_input=input is not None)
            try:
                stdout, stderr = await process.communicate(input)
            except BaseException:
                await _end(process)
                raise
            if process.returncode:
                raise _failure(stderr.decode(errors="replace"))(process.returncode, stdout, stderr)
            return bytes(stdout)

    return DirectCommand


async def _start(arguments: Sequence[str], *, takes_input: bool) -> asyncio.subprocess.Process:
    starting = asyncio.create_task(
        asyncio.create_subprocess_exec(
            *arguments,
            stdin=asyncio.subprocess.PIPE if takes_input else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        ),
        name="start-helm",
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        # asyncio would kill Helm alone, and then wait for the pipes that what Helm has started may hold open. So the
        # start, which takes milliseconds, is awaited whatever comes meanwhile.
        while not starting.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([starting])
        if not starting.cancelled() and starting.exception() is None:
            await _end(starting.result())
        raise
    except OSError as error:
        raise EngineError(f"{arguments[0]} cannot be started: {error.strerror}") from error


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ask the process group to end, so that Helm can mark a release as failed; kill it if it does not.

    A second cancellation while it is asked kills it at once.
    """
    try:
        os.killpg(process.pid, signal.SIGTERM)
        async with asyncio.timeout(_GRACE_SECONDS):
            await process.wait()
    except (ProcessLookupError, TimeoutError):
        pass
    finally:
        # What Helm has started itself may have outlived it.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await asyncio.shield(process.wait())


def _failure(text: str) -> Any:
    """The class of pyhelm3's errors for what Helm wrote to stderr."""
    from pyhelm3 import errors

    lowered = text.lower()
    if "release: not found" in lowered:
        return errors.ReleaseNotFoundError
    if any(phrase in lowered for phrase in _RENDERING):
        return errors.FailedToRenderChartError
    return errors.ConnectionError if any(phrase in lowered for phrase in _UNREACHABLE) else errors.Error


def _refused(purpose: str, error: Exception) -> ClusterError:
    from pyhelm3 import errors

    message = f"{purpose}: {_message(error)}"
    if isinstance(error, errors.ConnectionError):
        return Unreachable(message, hint="is the cluster running? `knavtool cluster status` tells")
    hint = ""
    if "another operation" in message and "in progress" in message:
        hint = "an earlier Helm was stopped half-way: `helm rollback` or `helm uninstall` frees the release"
    return ClusterError(message, hint=hint)


def _duration(seconds: float) -> str:
    """Seconds as Go reads a duration."""
    return f"{seconds:.3f}s"


def _message(error: Exception) -> str:
    """Helm's words without its prefixes, warnings and advice about --debug."""
    text = str(error).strip().replace("Use --debug flag to render out invalid YAML", "")
    lines = [line for line in text.splitlines() if not _NOISE.match(line)]
    text = "\n".join(lines).strip().removeprefix("Error: ")
    for stage in ("INSTALLATION FAILED: ", "UPGRADE FAILED: "):
        text = text.removeprefix(stage)
    # The chart's name stands in front of each message about its schema, and again in the message itself.
    return _SCHEMA.sub("its values do not fit values.schema.json: ", text).strip()
