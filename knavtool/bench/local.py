"""Repetitions in local clusters: a fresh one for each, from what the first of its contender was when it was ready."""

from __future__ import annotations

import hashlib
import shutil
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from knavtool.errors import UsageError
from knavtool.harness.clusters import START_TIMEOUT, require_possible, running
from knavtool.report.files import as_output_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from contextlib import AbstractAsyncContextManager

    from knavtool.bench.directory import Directory
    from knavtool.documents.bench_file import BenchFile, Contender
    from knavtool.events import Steps
    from knavtool.harness.target import Target


def require_local(file: BenchFile, environment: Mapping[str, str]) -> None:
    """Raise UsageError if a contender wants a component or a setting that there is not."""
    for contender in file.contenders:
        try:
            require_possible(contender.cluster, environment)
        except UsageError as error:
            raise UsageError(f"{file.file}: contender {contender.name}: {error.message}", hint=error.hint) from error


@asynccontextmanager
async def local_place(directory: Directory, environment: Mapping[str, str]) -> AsyncIterator[_Local]:
    """Local clusters for the block. If it ends without an error, what they were started from is removed."""
    with as_output_error(f"cannot write to {directory.path}"):
        directory.starts.mkdir(mode=0o700, exist_ok=True)
    try:
        yield _Local(directory, environment)
        shutil.rmtree(directory.starts)
    finally:
        directory.kubeconfig.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class _Local:
    directory: Directory
    environment: Mapping[str, str]
    about: str = ""

    def cluster(self, contender: Contender, *, steps: Steps) -> AbstractAsyncContextManager[Target]:
        """A new one; what is left of an earlier one goes first."""
        # Of those that differ in nothing but their names, each has its own file.
        name = f"{hashlib.sha256(contender.name.encode()).hexdigest()[:16]}.saved"
        return running(
            contender.cluster,
            self.directory.cluster,
            kubeconfig=self.directory.kubeconfig,
            environment=self.environment,
            timeout=START_TIMEOUT,
            steps=steps,
            kept=self.directory.starts / name,
        )
