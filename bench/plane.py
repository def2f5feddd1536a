"""Control planes to measure on: that of `knavtool cluster up`, and that of kwokctl as it is."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bench import commands, jobs, machine, nodes
from bench.bare import Bare, bare
from bench.setting import KNAVTOOL, MARKER, environment, tell

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from bench.setting import Setting

T = TypeVar("T")
_NAME = "bench"
# Only the address differs from the defaults: nothing of a benchmark should be reachable from outside.
_KWOKCTL = """\
apiVersion: config.kwok.x-k8s.io/v1alpha1
kind: KwokctlConfiguration
options:
  bindAddress: 127.0.0.1
"""
_BINARIES = {
    "etcd": "etcd",
    "kube-apiserver": "kube-apiserver",
    "kube-controller-manager": "kube-controller-manager",
    "kube-scheduler": "kube-scheduler",
    "kwok": "kwok-controller",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """A running control plane; `started` is how many seconds the command took that made it, `directory` its place."""

    directory: Path
    environment: dict[str, str]
    started: float

    def knavtool(self, *arguments: str) -> commands.Finished:
        """Run knavtool against it."""
        return commands.knavtool(self.environment, *arguments)

    def bare(self, work: Callable[[Bare], Awaitable[T]]) -> T:
        """Do `work` with new connections, as every command has to."""

        async def connected() -> T:
            async with bare(Path(self.environment["KUBECONFIG"])) as client:
                return await work(client)

        return asyncio.run(connected())


@contextmanager
def ours(setting: Setting) -> Iterator[Plane]:
    """`knavtool cluster up`: a control plane of the measurement's own; with --quick an empty one that many share."""
    if not setting.quick:
        with new(setting) as plane:
            yield plane
        return
    plane = setting.kept.get(lambda: new(setting))
    try:
        yield plane
    finally:
        plane.bare(_emptied)


@contextmanager
def new(setting: Setting, *, prometheus: bool = False, tuning: str = "all", audit_log: str = "off") -> Iterator[Plane]:
    """`knavtool cluster up`."""
    options = ["--tuning", tuning, "--audit-log", audit_log, *([] if prometheus else ["--no-prometheus"])]
    up = [KNAVTOOL, "--log-format", "json", "cluster", "up", "--name", _NAME, *options]
    with _started(setting, up, [KNAVTOOL, "cluster", "down", "--name", _NAME]) as plane:
        yield plane


async def _emptied(bare: Bare) -> None:
    """Delete what measurements leave behind, and wait until it is gone."""
    for path in ("/api/v1/namespaces/default/pods?gracePeriodSeconds=0", nodes.PATH):
        await bare.send("DELETE", path)
    found = await bare.get("/api/v1/namespaces")
    made = [one["metadata"]["name"] for one in found["items"] if one["metadata"]["name"].startswith("with-")]
    await bare.delete(f"/api/v1/namespaces/{name}" for name in made)
    await jobs.delete_all(bare)
    await nodes.gone(bare)


@contextmanager
def kwokctl(setting: Setting, options: Sequence[str] = ()) -> Iterator[Plane]:
    """`kwokctl create cluster --wait` with kwokctl's defaults, but for `options`, and the same programs."""
    programs = setting.programs
    binaries = [word for name, flag in _BINARIES.items() for word in (f"--{flag}-binary", programs[name])]
    config = setting.file("kwokctl.yaml", _KWOKCTL)
    general = [programs["kwokctl"], "--name", _NAME, "--config", str(config)]
    up = [*general, "create", "cluster", "--runtime", "binary", "--wait", "60s", *binaries, *options]
    with _started(setting, up, [*general, "delete", "cluster"]) as plane:
        yield plane


@contextmanager
def _started(setting: Setting, up: list[str], down: list[str]) -> Iterator[Plane]:
    directory = Path(tempfile.mkdtemp(prefix="plane-", dir=setting.directory))
    session = uuid.uuid4().hex
    variables = environment(directory, session)
    # kwokctl looks for kubectl on the PATH, and would download it otherwise.
    variables["PATH"] = f"{Path(setting.programs['kubectl']).parent}:{variables['PATH']}"
    try:
        finished = commands.run(up, variables)
        yield Plane(directory=directory, environment=variables, started=finished.seconds)
    finally:
        with commands.uninterrupted():
            try:
                commands.run(down, variables)
            finally:
                for command in machine.end_left_behind(MARKER, session):
                    tell(f"    was still running: {command[:100]}")
                shutil.rmtree(directory, ignore_errors=True)
