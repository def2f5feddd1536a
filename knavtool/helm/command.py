"""Helm as a process: started without a shell, ended with everything it started."""

from __future__ import annotations

from asyncio.subprocess import DEVNULL, PIPE
from functools import cache
from typing import TYPE_CHECKING, Any

from knavtool.errors import EngineError
from knavtool.helm.words import failure, without
from knavtool.subprocesses import process_group

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
            running = process_group(
                *arguments,
                # So that Helm can mark a release as failed.
                grace=_GRACE_SECONDS,
                stdin=PIPE if input is not None else DEVNULL,
                stdout=PIPE,
                stderr=PIPE,
                env=self.environment,
            )
            try:
                async with running as process:
                    stdout, stderr = await process.communicate(input)
            except OSError as error:
                raise EngineError(f"{arguments[0]} cannot be started: {error.strerror}") from error
            if process.returncode:
                said = stderr.decode(errors="replace")
                raise failure(said)(process.returncode, stdout, without(said, self.secrets or {}).encode())
            return bytes(stdout)

    return DirectCommand
