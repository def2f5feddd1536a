"""Helm as a process: started without a shell, ended with everything it started."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

from knavtool.errors import EngineError
from knavtool.helm.words import failure, without

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_GRACE_SECONDS = 5.0


@cache
def command_class() -> Any:
    """pyhelm3's Command, started without a shell and ended with its whole process group.

    Built late because the import takes 0.2 s. pyhelm3's own `run` hands the command to a shell; when it is cancelled
    only the shell dies, and Helm goes on unseen.
    """
    from pyhelm3.command import Command

    class DirectCommand(Command):  # type: ignore[misc]
        environment: Mapping[str, str] | None = None
        secrets: Mapping[str, str] | None = None

        async def run(self, command: Sequence[object], input: bytes | None = None) -> bytes:  # noqa: A002
            arguments = [self._executable, *(str(part) for part in command)]
            if self._kubeconfig:
                arguments += ["--kubeconfig", str(self._kubeconfig)]
            if self._kubecontext:
                arguments += ["--kube-context", str(self._kubecontext)]
            process = await _start(arguments, self.environment, takes_input=input is not None)
            try:
                stdout, stderr = await process.communicate(input)
            except BaseException:
                await _end(process)
                raise
            if process.returncode:
                said = stderr.decode(errors="replace")
                raise failure(said)(process.returncode, stdout, without(said, self.secrets or {}).encode())
            return bytes(stdout)

    return DirectCommand


async def _start(
    arguments: Sequence[str], environment: Mapping[str, str] | None, *, takes_input: bool
) -> asyncio.subprocess.Process:
    starting = asyncio.create_task(
        asyncio.create_subprocess_exec(
            *arguments,
            stdin=asyncio.subprocess.PIPE if takes_input else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
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
